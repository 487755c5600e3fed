//! The rules of an upgrade.

use super::*;

const SUCCESSOR: i32 = 50;

/// A master in the foreground with two workers and a successor.
fn succeeded() -> Bench {
    let mut bench = Bench::serving();
    bench.master.daemon = false;
    assert_eq!(bench.signal(Signal::Usr2), [Execute]);
    assert_eq!(bench.handle(Event::Executed(pid(SUCCESSOR))), []);
    bench.logged(Level::Notice, "start new binary process 50");
    bench
}

/// The same, its workers retired and one of them still busy.
fn retired() -> Bench {
    let mut bench = succeeded();
    let quit = all([1, 2], Command::Retire);
    assert_eq!(bench.signal(Signal::Winch), quit);
    bench.exit(1, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [], "none in its place");
    bench
}

#[test]
fn one_upgrade_at_a_time() {
    let mut bench = Bench::serving();
    assert_eq!(bench.signal(Signal::Usr2), [Execute]);
    assert_eq!(bench.signal(Signal::Usr2), [], "the first is under way");
    bench.handle(Event::Executed(pid(SUCCESSOR)));
    assert_eq!(bench.signal(Signal::Usr2), [], "the successor runs");
    bench.logged(Level::Notice, "signal 12 (SIGUSR2) received, ignored");
}

#[test]
fn what_cannot_be_executed_changes_nothing() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Usr2);
    assert_eq!(bench.handle(Event::ExecuteFailed("no file".into())), []);
    bench.logged(Level::Alert, "the binary is not changed: no file");
    assert_eq!(bench.signal(Signal::Usr2), [Execute], "again");
}

#[test]
fn it_waits_for_the_end_of_a_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    assert_eq!(bench.signal(Signal::Usr2), []);
    let refused = Event::Loaded {
        generation: 2,
        plan: Err("no".into()),
    };
    assert_eq!(bench.handle(refused), [Execute]);
}

#[test]
fn it_waits_for_a_reload_that_has_not_begun() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 2);
    bench.ready(3);
    bench.exit(4, KILLED);
    assert_eq!(bench.signal(Signal::Hup), [], "3 was told to stop");
    assert_eq!(bench.signal(Signal::Usr2), []);
    assert_eq!(bench.exit(3, KILLED), [Check(3), Load(3)]);
    let (generation, plan) = (3, Err("no".into()));
    assert_eq!(bench.handle(Event::Loaded { generation, plan }), [Execute]);
}

#[test]
fn it_waits_for_those_that_were_given_up() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 2);
    bench.ready(3);
    bench.exit(4, KILLED);
    assert_eq!(bench.signal(Signal::Usr2), []);
    assert_eq!(bench.exit(3, KILLED), [Execute]);
}

#[test]
fn a_reload_is_refused_meanwhile() {
    let mut bench = succeeded();
    assert_eq!(bench.signal(Signal::Hup), []);
    bench.logged(Level::Notice, "signal 1 (SIGHUP) received, ignored");
    assert_eq!(bench.forked(), []);
}

#[test]
fn hup_brings_retired_workers_back_with_their_configuration() {
    let mut bench = retired();
    assert_eq!(bench.signal(Signal::Hup), [Revive(2)]);
    assert_eq!(bench.forked(), [3, 4], "both, also for the busy one");
    assert_eq!(bench.ready(3), [admit(3, 1, 2)]);
    bench.exit(2, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [], "its seat is of the past");
    bench.exit(3, KILLED);
    assert_eq!(bench.forked(), [5]);
}

/// The workers 1 and 2 of one generation and 3 of the next leave, though only one generation may;
/// worker 4 is back already.
fn crowded() -> Bench {
    let generations = 1;
    let mut bench = Bench::started_with(Terms {
        generations,
        ..terms(2)
    });
    bench.ready(1);
    bench.ready(2);
    bench.commit(2);
    bench.signal(Signal::Usr2);
    bench.signal(Signal::Winch);
    bench.signal(Signal::Hup);
    assert_eq!(bench.forked(), [4], "one will do");
    bench
}

#[test]
fn workers_that_come_back_wait_for_those_in_their_way() {
    let mut bench = crowded();
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), []);
    bench.exit(2, KILLED);
    assert_eq!(bench.forked(), [5]);
}

#[test]
fn those_that_come_back_a_second_time_wait_as_well() {
    let mut bench = crowded();
    bench.signal(Signal::Winch);
    bench.signal(Signal::Hup);
    assert_eq!(bench.forked(), []);
    bench.pass(2000);
    bench.logged(Level::Alert, "worker process 1 does not end");
    assert_eq!(bench.forked(), [5, 6]);
}

#[test]
fn a_successor_that_ends_gives_the_workers_back() {
    let mut bench = retired();
    let ended = bench.exit(SUCCESSOR, ExitStatus::Code(1));
    assert_eq!(ended, [Revive(2)]);
    assert_eq!(bench.forked(), [3, 4]);
    bench.logged(Level::Error, "new binary process 50 exited with code 1, ");
    assert_eq!(
        bench.signal(Signal::Hup),
        [Check(3), Load(3)],
        "all is as before"
    );
}

#[test]
fn a_successor_that_ends_is_no_worker() {
    let mut bench = succeeded();
    assert_eq!(bench.exit(SUCCESSOR, KILLED), []);
    assert_eq!(bench.forked(), []);
    bench.logged(Level::Alert, "process 50 exited on signal 9, this one goes");
    assert_eq!(bench.signal(Signal::Usr2), [Execute]);
}

#[test]
fn the_old_one_leaves_without_its_successor() {
    let mut bench = retired();
    assert_eq!(bench.signal(Signal::Quit), [Close]);
    assert_eq!(bench.exit(2, ExitStatus::Code(0)), [Exit(0)]);
}

#[test]
fn one_that_ends_starts_no_successor() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.signal(Signal::Usr2);
    bench.signal(Signal::Quit);
    let refused = Event::Loaded {
        generation: 2,
        plan: Err("no".into()),
    };
    assert_eq!(bench.handle(refused), []);
    assert_eq!(bench.signal(Signal::Usr2), []);
}

#[test]
fn a_successor_is_not_upgraded_beside_its_predecessor() {
    let mut bench = Bench::serving();
    bench.handle(Event::Succeeds(pid(40)));
    assert_eq!(bench.signal(Signal::Usr2), []);
    bench.logged(
        Level::Notice,
        "ignored: process 40, whose successor this is",
    );
    bench.handle(Event::PredecessorLeft(pid(40)));
    bench.logged(
        Level::Notice,
        "process 40, whose successor this is, has left",
    );
    assert_eq!(bench.signal(Signal::Usr2), [Execute]);
}

#[test]
fn whoever_leaves_another_serving_is_patient() {
    let mut bench = Bench::serving();
    bench.handle(Event::Succeeds(pid(40)));
    let retire = all([1, 2], Command::Retire);
    let quit = bench.signal(Signal::Quit);
    assert_eq!(quit, [&[Close][..], &retire].concat());
}
