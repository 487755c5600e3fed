//! A child: one worker process as the master knows it, and what it is there for.

use std::time::{Duration, Instant};

use crate::sys::process::Pid;
use crate::worker::command::Slots;

/// How long a process that was told to end may take before it is killed, as in nginx.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A seat: which worker of which generation. Unique among the living.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The number of the generation, from 1.
    pub generation: u64,
    /// The number of the slot, from 0.
    pub slot: usize,
}

/// What a child is there for; a later one is more urgent, and a child never goes back to an earlier
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Duty {
    Serve,
    /// Make room for the next generation: as `Quit`, but patient with idle connections.
    Retire,
    /// Finish the running requests and exit.
    Quit,
    /// Exit at once.
    Stop,
}

/// What was done to a child that does not obey or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Force {
    None,
    /// Its loop stood still.
    Aborted(Instant),
    Killed(Instant),
}

/// What a child was told to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Nothing yet; or a wake-up may have been lost since, so that it has to look again.
    Untold,
    /// Only what the next generation does not.
    Paused,
    Admitted(Slots),
}

/// How long a child may be silent; zero for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// Until it is ready.
    pub start: Duration,
    /// When it was asked whether its loop turns.
    pub pong: Duration,
    /// While it leaves its core.
    pub dump: Duration,
}

/// A worker process, from the decision to fork until it is reaped.
pub(super) struct Child {
    pub seat: Seat,
    /// `None` while the fork is under way.
    pub pid: Option<Pid>,
    pub born: Instant,
    /// It said that it can serve.
    pub ready: bool,
    pub share: Share,
    pub duty: Duty,
    /// What it was told, and when.
    pub told: (Duty, Instant),
    pub force: Force,
    /// Since when it has closed its channel, which is the last thing a worker does.
    pub left: Option<Instant>,
    /// Since when it has owed an answer: that it is ready, or later to a ping.
    pub awaited: Option<Instant>,
    /// How long it may owe it; zero for ever.
    pub patience: Patience,
}

impl Child {
    pub fn new(seat: Seat, patience: Patience, now: Instant) -> Child {
        let duty = Duty::Serve;
        Child {
            seat,
            pid: None,
            born: now,
            ready: false,
            share: Share::Untold,
            duty,
            told: (duty, now),
            force: Force::None,
            left: None,
            awaited: Some(now),
            patience,
        }
    }

    /// Raises the duty; it never falls.
    pub fn require(&mut self, duty: Duty) {
        self.duty = self.duty.max(duty);
    }

    /// Whether it can accept connections.
    pub fn can_serve(&self) -> bool {
        self.ready && self.duty == Duty::Serve && !self.is_ending()
    }

    /// Whether its process was forced to end, or ends by itself.
    pub fn is_ending(&self) -> bool {
        self.force != Force::None || self.left.is_some()
    }

    /// Whether it was told to accept, and may have been woken for a connection.
    pub fn accepts(&self) -> bool {
        matches!(self.share, Share::Paused | Share::Admitted(_))
    }

    /// When a child that was told to end, that was aborted, or that said its last is killed.
    pub fn killed_at(&self) -> Option<Instant> {
        let due = match self.force {
            Force::Killed(_) => return None,
            Force::Aborted(at) => Some(at + self.patience.dump.max(GRACE)),
            Force::None => (self.told.0 == Duty::Stop).then(|| self.told.1 + GRACE),
        };
        let left = self.left.map(|since| since + GRACE);
        due.into_iter().chain(left).min()
    }

    /// When a child that was killed is given up.
    pub fn buried_at(&self) -> Option<Instant> {
        match self.force {
            Force::Killed(at) => Some(at + GRACE),
            _ => None,
        }
    }

    /// When it is to be killed, given up or aborted, unless it does what it should.
    pub fn deadline(&self) -> Option<Instant> {
        self.pid?;
        let due = [self.killed_at(), self.buried_at(), self.stalled_at()];
        due.into_iter().flatten().min()
    }
}
