//! How a master and its workers are, as plain data: what `forkful status` prints. Not where the
//! numbers come from.

mod json;
mod text;

use std::collections::VecDeque;
use std::time::Duration;

use crate::sys::process::Pid;

/// How many restarts are remembered.
const REMEMBERED: usize = 20;

/// A master at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// The master process.
    pub pid: Pid,
    /// When it was started, in seconds since 1970, and how long ago.
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
    pub stage: Stage,
    /// How long ago it was loaded.
    pub age: Duration,
}

/// How far a configuration is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
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

/// One worker process. Numbers count from its start.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its process.
    pub pid: Pid,
    /// The number of its configuration.
    pub generation: u64,
    /// Its number in that.
    pub slot: usize,
    /// What it is doing.
    pub state: &'static str,
    /// How long ago it was forked.
    pub age: Duration,
    /// What it has done.
    pub counts: Counts,
}

/// What a worker has done, or several have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Responses by class, from 1xx to 5xx.
    pub responses: [u64; 5],
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
#[derive(Debug, Default)]
pub struct History {
    /// The last restarts.
    pub restarts: VecDeque<Restart>,
    /// The last reload.
    pub reload: Option<Reload>,
}

impl History {
    /// Remembers a restart, and forgets the oldest one of many.
    pub fn restarted(&mut self, restart: Restart) {
        if self.restarts.len() == REMEMBERED {
            self.restarts.pop_front();
        }
        self.restarts.push_back(restart);
    }
}

impl Status {
    /// The workers of a configuration, and their open connections.
    fn population(&self, generation: u64) -> (usize, u64) {
        let own = |worker: &&Worker| worker.generation == generation;
        let own = self.workers.iter().filter(own);
        own.fold((0, 0), |(workers, connections), worker| {
            (workers + 1, connections + worker.counts.connections)
        })
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Starting => "starting",
            Stage::Probation => "probation",
            Stage::Serving => "serving",
            Stage::Paused => "paused",
            Stage::Draining => "draining",
        }
    }
}

#[cfg(test)]
mod tests;
