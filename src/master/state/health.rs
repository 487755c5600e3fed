//! Whether the loops of the workers turn: each is pinged, and one that does not answer is aborted.
//! A master that was late itself, as when it was stopped, blames nobody.

use std::time::{Duration, Instant};

use super::child::{Child, Duty, Force};
use super::{Action, Master};
use crate::log::Level;
use crate::sys::process::Pid;
use crate::worker::command::Command;

/// The time between two pings of a worker that answers.
const PING: Duration = Duration::from_secs(1);
/// A master that is called later than it wanted to be by more than this was not on time.
const LATE: Duration = Duration::from_secs(1);

impl Child {
    fn is_watched(&self) -> bool {
        !self.is_ending() && self.duty < Duty::Stop && !self.patience().is_zero()
    }

    fn patience(&self) -> Duration {
        match self.ready {
            true => self.patience.pong,
            false => self.patience.start,
        }
    }

    /// When its silence is a stall.
    pub(super) fn stalled_at(&self) -> Option<Instant> {
        let awaited = self.awaited.filter(|_| self.is_watched());
        awaited.map(|since| since + self.patience())
    }

    /// What it has not done for so long that it counts as stalled.
    fn stalled(&self, now: Instant) -> Option<String> {
        let pid = self.pid?;
        self.stalled_at().filter(|due| *due <= now)?;
        let what = match self.ready {
            true => "has not answered",
            false => "was not ready",
        };
        let silence = (now - self.awaited?).as_secs_f64();
        Some(format!("worker process {pid} {what} for {silence:.3} s"))
    }
}

impl Master {
    /// Answers may wait to be read while the master is late.
    pub(super) fn forgive_if_late(&mut self) {
        let now = self.now;
        if self.deadline().is_some_and(|due| now > due + LATE) {
            let awaited = self
                .children
                .iter_mut()
                .filter_map(|it| it.awaited.as_mut());
            awaited.for_each(|since| *since = now);
        }
    }

    pub(super) fn ready(&mut self, pid: Pid) {
        if self.ping_due().is_none() {
            self.next_ping = self.now + PING;
        }
        if let Some(child) = self.child(pid) {
            child.ready = true;
            child.awaited = None;
            self.ever_ready = true;
        }
    }

    pub(super) fn pong(&mut self, pid: Pid) {
        if let Some(child) = self.child(pid).filter(|child| child.ready) {
            child.awaited = None;
        }
    }

    pub(super) fn ping_due(&self) -> Option<Instant> {
        let pinged = |child: &Child| child.is_watched() && child.ready;
        self.children.iter().any(pinged).then_some(self.next_ping)
    }

    /// One that owes an answer is not asked again, so that its channel does not fill.
    pub(super) fn ping(&mut self) {
        let now = self.now;
        if self.ping_due().is_none_or(|due| due > now) {
            return;
        }
        self.next_ping = now + PING;
        for child in &mut self.children {
            let pid = child.pid.filter(|_| child.is_watched());
            if let (Some(pid), None) = (pid, child.awaited) {
                child.awaited = Some(now);
                self.actions.push(Action::Tell(pid, Command::Ping));
            }
        }
    }

    pub(super) fn abort_stalled(&mut self) {
        let now = self.now;
        let stalled = |child: &Child| Some((child.pid?, child.seat, child.stalled(now)?));
        let stalled: Vec<_> = self.children.iter().filter_map(stalled).collect();
        for (pid, seat, what) in stalled {
            if let Some(child) = self.child(pid) {
                child.force = Force::Aborted(now);
            }
            self.log(Level::Alert, format!("{what}, it is aborted"));
            self.actions.push(Action::Abort(pid));
            if self.is_starting(seat.generation) || self.is_on_probation(seat.generation) {
                self.give_up(Level::Alert, &what);
            }
        }
    }
}
