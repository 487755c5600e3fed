//! The status of the loop: looked up where each number is kept.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use super::{Loop, Stage};
use crate::log;
use crate::master::listeners::Wanted;
use crate::master::scoreboard::Place;
use crate::master::state::Outcome;
use crate::master::status::{Course, Generation, Listener, Reload, Status, Worker};
use crate::sys::process::{self, Pid};
use crate::sys::socket::{Address, Options};

impl Loop {
    /// How things are.
    pub(super) fn status(&self, now: Instant) -> Status {
        let workers = self.workers(now);
        let sum = |count: fn(&Worker) -> u64| workers.iter().map(count).sum::<u64>();
        Status {
            pid: process::pid(),
            started: self.history.started,
            predecessor: self.upgrade.predecessor(),
            successor: self.upgrade.successor(),
            uptime: now.saturating_duration_since(self.history.born),
            last_reload: self
                .master
                .last_reload()
                .map(|outcome| self.reload(outcome)),
            generations: self.generations(&workers, now),
            listeners: self.current.listeners.wanted().map(listener).collect(),
            restarts: self.history.restarts.iter().cloned().collect(),
            lines_lost: log::lost()
                + self.history.lines_lost
                + sum(|worker| worker.life.log_lines_lost),
            jobs_refused: self.history.jobs_refused + sum(|worker| worker.life.jobs_refused),
            workers,
        }
    }

    fn reload(&self, outcome: &Outcome) -> Reload {
        let since = outcome.decided.saturating_duration_since(self.history.born);
        Reload {
            time: self.history.started + since.as_secs() as i64,
            generation: outcome.generation,
            outcome: outcome.result.clone(),
        }
    }

    fn workers(&self, now: Instant) -> Vec<Worker> {
        let worker = |(pid, place): (Pid, &Place)| Worker {
            pid,
            age: now.saturating_duration_since(place.started()),
            life: place.snapshot(),
        };
        let mut workers: Vec<Worker> = self.children.places().map(worker).collect();
        workers.sort_by_key(|worker| (worker.life.generation, worker.life.slot, worker.pid));
        workers
    }

    /// Those that are loaded, and those that still have workers.
    fn generations(&self, workers: &[Worker], now: Instant) -> Vec<Generation> {
        let staged = || {
            let current = [
                Some(&self.current),
                self.former.as_ref(),
                self.next.as_ref(),
            ];
            current.into_iter().flatten()
        };
        let numbers = workers.iter().map(|worker| worker.life.generation);
        let numbers: BTreeSet<u64> = numbers.chain(staged().map(|stage| stage.number)).collect();
        let generation = |number| {
            let stage = staged().find(|stage| stage.number == number);
            Generation {
                number,
                course: self.course(number),
                age: match stage {
                    Some(stage) => now.saturating_duration_since(stage.born),
                    None => oldest(workers, number),
                },
            }
        };
        numbers.into_iter().map(generation).collect()
    }

    fn course(&self, number: u64) -> Course {
        let is = |stage: &Option<Stage>| stage.as_ref().is_some_and(|it| it.number == number);
        match () {
            () if self.current.number == number && self.former.is_some() => Course::Probation,
            () if self.current.number == number => Course::Serving,
            () if is(&self.former) => Course::Paused,
            () if is(&self.next) => Course::Starting,
            () => Course::Draining,
        }
    }
}

fn oldest(workers: &[Worker], generation: u64) -> Duration {
    let own = workers
        .iter()
        .filter(|worker| worker.life.generation == generation);
    own.map(|worker| worker.age).max().unwrap_or_default()
}

fn listener(wanted: &Wanted) -> Listener {
    let address = match &wanted.address {
        Address::Unix(path) => [b"unix:", path.as_os_str().as_bytes()].concat(),
        address => address.to_string().into_bytes(),
    };
    let mut options = parameters(&wanted.options);
    options.push(format!("backlog={}", wanted.backlog));
    Listener { address, options }
}

/// What is set, as in the directive `listen`.
fn parameters(options: &Options) -> Vec<String> {
    let switch = |on| if on { "on" } else { "off" };
    let flag = |name: &str, on: bool| on.then(|| name.to_owned());
    let number = |name: &str, value: Option<i32>| value.map(|value| format!("{name}={value}"));
    let all = [
        flag("reuseport", options.reuseport),
        flag("deferred", options.deferred),
        options
            .ipv6only
            .map(|only| format!("ipv6only={}", switch(only))),
        number("fastopen", options.fastopen),
        number("rcvbuf", options.rcvbuf),
        number("sndbuf", options.sndbuf),
        options
            .keepalive
            .map(|keepalive| format!("so_keepalive={}", switch(keepalive.on))),
    ];
    all.into_iter().flatten().collect()
}
