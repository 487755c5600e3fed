//! The upgrade of the binary: a second master, started by this one, takes its place or gives it
//! back. Not how it is started.

use super::exits::level;
use super::generations::Generation;
use super::intent::Intent;
use super::{Action, Master};
use crate::log::Level;
use crate::sys::process::{Exit, Pid};
use crate::sys::signal::Signal;

pub(super) const UNDER_WAY: &str = "an upgrade is under way";

/// How far an upgrade is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Succession {
    #[default]
    None,
    /// It was asked for, and waits for the end of a reload.
    Wanted,
    /// The new binary is being executed; the answer is awaited.
    Executing,
    /// The successor runs.
    Runs(Pid),
}

impl Succession {
    /// The process of the successor.
    pub fn pid(self) -> Option<Pid> {
        match self {
            Succession::Runs(pid) => Some(pid),
            _ => None,
        }
    }

    /// Whether there is a successor, or about to be one.
    pub fn is_decided(self) -> bool {
        matches!(self, Succession::Executing | Succession::Runs(_))
    }
}

impl Master {
    /// SIGUSR2.
    pub(super) fn upgrade(&mut self, signal: Signal) {
        let refusal = match self.predecessor {
            Some(pid) => Some(format!(
                "process {pid}, whose successor this is, still runs"
            )),
            None if self.succession.is_decided() => Some(UNDER_WAY.into()),
            None => None,
        };
        if let Some(why) = refusal {
            return self.received(Level::Notice, signal, &format!("ignored: {why}"));
        }
        self.received(Level::Notice, signal, "changing the binary");
        self.succession = Succession::Wanted;
    }

    pub(super) fn predecessor_left(&mut self, pid: Pid) {
        self.predecessor = None;
        let text = format!("process {pid}, whose successor this is, has left");
        self.log(Level::Notice, text);
    }

    /// A reload that was asked for comes first: the successor reads the same files.
    pub(super) fn start_upgrade(&mut self) {
        let reloads = self.is_reloading() || self.is_reload_asked();
        let possible = !reloads && !self.are_some_stopping() && !self.is_ending();
        if self.succession == Succession::Wanted && possible {
            self.succession = Succession::Executing;
            self.actions.push(Action::Execute);
        }
    }

    pub(super) fn executed(&mut self, pid: Pid) {
        self.succession = Succession::Runs(pid);
        self.log(Level::Notice, format!("start new binary process {pid}"));
    }

    pub(super) fn execute_failed(&mut self, why: &str) {
        self.succession = Succession::None;
        let text = format!("the binary is not changed: {why}");
        self.log(Level::Alert, text);
    }

    /// SIGHUP while there is a successor, as in nginx: the workers are back, with the configuration
    /// that they had.
    pub(super) fn take_back(&mut self, signal: Signal) {
        let text = match self.intent {
            Intent::Retire => "starting the workers again, with the configuration they had".into(),
            _ => format!("ignored: {UNDER_WAY}"),
        };
        self.received(Level::Notice, signal, &text);
        self.revive();
    }

    /// The successor has left. Whether it was told to or failed, the workers serve again.
    pub(super) fn successor_exited(&mut self, exit: Exit) {
        self.succession = Succession::None;
        let Exit { pid, status } = exit;
        let level = level(status, Level::Error);
        let rest = match self.intent {
            Intent::Serve => ", this one goes on",
            Intent::Retire => ", the workers are started again",
            Intent::Quit | Intent::Stop => "",
        };
        self.log(level, format!("new binary process {pid} {status}{rest}"));
        self.revive();
    }

    /// New workers for the configuration whose workers were retired. They are a generation of their
    /// own: the retired ones may take their time.
    fn revive(&mut self) {
        if self.intent != Intent::Retire {
            return;
        }
        self.intent = Intent::Serve;
        if let Some(serving) = &mut self.serving {
            self.last_generation += 1;
            *serving = Generation::new(self.last_generation, serving.terms, self.now);
            self.actions.push(Action::Revive(self.last_generation));
        }
    }
}
