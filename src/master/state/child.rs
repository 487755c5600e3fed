//! A child: one worker process as the master knows it, and what it is there for.

use std::time::{Duration, Instant};

use crate::sys::process::Pid;

/// How long a worker that was told to stop may take before it is killed, as in nginx.
const GRACE: Duration = Duration::from_secs(1);

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
    /// Has not obeyed [`Duty::Stop`].
    Die,
}

/// A worker process, from the decision to fork until it is reaped.
pub(super) struct Child {
    pub seat: Seat,
    /// `None` while the fork is under way.
    pub pid: Option<Pid>,
    pub born: Instant,
    /// It said that it can serve.
    pub ready: bool,
    /// It was told to accept, and no wake-up was lost since.
    pub admitted: bool,
    pub duty: Duty,
    /// What it was told, and when.
    pub told: (Duty, Instant),
}

impl Child {
    pub fn new(seat: Seat, now: Instant) -> Child {
        let (ready, admitted, duty) = (false, false, Duty::Serve);
        Child {
            seat,
            pid: None,
            born: now,
            ready,
            admitted,
            duty,
            told: (duty, now),
        }
    }

    /// Raises the duty; it never falls.
    pub fn require(&mut self, duty: Duty) {
        self.duty = self.duty.max(duty);
    }

    /// When a child that was told to stop is killed.
    pub fn killed_at(&self) -> Option<Instant> {
        (self.told.0 == Duty::Stop).then(|| self.told.1 + GRACE)
    }
}
