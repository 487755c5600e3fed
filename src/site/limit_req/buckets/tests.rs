use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::sys::alone::alone;
use crate::sys::shared::Region;
use crate::sys::steps::steps;

const MILLISECOND: u64 = 1_000_000;

fn words(cells: usize) -> Region<AtomicU64> {
    Region::map(2 * cells).expect("mapped")
}

/// At a millisecond, with requests per second.
fn leak(millisecond: u64, rate: u64) -> Leak {
    Leak {
        now: (millisecond + 1) * MILLISECOND,
        rate: rate * 1000,
    }
}

#[test]
fn requests_leak_out_of_a_bucket() {
    let words = words(64);
    let buckets = Buckets::new(&words);
    // Time, burst, and how much is in the bucket then, or would be.
    for (millisecond, burst, expected) in [
        (0, 0, Ok(0)),
        (0, 0, Err(1000)),
        (30, 0, Err(970)),
        (999, 0, Err(1)),
        (1000, 0, Ok(0)),
        (1000, 2, Ok(1000)),
        (1000, 2, Ok(2000)),
        (1500, 2, Err(2500)),
        (1990, 2, Err(2010)),
        (2000, 2, Ok(2000)),
        // A worker whose clock is behind.
        (1999, 2, Err(3001)),
        (60_000, 0, Ok(0)),
    ] {
        let charged = buckets.charge(7, leak(millisecond, 1), burst * 1000);
        assert_eq!(charged, expected, "{millisecond}");
    }
    assert_eq!(buckets.look(7, leak(60_250, 1)), 750);
    assert_eq!(buckets.look(8, leak(60_250, 1)), 0);
    let slow = Leak { now: 1, rate: 16 };
    assert_eq!(buckets.charge(9, slow, 0), Ok(0));
    assert_eq!(buckets.charge(9, slow, 0), Err(1000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// nginx's arithmetic, for rates that are whole in a millisecond.
    #[test]
    fn the_excess_is_that_of_nginx(
        rate in prop::sample::select(&[1, 2, 10, 125, 1000][..]),
        burst in 0u64..5,
        steps in prop::collection::vec((0u64..3, 0u64..2000), 1..60),
    ) {
        let words = words(WAYS);
        let buckets = Buckets::new(&words);
        let mut known: [Option<(u64, u64)>; 3] = [None; 3];
        let mut now = 0;
        for (key, later) in steps {
            now += later;
            let slot = &mut known[key as usize];
            let excess = match *slot {
                None => 0,
                Some((last, excess)) => (excess + 1000).saturating_sub(rate * (now - last)),
            };
            let expected = if excess > burst * 1000 { Err(excess) } else { Ok(excess) };
            if expected.is_ok() {
                *slot = Some((now, excess));
            }
            prop_assert_eq!(buckets.charge(key + 1, leak(now, rate), burst * 1000), expected);
        }
    }

    /// As many keys as there are cells are all known, or nearly.
    #[test]
    fn the_bucket_goes_that_is_empty(seed in any::<u64>()) {
        let words = words(64);
        let buckets = Buckets::new(&words);
        let number = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed).max(1);
        for _ in 0..3 {
            buckets.charge(number(0), leak(1000, 1), 2000).expect("charged");
        }
        for n in 1..500 {
            buckets.charge(number(n), leak(1001, 1), 0).expect("a new one");
        }
        prop_assert_eq!(buckets.charge(number(0), leak(1001, 1), 2000), Err(2999));
    }
}

#[test]
fn where_all_are_in_use_the_one_goes_that_is_empty_first() {
    let words = words(WAYS);
    let buckets = Buckets::new(&words);
    let now = leak(0, 1);
    for key in 1..=16 {
        for _ in 0..=key {
            buckets.charge(key, now, u64::MAX).expect("charged");
        }
    }
    assert_eq!(buckets.charge(17, now, 0), Ok(0));
    assert_eq!(buckets.look(1, now), 0, "forgotten");
    assert_eq!(buckets.look(2, now), 3000);
}

#[test]
fn however_many_begin_at_once_none_is_let_through_too_much() {
    const THREADS: u64 = 8;
    const BURST: u64 = 3;
    let words = words(256);
    for key in 1..200 {
        let accepted = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let charged = Buckets::new(&words).charge(key, leak(5, 1), BURST * 1000);
                    accepted.fetch_add(charged.is_ok().into(), Relaxed);
                });
            }
        });
        let accepted = accepted.into_inner();
        assert!(
            (1..=BURST as usize + 1).contains(&accepted),
            "{accepted} of {key}"
        );
        assert!(Buckets::new(&words).charge(key, leak(5, 1), 0).is_err());
    }
}

