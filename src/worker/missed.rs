//! Descriptors that the master has sent and for which there was no room: asked for until there is.

use std::time::{Duration, Instant};

use super::accept::Shortage;
use super::command::{Command, Report};
use super::event_loop::Worker;

/// Time after which they are asked for again, where no connection could be closed to make room.
const AGAIN: Duration = Duration::from_millis(500);

/// What is missing.
#[derive(Default)]
pub struct Missed {
    commands: Vec<Command>,
    /// When it is asked for.
    due: Option<Instant>,
    shortage: Shortage,
}

impl Missed {
    /// When it is asked for.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

impl Worker {
    /// What came with a command is lost. Idle connections make room for it.
    pub(super) fn miss(&mut self, command: Command) {
        let now = self.clock.now();
        let due = match self.reclaim() {
            true => now,
            false => now + AGAIN,
        };
        let missed = &mut self.missed;
        missed.commands.push(command);
        missed.due = Some(due);
        let what = match command {
            Command::Reopen { .. } => "its logs are reopened",
            _ => "sockets are taken",
        };
        missed.shortage.tell(
            now,
            format_args!("there is no descriptor left, {what} as soon as there is"),
        );
    }

    pub(super) fn ask_for_missed(&mut self) {
        self.missed.due = None;
        for command in std::mem::take(&mut self.missed.commands) {
            self.say(Report::Missed(command));
        }
    }
}
