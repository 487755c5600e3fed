use std::io::{Read, Seek, SeekFrom, Write};

use proptest::prelude::*;

use super::*;
use crate::http::{Clock, Length, Linger, Method, Piece, ResponseHead, Trailers};

const CLOCK: Clock<'_> = Clock { date: b"now" };

/// A connection, a site whose answers are named by the path, and all that came of it.
struct Bench {
    connection: Connection,
    events: Vec<String>,
    /// How the exchanges ended.
    ends: Vec<&'static str>,
    sent: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(Limits::default())
    }

    fn with(limits: Limits) -> Bench {
        let connection = Connection::new(Rc::new(limits), Pool::new());
        Bench {
            connection,
            events: Vec::new(),
            ends: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Receives, runs the site, sends everything.
    fn feed(&mut self, bytes: &[u8]) -> &mut Bench {
        self.connection.received(bytes);
        self.run()
    }

    fn end(&mut self) -> &mut Bench {
        self.connection.ended();
        self.run()
    }

    fn time_out(&mut self) -> &mut Bench {
        self.connection.timed_out();
        self.run()
    }

    fn run(&mut self) -> &mut Bench {
        loop {
            self.run_site();
            if self.connection.output().is_empty() {
                return self;
            }
            self.send();
        }
    }

    fn run_site(&mut self) {
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

    fn serve(&mut self, id: Id, head: &Head) {
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

    fn answer(&mut self, id: Id, status: u16, body: &'static str) {
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
    fn send(&mut self) -> usize {
        let start = self.sent.len();
        let pieces = self.connection.output();
        for slice in pieces.slices() {
            self.sent.extend_from_slice(slice);
        }
        if let Some((mut file, range)) = pieces.file {
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

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.sent).into_owned()
    }

    /// Status and Connection field of all answers.
    fn answers(&self) -> Vec<String> {
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

fn waiting(request: &str) -> (Bench, Id) {
    let mut bench = Bench::new();
    bench.feed(request.as_bytes());
    assert_eq!(bench.connection.state, State::Waiting);
    (bench, Id(0))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";

/// What is received, the state that leads to, the events, the answers.
type Row = (
    &'static str,
    State,
    &'static [&'static str],
    &'static [&'static str],
);

#[test]
fn requests() {
    use State::*;
    let table: &[Row] = &[
        ("", Idle, &[], &[]),
        ("\r\n", Idle, &[], &[]),
        ("GET", ReadingHead, &[], &[]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            Idle,
            &["head /"],
            &["200"],
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGE",
            ReadingHead,
            &["head /"],
            &["200"],
        ),
        (
            "GET / HTTP/1.0\r\n\r\n",
            Closed,
            &["head /"],
            &["200 close"],
        ),
        (
            "GET / HTTP/1.0\r\n\r\nx",
            Lingering,
            &["head /"],
            &["200 close"],
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            Idle,
            &["head /"],
            &["200"],
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            Closed,
            &["head /"],
            &["200 close"],
        ),
        (
            "GET / HTTP/1.1\r\n\r\nGET",
            Lingering,
            &["fault 400"],
            &["400 close"],
        ),
        ("\x16", Lingering, &["fault 400"], &["400 close"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            Discarding,
            &["head /"],
            &["200"],
        ),
        (
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            Idle,
            &["head /a", "head /b"],
            &["200", "200"],
        ),
        (
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n\
             GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            Idle,
            &["head /a", "head /b"],
            &["200", "200"],
        ),
        (
            "POST /accept HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\nx\r\n2\r\nyz\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
            Idle,
            &["head /accept", "data xyz", "end", "head /b"],
            &["200", "200"],
        ),
        (
            "GET /accept HTTP/1.1\r\nHost: a\r\n\r\n",
            Idle,
            &["head /accept", "end"],
            &["200"],
        ),
        (
            "POST /accept HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            ReadingBody,
            &["head /accept", "data ab"],
            &[],
        ),
        (
            "POST /discard HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy",
            Lingering,
            &["head /discard", "broken 400"],
            &["400 close"],
        ),
        (
            "POST /accept HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy",
            Lingering,
            &["head /accept", "data x", "broken 400"],
            &["400 close"],
        ),
        (
            "POST /limited HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd",
            Lingering,
            &["head /limited", "broken 413"],
            &["413 close"],
        ),
        (
            "POST /limited HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\nabc\r\n0\r\n\r\n",
            Idle,
            &["head /limited", "end"],
            &["200"],
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET",
            Lingering,
            &["head /"],
            &["200 close"],
        ),
        (
            "POST /discard HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
            Lingering,
            &["head /discard", "end"],
            &["200 close"],
        ),
        (
            "POST /accept HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
            Idle,
            &["head /accept", "data abc", "end"],
            &["100", "200"],
        ),
        (
            "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
            Waiting,
            &["head /wait"],
            &[],
        ),
    ];
    for &(input, state, events, answers) in table {
        let mut whole = Bench::new();
        whole.feed(input.as_bytes());
        assert_eq!(whole.answers(), answers, "{input}");
        assert_eq!(whole.connection.state, state, "{input}");
        assert_eq!(whole.events, events, "{input}");
        let finals = answers.iter().filter(|answer| **answer != "100").count();
        assert_eq!(whole.ends, vec!["gone"; finals], "{input}");
        for at in 0..=input.len() {
            let mut split = Bench::new();
            split
                .feed(&input.as_bytes()[..at])
                .feed(&input.as_bytes()[at..]);
            assert_eq!(split.sent, whole.sent, "{input} split at {at}");
            assert_eq!(split.events, whole.events, "{input} split at {at}");
        }
        let mut trickled = Bench::new();
        for byte in input.bytes() {
            trickled.feed(&[byte]);
        }
        assert_eq!(
            (trickled.sent, trickled.events),
            (whole.sent, whole.events),
            "{input}"
        );
    }
}

#[test]
fn a_broken_body_ends_the_connection_after_the_answer() {
    let mut bench = Bench::new();
    bench.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(bench.connection.state, State::Discarding);
    bench.feed(b"x\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(bench.connection.state, State::Lingering);
    assert_eq!(bench.events, ["head /"]);
}

#[test]
fn pipelined_answers_go_out_in_one_write() {
    let mut bench = Bench::new();
    bench.connection.received(GET.repeat(3).as_bytes());
    bench.run_site();
    assert_eq!(bench.events, ["head /"; 3]);
    let n = bench.send();
    assert_eq!(bench.answers(), ["200"; 3]);
    assert_eq!(n, bench.sent.len());
    bench.run_site();
    assert_eq!(bench.ends, ["gone"; 3]);
}

#[test]
fn pipelining_is_bounded() {
    let mut bench = Bench::new();
    bench.connection.received(GET.repeat(100).as_bytes());
    bench.run_site();
    assert!(bench.events.len() < 20);
    assert!(!bench.connection.wants_read());
    bench.run();
    assert_eq!((bench.events.len(), bench.ends.len()), (100, 100));
    assert_eq!(bench.answers(), ["200"; 100]);
    assert!(bench.connection.wants_read() && bench.connection.is_idle());
}

#[test]
fn what_comes_during_an_answer_is_bounded() {
    let (mut bench, id) = waiting(WAIT);
    assert!(bench.connection.wants_read());
    bench.feed(&[b'G'; 1024]);
    assert!(!bench.connection.wants_read());
    bench.answer(id, 200, "ok");
    bench.run();
    assert!(bench.connection.wants_read());
}

#[test]
fn the_end_of_the_peer() {
    use State::*;
    let table: &[Row] = &[
        ("", Closed, &[], &[]),
        ("\r\n", Closed, &[], &[]),
        ("GET", Closed, &[], &[]),
        (GET, Closed, &["head /"], &["200"]),
        (WAIT, Waiting, &["head /wait"], &[]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            Closed,
            &["head /"],
            &["200"],
        ),
        (
            "POST /accept HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            Closed,
            &["head /accept", "data ab", "broken 400"],
            &["400 close"],
        ),
        (
            "GET / HTTP/1.1\r\n\r\n",
            Closed,
            &["fault 400"],
            &["400 close"],
        ),
    ];
    for &(input, state, events, answers) in table {
        for early in [false, true] {
            let mut bench = Bench::new();
            bench.connection.received(input.as_bytes());
            if !early {
                bench.run();
            }
            bench.end();
            assert_eq!(bench.connection.state, state, "{input}");
            assert_eq!(bench.events, events, "{input}");
            assert_eq!(bench.answers(), answers, "{input}");
            assert!(!bench.connection.wants_read(), "{input}");
        }
    }
}

#[test]
fn a_half_closed_client_is_answered() {
    let (mut bench, id) = waiting(WAIT);
    bench.end();
    assert_eq!(bench.connection.state, State::Waiting);
    bench.answer(id, 200, "ok");
    bench.run();
    assert_eq!(bench.answers(), ["200"]);
    assert!(bench.connection.is_closed());
}

#[test]
fn timeouts() {
    let table: &[(&str, Timeout, State, &[&str])] = &[
        ("", Timeout::Header, State::Closed, &[]),
        ("GET", Timeout::Header, State::Lingering, &["408 close"]),
        (GET, Timeout::KeepAlive, State::Closed, &["200"]),
        (WAIT, Timeout::None, State::Waiting, &[]),
        ("\x16", Timeout::Lingering, State::Closed, &["400 close"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
            Timeout::Lingering,
            State::Closed,
            &["200"],
        ),
        (
            "POST /accept HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
            Timeout::Body,
            State::Lingering,
            &["408 close"],
        ),
    ];
    for &(input, timeout, state, answers) in table {
        let mut bench = Bench::new();
        bench.feed(input.as_bytes());
        assert_eq!(bench.connection.timeout(), timeout, "{input}");
        bench.time_out();
        assert_eq!(bench.connection.state, state, "{input}");
        assert_eq!(bench.answers(), answers, "{input}");
    }
}

#[test]
fn a_late_head_tells_what_there_is() {
    let mut connection = Bench::new().connection;
    connection.received(b"\r\nGET /a HTTP/1.1\r\nHost: b\r\nX");
    assert!(connection.event().is_none());
    connection.timed_out();
    let Some(Event::Head(_, head)) = connection.event() else {
        panic!("no head")
    };
    assert_eq!(head.fault().map(|fault| fault.status), Some(408));
    assert_eq!((head.path(), head.host()), (&b"/a"[..], Some(&b"b"[..])));
}

#[test]
fn a_send_timeout_loses_the_answer() {
    let mut bench = Bench::new();
    bench.connection.received(GET.as_bytes());
    bench.run_site();
    assert_eq!(bench.connection.timeout(), Timeout::Send);
    bench.connection.sent(10);
    bench.time_out();
    assert_eq!(bench.events, ["head /"]);
    assert_eq!(bench.ends, ["lost"]);
    assert!(bench.connection.is_closed());
}

#[test]
fn quit() {
    let (mut bench, id) = waiting(WAIT);
    bench.connection.quit();
    bench.answer(id, 200, "ok");
    bench.run();
    assert_eq!(bench.answers(), ["200 close"]);
    assert_eq!(bench.connection.state, State::Lingering);

    let mut bench = Bench::new();
    bench.feed(GET.as_bytes()).connection.quit();
    assert!(bench.connection.is_idle() && !bench.connection.is_closed());
    bench.feed(GET.as_bytes());
    assert_eq!(bench.answers(), ["200", "200 close"]);
}

#[test]
fn lingering_close() {
    let table = [
        (Linger::Off, GET, "\x16", State::Closed),
        (Linger::On, GET, "\x16", State::Lingering),
        (Linger::On, GET, "GET / HTTP/1.0\r\n\r\n", State::Closed),
        (
            Linger::Always,
            GET,
            "GET / HTTP/1.0\r\n\r\n",
            State::Lingering,
        ),
    ];
    for (linger, first, last, state) in table {
        let mut bench = Bench::with(Limits {
            linger,
            ..Limits::default()
        });
        bench.feed(first.as_bytes()).feed(last.as_bytes());
        assert_eq!(bench.connection.state, state, "{linger:?} {last}");
        assert_eq!(bench.connection.wants_linger(), state == State::Lingering);
        bench.feed(b"whatever").end();
        assert!(bench.connection.is_closed());
    }
}

/// The answer to `request` with these pieces.
fn answered(
    request: &str,
    status: u16,
    length: Length,
    pieces: &[&'static str],
) -> (String, State) {
    let (mut bench, id) = waiting(request);
    let head = ResponseHead {
        status,
        keep_alive: true,
        ..ResponseHead::default()
    };
    bench.connection.answer(id, &head, length, &CLOCK);
    for &piece in pieces {
        bench.connection.piece(id, Piece::Bytes(piece.into()));
    }
    let trailers = vec![("T".into(), "u".into())];
    bench.connection.finish(id, &trailers);
    bench.run();
    let text = bench.text();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let framing: Vec<_> = head
        .lines()
        .filter(|line| line.starts_with("Content-L") || line.starts_with("Transfer"))
        .collect();
    (
        format!("{}|{body}", framing.join("+")),
        bench.connection.state,
    )
}

#[test]
fn framing_of_answers() {
    use Length::*;
    let head = WAIT.replace("GET", "HEAD");
    let old = "GET /wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked|1\r\na\r\na\r\n0123456789\r\n0\r\nT: u\r\n\r\n";
    let table: &[(&str, u16, Length, &[&str], &str, State)] = &[
        (
            WAIT,
            200,
            Known(3),
            &["a", "", "bc"],
            "Content-Length: 3|abc",
            State::Idle,
        ),
        (
            WAIT,
            200,
            Known(3),
            &["ab", "cd"],
            "Content-Length: 3|abc",
            State::Idle,
        ),
        (
            WAIT,
            200,
            Known(3),
            &["ab"],
            "Content-Length: 3|ab",
            State::Closed,
        ),
        (WAIT, 200, Known(0), &[], "Content-Length: 0|", State::Idle),
        (WAIT, 200, None, &["x"], "Content-Length: 0|", State::Idle),
        (WAIT, 204, None, &[], "|", State::Idle),
        (WAIT, 304, Known(3), &["abc"], "|", State::Idle),
        (
            WAIT,
            200,
            Unknown,
            &["a", "", "0123456789"],
            chunked,
            State::Idle,
        ),
        (old, 200, Unknown, &["a", "b"], "|ab", State::Lingering),
        (
            old,
            200,
            Known(1),
            &["a"],
            "Content-Length: 1|a",
            State::Idle,
        ),
        (
            &head,
            200,
            Known(3),
            &["abc"],
            "Content-Length: 3|",
            State::Idle,
        ),
        (&head, 200, Known(3), &[], "Content-Length: 3|", State::Idle),
        (&head, 200, Unknown, &["abc"], "|", State::Idle),
    ];
    for &(request, status, length, pieces, expected, state) in table {
        let answer = answered(request, status, length, pieces);
        assert_eq!(
            answer,
            (expected.to_owned(), state),
            "{request} {status} {length:?}"
        );
    }
}

#[test]
fn files_and_accounts() {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(b"0123456789")
        .expect("a file can be written");
    let (mut bench, id) = waiting(WAIT);
    let head = ResponseHead {
        status: 200,
        keep_alive: true,
        ..ResponseHead::default()
    };
    bench.connection.answer(id, &head, Length::Known(5), &CLOCK);
    bench.connection.piece(id, Piece::Bytes("a".into()));
    bench.connection.piece(
        id,
        Piece::File {
            file: Rc::new(file),
            range: 3..9,
        },
    );
    bench.connection.finish(id, &Trailers::new());
    let pieces = bench.connection.output();
    let head_length = pieces.slices()[0].len() as u64;
    assert_eq!(pieces.slices().len(), 2);
    assert_eq!(&*pieces.slices()[1], b"a");
    assert_eq!(pieces.file.map(|(_, range)| range), Some(3..7));

    bench.connection.received(GET.as_bytes());
    assert!(
        bench.connection.event().is_none(),
        "a file is sent before the next request"
    );
    bench.connection.sent(head_length + 2);
    let sent = Sent {
        total: head_length + 2,
        body: 2,
        complete: false,
    };
    assert_eq!(bench.connection.sent_for(id), Some(sent));
    assert_eq!(
        bench.connection.output().file.map(|(_, range)| range),
        Some(4..7)
    );
    bench.connection.sent(3);
    let Some(Event::Gone(_, sent)) = bench.connection.event() else {
        panic!("not gone")
    };
    assert_eq!(
        sent,
        Sent {
            total: head_length + 5,
            body: 5,
            complete: true
        }
    );
    assert!(matches!(
        bench.connection.event(),
        Some(Event::Head(Id(1), _))
    ));
}

#[test]
fn room_is_bounded() {
    let (mut bench, id) = waiting(WAIT);
    assert_eq!(bench.connection.room(), None);
    let head = ResponseHead {
        status: 200,
        ..ResponseHead::default()
    };
    bench.connection.answer(id, &head, Length::Unknown, &CLOCK);
    let mut pieces = 0;
    while let Some((_, room)) = bench.connection.room() {
        assert!(room > 0);
        bench
            .connection
            .piece(id, Piece::Bytes(vec![0; 20_000].into()));
        pieces += 1;
    }
    assert_eq!(pieces, 4);
    bench.send();
    assert!(bench.connection.room().is_some());
}

#[test]
fn abort_loses_everything() {
    let (mut bench, id) = waiting(WAIT);
    bench.connection.abort(Id(7));
    assert_eq!(bench.connection.state, State::Waiting);
    bench.connection.abort(id);
    bench.run();
    assert_eq!(bench.events, ["head /wait"]);
    assert_eq!(bench.ends, ["lost"]);
    assert!(bench.connection.is_closed() && bench.sent.is_empty());
}

#[test]
fn late_answers_mean_nothing() {
    let (mut bench, id) = waiting(WAIT);
    bench.answer(id, 200, "ok");
    bench.answer(id, 500, "no");
    bench.run();
    bench.answer(id, 500, "no");
    assert_eq!(bench.run().answers(), ["200"]);
}

#[test]
fn an_idle_connection_is_a_small_record() {
    assert!(size_of::<Connection>() <= 48);
    let mut bench = Bench::new();
    bench.feed(GET.as_bytes());
    assert!(bench.connection.block.is_none());
    bench.feed(b"\r\n");
    assert!(bench.connection.block.is_none());
}

/// Anything that can happen to a connection.
#[derive(Clone, Debug)]
enum Step {
    Feed(Vec<u8>),
    Send(u64),
    Answer(u32, bool),
    Run,
    TimeOut,
    Quit,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let request = prop_oneof![
        Just(GET.as_bytes().to_vec()),
        Just(WAIT.as_bytes().to_vec()),
        Just(b"POST /accept HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".to_vec()),
        Just(b"POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        Just(b"3\r\nabc\r\n0\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    prop_oneof![
        4 => request.prop_map(Step::Feed),
        2 => (0u64..300).prop_map(Step::Send),
        2 => (0u32..4, any::<bool>()).prop_map(|(id, whole)| Step::Answer(id, whole)),
        3 => Just(Step::Run),
        1 => Just(Step::TimeOut),
        1 => Just(Step::Quit),
        1 => Just(Step::End),
    ]
}

proptest! {
    #[test]
    fn every_exchange_ends_once(steps in proptest::collection::vec(step(), 0..30)) {
        let mut bench = Bench::new();
        for step in steps {
            match step {
                Step::Feed(bytes) => bench.connection.received(&bytes),
                Step::Send(n) => bench.connection.sent(n),
                Step::Answer(id, true) => bench.answer(Id(id), 200, "ok"),
                Step::Answer(id, false) => bench.connection.finish(Id(id), &Trailers::new()),
                Step::Run => bench.run_site(),
                Step::TimeOut => bench.connection.timed_out(),
                Step::Quit => bench.connection.quit(),
                Step::End => bench.connection.ended(),
            }
            let pieces = bench.connection.output();
            prop_assert!(pieces.slices().iter().all(|slice| !slice.is_empty()));
        }
        bench.connection.close();
        bench.run_site();
        let heads =
            bench.events.iter().filter(|event| event.starts_with("head") || event.starts_with("fault"));
        prop_assert_eq!(heads.count(), bench.ends.len());
        prop_assert!(bench.connection.block.is_none());
    }
}

#[test]
fn heads_are_reused() {
    let pool = Pool::new();
    let mut connection = Connection::new(Rc::default(), Rc::clone(&pool));
    connection.received(GET.as_bytes());
    let Some(Event::Head(id, head)) = connection.event() else {
        panic!("no head")
    };
    assert_eq!(head.method(), Method::Get);
    pool.recycle(head);
    connection.abort(id);
    assert!(matches!(connection.event(), Some(Event::Gone(..))));
    assert!(connection.event().is_none());
    let head = pool.take_head();
    assert!(head.len() == 0 && head.host().is_none());
}
