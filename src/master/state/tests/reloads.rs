//! A reload up to its commit, and all that may prevent it.

use super::*;

#[test]
fn a_reload_starts_a_canary_then_the_rest_and_commits_when_all_are_ready() {
    let mut bench = Bench::serving();
    assert_eq!(bench.signal(Signal::Hup), [Check(2), Load(2)]);
    assert_eq!(bench.loaded(2, 3), []);
    assert_eq!(bench.forked(), [3], "the canary");
    assert_eq!(bench.ready(3), []);
    assert_eq!(bench.forked(), [4, 5], "the rest");
    assert_eq!(bench.ready(5), []);
    let mut expected = vec![Listen(2), Adopt(2)];
    expected.extend([admit(3, 0, 1), admit(4, 1, 1), admit(5, 2, 1)]);
    expected.extend(all([1, 2], Command::Pause));
    assert_eq!(bench.ready(4), expected);
    let mut expected = vec![Settle(2)];
    expected.extend(all([1, 2], Command::Retire));
    assert_eq!(bench.pass(999), []);
    assert_eq!(bench.pass(1), expected);
    bench.logged(Level::Notice, "generation 2 serves");
    assert_eq!(bench.exit(1, ExitStatus::Code(0)), []);
    bench.exit(2, KILLED);
    assert_eq!(bench.forked(), [], "retired workers have no successors");
}

#[test]
fn without_probation_the_old_ones_leave_at_once() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    let probation = Duration::ZERO;
    let terms = Terms {
        probation,
        ..terms(1)
    };
    bench.loaded_with(2, terms);
    let mut expected = vec![Listen(2), Adopt(2), Settle(2), admit(3, 0, 1)];
    expected.extend(all([1, 2], Command::Retire));
    assert_eq!(bench.ready(3), expected);
}

#[test]
fn a_configuration_that_the_checker_refuses_is_not_loaded() {
    let mut bench = Bench::serving();
    bench.master.handle(Event::ReloadAsked(7), bench.now);
    let verdict = Err("unknown directive \"x\" in a.conf:1:1".into());
    let generation = 2;
    let actions = bench.handle(Event::Checked {
        generation,
        verdict,
    });
    let why = "unknown directive \"x\" in a.conf:1:1";
    assert_eq!(actions, [Answer(7, Err(why.into()))]);
    bench.logged(Level::Emerg, why);
    assert_eq!((bench.forked(), bench.wait()), (vec![], None));
    assert_eq!(bench.signal(Signal::Hup), [Check(3), Load(3)]);
}

#[test]
fn a_configuration_that_cannot_be_loaded_changes_nothing() {
    let mut bench = Bench::serving();
    bench.handle(Event::ReloadAsked(7));
    let plan = Err("bind() failed".into());
    let generation = 2;
    let actions = bench.handle(Event::Loaded { generation, plan });
    assert_eq!(actions, [Answer(7, Err("bind() failed".into()))]);
    assert_eq!((bench.forked(), bench.wait()), (vec![], None));
    assert_eq!(bench.signal(Signal::Hup), [Check(3), Load(3)]);
}

#[test]
fn a_check_that_takes_too_long_is_killed_and_named() {
    let mut bench = Bench::serving();
    let (generation, checker) = (2, pid(99));
    bench.master.handle(Event::ReloadAsked(7), bench.now);
    bench.handle(Event::CheckStarted {
        generation,
        pid: checker,
    });
    assert_eq!(bench.pass(9_999), []);
    let why = "checker process 99 took longer than reload_timeout (10s)";
    assert_eq!(bench.pass(1), [Kill(checker), Answer(7, Err(why.into()))]);
    bench.logged(Level::Error, why);
    assert_eq!(bench.signal(Signal::Hup), [], "one checker at a time");
    let verdict = Ok(());
    let actions = bench.handle(Event::Checked {
        generation,
        verdict,
    });
    assert_eq!(actions, [Check(3), Load(3)], "too late for the first");
}

#[test]
fn a_canary_that_fails_ends_the_reload_and_not_the_old_workers() {
    let mut bench = Bench::serving();
    bench.handle(Event::ReloadAsked(7));
    bench.loaded(2, 2);
    let why = "worker process 3 exited with code 2 after 0.000 s before the new workers were ready";
    let actions = bench.exit(3, ExitStatus::Code(START_FAILED));
    assert_eq!(actions, [Discard(2), Answer(7, Err(why.into()))]);
    bench.logged(Level::Error, &format!("{why}, the old ones go on"));
    assert_eq!(bench.forked(), [3]);
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [4], "the old generation is still kept up");
}

#[test]
fn a_later_one_that_fails_ends_the_reload_too() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 2);
    bench.ready(3);
    let actions = bench.exit(4, KILLED);
    assert_eq!(actions, [Discard(2), tell(3, Command::Stop)]);
    bench.exit(3, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [3, 4]);
}

