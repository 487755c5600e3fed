//! Each rule of the master in a few lines.

use std::time::{Duration, Instant};

use super::*;
use crate::sys::process::{Exit, ExitStatus};
use crate::worker::command::START_FAILED;
use Action::*;

const ADMIT: Command = Command::Admit { slots: Slots::ALL };

pub(super) fn terms(workers: usize) -> Terms {
    Terms {
        workers,
        probation: Duration::from_secs(1),
        generations: 16,
        stall: Duration::from_secs(30),
        check: Duration::from_secs(10),
    }
}

const KILLED: ExitStatus = ExitStatus::Signal {
    number: 9,
    core: false,
};

/// A master whose forks succeed, and a clock.
struct Bench {
    master: Master,
    now: Instant,
    pids: i32,
    /// The seats that were forked, with their processes, since the last call of `forked`.
    forked: Vec<(Seat, Pid)>,
    log: Vec<(Level, String)>,
}

pub(super) fn exited(pid: Pid, status: ExitStatus) -> Event {
    let (exit, blamed) = (Exit { pid, status }, false);
    let report = String::new();
    Event::Exited(Death {
        exit,
        blamed,
        report,
    })
}

fn pid(number: i32) -> Pid {
    Pid::new(number).expect("positive")
}

impl Bench {
    /// Two workers, 1 and 2, ready and admitted.
    fn serving() -> Bench {
        let mut bench = Bench::started(2);
        assert_eq!(bench.ready(1), [Tell(pid(1), ADMIT)]);
        assert_eq!(bench.ready(2), [Tell(pid(2), ADMIT)]);
        bench
    }

    fn started(workers: usize) -> Bench {
        let now = Instant::now();
        let master = Master::new(true, now);
        let mut bench = Bench {
            master,
            now,
            pids: 0,
            forked: Vec::new(),
            log: Vec::new(),
        };
        assert_eq!(bench.loaded(FIRST, workers), []);
        assert_eq!(bench.forked().len(), workers);
        bench
    }

    /// Handles the event and all forks that follow; returns the other actions but the log lines.
    fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut rest = Vec::new();
        let mut actions = self.master.handle(event, self.now);
        while !actions.is_empty() {
            match actions.remove(0) {
                Log(level, text) => self.log.push((level, text)),
                Spawn(seat) => {
                    self.pids += 1;
                    let pid = pid(self.pids);
                    self.forked.push((seat, pid));
                    actions.extend(self.master.handle(Event::Spawned { seat, pid }, self.now));
                }
                Listen(generation) => {
                    rest.push(Listen(generation));
                    let listening = Event::Listening(generation);
                    actions.extend(self.master.handle(listening, self.now));
                }
                action => rest.push(action),
            }
        }
        rest
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.handle(Event::Signal(signal))
    }

    fn loaded(&mut self, generation: u64, workers: usize) -> Vec<Action> {
        self.handle(Event::Loaded {
            generation,
            plan: Ok(terms(workers)),
        })
    }

    fn ready(&mut self, number: i32) -> Vec<Action> {
        self.handle(Event::Ready(pid(number)))
    }

    fn exit(&mut self, number: i32, status: ExitStatus) -> Vec<Action> {
        let pid = pid(number);
        self.handle(exited(pid, status))
    }

    fn pass(&mut self, milliseconds: u64) -> Vec<Action> {
        self.now += Duration::from_millis(milliseconds);
        self.handle(Event::Time)
    }

    /// The processes forked since the last call.
    fn forked(&mut self) -> Vec<i32> {
        self.forked.drain(..).map(|(_, pid)| pid.number()).collect()
    }

    /// Milliseconds until the master wants to be called again.
    fn wait(&self) -> Option<u128> {
        let deadline = self.master.deadline()?;
        Some(deadline.saturating_duration_since(self.now).as_millis())
    }

    fn logged(&self, level: Level, text: &str) {
        let found = self
            .log
            .iter()
            .any(|(l, line)| *l == level && line.contains(text));
        assert!(found, "no {level:?} line holds {text:?}: {:?}", self.log);
    }
}

