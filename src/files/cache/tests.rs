use std::fs;
use std::io;
use std::path::PathBuf;

use super::*;
use crate::files::look;

fn held(found: Found) -> Found {
    match found {
        Found::Opened(Ok(opened)) => Found::Opened(Ok(opened.held(1000))),
        other => panic!("{other:?}"),
    }
}

/// A cache with a file system whose time is made up.
struct Kit {
    cache: Cache<u32>,
    start: Instant,
    folder: tempfile::TempDir,
}

fn kit(max: usize, size: u64) -> Kit {
    let limits = Limits {
        max,
        size,
        ..Limits::default()
    };
    Kit {
        cache: Cache::new(limits),
        start: Instant::now(),
        folder: tempfile::tempdir().expect("a folder"),
    }
}

impl Kit {
    fn at(&self, milliseconds: u64) -> Instant {
        self.start + Duration::from_millis(milliseconds)
    }

    fn query(&self, name: &str) -> Query {
        Query::Open(self.folder.path().join(name))
    }

    /// Somebody asks at a time, and gets an answer.
    fn fill(&mut self, name: &str, asked: u64) -> Found {
        let query = self.query(name);
        fs::write(query.path(), name).expect("written");
        let plan = self.cache.wait(&query, 0, self.at(asked));
        assert!(plan.ask);
        let found = held(look(&query));
        assert_eq!(self.cache.answered(&query, &found, self.at(asked)), [0]);
        found
    }

    fn has(&mut self, name: &str, at: u64) -> bool {
        let (query, now) = (self.query(name), self.at(at));
        self.cache.answer(&query, now).is_some()
    }
}

#[test]
fn an_answer_is_young_from_when_it_was_asked_for() {
    let mut kit = kit(10, 1000);
    assert!(!kit.has("a", 0));
    kit.fill("a", 0);
    assert!(kit.has("a", 999));
    assert!(!kit.has("a", 1000));
}

#[test]
fn one_asks_and_all_who_wait_are_told() {
    let mut kit = kit(10, 1000);
    let query = kit.query("a");
    let plan = |ask| Plan {
        ask,
        patience: None,
    };
    assert_eq!(kit.cache.wait(&query, 1, kit.at(0)), plan(true));
    assert_eq!(kit.cache.wait(&query, 2, kit.at(1)), plan(false));
    assert_eq!(kit.cache.wait(&query, 3, kit.at(2)), plan(false));
    kit.cache.leave(&query, 2);
    let missing = Found::Opened(Err(io::Error::from_raw_os_error(2)));
    let mut told = kit.cache.answered(&query, &missing, kit.at(3));
    told.sort_unstable();
    assert_eq!(told, [1, 3]);
    assert!(kit.has("a", 4), "that it is missing is an answer, too");
}

#[test]
fn an_old_answer_is_served_while_its_check_is_outstanding() {
    let mut kit = kit(10, 1000);
    kit.fill("a", 0);
    let query = kit.query("a");
    let plan = kit.cache.wait(&query, 1, kit.at(2000));
    assert_eq!(
        plan,
        Plan {
            ask: true,
            patience: Some(kit.at(2100))
        }
    );
    assert!(!kit.has("a", 2099), "the check has its grace");
    assert!(kit.cache.old_answer(&query, kit.at(2100)).is_some());
    assert!(kit.has("a", 2100), "further requests need not wait");
    assert!(kit.has("a", 599_999));
    assert!(!kit.has("a", 600_000), "up to the limit");
    assert!(kit.cache.old_answer(&query, kit.at(600_000)).is_none());
    assert_eq!(kit.cache.wait(&query, 2, kit.at(600_000)).patience, None);
    let found = look(&query);
    assert_eq!(kit.cache.answered(&query, &found, kit.at(2000)).len(), 2);
    assert!(!kit.has("a", 3000), "it is as old as the question");
    kit.fill("a", 600_002);
    assert!(kit.has("a", 600_004), "the disk has come back");
}

