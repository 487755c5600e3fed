//! The master as a pure function: events in, actions out. No system call is made and no clock read
//! in here.
//!
//! `handle` changes what is wanted; then one `reconcile` computes the difference between that and
//! what there is.

mod admission;
mod checking;
mod child;
mod corpses;
mod event;
mod exits;
mod generations;
mod health;
mod intent;
mod probation;
#[cfg(test)]
mod properties;
mod reload;
mod slot;
mod standing;
mod succession;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub use child::Seat;
pub use event::{Action, Death, Event, FIRST, Terms};
pub use standing::{Phase, Standing};

use crate::log::Level;
use crate::sys::process::Pid;
use child::Child;
use generations::Generation;
use intent::Intent;
pub use reload::Outcome;
use reload::{Asked, Reload};
use succession::Succession;

/// Everything the master decides with.
pub struct Master {
    /// The time of the event that is being handled.
    now: Instant,
    daemon: bool,
    intent: Intent,
    exit_code: i32,
    /// The generation whose workers accept, or would if they lived.
    serving: Option<Generation>,
    /// The reload under way, from its check to the end of its probation.
    reload: Option<Reload>,
    /// Those that wait for it.
    asked: Asked,
    /// The master that started this one, while it runs.
    predecessor: Option<Pid>,
    succession: Succession,
    last_reload: Option<Outcome>,
    children: Vec<Child>,
    /// Workers that were killed and do not end.
    corpses: Vec<Pid>,
    /// Such checkers, and the generations that they were for.
    stuck: Vec<(u64, Pid)>,
    last_generation: u64,
    last_fork: Instant,
    /// When a worker that serves last died by itself with a request in hand.
    last_blamed: Option<Instant>,
    next_ping: Instant,
    ever_ready: bool,
    actions: Vec<Action>,
}

impl Master {
    /// A master without workers, waiting for the first configuration: [`Event::Loaded`] with the
    /// number [`FIRST`].
    pub fn new(daemon: bool, now: Instant) -> Master {
        Master {
            now,
            daemon,
            intent: Intent::Serve,
            exit_code: 0,
            serving: None,
            reload: Some(Reload::first()),
            asked: Asked::default(),
            predecessor: None,
            succession: Succession::None,
            last_reload: None,
            children: Vec::new(),
            corpses: Vec::new(),
            stuck: Vec::new(),
            last_generation: FIRST,
            last_fork: now,
            last_blamed: None,
            next_ping: now,
            ever_ready: false,
            actions: Vec::new(),
        }
    }

    /// Takes note of what happened and says what is to be done about it, in this order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        self.now = now;
        self.forgive_if_late();
        match event {
            Event::Signal(signal) => self.signal(signal),
            Event::TerminalClosed => self.terminal_closed(),
            Event::ReloadAsked(client) => self.reload_asked(client),
            Event::CheckStarted { generation, pid } => self.check_started(generation, pid),
            Event::Checked {
                generation,
                verdict,
            } => self.checked(generation, verdict),
            Event::Loaded { generation, plan } => self.loaded(generation, plan),
            Event::Spawned { seat, pid } => self.spawned(seat, pid),
            Event::SpawnFailed { seat, error } => self.spawn_failed(seat, &error),
            Event::Listening(generation) => self.listening(generation),
            Event::ListenFailed { generation, error } => self.listen_failed(generation, &error),
            Event::Ready(pid) => self.ready(pid),
            Event::Pong(pid) => self.pong(pid),
            Event::Left(pid) => self.left(pid),
            Event::Exited(death) => self.exited(death),
            Event::Succeeds(pid) => self.predecessor = Some(pid),
            Event::PredecessorLeft(pid) => self.predecessor_left(pid),
            Event::Executed(pid) => self.executed(pid),
            Event::ExecuteFailed(why) => self.execute_failed(&why),
            Event::Time => self.abort_stalled(),
        }
        self.reconcile();
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Time`] is due, if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let forks = self.vacancies().into_iter().map(|(_, due)| due);
        let children = self.children.iter().filter_map(Child::deadline);
        let reload = self.reload.as_ref().and_then(Reload::deadline);
        forks
            .chain(children)
            .chain(reload)
            .chain(self.ping_due())
            .min()
    }

    /// What came of the last reload, if there was one.
    pub fn last_reload(&self) -> Option<&Outcome> {
        self.last_reload.as_ref()
    }

    fn reconcile(&mut self) {
        self.leave_corpses();
        self.limit_check();
        self.listen();
        self.commit();
        let proved = self.end_probation();
        self.cut_generations();
        self.assign_duties();
        self.fill_slots();
        self.admit();
        self.kill();
        self.tell();
        self.announce(proved);
        self.ping();
        self.start_reload();
        self.start_upgrade();
        self.finish();
    }

    fn log(&mut self, level: Level, text: String) {
        self.actions.push(Action::Log(level, text));
    }

    fn child(&mut self, pid: Pid) -> Option<&mut Child> {
        self.children
            .iter_mut()
            .find(|child| child.pid == Some(pid))
    }
}
