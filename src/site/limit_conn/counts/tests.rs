use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::sys::alone::alone;
use crate::sys::shared::Region;
use crate::sys::steps::steps;

/// The smallest zone that may be declared.
fn words() -> Region<AtomicU64> {
    Region::map((32 << 10) / 8).expect("mapped")
}

#[test]
fn no_more_are_taken_than_there_may_be() {
    let words = words();
    let counts = Counts::new(&words);
    let first = counts.take(9, 1, 2).expect("one");
    let second = counts.take(9, 2, 2).expect("two");
    assert_eq!(counts.take(9, 1, 2), Err(Refusal::Over));
    assert_eq!(counts.take(9, 3, 2), Err(Refusal::Over));
    counts.take(8, 3, 2).expect("another key");
    counts.give_back(first);
    let third = counts.take(9, 3, 2).expect("two again");
    counts.give_back(second);
    counts.give_back(third);
    assert_eq!(counts.sum(9), (0, 0));
    assert_eq!(counts.sum(8), (1, 0));
}

#[test]
fn what_the_dead_held_is_given_back() {
    let words = words();
    let counts = Counts::new(&words);
    for key in 1..500 {
        for process in [7, 8, 7] {
            counts.take(key, process, 3).expect("room");
        }
    }
    counts.forget(7);
    assert!((1..500).all(|key| counts.sum(key) == (1, 0)));
    counts.forget(8);
    assert!(
        words
            .chunks(16)
            .skip(1)
            .all(|group| cells_of(group).all(|held| held == 0))
    );
}

fn cells_of(group: &[AtomicU64]) -> impl Iterator<Item = u64> {
    group[2..].chunks(2).map(|cell| cell[1].load(SeqCst))
}

/// What a worker may leave that dies on its way through [`Counts::take`] or [`Counts::give_back`].
#[test]
fn whoever_dies_leaves_nothing_in_the_way() {
    for (what, count, announced) in [
        ("a cell was claimed", 0, false),
        ("one was announced", 0, true),
        ("one was taken", 1, false),
        ("another was announced", 1, true),
        ("it was not left yet", 0, false),
    ] {
        let words = words();
        let counts = Counts::new(&words);
        let place = counts.claim(9, 7).expect("room");
        let held = Held::nothing(7).0 + count + if announced { ANNOUNCED } else { 0 };
        counts.cell(place)[1].store(held, SeqCst);
        // Not wedged meanwhile, only careful.
        let _ = counts.take(9, 8, 1);
        counts.forget(7);
        counts.forget(8);
        assert_eq!(counts.take(9, 6, 1), Ok(place), "{what}");
        assert_eq!(counts.take(9, 5, 1), Err(Refusal::Over), "{what}");
    }
}

#[test]
fn a_key_may_be_held_by_many_processes() {
    let words = words();
    let counts = Counts::new(&words);
    let mut places: Vec<_> = (1..=150).map(|it| counts.take(9, it, 150)).collect();
    assert!(places.iter().all(Result::is_ok));
    assert_eq!(counts.take(9, 151, 150), Err(Refusal::Over));
    places
        .drain(..149)
        .flatten()
        .for_each(|place| counts.give_back(place));
    assert_eq!(counts.sum(9), (1, 0));
    // The one that is left stands far from where its key begins, and is found there.
    assert_eq!(counts.take(9, 150, 150), Ok(places[0].expect("taken")));
}

#[test]
fn a_full_zone_takes_no_more_keys() {
    let words = words();
    let counts = Counts::new(&words);
    let taken = (1..10_000u64).take_while(|key| counts.take(key * 77, 1, 1).is_ok());
    let room = counts.groups.len() * CELLS;
    let taken = taken.count();
    assert!(taken > room * 9 / 10, "{taken} of {room}");
    assert_eq!(counts.take(5, 1, 1), Err(Refusal::Full));
    counts.forget(1);
    assert!(counts.take(5, 1, 1).is_ok());
}