/// What a worker may leave that dies on its way through [`Buckets::charge`].
#[test]
fn whoever_dies_leaves_nothing_in_the_way() {
    let late = leak(9, 1);
    for (what, number, dry) in [
        (
            "another key's cell was cleared, not its bucket",
            0,
            late.now + 1,
        ),
        ("the bucket was emptied", 0, 0),
        ("the key was written", 5, 0),
        ("the request was counted", 5, late.now),
    ] {
        let words = words(WAYS);
        let buckets = Buckets::new(&words);
        for key in 2..=16 {
            buckets.charge(key * 16, leak(10, 1), 0).expect("a new one");
        }
        let free = words.chunks(2).position(|cell| cell[0].load(SeqCst) == 0);
        let free = 2 * free.expect("one is free");
        words[free].store(number, SeqCst);
        words[free + 1].store(dry, SeqCst);
        let counted = u64::from(number == 5 && dry != 0);
        let expected = counted * 1000;
        assert_eq!(buckets.charge(5, late, 2000), Ok(expected), "{what}");
        assert_eq!(words[free].load(SeqCst), 5, "{what}");
    }
}

#[test]
fn two_cells_of_a_key_become_one() {
    let words = words(WAYS);
    let buckets = Buckets::new(&words);
    let now = leak(0, 1);
    for cell in words.chunks(2).skip(3).step_by(4) {
        cell[0].store(5, SeqCst);
        cell[1].store(now.now, SeqCst);
    }
    assert_eq!(
        buckets.charge(5, now, u64::MAX),
        Ok(4000),
        "counted all, and itself"
    );
    let left = words.chunks(2).filter(|cell| cell[0].load(SeqCst) == 5);
    assert_eq!(left.count(), 1);
}

/// The same words, as they are now.
fn copy(words: &[AtomicU64]) -> Region<AtomicU64> {
    let copy: Region<AtomicU64> = Region::map(words.len()).expect("mapped");
    let pairs = copy.iter().zip(words);
    pairs.for_each(|(copy, word)| copy.store(word.load(SeqCst), SeqCst));
    copy
}

#[test]
fn whoever_is_killed_at_any_instruction_leaves_nothing_in_the_way() {
    let name = "site::limit_req::buckets::tests::\
                whoever_is_killed_at_any_instruction_leaves_nothing_in_the_way";
    alone(name, || {
        let words = words(WAYS);
        let buckets = Buckets::new(&words);
        // One has to go, and none is empty.
        for key in 1..=16 {
            for _ in 0..=key {
                buckets
                    .charge(key << 8, leak(0, 1), u64::MAX)
                    .expect("charged");
            }
        }
        let now = leak(1, 1);
        let mut left = Vec::new();
        let count = steps(
            || {
                let buckets = Buckets::new(&words);
                let charged = [buckets.charge(77, now, 1000), buckets.charge(77, now, 1000)];
                assert_eq!(charged, [Ok(0), Ok(1000)]);
            },
            || {
                let seen: Vec<u64> = words.iter().map(|word| word.load(SeqCst)).collect();
                if left.last() == Some(&seen) {
                    return;
                }
                left.push(seen);
                let words = copy(&words);
                let buckets = Buckets::new(&words);
                let others = (0..5)
                    .filter(|_| buckets.charge(77, now, 3000).is_ok())
                    .count();
                assert!(
                    (2..=4).contains(&others),
                    "{others} of 4 after {:?}",
                    left.last()
                );
                let known = words.chunks(2).filter(|cell| cell[0].load(SeqCst) == 77);
                assert_eq!(known.count(), 1);
                assert_eq!(
                    buckets.look(16 << 8, now),
                    16_999,
                    "others are as they were"
                );
            },
        );
        // As it was, cleared, emptied, settled, charged, charged again.
        assert_eq!(left.len(), 6, "in {count} instructions");
    });
}
