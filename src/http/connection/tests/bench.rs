//! A connection under test, a site that answers by path, and all that came of it.

use std::io::{Read, Seek, SeekFrom};
use std::rc::Rc;

use super::super::*;
use crate::http::{Clock, Length, Piece, ResponseHead, Trailers};

pub(super) const CLOCK: Clock<'_> = Clock { date: b"now" };

/// A connection, a site whose answers are named by the path, and all that came of it.
pub(super) struct Bench {
    pub(super) connection: Connection,
    pub(super) events: Vec<String>,
    /// How the exchanges ended.
    pub(super) ends: Vec<&'static str>,
    pub(super) sent: Vec<u8>,
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Bench {
        let connection = Connection::new(Rc::new(limits), Pool::new());
        Bench {
            connection,
            events: Vec::new(),
            ends: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Receives, runs the site, sends everything.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> &mut Bench {
        self.connection.received(bytes);
        self.run()
    }

    pub(super) fn end(&mut self) -> &mut Bench {
        self.connection.ended();
        self.run()
    }

    pub(super) fn time_out(&mut self) -> &mut Bench {
        self.connection.timed_out();
        self.run()
    }

    pub(super) fn run(&mut self) -> &mut Bench {
        loop {
            self.run_site();
            if self.connection.output().is_empty() {
                return self;
            }
            self.send();
        }
    }

    pub(super) fn run_site(&mut self) {
        while let Some(event) = self.connection.event() {
            match event {
                Event::Head(id, head) => self.serve(id, &head),
                Event::Data(_, data) => match self.events.last_mut() {
                    Some(last) if last.starts_with("data") => {
                        last.push_str(&String::from_utf8_lossy(&data));
                    }
                    _ => self
                        .events
                        .push(format!("data {}", String::from_utf8_lossy(&data))),
                },
                Event::End(id) => {
                    self.events.push("end".into());
                    self.answer(id, 200, "ok");
                }
                Event::Broken(id, fault) => {
                    self.events.push(format!("broken {}", fault.status));
                    self.answer(id, fault.status, "no");
                }
                Event::Gone(_, sent) if sent.complete => self.ends.push("gone"),
                Event::Gone(..) => self.ends.push("lost"),
            }
        }
    }

    pub(super) fn serve(&mut self, id: Id, head: &Head) {
        if let Some(fault) = head.fault() {
            self.events.push(format!("fault {}", fault.status));
            return self.answer(id, fault.status, "no");
        }
        let path = String::from_utf8_lossy(head.path()).into_owned();
        self.events.push(format!("head {path}"));
        match path.as_str() {
            "/wait" => {}
            "/accept" => self.connection.accept_body(id),
            "/discard" => self.connection.discard_body(id),
            "/limited" => {
                self.connection.body_limit(id, Some(3));
                self.connection.discard_body(id);
            }
            _ => self.answer(id, 200, "ok"),
        }
    }

    pub(super) fn answer(&mut self, id: Id, status: u16, body: &'static str) {
        let head = ResponseHead {
            status,
            keep_alive: true,
            ..ResponseHead::default()
        };
        self.connection
            .answer(id, &head, Length::Known(body.len() as u64), &CLOCK);
        self.connection.piece(id, Piece::Bytes(body.into()));
        self.connection.finish(id, &Trailers::new());
    }

    /// Sends what one look at the output shows.
    pub(super) fn send(&mut self) -> usize {
        let start = self.sent.len();
        let pieces = self.connection.output();
        for slice in pieces.slices() {
            self.sent.extend_from_slice(slice);
        }
        if let Some((file, range)) = pieces.file {
            let mut file: &std::fs::File = file;
            file.seek(SeekFrom::Start(range.start))
                .expect("a file can be read");
            let mut part = file.take(range.end - range.start);
            part.read_to_end(&mut self.sent)
                .expect("a file can be read");
        }
        let n = self.sent.len() - start;
        self.connection.sent(n as u64);
        n
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.sent).into_owned()
    }

    /// Status and Connection field of all answers.
    pub(super) fn answers(&self) -> Vec<String> {
        self.text()
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| {
                let close = answer.contains("\r\nConnection: close\r\n");
                format!("{}{}", &answer[..3], if close { " close" } else { "" })
            })
            .collect()
    }
}

/// A connection whose first request waits for an answer.
pub(super) fn waiting(request: &str) -> (Bench, Id) {
    let mut bench = Bench::new();
    bench.feed(request.as_bytes());
    assert_eq!(bench.connection.state, State::Waiting);
    (bench, Id(0))
}