#[test]
fn a_canary_of_the_first_minute_does_not_end_the_master() {
    let mut bench = Bench::started(1);
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    assert_eq!(
        bench.exit(2, ExitStatus::Code(START_FAILED)),
        [Discard(2)],
        "before any worker was ready"
    );
}

#[test]
fn an_address_that_cannot_be_listened_on_ends_the_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    let ready = Event::Ready(pid(3));
    assert_eq!(bench.master.handle(ready, bench.now), [Listen(2)]);
    assert_eq!(bench.pass(1), [], "it is told once");
    let failed = Event::ListenFailed {
        generation: 2,
        error: "listen() to 0.0.0.0:80 failed".into(),
    };
    assert_eq!(bench.handle(failed), [Discard(2), tell(3, Command::Stop)]);
    let line = "listen() to 0.0.0.0:80 failed, the old ones go on";
    bench.logged(Level::Emerg, line);
    assert_eq!(bench.handle(Event::Listening(2)), [], "it is over");
    assert_eq!(bench.signal(Signal::Hup), [], "its address may be held yet");
    let code = ExitStatus::Code(0);
    assert_eq!(bench.exit(3, code), [Check(3), Load(3)]);
}

#[test]
fn what_came_of_the_last_reload_is_known() {
    let mut bench = Bench::serving();
    assert_eq!(bench.master.last_reload(), None, "a start is no reload");
    let last = |bench: &Bench| {
        let last = bench.master.last_reload().expect("a reload").clone();
        (last.generation, last.decided == bench.now, last.result)
    };
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    bench.exit(3, KILLED);
    let (generation, now, result) = last(&bench);
    assert_eq!((generation, now), (2, true));
    let why = result.expect_err("it failed");
    assert!(why.contains("exited on signal 9"), "{why}");
    bench.signal(Signal::Hup);
    bench.loaded(3, 1);
    bench.ready(4);
    assert_eq!(last(&bench).0, 2, "it is not decided yet");
    bench.pass(1000);
    assert_eq!(last(&bench), (3, true, Ok(())));
}

#[test]
fn one_that_dies_while_the_sockets_are_told_to_listen_ends_the_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    bench.master.handle(Event::Ready(pid(3)), bench.now);
    assert_eq!(bench.exit(3, KILLED), [Discard(2)]);
    assert_eq!(bench.handle(Event::Listening(2)), []);
}

#[test]
fn a_failed_fork_ends_the_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    let loaded = Event::Loaded {
        generation: 2,
        plan: Ok(terms(1)),
    };
    let seat = Seat {
        generation: 2,
        slot: 0,
    };
    assert_eq!(bench.master.handle(loaded, bench.now), [Spawn(seat)]);
    let error = "fork() failed (12: Cannot allocate memory)".into();
    let actions = bench.handle(Event::SpawnFailed { seat, error });
    assert_eq!(actions, [Discard(2)]);
    let line = "(12: Cannot allocate memory) before the new workers were ready";
    bench.logged(Level::Alert, line);
}

#[test]
fn an_old_worker_that_dies_before_the_commit_is_replaced() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    assert_eq!(bench.forked(), [3]);
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [4]);
    assert!(!bench.ready(3).contains(&tell(4, Command::Pause)));
    assert_eq!(
        bench.ready(4),
        [tell(4, Command::Pause)],
        "not ready before"
    );
    assert!(bench.pass(1000).contains(&tell(4, Command::Retire)));
}

#[test]
fn reloads_during_a_reload_collapse_into_one() {
    let mut bench = Bench::serving();
    assert_eq!(bench.signal(Signal::Hup), [Check(2), Load(2)]);
    assert_eq!(bench.signal(Signal::Hup), []);
    bench.loaded(2, 1);
    assert_eq!(bench.signal(Signal::Hup), []);
    bench.ready(3);
    assert_eq!(bench.handle(Event::ReloadAsked(7)), [], "on probation");
    let last = bench.pass(1000);
    assert_eq!(last[last.len() - 2..], [Check(3), Load(3)]);
    bench.logged(Level::Notice, "3 reloads collapse into one");
    bench.loaded(3, 1);
    bench.ready(4);
    let last = bench.pass(1000);
    assert_eq!(last.last(), Some(&Answer(7, Ok(()))), "and no further one");
}

#[test]
fn who_asks_is_told_after_the_probation() {
    let mut bench = Bench::serving();
    assert_eq!(bench.handle(Event::ReloadAsked(7)), [Check(2), Load(2)]);
    bench.handle(Event::ReloadAsked(8));
    bench.loaded(2, 1);
    bench.ready(3);
    let actions = bench.pass(1000);
    assert!(actions.contains(&Answer(7, Ok(()))), "{actions:?}");
    let refused = |client| Answer(client, Err("the master is exiting".into()));
    assert!(bench.signal(Signal::Term).contains(&refused(8)));
    assert_eq!(bench.handle(Event::ReloadAsked(9)), [refused(9)]);
}