#[test]
fn each_worker_of_the_first_start_is_admitted_when_it_is_ready() {
    let mut bench = Bench::serving();
    assert_eq!(bench.wait(), None);
    assert_eq!(bench.ready(2), [], "once");
}

#[test]
fn a_dead_worker_is_replaced_at_once() {
    let mut bench = Bench::serving();
    bench.pass(12_000);
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [3]);
    bench.logged(
        Level::Alert,
        "worker process 1 exited on signal 9 after 12.000 s, replaced at",
    );
    assert_eq!(bench.ready(3), [Tell(pid(3), ADMIT)]);
}

#[test]
fn a_worker_that_dies_may_have_been_woken_for_a_connection_that_others_must_take() {
    let mut bench = Bench::serving();
    let admit = [Tell(pid(2), ADMIT)];
    assert_eq!(bench.exit(1, KILLED), admit);
    assert_eq!(bench.exit(3, KILLED), [], "it had not been admitted");
    bench.pass(100);
    bench.ready(4);
    assert_eq!(bench.exit(4, ExitStatus::Code(0)), [], "it left in order");
}

#[test]
fn one_that_keeps_dying_is_backed_off() {
    let mut bench = Bench::serving();
    let mut victim = 1;
    for delay in [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        bench.pass(1);
        bench.exit(victim, KILLED);
        if delay > 0 {
            assert_eq!((bench.forked(), bench.wait()), (vec![], Some(delay)));
            bench.pass(delay as u64 - 1);
            assert_eq!(bench.forked(), []);
            bench.pass(1);
        }
        victim = bench.forked()[0];
        bench.ready(victim);
    }
    bench.logged(Level::Alert, "next attempt within 5000 ms");
}

#[test]
fn while_no_worker_is_ready_the_next_fork_is_brought_forward() {
    let mut bench = Bench::started(2);
    for victim in 1..9 {
        bench.exit(victim, KILLED);
        let (level, line) = bench.log.last().expect("a line");
        assert!(
            *level == Level::Alert && line.ends_with("within 100 ms"),
            "{line}"
        );
        bench.pass(100);
    }
    let starts = |level| {
        let start = |line: &&(Level, String)| line.0 == level && line.1.starts_with("start");
        bench.log.iter().filter(start).count()
    };
    assert_eq!((starts(Level::Notice), starts(Level::Info)), (2, 8));
    assert_eq!(
        bench.forked(),
        (3..11).collect::<Vec<_>>(),
        "one each 100 ms"
    );
    bench.ready(10);
    bench.exit(9, KILLED);
    assert_eq!(bench.pass(100), []);
    assert_eq!(bench.forked(), [], "now the back-off counts");
    assert!(bench.wait() > Some(1000));
}

#[test]
fn a_failed_fork_is_tried_again() {
    let mut bench = Bench::serving();
    let seat = Seat {
        generation: FIRST,
        slot: 0,
    };
    for delay in [100, 200, 400] {
        let event = if delay == 100 {
            exited(pid(1), KILLED)
        } else {
            Event::Time
        };
        let actions = bench.master.handle(event, bench.now);
        assert!(actions.contains(&Spawn(seat)), "{actions:?}");
        let error = "fork() failed (11: Resource temporarily unavailable)".into();
        bench.handle(Event::SpawnFailed { seat, error });
        let line = format!("unavailable), next attempt within {delay} ms");
        bench.logged(Level::Alert, &line);
        assert_eq!(bench.wait(), Some(delay));
        bench.now += Duration::from_millis(delay as u64);
    }
}