#[test]
fn of_many_at_once_never_too_many_are_let_through() {
    const MOST: u64 = 3;
    let words = words();
    let (held, highest) = (AtomicU32::new(0), AtomicU32::new(0));
    let taken = AtomicU32::new(0);
    thread::scope(|scope| {
        for process in 1..=8 {
            let (words, held, highest, taken) = (&words, &held, &highest, &taken);
            scope.spawn(move || {
                let counts = Counts::new(words);
                for _ in 0..20_000 {
                    let Ok(place) = counts.take(9, process, MOST) else {
                        continue;
                    };
                    taken.fetch_add(1, SeqCst);
                    let now = held.fetch_add(1, SeqCst) + 1;
                    highest.fetch_max(now, SeqCst);
                    held.fetch_sub(1, SeqCst);
                    counts.give_back(place);
                }
            });
        }
    });
    assert!(highest.into_inner() <= MOST as u32);
    assert!(taken.into_inner() > 1000);
    assert_eq!(Counts::new(&words).sum(9), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn they_are_those_of_a_simple_table(
        steps in prop::collection::vec((0u8..10, 1u64..4, 1u32..5, 1u64..6), 1..300),
    ) {
        let words = words();
        let counts = Counts::new(&words);
        let mut held: HashMap<(u64, u32), Vec<usize>> = HashMap::new();
        for (what, key, process, most) in steps {
            let sum = |held: &HashMap<(u64, u32), Vec<usize>>| {
                let of_key = held.iter().filter(|(it, _)| it.0 == key);
                of_key.map(|(_, places)| places.len() as u64).sum::<u64>()
            };
            match what {
                0 => {
                    counts.forget(process);
                    held.retain(|it, _| it.1 != process);
                }
                1..=4 => {
                    if let Some(place) = held.get_mut(&(key, process)).and_then(Vec::pop) {
                        counts.give_back(place);
                    }
                }
                _ => match counts.take(key, process, most) {
                    Ok(place) => {
                        held.entry((key, process)).or_default().push(place);
                        prop_assert!(sum(&held) <= most);
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal, Refusal::Over);
                        prop_assert!(sum(&held) >= most);
                    }
                },
            }
            prop_assert_eq!(counts.sum(key), (sum(&held), 0));
        }
    }
}

/// The same words, as they are now.
fn copy(words: &[AtomicU64]) -> Region<AtomicU64> {
    let copy: Region<AtomicU64> = Region::map(words.len()).expect("mapped");
    let pairs = copy.iter().zip(words);
    pairs.for_each(|(copy, word)| copy.store(word.load(SeqCst), SeqCst));
    copy
}

#[test]
fn whoever_is_killed_at_any_instruction_is_given_back() {
    let name = "site::limit_conn::counts::tests::\
                whoever_is_killed_at_any_instruction_is_given_back";
    alone(name, || {
        let words = words();
        Counts::new(&words).take(9, 8, 3).expect("room");
        let mut left = Vec::new();
        let count = steps(
            || {
                let counts = Counts::new(&words);
                let places = [
                    counts.take(9, 7, 3),
                    counts.take(9, 7, 3),
                    counts.take(9, 7, 3),
                ];
                places
                    .into_iter()
                    .flatten()
                    .for_each(|place| counts.give_back(place));
            },
            || {
                let seen: Vec<u64> = words.iter().map(|word| word.load(SeqCst)).collect();
                if left.last() == Some(&seen) {
                    return;
                }
                left.push(seen);
                let words = copy(&words);
                let counts = Counts::new(&words);
                let early = (0..4).filter(|_| counts.take(9, 6, 3).is_ok()).count();
                assert!(early <= 2, "{early} beside one of 3");
                counts.forget(6);
                counts.forget(7);
                assert_eq!(counts.sum(9), (1, 0));
                let late = (0..4).filter(|_| counts.take(9, 6, 3).is_ok()).count();
                assert_eq!(late, 2);
            },
        );
        assert!(
            left.len() > 10,
            "{} states in {count} instructions",
            left.len()
        );
    });
}
