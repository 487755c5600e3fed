//! What the master is told and what it wants done.

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
    /// The answer to [`Action::Load`]: the number of workers, or `None` when the configuration was
    /// refused.
    Loaded {
        /// The number given with the action.
        generation: u64,
        /// What `worker_processes` came to; at least 1.
        workers: Option<usize>,
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
    ListenFailed(u64),
    /// A worker says that it can serve.
    Ready(Pid),
    /// A child was reaped.
    Exited(Exit),
    /// The answer to [`Action::Execute`]: the successor's process.
    Executed(Pid),
    /// The other answer to [`Action::Execute`]: why there is none.
    ExecuteFailed(String),
    /// Nothing but that time passed.
    Time,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read and check the configuration and bind its new sockets, as the generation of this number.
    Load(u64),
    /// Fork a worker.
    Spawn(Seat),
    /// Start listening on the new sockets of this generation.
    Listen(u64),
    /// This generation is the current one from now on.
    Adopt(u64),
    /// Close the sockets that this generation, now the current one, has no use for.
    Settle(u64),
    /// Drop what was loaded under this number and close the sockets that only it had.
    Discard(u64),
    /// Close every listening socket.
    Close,
    /// Say this to a worker.
    Tell(Pid, Command),
    /// The current configuration serves on as the generation of this number.
    Revive(u64),
    /// Start the new binary as a second master.
    Execute,
    /// Kill a worker that does not obey.
    Kill(Pid),
    /// Open every log again and hand the new descriptors to all workers.
    ReopenLogs,
    /// Write a line to the error log.
    Log(Level, String),
    /// Exit with this code. Nothing follows.
    Exit(i32),
}
