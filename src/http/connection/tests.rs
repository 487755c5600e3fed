//! What bytes, ends and times do to a connection, in tables.

mod answers;
mod bench;
mod random;

use super::*;
use crate::http::{Linger, Method};
use bench::{Bench, waiting};

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
        ("GET", Closed, &["fault 400"], &["400 close"]),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost",
            Closed,
            &["head /", "fault 400"],
            &["200", "400 close"],
        ),
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

#[test]
fn a_body_that_is_held_waits_and_in_the_end_the_client() {
    let (mut bench, id) = waiting("POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n");
    bench.connection.accept_body(id);
    bench.feed(b"abc");
    bench.connection.hold_body(id);
    assert_eq!(bench.connection.state, State::Waiting);
    assert_eq!(bench.connection.timeout(), Timeout::None);
    bench.feed(&[b'x'; 2000]);
    assert_eq!(bench.events, ["head /wait", "data abc"]);
    assert!(!bench.connection.wants_read(), "the client has to wait");
    bench.connection.accept_body(id);
    bench.feed(b"");
    assert!(bench.connection.wants_read());
    bench.feed(&[b'x'; 997]);
    assert_eq!(bench.events.last().map(String::as_str), Some("end"));
    // There is nothing left to be held.
    let (mut bench, id) = waiting("POST /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.connection.accept_body(id);
    bench.connection.hold_body(id);
    assert_eq!(bench.connection.state, State::ReadingBody);
}
