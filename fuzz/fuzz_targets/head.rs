//! Heads, and all that may follow them on a connection: however the bytes are split, the same
//! things happen.

#![no_main]

use std::rc::Rc;

use forkful::http::{Clock, Connection, Event, Head, Id, Length, Limits, Linger, Pool};
use forkful::http::{ResponseHead, Trailers};
use libfuzzer_sys::fuzz_target;

const CLOCK: Clock<'_> = Clock { date: b"now" };

fuzz_target!(|data: &[u8]| {
    let [choice, steps, input @ ..] = data else {
        return;
    };
    let limits = limits(*choice);
    if let Some((head, end)) = Head::parse(input, &limits) {
        look(&head);
        assert!(end <= input.len());
    }
    let whole = Trace::of([input], &limits);
    assert_eq!(whole, Trace::of(input.chunks(1), &limits), "byte by byte");
    assert_eq!(whole, Trace::of(split(input, *steps), &limits), "in pieces");
});

/// Leniencies by bit; small buffers are met more often than large ones.
fn limits(choice: u8) -> Limits {
    let is_set = |bit: u8| choice & 1 << bit != 0;
    let (header_buffer, large_buffers, max_headers) = if is_set(0) {
        (48, (2, 64), 4)
    } else {
        (1024, (4, 8192), 1000)
    };
    Limits {
        header_buffer,
        large_buffers,
        max_headers,
        ignore_invalid_headers: is_set(1),
        underscores_in_headers: is_set(2),
        linger: Linger::Off,
    }
}

/// Pieces of irregular length.
fn split(mut input: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed);
    let mut pieces = Vec::new();
    while !input.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (state >> 24) as usize % 64 + 1;
        let (piece, rest) = input.split_at(length.min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// Everything that can be asked of a head.
fn look(head: &Head) -> String {
    format!(
        "{:?}",
        (
            (head.method(), head.version(), head.framing(), head.fault()),
            (head.method_name(), head.target(), head.version_text()),
            (head.path(), head.query(), head.request_uri()),
            (head.scheme(), head.authority(), head.host(), head.port()),
            (head.expects_continue(), head.keep_alive(), head.len()),
            (head.request_line(), head.field("host")),
            head.fields().collect::<Vec<_>>(),
        )
    )
}

/// What happened on a connection.
#[derive(PartialEq, Eq, Debug, Default)]
struct Trace {
    heads: Vec<String>,
    /// Bodies and how they ended, in one text: their pieces depend on the split.
    bodies: Vec<u8>,
    sent: Vec<u8>,
    is_closed: bool,
}

impl Trace {
    fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Trace {
        let mut connection = Connection::new(Rc::new(limits.clone()), Pool::new());
        let mut trace = Trace::default();
        for piece in pieces {
            connection.received(piece);
            trace.run(&mut connection);
        }
        trace.is_closed = connection.is_closed();
        connection.ended();
        trace.run(&mut connection);
        trace
    }

    fn run(&mut self, connection: &mut Connection) {
        loop {
            while let Some(event) = connection.event() {
                self.react(connection, event);
            }
            let output = connection.output();
            if output.is_empty() {
                return;
            }
            let start = self.sent.len();
            for slice in output.slices() {
                self.sent.extend_from_slice(slice);
            }
            connection.sent((self.sent.len() - start) as u64);
        }
    }

    fn react(&mut self, connection: &mut Connection, event: Event) {
        match event {
            Event::Head(id, head) => {
                self.heads.push(look(&head));
                match head.fault() {
                    Some(fault) => answer(connection, id, fault.status),
                    None => connection.accept_body(id),
                }
            }
            Event::Data(_, data) => self.bodies.extend_from_slice(&data),
            Event::End(id) => {
                self.bodies.extend_from_slice(b"<end>");
                answer(connection, id, 200);
            }
            Event::Broken(id, fault) => {
                self.bodies.extend_from_slice(b"<broken>");
                answer(connection, id, fault.status);
            }
            Event::Gone(..) => {}
        }
    }
}

fn answer(connection: &mut Connection, id: Id, status: u16) {
    let head = ResponseHead {
        status,
        keep_alive: true,
        ..ResponseHead::default()
    };
    connection.answer(id, &head, Length::None, &CLOCK);
    connection.finish(id, &Trailers::new());
}
