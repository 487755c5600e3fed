//! How answers are framed, counted and bounded.

use std::io::Write;
use std::sync::Arc;

use super::super::*;
use super::bench::{Bench, CLOCK, waiting};
use super::{GET, WAIT};
use crate::http::{Length, Piece, ResponseHead, Trailers};

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
    type Row<'a> = (&'a str, u16, Length, &'a [&'static str], &'a str, State);
    let table: &[Row<'_>] = &[
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
            file: Arc::new(file),
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
fn an_exchange_that_is_aborted_before_its_answer_has_none() {
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
fn an_answer_that_is_aborted_is_sent_as_far_as_it_came() {
    let (mut bench, id) = waiting(WAIT);
    let head = ResponseHead {
        status: 200,
        ..ResponseHead::default()
    };
    bench.connection.answer(id, &head, Length::Unknown, &CLOCK);
    let piece = Piece::Bytes(b"before".to_vec().into());
    bench.connection.piece(id, piece);
    bench.connection.abort(id);
    assert!(!bench.connection.is_closed());
    bench.run();
    assert_eq!(bench.ends, ["lost"]);
    assert!(bench.connection.is_closed() && bench.sent.ends_with(b"\r\n6\r\nbefore\r\n"));
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
