//! Processes that not even SIGKILL ends.

use super::*;

/// Worker 1 was told to stop, and is left alone by now.
fn with_corpse() -> Bench {
    let mut bench = Bench::serving();
    bench.silent.insert(1);
    bench.pass(32_000);
    bench.logged(Level::Alert, "worker process 1 has not answered");
    assert_eq!(bench.forked(), [], "it was killed a moment ago");
    bench
}

#[test]
fn the_seat_of_a_corpse_is_free() {
    let mut bench = with_corpse();
    bench.pass(1000);
    bench.logged(Level::Alert, "worker process 1 does not end though");
    assert_eq!(bench.forked(), [3]);
    assert_eq!(bench.ready(3), [admit(3, 0, 1), admit(2, 1, 1)]);
    assert_eq!(bench.wait(), None, "nothing is awaited");
    assert_eq!(bench.exit(1, KILLED), []);
    bench.logged(Level::Notice, "worker process 1, which was left alone");
    assert_eq!(bench.forked(), []);
}

#[test]
fn one_that_has_left_and_stays_is_killed_and_left_alone() {
    for command in [Command::Retire, Command::Quit] {
        let mut bench = Bench::serving();
        match command {
            Command::Quit => assert_eq!(bench.signal(Signal::Winch), all([1, 2], command)),
            _ => assert_eq!(bench.commit(2), 3),
        }
        bench.pass(10_000);
        assert_eq!(bench.wait(), None, "it may finish what it has");
        bench.handle(Event::Left(pid(1)));
        bench.pass(999);
        assert_eq!(bench.pass(1), [Kill(pid(1))]);
        assert_eq!(bench.wait(), Some(1000));
        bench.pass(1000);
        bench.logged(Level::Alert, "worker process 1 does not end");
        assert_eq!(bench.wait(), None);
    }
}

#[test]
fn corpses_count_for_no_generation_and_hold_up_no_reload() {
    let one = Terms {
        generations: 1,
        ..terms(1)
    };
    let mut bench = Bench::started_with(one);
    bench.ready(1);
    for generation in 2..6 {
        assert_eq!(
            bench.signal(Signal::Hup),
            [Check(generation), Load(generation)]
        );
        bench.loaded_with(generation, one);
        let worker = bench.forked()[0];
        bench.ready(worker);
        bench.pass(1000);
        bench.logged(Level::Notice, &format!("generation {generation} serves"));
        // None of those before ends.
        bench.handle(Event::Left(pid(worker - 1)));
        bench.pass(2000);
    }
    assert_eq!(bench.master.corpses.len(), 4);
}

#[test]
fn the_master_ends_without_them() {
    for signal in [Signal::Term, Signal::Quit] {
        let mut bench = Bench::serving();
        bench.signal(signal);
        if signal == Signal::Quit {
            bench.handle(Event::Left(pid(1)));
            bench.handle(Event::Left(pid(2)));
        }
        assert_eq!(bench.pass(1000), [Kill(pid(1)), Kill(pid(2))]);
        bench.exit(2, KILLED);
        assert_eq!(bench.pass(999), []);
        assert_eq!(bench.pass(1), [Exit(0)]);
        bench.logged(Level::Alert, "worker process 1 is left behind");
    }
}

#[test]
fn one_that_leaves_untold_accepts_no_more_and_is_replaced() {
    let mut bench = Bench::serving();
    assert_eq!(bench.handle(Event::Left(pid(1))), [admit(2, 0, 2)]);
    bench.exit(1, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [3]);
}
