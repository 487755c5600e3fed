//! Being told: commands of the master, signals, and the ways to leave.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::command::{Command, LONGEST, Report};
use super::event_loop::Worker;
use super::scoreboard::State;
use super::timer::Leave;
use crate::log;
use crate::sys::signal::Signal;

/// How long logs may hold up an end that is not told to hurry.
const LOG_LIMIT: Duration = Duration::from_secs(5);
/// The same for one that is; a master kills a worker that takes twice as long.
const LOG_GRACE: Duration = Duration::from_millis(500);

/// Where a worker's life stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It finishes what it has; past the deadline, if there is one, it cuts it.
    Leaving {
        /// How long idle connections may stay.
        leave: Leave,
        /// `worker_shutdown_timeout`
        deadline: Option<Instant>,
    },
    /// It is over.
    Stopped,
}

impl Stage {
    /// When what is left will be cut.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Stage::Leaving { deadline, .. } => deadline,
            _ => None,
        }
    }

    /// How long idle connections may stay, if it leaves.
    pub fn leave(self) -> Option<Leave> {
        match self {
            Stage::Leaving { leave, .. } => Some(leave),
            _ => None,
        }
    }
}

impl Worker {
    /// Whether it is on its way out.
    pub fn is_leaving(&self) -> bool {
        self.stage != Stage::Serving
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        match self.stage {
            Stage::Serving => false,
            Stage::Leaving { .. } => self.clients.is_empty() && self.beside.is_empty(),
            Stage::Stopped => true,
        }
    }

    /// Does what signals say; they mean the same to a worker as to nginx's.
    pub fn take_signals(&mut self) {
        let arrived: Vec<Signal> = self.signals.take().collect();
        for signal in arrived {
            match signal {
                Signal::Term | Signal::Int => self.stage = Stage::Stopped,
                Signal::Quit => self.leave(Leave::Now),
                Signal::Usr1 => self.reopen_by_path(),
                _ => {}
            }
        }
    }

    /// Does what the master says. A master that is gone is as good as one that says to leave, and
    /// that nobody else serves what waits.
    pub fn take_commands(&mut self) {
        let mut message = [0; LONGEST];
        loop {
            let Some(channel) = &self.channel else { return };
            let (count, descriptors) = match channel.recv(&mut message) {
                Ok(Some(received)) => received,
                Ok(None) => {
                    if !self.is_leaving() {
                        log::notice!("the master is gone, leaving");
                    }
                    self.channel = None;
                    self.kept = (0..self.site.endpoints.len()).collect();
                    return self.leave(Leave::Soon);
                }
                Err(_) => return,
            };
            match (Command::read(&message[..count]), descriptors) {
                (Some(command), Some(descriptors)) => self.obey(command, descriptors),
                (Some(command), None) => self.miss(command),
                (None, _) => {}
            }
        }
    }

    fn obey(&mut self, command: Command, descriptors: Vec<OwnedFd>) {
        match command {
            Command::Admit { slots } => self.admit(slots),
            Command::Keep { endpoint } => self.kept.push(endpoint as usize),
            Command::Take { endpoint, first } => {
                self.take_sockets(endpoint as usize, first as usize, descriptors);
            }
            Command::Ping => self.say(Report::Pong),
            Command::Pause => self.pause(),
            Command::Retire => self.leave(Leave::Soon),
            Command::Quit => self.leave(Leave::Now),
            Command::Stop => self.stop(),
            Command::Reopen { first } => {
                self.flush_all();
                for (place, descriptor) in (first as usize..).zip(descriptors) {
                    if let Some(log) = self.logs.at(place) {
                        log.go_on_in(descriptor);
                    }
                }
                self.reopen_families();
            }
        }
    }

    /// Stops accepting, finishes what it has, then leaves.
    pub fn leave(&mut self, how: Leave) {
        match &mut self.stage {
            Stage::Serving => {
                let deadline = self.shutdown_timeout.map(|time| self.clock.now() + time);
                self.stage = Stage::Leaving {
                    leave: how,
                    deadline,
                };
            }
            Stage::Leaving { leave, .. } if how == Leave::Now => *leave = how,
            _ => return,
        }
        self.tally.state(State::Draining);
        // No other worker may accept in its place: only then are connections refused.
        self.drop_sockets();
        let keys: Vec<usize> = self.clients.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.clients[key].http.quit();
            self.drive(key);
        }
    }

    /// Ends at once. What a worker that leaves has left would have ended by itself.
    fn stop(&mut self) {
        if self.is_leaving() {
            self.cut("it was told to stop");
        }
        self.stage = Stage::Stopped;
    }

    /// Ends what is left.
    pub fn cut(&mut self, why: &str) {
        if !self.clients.is_empty() {
            let count = self.clients.len();
            log::notice!("{why}, {count} connections are cut");
        }
        let keys: Vec<usize> = self.clients.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.close(key));
        self.stage = Stage::Stopped;
    }

    /// A thread that waits for a dead disk keeps the process in the kernel until the disk answers,
    /// and with it whatever is still open. The channel is closed last: that tells the master.
    pub(super) fn let_go(mut self) {
        // Closing a file may wait for the disk, too: that is left to the kernel.
        std::mem::forget(self.disk.clone());
        self.unwatch_all();
        self.sockets.clear();
        self.clients.clear();
        self.channel = None;
    }

    /// A worker that is told directly opens its logs itself, if it may.
    fn reopen_by_path(&self) {
        self.flush_all();
        self.logs.iter().for_each(|log| log.reopen_in_turn());
        self.reopen_families();
    }

    /// Nobody but the worker knows the logs that requests name.
    fn reopen_families(&self) {
        let families = self.site.log_families.iter();
        families.for_each(|log| log.reopen_in_turn());
    }

    /// How long the end of the process may wait for logs that do not take their lines.
    pub(super) fn patience_with_logs(&self) -> Duration {
        match self.stage {
            Stage::Leaving { deadline: None, .. } => LOG_LIMIT,
            Stage::Leaving {
                deadline: Some(due),
                ..
            } => due
                .saturating_duration_since(self.clock.now())
                .clamp(LOG_GRACE, LOG_LIMIT),
            _ => LOG_GRACE,
        }
    }
}
