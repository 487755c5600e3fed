//! Loops that stand still.

use super::*;

const ABORTED: ExitStatus = ExitStatus::Signal {
    number: 6,
    core: true,
};

#[test]
fn each_worker_is_pinged_every_second() {
    let mut bench = Bench::serving();
    assert_eq!(bench.pinged, []);
    bench.pass(3_000);
    assert_eq!(bench.pinged, [1, 2, 1, 2, 1, 2]);
}

#[test]
fn one_that_does_not_answer_is_not_asked_again() {
    let mut bench = Bench::serving();
    bench.silent.insert(1);
    bench.pass(3_000);
    assert_eq!(bench.pinged, [1, 2, 2, 2]);
    bench.handle(Event::Pong(pid(1)));
    bench.pass(1_000);
    assert_eq!(bench.pinged[4..], [1, 2]);
}

#[test]
fn a_stalled_worker_is_aborted_and_replaced() {
    let mut bench = Bench::serving();
    bench.silent.insert(1);
    bench.pass(30_999);
    assert_eq!(bench.pass(1), [Abort(pid(1)), admit(2, 0, 2)]);
    bench.logged(
        Level::Alert,
        "worker process 1 has not answered for 30.000 s",
    );
    assert_eq!(bench.forked(), []);
    bench.exit(1, ABORTED);
    assert_eq!(bench.forked(), [3], "its slot is free");
}

#[test]
fn one_that_cannot_be_aborted_is_killed() {
    let mut bench = Bench::serving();
    bench.silent.insert(1);
    bench.pass(31_000);
    assert_eq!(bench.pass(999), []);
    assert_eq!(bench.pass(1), [Kill(pid(1))]);
    assert_eq!(bench.pass(999), [], "once");
}

#[test]
fn one_that_is_aborted_has_time_to_leave_its_core() {
    let dump = Duration::from_secs(5);
    let mut bench = Bench::started_with(Terms { dump, ..terms(1) });
    bench.ready(1);
    bench.silent.insert(1);
    assert_eq!(bench.pass(31_000), [Abort(pid(1))]);
    assert_eq!(bench.pass(4_999), []);
    assert_eq!(bench.pass(1), [Kill(pid(1))]);
}

#[test]
fn others_that_get_ready_defer_no_ping() {
    let mut bench = Bench::started(9);
    bench.silent.insert(1);
    bench.ready(1);
    for worker in 2..10 {
        bench.pass(900);
        bench.ready(worker);
    }
    assert_eq!(bench.pinged.iter().filter(|it| **it == 2).count(), 7);
    bench.pass(1000 + 30_000 - 8 * 900 - 1);
    assert_eq!(bench.pass(1)[0], Abort(pid(1)), "it never answered");
}

#[test]
fn a_slow_answer_is_an_answer() {
    let mut bench = Bench::serving();
    bench.silent.insert(1);
    bench.pass(30_000);
    bench.handle(Event::Pong(pid(1)));
    assert_eq!(bench.pass(30_000), []);
}

#[test]
fn a_master_that_was_late_blames_nobody() {
    let mut bench = Bench::serving();
    bench.silent.insert(1);
    bench.pass(10_000);
    bench.now += Duration::from_secs(50);
    assert_eq!(bench.handle(Event::Time), []);
    bench.pass(29_999);
    assert_eq!(bench.pass(1)[0], Abort(pid(1)), "but it counts from there");
}

#[test]
fn one_that_does_not_get_ready_is_stalled_too() {
    let mut bench = Bench::started(2);
    bench.ready(2);
    bench.pass(29_999);
    assert_eq!(bench.pass(1), [Abort(pid(1))]);
    bench.logged(Level::Alert, "worker process 1 was not ready for 30.000 s");
    bench.exit(1, ABORTED);
    assert_eq!(bench.wait(), Some(100), "with the back-off of a crash");
}

#[test]
fn no_time_out_no_pings() {
    let stall = Duration::ZERO;
    let mut bench = Bench::started_with(Terms { stall, ..terms(2) });
    bench.ready(1);
    assert_eq!(bench.master.deadline(), None);
    bench.pass(100_000);
    assert_eq!(bench.pinged, []);
}

#[test]
fn workers_that_leave_are_pinged_as_well() {
    let mut bench = Bench::serving();
    bench.commit(2);
    bench.pass(1_000);
    bench.silent.insert(1);
    bench.pinged.clear();
    bench.pass(1_000);
    assert_eq!(bench.pinged, [1, 2, 3]);
    bench.signal(Signal::Quit);
    assert_eq!(bench.pass(30_000), [Abort(pid(1))]);
    bench.exit(1, ABORTED);
    assert_eq!(bench.forked(), []);
}

#[test]
fn a_stalled_canary_ends_the_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 2);
    let expected = [Abort(pid(3)), Discard(2), tell(3, Command::Stop)];
    assert_eq!(bench.pass(30_000), expected);
    bench.logged(Level::Alert, "ready for 30.000 s, the old ones go on");
    bench.exit(3, ABORTED);
    assert_eq!(bench.forked(), [3]);
}

#[test]
fn a_reload_waits_for_no_worker_for_ever() {
    let stall = Duration::ZERO;
    let endless = Terms { stall, ..terms(2) };
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded_with(2, endless);
    let expected = [Abort(pid(3)), Discard(2), tell(3, Command::Stop)];
    assert_eq!(bench.pass(30_000), expected, "the canary");
    bench.exit(3, ABORTED);
    bench.signal(Signal::Hup);
    bench.loaded_with(3, endless);
    bench.ready(4);
    assert_eq!(bench.pass(29_999), []);
    assert_eq!(bench.pass(1)[..2], [Abort(pid(5)), Discard(3)], "the other");
}

#[test]
fn a_stall_on_probation_rolls_back() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    let terms = Terms {
        probation: Duration::from_secs(100),
        ..terms(1)
    };
    bench.loaded_with(2, terms);
    bench.ready(3);
    bench.silent.insert(3);
    let actions = bench.pass(31_000);
    assert_eq!(actions[..2], [Abort(pid(3)), Discard(2)]);
}
