//! Between the commit and the end of the old workers.

use super::*;

/// Workers 1 and 2 are paused, worker 3 of generation 2 serves.
fn on_probation() -> Bench {
    let mut bench = Bench::serving();
    assert_eq!(bench.commit(2), 3);
    bench
}

#[test]
fn a_death_rolls_back() {
    let mut bench = on_probation();
    bench.handle(Event::ReloadAsked(7));
    let mut expected = vec![Discard(2), admit(1, 0, 1), admit(2, 1, 1)];
    expected.extend([Check(3), Load(3)]);
    assert_eq!(bench.exit(3, KILLED), expected);
    bench.logged(
        Level::Alert,
        "worker process 3 exited on signal 9 after 0.000 s during the probation of the new workers, the old",
    );
}

#[test]
fn those_of_a_generation_that_is_rolled_back_finish_what_they_have() {
    let mut bench = Bench::serving();
    bench.handle(Event::ReloadAsked(7));
    bench.loaded(2, 2);
    bench.ready(3);
    bench.ready(4);
    let why =
        "worker process 4 exited on signal 9 after 0.000 s during the probation of the new workers";
    let expected = [
        Discard(2),
        Answer(7, Err(why.into())),
        admit(1, 0, 1),
        admit(2, 1, 1),
        tell(3, Command::Retire),
    ];
    assert_eq!(bench.exit(4, KILLED), expected);
    assert_eq!(bench.pass(60_000), []);
    assert_eq!(bench.signal(Signal::Hup), [Check(3), Load(3)]);
}

#[test]
fn one_that_leaves_by_itself_rolls_back() {
    let mut bench = on_probation();
    let actions = bench.exit(3, ExitStatus::Code(0));
    assert_eq!(actions[0], Discard(2));
    bench.logged(
        Level::Notice,
        "3 exited with code 0 after 0.000 s during the probation",
    );
}

#[test]
fn a_death_with_a_request_in_hand_rolls_back() {
    let mut bench = on_probation();
    assert_eq!(bench.crash(3)[0], Discard(2));
}

#[test]
fn but_not_if_the_old_ones_died_of_requests_as_well() {
    let mut bench = Bench::serving();
    bench.crash(1);
    assert_eq!(bench.forked(), [3]);
    bench.ready(3);
    bench.pass(58_000);
    assert_eq!(bench.commit(2), 4);
    let nudged = all([2, 3], Command::Pause);
    assert_eq!(bench.crash(4), nudged, "not the new configuration's fault");
    assert_eq!(bench.forked(), [5], "only a crash");
    bench.ready(5);
    assert_eq!(bench.exit(5, KILLED)[0], Discard(2), "nobody's request");
}

#[test]
fn after_a_minute_it_is_forgotten() {
    let mut bench = Bench::serving();
    bench.crash(1);
    bench.ready(3);
    bench.pass(60_000);
    bench.forked();
    assert_eq!(bench.commit(2), 4);
    assert_eq!(bench.crash(4)[0], Discard(2));
    assert_eq!(bench.pass(1000), []);
    assert_eq!(bench.commit(3), 5);
    assert_eq!(
        bench.crash(5)[0],
        Discard(3),
        "nor do the failed ones count"
    );
}

#[test]
fn after_the_probation_a_crash_is_only_a_crash() {
    let mut bench = on_probation();
    bench.pass(1000);
    assert_eq!(bench.exit(3, KILLED), []);
    assert_eq!(bench.forked(), [4]);
}

#[test]
fn old_slots_are_filled_again_only_after_a_roll_back() {
    let mut bench = on_probation();
    assert_eq!(
        bench.exit(1, KILLED),
        [admit(3, 0, 1), tell(2, Command::Pause)]
    );
    bench.logged(
        Level::Alert,
        "worker process 1 exited on signal 9 after 0.000 s, not repl",
    );
    assert_eq!(bench.pass(500), []);
    assert_eq!(bench.forked(), []);
    bench.exit(3, KILLED);
    assert_eq!(bench.forked(), [4]);
    assert_eq!(bench.ready(4), [admit(4, 0, 1), admit(2, 1, 1)]);
}

#[test]
fn after_the_workers_were_retired_a_roll_back_starts_the_old_ones() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Winch);
    bench.exit(1, ExitStatus::Code(0));
    assert_eq!(bench.commit(2), 3);
    assert_eq!(bench.exit(3, KILLED), [Discard(2)]);
    assert_eq!(bench.forked(), [4], "2 has not left yet");
    bench.exit(2, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [5]);
}
