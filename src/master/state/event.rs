//! What the master is told and what it wants done.

use std::time::Duration;

use super::Seat;
use crate::log::Level;
use crate::sys::process::{Exit, Pid};
use crate::sys::signal::Signal;
use crate::worker::command::Command;

/// The number of the first generation, loaded before there is a [`super::Master`].
pub const FIRST: u64 = 1;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The master received a signal.
    Signal(Signal),
    /// The terminal of a master in the foreground is gone.
    TerminalClosed,
    /// Somebody wants a reload and to know what comes of it; see [`Action::Answer`].
    ReloadAsked(u64),
    /// The first answer to [`Action::Check`]: the process that checks.
    CheckStarted {
        /// The number given with the action.
        generation: u64,
        /// The checker.
        pid: Pid,
    },
    /// The last answer to [`Action::Check`]: the checker was reaped, or there was none.
    Checked {
        /// The number given with the action.
        generation: u64,
        /// Whether the configuration may be loaded; if not, a line for the log.
        verdict: Result<(), String>,
    },
    /// The answer to [`Action::Load`].
    Loaded {
        /// The number given with the action.
        generation: u64,
        /// What is to be run, or why nothing is; that was logged already.
        plan: Result<Terms, String>,
    },
    /// The answer to [`Action::Spawn`].
    Spawned {
        /// The seat given with the action.
        seat: Seat,
        /// The new process.
        pid: Pid,
    },
    /// The other answer to [`Action::Spawn`].
    SpawnFailed {
        /// The seat given with the action.
        seat: Seat,
        /// Why, as in `fork() failed (11: Resource temporarily unavailable)`.
        error: String,
    },
    /// The answer to [`Action::Listen`]: all of its sockets listen.
    Listening(u64),
    /// The other answer to [`Action::Listen`]: not all of them can.
    ListenFailed {
        /// The number given with the action.
        generation: u64,
        /// Why; that was logged already.
        error: String,
    },
    /// A worker says that it can serve.
    Ready(Pid),
    /// A worker answers [`Command::Ping`].
    Pong(Pid),
    /// A worker has closed its channel: it has done all it had to, and is about to exit.
    Left(Pid),
    /// A child was reaped.
    Exited(Death),
    /// Another master has started this one and runs beside it.
    Succeeds(Pid),
    /// It runs no more.
    PredecessorLeft(Pid),
    /// The answer to [`Action::Execute`]: the successor's process.
    Executed(Pid),
    /// The other answer to [`Action::Execute`]: why there is none.
    ExecuteFailed(String),
    /// Nothing but that time passed. It comes after all that happened meanwhile.
    Time,
}

/// What the configuration of a generation says about its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What `worker_processes` came to; at least 1.
    pub workers: usize,
    /// `reload_probation`
    pub probation: Duration,
    /// `worker_generations`; 0 for any number.
    pub generations: usize,
    /// `worker_stall_timeout`; zero for none.
    pub stall: Duration,
    /// `reload_timeout`
    pub check: Duration,
    /// How long a worker that was aborted may write its core; zero where it leaves none.
    pub dump: Duration,
}

/// The end of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Who ended, and how.
    pub exit: Exit,
    /// Whether it died by itself while it had a request in hand.
    pub blamed: bool,
    /// What else is known of it: the end of the line about it.
    pub report: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fork a process that reads and checks the configuration as the generation of this number.
    Check(u64),
    /// Load what was checked, open its logs and bind its new sockets.
    Load(u64),
    /// Fork a worker.
    Spawn(Seat),
    /// Start listening on the new sockets of this generation.
    Listen(u64),
    /// This generation is the current one from now on; the one before is kept, to be restored.
    Adopt(u64),
    /// Drop the generation before this one, and the sockets that this one has no use for.
    Settle(u64),
    /// Drop what was loaded under this number and close the sockets that only it had. If it was
    /// adopted, the one before is the current one again.
    Discard(u64),
    /// Close every listening socket.
    Close,
    /// Say this to a worker.
    Tell(Pid, Command),
    /// The current configuration serves on as the generation of this number.
    Revive(u64),
    /// Start the new binary as a second master.
    Execute,
    /// Kill a process that does not obey.
    Kill(Pid),
    /// Report that a worker's loop stands still, and abort it.
    Abort(Pid),
    /// Open every log again and hand the new descriptors to all workers.
    ReopenLogs,
    /// Write a line to the error log.
    Log(Level, String),
    /// Tell who asked for a reload ([`Event::ReloadAsked`]) that the new generation serves and has
    /// passed its probation, or why it does not.
    Answer(u64, Result<(), String>),
    /// Exit with this code. Nothing follows.
    Exit(i32),
}
