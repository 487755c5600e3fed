//! What a worker writes and the master reads.

use super::*;
use crate::sys::shared;

fn line() -> &'static Line {
    &shared::map::<Line>(1).expect("mapped")[0]
}

fn tally() -> (&'static Entry, Tally) {
    let entry = &shared::map::<Entry>(1).expect("mapped")[0];
    (entry, Tally::new(entry, line()))
}

#[test]
fn a_request_in_hand_is_kept_as_it_came() {
    let (entry, tally) = tally();
    let clients = ["127.0.0.1:9", "[2001:db8::1]:65535"];
    let clients = clients.map(|text| PeerAddress::Ip(text.parse().expect("an address")));
    for client in clients.into_iter().chain([PeerAddress::Unix]) {
        for length in [1, 7, 8, 9, 1023, 1024, 1025, 5000] {
            let raw: Vec<u8> = (0..length).map(|number| number as u8).collect();
            tally.take(2, &raw, &client);
            let kept = raw[..raw.len().min(KEPT)].to_vec();
            assert_eq!(entry.in_hand(2), Some(InHand { client, raw: kept }));
        }
    }
    assert_eq!(entry.in_hand(0), None);
    tally.put_down(2);
    assert_eq!(entry.in_hand(2), None);
}

#[test]
fn a_start_that_fails_leaves_its_reason() {
    let (entry, tally) = tally();
    entry.begin(1, 0);
    assert_eq!(entry.gave_up(), None);
    tally.give_up("chdir(\"/none\") failed");
    assert_eq!(entry.gave_up().as_deref(), Some("chdir(\"/none\") failed"));
    tally.state(State::Serving);
    assert_eq!(entry.gave_up(), None, "a request");
    entry.begin(1, 0);
    assert_eq!(entry.gave_up(), None, "another life");
}

#[test]
fn threads_past_the_last_have_no_hand() {
    let (entry, tally) = tally();
    tally.take(THREADS, b"GET", &PeerAddress::Unix);
    tally.put_down(THREADS);
    assert_eq!(entry.in_hand(THREADS), None);
}

#[test]
fn a_thread_holds_a_request_while_it_works() {
    let (entry, tally) = tally();
    let work = move || {
        let request = InHand {
            client: PeerAddress::Unix,
            raw: b"GET / HTTP/1.1".into(),
        };
        let seen = tally.hold(&request, || entry.in_hand(crash::thread_number()));
        assert_eq!(seen, Some(request));
        assert_eq!(entry.in_hand(crash::thread_number()), None);
        assert_eq!(entry.in_hand(0), None, "it is not the loop");
    };
    std::thread::spawn(work).join().expect("done");
}

#[test]
fn counters_and_the_next_life() {
    let (entry, tally) = tally();
    entry.begin(3, 1);
    let fresh = entry.snapshot(tally.1);
    entry.born(Pid::new(17).expect("a process"));
    tally.state(State::Draining);
    (0..3).for_each(|_| tally.accepted());
    tally.connections(2);
    for status in [200, 304, 206, 404, 499, 503, 0, 999] {
        tally.request();
        tally.response(status);
    }
    tally.sent(5);
    tally.sent(6);
    tally.job_refused();
    tally.log_lines_lost(4);
    tally.take(0, b"GET", &PeerAddress::Unix);
    let expected = Snapshot {
        pid: Pid::new(17),
        slot: 1,
        generation: 3,
        state: State::Draining,
        connections: 2,
        accepted: 3,
        requests: 8,
        bytes: 11,
        responses: [0, 2, 1, 2, 1],
        jobs_refused: 1,
        log_lines_lost: 4,
    };
    assert_eq!(entry.snapshot(tally.1), expected);
    assert_eq!(expected.served(), 6);
    entry.begin(3, 1);
    tally.1.clear();
    assert_eq!(entry.snapshot(tally.1), fresh);
    assert_eq!((entry.in_hand(0), entry.crash()), (None, None));
}