#[test]
fn a_reload_commits_when_every_new_worker_is_ready() {
    let mut bench = Bench::serving();
    assert_eq!(bench.signal(Signal::Hup), [Check(2)]);
    assert_eq!(bench.loaded(2, 3), []);
    assert_eq!(bench.forked(), [3, 4, 5]);
    assert_eq!((bench.ready(3), bench.ready(5)), (vec![], vec![]));
    let admit = [3, 4, 5].map(|number| Tell(pid(number), ADMIT));
    let retire = [1, 2].map(|number| Tell(pid(number), Command::Retire));
    let expected = [&[Listen(2), Adopt(2)][..], &admit, &retire, &[Settle(2)]].concat();
    assert_eq!(bench.ready(4), expected);
    assert_eq!(bench.exit(1, ExitStatus::Code(0)), []);
    bench.exit(2, KILLED);
    assert_eq!(bench.forked(), [], "retired workers have no successors");
}

#[test]
fn a_refused_configuration_changes_nothing() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    assert_eq!(
        bench.handle(Event::Loaded {
            generation: 2,
            plan: Err("refused".into()),
        }),
        []
    );
    assert_eq!((bench.forked(), bench.wait()), (vec![], None));
    assert_eq!(bench.signal(Signal::Hup), [Check(3)]);
}

#[test]
fn a_new_worker_that_fails_ends_the_reload_and_not_the_old_workers() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 2);
    bench.ready(3);
    let actions = bench.exit(4, ExitStatus::Code(START_FAILED));
    assert_eq!(actions, [Discard(2), Tell(pid(3), Command::Stop)]);
    bench.logged(
        Level::Error,
        "worker process 4 exited with code 2 after 0.000 s before the new workers",
    );
    bench.exit(3, ExitStatus::Code(0));
    assert_eq!(bench.forked(), [3, 4]);
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [5], "the old generation is still kept up");
}

#[test]
fn an_address_that_cannot_be_listened_on_ends_the_reload() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    let ready = Event::Ready(pid(3));
    assert_eq!(bench.master.handle(ready, bench.now), [Listen(2)]);
    assert_eq!(bench.pass(1), [], "it is told once");
    let expected = [Discard(2), Tell(pid(3), Command::Stop)];
    assert_eq!(
        bench.handle(Event::ListenFailed {
            generation: 2,
            error: String::new()
        }),
        expected
    );
    bench.logged(Level::Emerg, "every address, the old ones go on");
    assert_eq!(bench.handle(Event::Listening(2)), [], "it is over");
    assert_eq!(bench.signal(Signal::Hup), [Check(3)]);
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
    assert_eq!(
        bench.handle(Event::SpawnFailed { seat, error }),
        [Discard(2)]
    );
    bench.logged(
        Level::Alert,
        "(12: Cannot allocate memory) before the new workers were ready",
    );
}

#[test]
fn an_old_worker_that_dies_during_a_reload_is_replaced() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    assert_eq!(bench.forked(), [3]);
    bench.exit(1, KILLED);
    assert_eq!(bench.forked(), [4]);
    let actions = bench.ready(3);
    assert!(
        actions.contains(&Tell(pid(4), Command::Retire)),
        "{actions:?}"
    );
}

#[test]
fn reloads_during_a_reload_collapse_into_one() {
    let mut bench = Bench::serving();
    assert_eq!(bench.signal(Signal::Hup), [Check(2)]);
    assert_eq!(bench.signal(Signal::Hup), []);
    bench.loaded(2, 1);
    assert_eq!(bench.signal(Signal::Hup), []);
    assert_eq!(bench.ready(3).last(), Some(&Check(3)));
    assert_eq!(bench.loaded(3, 1), []);
    let last = bench.ready(4);
    assert_eq!(last.last(), Some(&Settle(3)), "and no further load");
}

#[test]
fn a_first_worker_that_cannot_start_ends_the_master() {
    let mut bench = Bench::started(2);
    let actions = bench.exit(1, ExitStatus::Code(START_FAILED));
    assert_eq!(actions, [Close, Tell(pid(2), Command::Stop)]);
    bench.logged(Level::Emerg, "worker process 1 exited with code 2");
    assert_eq!(bench.exit(2, ExitStatus::Code(START_FAILED)), [Exit(1)]);
}

