//! What the end of a worker, or of the attempt to start one, means.

use std::time::Duration;

use super::child::{Child, Duty};
use super::intent::Intent;
use super::{Death, Master, Seat};
use crate::log::Level;
use crate::sys::process::{Exit, ExitStatus};
use crate::worker::command::START_FAILED;

impl Master {
    pub(super) fn exited(&mut self, death: Death) {
        let Exit { pid, status } = death.exit;
        if self.succession.pid() == Some(pid) {
            return self.successor_exited(death.exit);
        }
        if self.corpse_ended(death.exit) {
            return;
        }
        let mut children = self.children.iter();
        let Some(at) = children.position(|child| child.pid == Some(pid)) else {
            return self.log(Level::Notice, format!("unknown process {pid} {status}"));
        };
        let child = self.children.remove(at);
        if child.accepts() && status != ExitStatus::Code(0) {
            self.nudge();
        }
        let life = self.now.saturating_duration_since(child.born);
        let what = described(&death, life);
        if child.duty != Duty::Serve {
            self.log(level(status, Level::Notice), what);
        } else if let Some(why) = self.condemned(&child, &death, &what) {
            self.give_up(level(status, Level::Error), &why);
        } else if status == ExitStatus::Code(START_FAILED) && !self.ever_ready {
            self.fail_start(&what);
        } else {
            self.lost(&child, death, &what);
        }
    }

    /// Why the death of this worker ends the reload under way, if it does.
    fn condemned(&self, child: &Child, death: &Death, what: &str) -> Option<String> {
        let generation = child.seat.generation;
        if self.is_starting(generation) {
            return Some(unready(what));
        }
        let condemned = self.is_on_probation(generation) && self.condemns(death);
        condemned.then(|| format!("{what} during the probation of the new workers"))
    }

    /// One that was to serve is gone.
    fn lost(&mut self, child: &Child, death: Death, what: &str) {
        if death.blamed {
            self.last_blamed = Some(self.now);
        }
        let (now, life) = (self.now, self.now.saturating_duration_since(child.born));
        if let Some(slot) = self.slot(child.seat) {
            slot.died(life, child.ready, now);
        }
        let next = self.next_attempt(child.seat);
        let text = format!("{what}, {next}");
        self.log(level(death.exit.status, Level::Error), text);
    }

    pub(super) fn spawn_failed(&mut self, seat: Seat, error: &str) {
        self.children.retain(|child| child.seat != seat);
        if self.is_starting(seat.generation) {
            return self.give_up(Level::Alert, &unready(error));
        }
        let now = self.now;
        let Some(slot) = self.slot(seat) else {
            return self.log(Level::Alert, error.into());
        };
        slot.fork_failed(now);
        let next = self.next_attempt(seat);
        self.log(Level::Alert, format!("{error}, {next}"));
    }

    /// When an empty slot is filled; while no worker is ready that may be before its back-off ends.
    fn next_attempt(&self, seat: Seat) -> String {
        let vacancies = self.vacancies();
        let Some((_, due)) = vacancies.iter().find(|(vacant, _)| *vacant == seat) else {
            return "not replaced".into();
        };
        match due.saturating_duration_since(self.now).as_millis() {
            0 => "replaced at once".into(),
            delay => format!("next attempt within {delay} ms"),
        }
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
    let life = life.as_secs_f64();
    let text = format!("worker process {pid} {status} after {life:.3} s");
    match &death.report[..] {
        "" => text,
        report => format!("{text} ({report})"),
    }
}

/// How loud the end of a process is: a signal is an alert, as in nginx.
pub(super) fn level(status: ExitStatus, failure: Level) -> Level {
    match status {
        ExitStatus::Signal { .. } => Level::Alert,
        ExitStatus::Code(0) => Level::Notice,
        ExitStatus::Code(_) => failure,
    }
}

fn unready(why: &str) -> String {
    format!("{why} before the new workers were ready")
}
