//! Anything in any order: no panic, and every exchange ends exactly once.

use proptest::prelude::*;

use super::super::*;
use super::bench::Bench;
use super::{GET, WAIT};
use crate::http::Trailers;

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
