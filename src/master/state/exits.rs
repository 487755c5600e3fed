//! What the end of a worker, or of the attempt to start one, means.

use std::time::{Duration, Instant};

use super::child::{Child, Duty};
use super::{Action, Death, Intent, Master, Seat};
use crate::log::Level;
use crate::sys::process::{Exit, ExitStatus};
use crate::worker::command::START_FAILED;

impl Master {
    pub(super) fn exited(&mut self, death: Death, now: Instant) {
        let Exit { pid, status } = death.exit;
        let Some(at) = self
            .children
            .iter()
            .position(|child| child.pid == Some(pid))
        else {
            return self.log(Level::Notice, format!("unknown process {pid} {status}"));
        };
        let child = self.children.remove(at);
        if child.admitted && status != ExitStatus::Code(0) {
            self.nudge();
        }
        let life = now.saturating_duration_since(child.born);
        let what = described(&death, life);
        if child.duty != Duty::Serve {
            self.log(level(status, Level::Notice), what);
        } else if self.is_starting(child.seat) {
            self.give_up(level(status, Level::Error), &unready(&what));
        } else if status == ExitStatus::Code(START_FAILED) && !self.ever_ready {
            self.fail_start(&what);
        } else {
            self.replace(&child, status, &what, now);
        }
    }

    /// A shared listener wakes one worker for each connection. One that died may have been woken
    /// and not have accepted: the others are admitted anew, which makes them look.
    fn nudge(&mut self) {
        for child in &mut self.children {
            child.admitted = false;
        }
    }

    pub(super) fn spawn_failed(&mut self, seat: Seat, error: &str, now: Instant) {
        self.children.retain(|child| child.seat != seat);
        if self.is_starting(seat) {
            return self.give_up(Level::Alert, &unready(error));
        }
        let Some(slot) = self.serving_slot(seat) else {
            return self.log(Level::Alert, error.into());
        };
        slot.fork_failed(now);
        let next = self.next_attempt(seat, now);
        self.log(Level::Alert, format!("{error}, {next}"));
    }

    fn replace(&mut self, child: &Child, status: ExitStatus, what: &str, now: Instant) {
        let life = now.saturating_duration_since(child.born);
        let Some(slot) = self.serving_slot(child.seat) else {
            return;
        };
        slot.died(life, child.ready, now);
        let next = self.next_attempt(child.seat, now);
        self.log(level(status, Level::Error), format!("{what}, {next}"));
    }

    /// When an empty slot is filled; while no worker is ready that may be before its back-off ends.
    fn next_attempt(&self, seat: Seat, now: Instant) -> String {
        let vacancies = self.vacancies();
        let Some((_, due)) = vacancies.iter().find(|(vacant, _)| *vacant == seat) else {
            return "not replaced".into();
        };
        match due.saturating_duration_since(now).as_millis() {
            0 => "replaced at once".into(),
            delay => format!("next attempt within {delay} ms"),
        }
    }

    fn is_starting(&self, seat: Seat) -> bool {
        self.starting
            .as_ref()
            .is_some_and(|generation| generation.number == seat.generation)
    }

    pub(super) fn serving_slot(&mut self, seat: Seat) -> Option<&mut super::Slot> {
        let generation = self
            .serving
            .as_mut()
            .filter(|g| g.number == seat.generation)?;
        generation.slots.get_mut(seat.slot)
    }

    /// The sockets that listen now are closed with the others.
    pub(super) fn listen_failed(&mut self, number: u64) {
        let starting = self.starting.as_ref();
        if starting.is_some_and(|generation| generation.number == number) {
            self.give_up(Level::Emerg, "the new workers cannot serve every address");
        }
    }

    /// A new generation that cannot start as a whole leaves the old one serving.
    fn give_up(&mut self, level: Level, why: &str) {
        let Some(generation) = self.starting.take() else {
            return;
        };
        for child in &mut self.children {
            if child.seat.generation == generation.number {
                child.require(Duty::Stop);
            }
        }
        self.log(level, format!("{why}, the old ones go on"));
        self.actions.push(Action::Discard(generation.number));
    }

    /// No worker ever got ready, and the next one would meet the same obstacle.
    fn fail_start(&mut self, what: &str) {
        self.log(
            Level::Emerg,
            format!("{what}, it cannot start and is not replaced"),
        );
        self.exit_code = 1;
        self.leave(Intent::Stop);
    }
}

/// The end of a worker in nginx's words, then what else is known of it.
fn described(death: &Death, life: Duration) -> String {
    let Exit { pid, status } = death.exit;
    let text = format!(
        "worker process {pid} {status} after {:.3} s",
        life.as_secs_f64()
    );
    match &death.report[..] {
        "" => text,
        report => format!("{text} ({report})"),
    }
}

/// How loud the end of a process is: a signal is an alert, as in nginx.
fn level(status: ExitStatus, failure: Level) -> Level {
    match status {
        ExitStatus::Signal { .. } => Level::Alert,
        ExitStatus::Code(0) => Level::Notice,
        ExitStatus::Code(_) => failure,
    }
}

fn unready(why: &str) -> String {
    format!("{why} before the new workers were ready")
}
