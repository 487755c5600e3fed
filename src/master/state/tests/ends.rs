//! Signals that end the workers or the master.

use super::*;

#[test]
fn quit_waits_for_the_workers() {
    for signal in [Signal::Quit, Signal::Hup] {
        let mut bench = Bench::serving();
        let quit = all([1, 2], Command::Quit);
        let event = match signal {
            Signal::Hup => Event::TerminalClosed,
            signal => Event::Signal(signal),
        };
        assert_eq!(bench.handle(event), [&[Close][..], &quit].concat());
        assert_eq!(bench.signal(Signal::Hup), [], "ignored");
        assert_eq!(bench.signal(Signal::Quit), [], "again");
        assert_eq!(bench.exit(1, ExitStatus::Code(0)), []);
        assert_eq!(bench.wait(), None);
        assert_eq!(bench.exit(2, ExitStatus::Code(0)), [Exit(0)]);
    }
}

#[test]
fn a_retired_worker_hurries_when_the_master_quits() {
    let mut bench = Bench::serving();
    bench.commit(2);
    bench.pass(1000);
    let quit = all([1, 2, 3], Command::Quit);
    assert_eq!(bench.signal(Signal::Quit), [&[Close][..], &quit].concat());
}

#[test]
fn stop_kills_what_does_not_obey() {
    for signal in [Signal::Term, Signal::Int] {
        let mut bench = Bench::serving();
        bench.signal(Signal::Quit);
        assert_eq!(bench.signal(signal), all([1, 2], Command::Stop));
        assert_eq!(bench.exit(1, ExitStatus::Code(0)), []);
        assert_eq!(bench.signal(signal), [], "a second one is harmless");
        assert_eq!(bench.wait(), Some(1000));
        assert_eq!(bench.pass(1000), [Kill(pid(2))]);
        assert_eq!(bench.exit(2, KILLED), [Exit(0)]);
    }
}

#[test]
fn an_end_during_a_reload_ends_both_generations() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    let stop = all([1, 2, 3], Command::Stop);
    let actions = bench.signal(Signal::Term);
    assert_eq!(actions, [&[Discard(2), Close][..], &stop].concat());
    assert_eq!(bench.ready(3), []);
}

#[test]
fn an_end_during_a_probation_ends_both_generations() {
    let mut bench = Bench::serving();
    bench.commit(2);
    let quit = all([1, 2, 3], Command::Quit);
    let actions = bench.signal(Signal::Quit);
    assert_eq!(actions, [&[Discard(2), Close][..], &quit].concat());
    bench.exit(1, KILLED);
    bench.exit(2, KILLED);
    assert_eq!(bench.exit(3, KILLED), [Exit(0)]);
    assert_eq!(bench.forked(), []);
}

#[test]
fn an_end_during_a_check_waits_for_the_checker() {
    let mut bench = Bench::started(1);
    bench.now += Duration::from_millis(1);
    let (generation, checker) = (2, pid(99));
    let checked = bench.master.handle(Event::Signal(Signal::Hup), bench.now);
    assert_eq!(checked.last(), Some(&Check(generation)));
    bench.handle(Event::CheckStarted {
        generation,
        pid: checker,
    });
    let actions = bench.signal(Signal::Term);
    assert_eq!(actions, [Kill(checker), Close, tell(1, Command::Stop)]);
    assert_eq!(bench.exit(1, ExitStatus::Code(0)), []);
    let verdict = Err("checker process 99 exited on signal 9".into());
    let last = bench.handle(Event::Checked {
        generation,
        verdict,
    });
    assert_eq!(last, [Exit(0)]);
}

#[test]
fn a_load_that_ends_too_late_is_dropped() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.signal(Signal::Quit);
    assert_eq!(bench.loaded(2, 4), [Discard(2)]);
    assert_eq!(bench.forked(), []);
}

#[test]
fn a_daemon_retires_its_workers_until_the_next_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    assert_eq!(bench.signal(Signal::Winch), all([1, 2], Command::Quit));
    assert_eq!(bench.loaded(2, 1), [Discard(2)], "asked for before");
    assert_eq!(bench.exit(1, KILLED), []);
    assert_eq!((bench.forked(), bench.wait()), (vec![], None));
    assert_eq!(bench.signal(Signal::Hup), [Check(3), Load(3)]);
    bench.loaded(3, 1);
    assert_eq!(bench.forked(), [3]);
    assert_eq!(bench.ready(3), [Listen(3), Adopt(3), admit(3, 0, 1)]);
    assert_eq!(bench.pass(1000), [Settle(3)]);
    bench.exit(3, KILLED);
    assert_eq!(bench.forked(), [4]);
}

#[test]
fn a_reload_under_way_is_given_up_when_the_workers_retire() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    let mut expected = vec![Discard(2)];
    expected.extend(all([1, 2], Command::Quit));
    expected.push(tell(3, Command::Stop));
    assert_eq!(bench.signal(Signal::Winch), expected);
}

#[test]
fn a_generation_on_probation_retires_with_the_one_before_it() {
    let mut bench = Bench::serving();
    bench.commit(2);
    let mut expected = vec![Discard(2)];
    expected.extend(all([1, 2, 3], Command::Quit));
    assert_eq!(bench.signal(Signal::Winch), expected);
    assert_eq!(bench.wait(), None);
}

#[test]
fn signals_without_a_change_of_the_workers() {
    let mut bench = Bench::serving();
    bench.master.daemon = false;
    assert_eq!(bench.signal(Signal::Winch), [], "a resized terminal");
    assert_eq!(bench.signal(Signal::Usr1), [ReopenLogs]);
    assert_eq!(bench.exit(77, KILLED), [], "no worker of ours");
    bench.logged(Level::Notice, "unknown process 77 exited on signal 9");
}