#[test]
fn a_failure_is_told_and_not_kept() {
    let mut kit = kit(10, 1000);
    kit.fill("a", 0);
    let query = kit.query("a");
    kit.cache.wait(&query, 1, kit.at(2000));
    let failed = Found::Opened(Err(io::Error::from_raw_os_error(5)));
    assert_eq!(kit.cache.answered(&query, &failed, kit.at(2001)), [1]);
    assert!(!kit.cache.knows(&query));
}

#[test]
fn who_cannot_ask_leaves_the_old_answer() {
    let mut kit = kit(10, 1000);
    kit.fill("a", 0);
    for (name, known) in [("a", true), ("b", false)] {
        let query = kit.query(name);
        assert!(kit.cache.wait(&query, 1, kit.at(2000)).ask);
        kit.cache.refuse(&query);
        assert_eq!(kit.cache.knows(&query), known);
        assert_eq!(kit.cache.old_answer(&query, kit.at(2000)).is_some(), known);
    }
}

#[test]
fn contents_are_held_of_files_and_no_descriptors() {
    let mut kit = kit(10, 1000);
    kit.fill("a", 0);
    let query = kit.query("a");
    match kit.cache.held(&query).expect("held").content {
        Content::Held(bytes) => assert_eq!(&*bytes, b"a"),
        other => panic!("{other:?}"),
    }
    kit.cache.wait(&query, 1, kit.at(2000));
    kit.cache.answered(&query, &look(&query), kit.at(2001));
    assert!(!kit.has("a", 2002), "it is open");
    assert_eq!(kit.cache.bytes, 0);
    fs::write(query.path(), "").expect("written");
    kit.cache
        .answered(&query, &held(look(&query)), kit.at(3000));
    assert!(kit.has("a", 3001), "nothing is something");
}

#[test]
fn it_is_bounded_and_what_is_used_stays() {
    let mut kit = kit(16, 1000);
    for number in 0..100 {
        kit.fill(&format!("{number:03}"), number);
        assert!(kit.has("000", number));
    }
    assert!(kit.cache.entries.len() <= 16);
    assert!(kit.cache.bytes <= 3 * 16);
    assert!(kit.has("099", 100) && !kit.has("050", 100));

    let mut small = self::kit(100, 10);
    for number in 0..20 {
        small.fill(&format!("{number:03}"), number);
        assert!(small.cache.bytes <= 10);
    }
    assert!(small.has("019", 20) && !small.has("000", 20));
}

#[test]
fn answers_that_nobody_wants_are_forgotten() {
    let mut kit = kit(10, 1000);
    kit.fill("a", 0);
    let query = kit.query("a");
    kit.cache.sweep(kit.at(59_999));
    assert!(kit.cache.knows(&query));
    assert_eq!(kit.cache.deadline(), Some(kit.at(69_999)));
    kit.cache.sweep(kit.at(60_000));
    assert!(!kit.cache.knows(&query));
    assert_eq!((kit.cache.deadline(), kit.cache.bytes), (None, 0));
}

#[test]
fn files_are_closed_by_others_and_only_once_nobody_has_them() {
    let mut kit = kit(10, 1000);
    let query = kit.query("a");
    fs::write(query.path(), "a").expect("written");
    let found = look(&query);
    kit.cache.answered(&query, &found, kit.at(0));
    assert!(kit.cache.unused(|_| true).is_empty(), "somebody has it");
    assert!(kit.cache.deadline().is_some());
    let device = found.meta().expect("there").device;
    drop(found);
    assert!(kit.cache.unused(|other| other != device).is_empty());
    assert_eq!(kit.cache.unused(|it| it == device).len(), 1);
    assert_eq!(kit.cache.deadline(), None);
}

#[test]
fn questions_of_different_kinds_are_different() {
    let mut kit = kit(10, 1000);
    kit.fill("a", 0);
    let path: PathBuf = kit.query("a").path().into();
    let (now, stat) = (kit.at(1), Query::Stat(path));
    assert!(kit.cache.answer(&stat, now).is_none());
}
