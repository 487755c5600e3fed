//! Each rule of the master in a few lines.

mod corpses;
mod crashes;
mod ends;
mod generations;
mod health;
mod probation;
mod reloads;
mod succession;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::*;
use crate::sys::process::{Exit, ExitStatus};
use crate::sys::signal::Signal;
use crate::worker::command::{Command, START_FAILED, Slots};
use Action::*;

pub(super) const KILLED: ExitStatus = ExitStatus::Signal {
    number: 9,
    core: false,
};

pub(super) fn terms(workers: usize) -> Terms {
    Terms {
        workers,
        probation: Duration::from_secs(1),
        generations: 16,
        stall: Duration::from_secs(30),
        check: Duration::from_secs(10),
        dump: Duration::ZERO,
    }
}

pub(super) fn exited(pid: Pid, status: ExitStatus, blamed: bool) -> Event {
    let exit = Exit { pid, status };
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

fn tell(number: i32, command: Command) -> Action {
    Tell(pid(number), command)
}

/// The worker accepts for `count` slots from `first` on.
fn admit(number: i32, first: u32, count: u32) -> Action {
    let slots = Slots { first, count };
    tell(number, Command::Admit { slots })
}

/// The same for each of these.
fn all(numbers: impl IntoIterator<Item = i32>, command: Command) -> Vec<Action> {
    let numbers = numbers.into_iter();
    numbers.map(|number| tell(number, command)).collect()
}

/// A master whose forks and checks succeed, whose workers answer pings, and a clock.
struct Bench {
    master: Master,
    now: Instant,
    pids: i32,
    /// The seats that were forked, with their processes, since the last call of `forked`.
    forked: Vec<(Seat, Pid)>,
    log: Vec<(Level, String)>,
    /// Those that answer no pings.
    silent: HashSet<i32>,
    pinged: Vec<i32>,
}

impl Bench {
    /// Two workers, 1 and 2, ready and admitted.
    fn serving() -> Bench {
        let mut bench = Bench::started(2);
        assert_eq!(bench.ready(1), [admit(1, 1, 2)], "for both");
        assert_eq!(bench.ready(2), [admit(1, 0, 1), admit(2, 1, 1)]);
        bench
    }

    fn started(workers: usize) -> Bench {
        Bench::started_with(terms(workers))
    }

    fn started_with(terms: Terms) -> Bench {
        let now = Instant::now();
        let master = Master::new(true, now);
        let mut bench = Bench {
            master,
            now,
            pids: 0,
            forked: Vec::new(),
            log: Vec::new(),
            silent: HashSet::new(),
            pinged: Vec::new(),
        };
        assert_eq!(bench.loaded_with(FIRST, terms), []);
        assert_eq!(bench.forked().len(), terms.workers);
        bench
    }

    /// Handles the event and all answers that follow; returns the other actions but the log lines.
    fn handle(&mut self, event: Event) -> Vec<Action> {
        let mut rest = Vec::new();
        let mut actions = self.master.handle(event, self.now);
        while !actions.is_empty() {
            let action = actions.remove(0);
            if let Some(answer) = self.answer(&action) {
                actions.extend(self.master.handle(answer, self.now));
            }
            match action {
                Log(level, text) => self.log.push((level, text)),
                Spawn(_) | Tell(_, Command::Ping) => {}
                action => rest.push(action),
            }
        }
        rest
    }

    /// What the world says to an action at once.
    fn answer(&mut self, action: &Action) -> Option<Event> {
        match *action {
            Spawn(seat) => {
                self.pids += 1;
                let pid = pid(self.pids);
                self.forked.push((seat, pid));
                Some(Event::Spawned { seat, pid })
            }
            Check(generation) => Some(Event::Checked {
                generation,
                verdict: Ok(()),
            }),
            Listen(generation) => Some(Event::Listening(generation)),
            Tell(pid, Command::Ping) => {
                self.pinged.push(pid.number());
                (!self.silent.contains(&pid.number())).then_some(Event::Pong(pid))
            }
            _ => None,
        }
    }

    /// A check that takes too long, of a process that does not even die.
    fn check_hangs(&mut self, generation: u64, checker: i32) {
        let begun = self.master.handle(Event::Signal(Signal::Hup), self.now);
        assert!(begun.contains(&Check(generation)), "{begun:?}");
        let pid = pid(checker);
        self.handle(Event::CheckStarted { generation, pid });
        assert!(self.pass(10_000).contains(&Kill(pid)));
        self.pass(1000);
        let line = format!("checker process {checker} does not end though it was killed");
        self.logged(Level::Alert, &line);
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.handle(Event::Signal(signal))
    }

    fn loaded(&mut self, generation: u64, workers: usize) -> Vec<Action> {
        self.loaded_with(generation, terms(workers))
    }

    fn loaded_with(&mut self, generation: u64, terms: Terms) -> Vec<Action> {
        let plan = Ok(terms);
        self.handle(Event::Loaded { generation, plan })
    }

    fn ready(&mut self, number: i32) -> Vec<Action> {
        self.handle(Event::Ready(pid(number)))
    }

    fn exit(&mut self, number: i32, status: ExitStatus) -> Vec<Action> {
        self.handle(exited(pid(number), status, false))
    }

    /// Dies by itself with a request in hand.
    fn crash(&mut self, number: i32) -> Vec<Action> {
        self.handle(exited(pid(number), KILLED, true))
    }

    /// Lets time pass, as a master does that is on time.
    fn pass(&mut self, milliseconds: u64) -> Vec<Action> {
        let end = self.now + Duration::from_millis(milliseconds);
        let mut actions = Vec::new();
        while let Some(due) = self.master.deadline().filter(|due| *due < end) {
            self.now = self.now.max(due);
            actions.extend(self.handle(Event::Time));
        }
        self.now = end;
        actions.extend(self.handle(Event::Time));
        actions
    }

    /// Reloads to a generation of one worker, up to its commit; returns the worker.
    fn commit(&mut self, generation: u64) -> i32 {
        self.signal(Signal::Hup);
        self.loaded(generation, 1);
        let worker = self.forked()[0];
        let actions = self.ready(worker);
        assert!(actions.contains(&Adopt(generation)), "{actions:?}");
        worker
    }

    /// The processes forked since the last call.
    fn forked(&mut self) -> Vec<i32> {
        self.forked.drain(..).map(|(_, pid)| pid.number()).collect()
    }

    /// Milliseconds until the master wants to be called again for more than a ping.
    fn wait(&self) -> Option<u128> {
        let mut due: Vec<_> = self
            .master
            .vacancies()
            .iter()
            .map(|(_, due)| *due)
            .collect();
        let children = || self.master.children.iter();
        due.extend(children().filter_map(Child::killed_at));
        due.extend(children().filter_map(Child::buried_at));
        due.extend(self.master.reload.as_ref().and_then(Reload::deadline));
        let due = due.into_iter().min()?;
        assert!(
            self.master
                .deadline()
                .is_some_and(|deadline| deadline <= due)
        );
        Some(due.saturating_duration_since(self.now).as_millis())
    }

    fn logged(&self, level: Level, text: &str) {
        let found = self
            .log
            .iter()
            .any(|(l, line)| *l == level && line.contains(text));
        assert!(found, "no {level:?} line holds {text:?}: {:?}", self.log);
    }
}
