//! How a master and its workers are, as plain data: what `forkful status` prints. Not where the
//! numbers come from.

mod json;
mod text;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::door::Form;
use super::state::Death;
use crate::sys::process::{Exit, ExitStatus, Pid};
use crate::worker::scoreboard::{Snapshot, State};

/// How many restarts are remembered.
const REMEMBERED: usize = 20;

/// A master at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The master process.
    pub pid: Pid,
    /// The master that started this one, while it runs beside it.
    pub predecessor: Option<Pid>,
    /// The master that this one started, likewise.
    pub successor: Option<Pid>,
    /// When it was started, in seconds since 1970.
    pub started: i64,
    /// How long ago it was started.
    pub uptime: Duration,
    /// What came of the last reload.
    pub last_reload: Option<Reload>,
    /// The configurations that have workers, oldest first.
    pub generations: Vec<Generation>,
    /// The workers, oldest first.
    pub workers: Vec<Worker>,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// The last workers that ended unasked, oldest first.
    pub restarts: Vec<Restart>,
    /// Lines of logs that a stuck disk has cost.
    pub lines_lost: u64,
    /// Jobs that a full queue of the thread pool has refused.
    pub jobs_refused: u64,
}

/// One configuration.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// How far it is.
    pub course: Course,
    /// How long ago it was loaded.
    pub age: Duration,
}

/// How far a configuration is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Its workers start.
    Starting,
    /// Its workers serve, and may be given up yet.
    Probation,
    /// Its workers serve.
    Serving,
    /// Its workers accept nothing, and serve again if the next ones fail.
    Paused,
    /// Its workers finish what they have.
    Draining,
}

/// One worker process.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its process.
    pub pid: Pid,
    /// How long ago it was forked.
    pub age: Duration,
    /// Whose it is, what it does and what it has done.
    pub life: Snapshot,
}

/// An address that is listened on.
#[derive(Clone, Debug)]
pub struct Listener {
    /// As in the directive `listen`; it may hold any bytes.
    pub address: Vec<u8>,
    /// The other parameters that are in force.
    pub options: Vec<String>,
}

/// The end of a worker that was to go on.
#[derive(Clone, Debug)]
pub struct Restart {
    /// When, in seconds since 1970.
    pub time: i64,
    /// The process that ended.
    pub pid: Pid,
    /// The number of its configuration.
    pub generation: u64,
    /// Its number in that.
    pub slot: usize,
    /// As in `exited on signal 11`.
    pub cause: String,
}

/// The last reload.
#[derive(Clone, Debug)]
pub struct Reload {
    /// When it was decided, in seconds since 1970.
    pub time: i64,
    /// The number of the new configuration.
    pub generation: u64,
    /// Nothing, or why the old one went on.
    pub outcome: Result<(), String>,
}

/// What is remembered of the past.
#[derive(Debug)]
pub struct History {
    /// When the master began, in seconds since 1970.
    pub started: i64,
    /// The same moment, for how long ago that was.
    pub born: Instant,
    /// Lines of logs that workers have lost that are gone.
    pub lines_lost: u64,
    /// Jobs that were refused in such.
    pub jobs_refused: u64,
    /// The last restarts.
    pub restarts: VecDeque<Restart>,
}

impl History {
    /// Nothing has happened yet.
    pub fn begin(started: i64, born: Instant) -> History {
        History {
            started,
            born,
            lines_lost: 0,
            jobs_refused: 0,
            restarts: VecDeque::new(),
        }
    }

    /// A worker has ended. What it lost is not forgotten; why it ended is, after some others, and
    /// if it was to end.
    pub fn ended(&mut self, death: &Death, life: &Snapshot, time: i64) {
        self.lines_lost += life.log_lines_lost;
        self.jobs_refused += life.jobs_refused;
        let Exit { pid, status } = death.exit;
        if status == ExitStatus::Code(0) || life.state == State::Draining {
            return;
        }
        if self.restarts.len() == REMEMBERED {
            self.restarts.pop_front();
        }
        let separator = if death.report.is_empty() { "" } else { ", " };
        self.restarts.push_back(Restart {
            time,
            pid,
            generation: life.generation,
            slot: life.slot,
            cause: format!("{status}{separator}{}", death.report),
        });
    }
}

impl Status {
    /// In a form.
    pub fn print(&self, form: Form) -> String {
        match form {
            Form::Text => self.text(),
            Form::Json => self.json(),
        }
    }

    /// The workers of a configuration, and their open connections.
    fn population(&self, generation: u64) -> (usize, u64) {
        let lives = self.workers.iter().map(|worker| &worker.life);
        let own = lives.filter(|life| life.generation == generation);
        own.fold((0, 0), |(workers, connections), life| {
            (workers + 1, connections + life.connections)
        })
    }
}

impl Course {
    fn name(self) -> &'static str {
        match self {
            Course::Starting => "starting",
            Course::Probation => "probation",
            Course::Serving => "serving",
            Course::Paused => "paused",
            Course::Draining => "draining",
        }
    }
}

#[cfg(test)]
mod tests;
