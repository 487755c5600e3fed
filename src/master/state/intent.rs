//! What the master is there for: signals change it, and it decides how long the workers stay.

use super::child::{Duty, Force};
use super::{Action, Master};
use crate::log::Level;
use crate::sys::signal::Signal;
use crate::worker::command::Command;

/// What the master is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Keep every slot of the serving generation filled.
    Serve,
    /// Have no workers until the next reload (SIGWINCH).
    Retire,
    /// Exit when every worker has finished its requests.
    Quit,
    /// Exit as soon as every worker is gone.
    Stop,
}

impl Master {
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.intent, Intent::Quit | Intent::Stop)
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        let ending = self.is_ending();
        match signal {
            Signal::Term | Signal::Int => self.end(Intent::Stop, signal, "exiting"),
            Signal::Quit => self.end(Intent::Quit, signal, "shutting down gracefully"),
            Signal::Hup if !ending && self.succession.is_decided() => self.take_back(signal),
            Signal::Hup if !ending => {
                self.received(Level::Notice, signal, "reconfiguring");
                self.asked.add(None);
            }
            Signal::Usr1 => {
                self.received(Level::Notice, signal, "reopening logs");
                self.actions.push(Action::ReopenLogs);
            }
            Signal::Usr2 if !ending => self.upgrade(signal),
            // A resized terminal sends it too.
            Signal::Winch if !ending && (self.daemon || self.succession.is_decided()) => {
                self.retire(signal);
            }
            _ => {}
        }
    }

    pub(super) fn received(&mut self, level: Level, signal: Signal, text: &str) {
        let (number, name) = (signal.number(), signal.name());
        self.log(level, format!("signal {number} ({name}) received, {text}"));
    }

    fn end(&mut self, intent: Intent, signal: Signal, text: &str) {
        self.received(Level::Notice, signal, text);
        self.leave(intent);
    }

    pub(super) fn terminal_closed(&mut self) {
        self.log(
            Level::Notice,
            "the terminal was closed, shutting down gracefully".into(),
        );
        self.leave(Intent::Quit);
    }

    /// No more workers and no more listeners; Stop is not softened by a later Quit.
    pub(super) fn leave(&mut self, intent: Intent) {
        if self.intent == Intent::Stop {
            return;
        }
        let why = "the master is exiting";
        self.abandon(why);
        self.refuse_asked(why);
        if self.intent != Intent::Quit {
            self.actions.push(Action::Close);
        }
        self.intent = intent;
        self.serving = None;
    }

    /// What was asked for before is no longer wanted.
    fn retire(&mut self, signal: Signal) {
        self.received(Level::Notice, signal, "retiring the workers");
        let why = "the workers are told to leave";
        self.abandon(why);
        self.refuse_asked(why);
        self.intent = Intent::Retire;
    }

    pub(super) fn assign_duties(&mut self) {
        let serving = self.serving.as_ref().map(|generation| generation.number);
        let reload = self.reload.as_ref().and_then(|reload| reload.generation());
        let reload = reload.map(|generation| generation.number);
        let another_serves = self.succession.is_decided() || self.predecessor.is_some();
        for child in &mut self.children {
            let generation = Some(child.seat.generation);
            let served = generation == serving && self.intent == Intent::Serve;
            match self.intent {
                Intent::Stop => child.require(Duty::Stop),
                _ if served || generation == reload => {}
                Intent::Serve => child.require(Duty::Retire),
                // As patient with idle connections as at a reload: new ones are accepted.
                _ if another_serves => child.require(Duty::Retire),
                Intent::Retire | Intent::Quit => child.require(Duty::Quit),
            }
        }
    }

    /// Tells each child what it does not know yet; the old ones only now that the new ones were
    /// admitted.
    pub(super) fn tell(&mut self) {
        let now = self.now;
        for child in &mut self.children {
            let Some(pid) = child.pid else { continue };
            if child.duty > child.told.0 && !matches!(child.force, Force::Killed(_)) {
                child.told = (child.duty, now);
                let command = match child.duty {
                    Duty::Serve | Duty::Retire => Command::Retire,
                    Duty::Quit => Command::Quit,
                    Duty::Stop => Command::Stop,
                };
                self.actions.push(Action::Tell(pid, command));
            }
        }
    }

    pub(super) fn finish(&mut self) {
        if self.is_ending() && self.children.is_empty() && self.reload.is_none() {
            self.bequeath_corpses();
            self.log(Level::Notice, "exit".into());
            self.actions.push(Action::Exit(self.exit_code));
        }
    }
}
