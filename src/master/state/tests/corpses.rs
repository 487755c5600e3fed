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

/// The one worker, this one, gets ready, stands still and does not die.
fn hangs(bench: &mut Bench, worker: i32) {
    bench.ready(worker);
    bench.silent.insert(worker);
    bench.pass(33_000);
    let line = format!("worker process {worker} does not end though it was killed");
    bench.logged(Level::Alert, &line);
}

#[test]
fn where_nothing_but_corpses_comes_of_it_they_are_ever_rarer() {
    let mut bench = Bench::started(1);
    assert_eq!(bench.wait(), None);
    for (worker, delay) in [(1, 0), (2, 1000), (3, 2000), (4, 4000)] {
        hangs(&mut bench, worker);
        if delay > 0 {
            assert_eq!(bench.forked(), []);
            assert_eq!(bench.wait(), Some(delay));
            bench.pass(delay as u64);
        }
        assert_eq!(bench.forked(), [worker + 1]);
    }
    hangs(&mut bench, 5);
    assert_eq!(bench.wait(), Some(8000));
    bench.exit(2, KILLED);
    assert_eq!(bench.forked(), [6], "the disk is back");
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
fn one_that_was_given_up_holds_up_the_next_reload_for_a_while() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 2);
    bench.ready(3);
    bench.exit(4, KILLED);
    assert_eq!(bench.signal(Signal::Hup), [], "it may hold addresses");
    assert_eq!(bench.pass(1000), [Kill(pid(3))]);
    assert_eq!(bench.pass(999), []);
    assert_eq!(bench.pass(1), [Check(3), Load(3)]);
    bench.logged(Level::Alert, "worker process 3 does not end");
}

#[test]
fn a_checker_that_does_not_even_die_holds_up_no_later_reload() {
    let mut bench = Bench::serving();
    for generation in 2..6 {
        bench.check_hangs(generation, 90 + generation as i32);
    }
    let why = "the checkers of 4 earlier reloads do not end";
    let refused = [Answer(7, Err(why.into()))];
    assert_eq!(bench.handle(Event::ReloadAsked(7)), refused);
    let ended = Event::Checked {
        generation: 4,
        verdict: Err("checker process 94 exited on signal 9".into()),
    };
    assert_eq!(bench.handle(ended), []);
    bench.logged(Level::Notice, "checker process 94, which was left alone");
    assert_eq!(bench.signal(Signal::Hup), [Check(6), Load(6)]);
}

#[test]
fn the_master_ends_without_its_checkers() {
    let mut bench = Bench::serving();
    bench.check_hangs(2, 92);
    bench.master.handle(Event::Signal(Signal::Hup), bench.now);
    bench.signal(Signal::Quit);
    let (generation, checker) = (3, pid(93));
    let started = Event::CheckStarted {
        generation,
        pid: checker,
    };
    assert_eq!(bench.handle(started), [Kill(checker)]);
    bench.exit(1, ExitStatus::Code(0));
    bench.exit(2, ExitStatus::Code(0));
    assert_eq!(bench.pass(1000), [Exit(0)]);
    bench.logged(Level::Alert, "checker process 92 is left behind");
    bench.logged(Level::Alert, "checker process 93 is left behind");
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
