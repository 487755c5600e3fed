//! The check of a new configuration, as far as it is a process: one that takes too long is killed,
//! and one that does not even die is left alone. Not what is checked.

use std::time::{Duration, Instant};

use super::child::GRACE;
use super::reload::Stage;
use super::{Action, Master};
use crate::log::Level;
use crate::sys::process::Pid;

/// So many checkers may be left alone: each keeps the memory that it took.
const MOST_STUCK: usize = 4;

/// The process that checks a configuration.
pub(super) struct Checker {
    pid: Option<Pid>,
    /// When it is killed; once it was, when it is left alone.
    pub due: Option<Instant>,
    killed: bool,
}

impl Checker {
    /// One that is about to be forked.
    pub fn new(due: Option<Instant>) -> Checker {
        Checker {
            pid: None,
            due,
            killed: false,
        }
    }

    /// Ends it, as soon as it is known who it is.
    pub fn kill(&mut self, now: Instant) -> Option<Action> {
        let again = std::mem::replace(&mut self.killed, true);
        if again { None } else { self.end(now) }
    }

    fn end(&mut self, now: Instant) -> Option<Action> {
        self.due = self.pid.map(|_| now + GRACE);
        self.pid.map(Action::Kill)
    }
}

impl Master {
    fn checker(&mut self, number: u64) -> Option<&mut Checker> {
        match self.stage(number)? {
            Stage::Checking(checker) => Some(checker),
            _ => None,
        }
    }

    pub(super) fn check_started(&mut self, number: u64, pid: Pid) {
        let now = self.now;
        let Some(checker) = self.checker(number) else {
            return;
        };
        checker.pid = Some(pid);
        let kill = if checker.killed {
            checker.end(now)
        } else {
            None
        };
        self.actions.extend(kill);
    }

    pub(super) fn checked(&mut self, number: u64, verdict: Result<(), String>) {
        let Some(checker) = self.checker(number) else {
            return self.stuck_ended(number);
        };
        match verdict {
            _ if checker.killed => self.reload = None,
            Ok(()) => self.load(number),
            Err(why) => {
                self.log(Level::Emerg, why.clone());
                self.refuse(why);
            }
        }
    }

    pub(super) fn limit_check(&mut self) {
        let Some(reload) = &mut self.reload else {
            return;
        };
        let (number, now) = (reload.number, self.now);
        let Stage::Checking(checker) = &mut reload.stage else {
            return;
        };
        if checker.due.is_none_or(|due| due > now) {
            return;
        }
        match checker.pid {
            Some(pid) if checker.killed => self.leave_checker(number, pid),
            pid => self.give_up_check(pid),
        }
    }

    fn give_up_check(&mut self, pid: Option<Pid>) {
        let name = pid.map_or(String::new(), |pid| format!(" {pid}"));
        let serving = self.serving.as_ref();
        let limit = serving.map_or(Duration::ZERO, |it| it.terms.check);
        let why = format!("checker process{name} took longer than reload_timeout ({limit:?})");
        self.give_up(Level::Error, &why);
    }

    /// The next configuration may be one that this process has no part in.
    fn leave_checker(&mut self, number: u64, pid: Pid) {
        self.reload = None;
        self.stuck.push((number, pid));
        let what = format!("checker process {pid} does not end though it was killed");
        self.log(Level::Alert, format!("{what}, it is left alone"));
    }

    fn stuck_ended(&mut self, number: u64) {
        let ended = self.stuck.extract_if(.., |(stuck, _)| *stuck == number);
        if let Some((_, pid)) = ended.last() {
            let text = format!("checker process {pid}, which was left alone, has ended");
            self.log(Level::Notice, text);
        }
    }

    /// Why no further checker may start, if none may.
    pub(super) fn too_many_stuck(&self) -> Option<String> {
        let count = self.stuck.len();
        let what = format!("the checkers of {count} earlier reloads do not end");
        (count >= MOST_STUCK).then_some(what)
    }
}