#[test]
fn a_later_worker_that_cannot_start_is_tried_again() {
    let mut bench = Bench::serving();
    bench.exit(1, KILLED);
    assert_eq!(bench.exit(3, ExitStatus::Code(START_FAILED)), []);
    assert_eq!(bench.wait(), Some(100));
}

#[test]
fn quit_waits_for_the_workers() {
    for signal in [Signal::Quit, Signal::Hup] {
        let mut bench = Bench::serving();
        let quit = [1, 2].map(|number| Tell(pid(number), Command::Quit));
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
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    bench.ready(3);
    let quit = [1, 2, 3].map(|number| Tell(pid(number), Command::Quit));
    assert_eq!(bench.signal(Signal::Quit), [&[Close][..], &quit].concat());
}

#[test]
fn stop_kills_what_does_not_obey() {
    for signal in [Signal::Term, Signal::Int] {
        let mut bench = Bench::serving();
        bench.signal(Signal::Quit);
        let stop = [1, 2].map(|number| Tell(pid(number), Command::Stop));
        assert_eq!(bench.signal(signal), stop);
        assert_eq!(bench.exit(1, ExitStatus::Code(0)), []);
        assert_eq!(bench.signal(signal), [], "a second one is harmless");
        assert_eq!(bench.wait(), Some(1000));
        assert_eq!(bench.pass(1000), [Kill(pid(2))]);
        assert_eq!(bench.wait(), None);
        assert_eq!(bench.exit(2, KILLED), [Exit(0)]);
    }
}

#[test]
fn an_end_during_a_reload_ends_both_generations() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    let actions = bench.signal(Signal::Term);
    assert_eq!(
        actions,
        [
            &[Close][..],
            &[1, 2, 3].map(|n| Tell(pid(n), Command::Stop))
        ]
        .concat()
    );
    assert_eq!(bench.ready(3), []);
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
    let quit = [1, 2].map(|number| Tell(pid(number), Command::Quit));
    assert_eq!(bench.signal(Signal::Winch), quit);
    assert_eq!(bench.loaded(2, 1), [Discard(2)], "asked for before");
    assert_eq!(bench.exit(1, KILLED), []);
    assert_eq!((bench.forked(), bench.wait()), (vec![], None));
    assert_eq!(bench.signal(Signal::Hup), [Check(3)]);
    bench.loaded(3, 1);
    assert_eq!(bench.forked(), [3]);
    let expected = [Listen(3), Adopt(3), Tell(pid(3), ADMIT), Settle(3)];
    assert_eq!(bench.ready(3), expected);
    bench.exit(3, KILLED);
    assert_eq!(bench.forked(), [4]);
}

#[test]
fn a_reload_under_way_is_given_up_when_the_workers_retire() {
    let mut bench = Bench::serving();
    bench.signal(Signal::Hup);
    bench.loaded(2, 1);
    let quit = [1, 2, 3].map(|number| Tell(pid(number), Command::Quit));
    assert_eq!(
        bench.signal(Signal::Winch),
        [&[Discard(2)][..], &quit].concat()
    );
}

#[test]
fn signals_without_a_change_of_the_workers() {
    let mut bench = Bench::serving();
    bench.master.daemon = false;
    assert_eq!(bench.signal(Signal::Winch), [], "a resized terminal");
    assert_eq!(bench.signal(Signal::Usr2), []);
    bench.logged(Level::Warn, "signal 12 (SIGUSR2) received, ignored");
    assert_eq!(bench.signal(Signal::Usr1), [ReopenLogs]);
    assert_eq!(bench.exit(77, KILLED), [], "no worker of ours");
    bench.logged(Level::Notice, "unknown process 77 exited on signal 9");
}
