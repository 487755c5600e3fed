//! A reload: check, load, start a canary, then the rest, listen, commit. What follows the commit is
//! the probation.

use std::time::Instant;

use super::checking::Checker;
use super::child::{Child, Duty};
use super::generations::Generation;
use super::succession::UNDER_WAY;
use super::{Action, FIRST, Master, Terms};
use crate::log::Level;

/// Reloads that were asked for and have not begun; one will do.
#[derive(Default)]
pub(super) struct Asked {
    times: u32,
    /// Those who wait for the outcome.
    clients: Vec<u64>,
}

impl Asked {
    pub fn add(&mut self, client: Option<u64>) {
        self.times = self.times.saturating_add(1);
        self.clients.extend(client);
    }
}

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number of the new generation.
    pub generation: u64,
    /// When it was decided.
    pub decided: Instant,
    /// Nothing, or why the old ones go on.
    pub result: Result<(), String>,
}

/// The reload under way.
pub(super) struct Reload {
    pub number: u64,
    /// Those who wait for the outcome.
    pub clients: Vec<u64>,
    pub stage: Stage,
}

/// How far it is.
pub(super) enum Stage {
    /// A process reads the configuration.
    Checking(Checker),
    /// It is being loaded; false when it will be dropped.
    Loading { wanted: bool },
    /// Its workers start.
    Starting(Generation, Sockets),
    /// Its workers serve, those of the generation before are paused.
    Probation { former: Generation, until: Instant },
}

/// How far the sockets of a new generation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sockets {
    Bound,
    /// They were told to listen; the answer is awaited.
    Told,
    Listening,
}

impl Reload {
    /// The load of the first configuration, which needs no check.
    pub fn first() -> Reload {
        Reload {
            number: FIRST,
            clients: Vec::new(),
            stage: Stage::Loading { wanted: true },
        }
    }

    /// The generation that starts.
    pub fn starting(&self) -> Option<&Generation> {
        match &self.stage {
            Stage::Starting(generation, _) => Some(generation),
            _ => None,
        }
    }

    /// The generation that was replaced and may have to serve again.
    pub fn former(&self) -> Option<&Generation> {
        match &self.stage {
            Stage::Probation { former, .. } => Some(former),
            _ => None,
        }
    }

    /// Either of them.
    pub fn generation(&self) -> Option<&Generation> {
        self.starting().or(self.former())
    }

    pub fn generation_mut(&mut self) -> Option<&mut Generation> {
        match &mut self.stage {
            Stage::Starting(generation, _) => Some(generation),
            Stage::Probation { former, .. } => Some(former),
            _ => None,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Checking(checker) => checker.due,
            Stage::Probation { until, .. } => Some(*until),
            _ => None,
        }
    }
}

impl Master {
    pub(super) fn reload_asked(&mut self, client: u64) {
        self.log(
            Level::Notice,
            "a reload was asked for, reconfiguring".into(),
        );
        self.asked.add(Some(client));
        if self.is_ending() {
            self.refuse_asked("the master is exiting");
        } else if self.succession.is_decided() {
            self.refuse_asked(UNDER_WAY);
        }
    }

    /// Whoever asked is told that there will be no reload.
    pub(super) fn refuse_asked(&mut self, why: &str) {
        let Asked { clients, .. } = std::mem::take(&mut self.asked);
        self.answer(clients, Err(why.into()));
    }

    fn answer(&mut self, clients: Vec<u64>, outcome: Result<(), String>) {
        let answer = |client| Action::Answer(client, outcome.clone());
        self.actions.extend(clients.into_iter().map(answer));
    }

    /// Notes what came of a reload, and tells those who wait for it.
    pub(super) fn conclude(&mut self, number: u64, clients: Vec<u64>, result: Result<(), String>) {
        self.answer(clients, result.clone());
        self.last_reload = (number != FIRST).then_some(Outcome {
            generation: number,
            decided: self.now,
            result,
        });
    }

    pub(super) fn is_reload_asked(&self) -> bool {
        self.asked.times > 0
    }

    /// What was given up may hold addresses until it is gone, and is killed if it stays.
    pub(super) fn are_some_stopping(&self) -> bool {
        let mut children = self.children.iter();
        children.any(|child| child.duty == Duty::Stop)
    }

    /// A reload waits for the one under way; however many are asked for meanwhile, one follows.
    pub(super) fn start_reload(&mut self) {
        let Some(serving) = self.serving.as_ref().filter(|_| self.asked.times > 0) else {
            return;
        };
        let limit = Some(serving.terms.check).filter(|limit| !limit.is_zero());
        let due = limit.map(|limit| self.now + limit);
        if self.reload.is_some() || self.are_some_stopping() {
            return;
        }
        if let Some(why) = self.too_many_stuck() {
            self.log(Level::Error, format!("{why}, the old ones go on"));
            return self.refuse_asked(&why);
        }
        let Asked { times, clients } = std::mem::take(&mut self.asked);
        if times > 1 {
            self.log(Level::Notice, format!("{times} reloads collapse into one"));
        }
        self.last_generation += 1;
        self.reload = Some(Reload {
            number: self.last_generation,
            clients,
            stage: Stage::Checking(Checker::new(due)),
        });
        self.actions.push(Action::Check(self.last_generation));
    }

    pub(super) fn stage(&mut self, number: u64) -> Option<&mut Stage> {
        let reload = self.reload.as_mut();
        let reload = reload.filter(|reload| reload.number == number);
        reload.map(|reload| &mut reload.stage)
    }

    pub(super) fn load(&mut self, number: u64) {
        if let Some(stage) = self.stage(number) {
            *stage = Stage::Loading { wanted: true };
            self.actions.push(Action::Load(number));
        }
    }

    pub(super) fn loaded(&mut self, number: u64, plan: Result<Terms, String>) {
        let wanted = match self.stage(number) {
            Some(Stage::Loading { wanted }) => *wanted,
            _ => false,
        };
        match plan {
            Ok(terms) if wanted => self.start(Generation::new(number, terms, self.now)),
            Ok(_) => {
                self.reload = None;
                self.actions.push(Action::Discard(number));
            }
            Err(why) => self.refuse(why),
        }
    }

    /// The first generation is loaded with sockets that listen, and replaces none.
    fn start(&mut self, generation: Generation) {
        if generation.number == FIRST {
            self.reload = None;
            self.serving = Some(generation);
        } else if let Some(stage) = self.stage(generation.number) {
            *stage = Stage::Starting(generation, Sockets::Bound);
        }
    }

    pub(super) fn listening(&mut self, number: u64) {
        if let Some(Stage::Starting(_, sockets)) = self.stage(number) {
            *sockets = Sockets::Listening;
        }
    }

    /// The sockets that listen now are closed with the others.
    pub(super) fn listen_failed(&mut self, number: u64, why: &str) {
        if let Some(Stage::Starting(..)) = self.stage(number) {
            self.give_up(Level::Emerg, why);
        }
    }

    /// The sockets of the new generation listen once each of its workers is ready.
    pub(super) fn listen(&mut self) {
        let stage = self.reload.as_mut().map(|reload| &mut reload.stage);
        let Some(Stage::Starting(generation, sockets)) = stage else {
            return;
        };
        let number = generation.number;
        let ready = |child: &&Child| child.seat.generation == number && child.can_serve();
        let all_ready = self.children.iter().filter(ready).count() == generation.slots.len();
        if all_ready && *sockets == Sockets::Bound {
            *sockets = Sockets::Told;
            self.actions.push(Action::Listen(number));
        }
    }

    /// Ends the reload under way for a reason that is worth a line.
    pub(super) fn give_up(&mut self, level: Level, why: &str) {
        self.log(level, format!("{why}, the old ones go on"));
        self.abandon(why);
    }

    /// What was refused before it had workers leaves nothing behind.
    pub(super) fn refuse(&mut self, why: String) {
        if let Some(reload) = self.reload.take() {
            self.conclude(reload.number, reload.clients, Err(why));
        }
    }

    /// Ends the reload under way, however far it is.
    pub(super) fn abandon(&mut self, why: &str) {
        let Some(mut reload) = self.reload.take() else {
            return;
        };
        let (number, clients) = (reload.number, std::mem::take(&mut reload.clients));
        match reload.stage {
            Stage::Checking(ref mut checker) => {
                self.actions.extend(checker.kill(self.now));
                self.reload = Some(reload);
            }
            Stage::Loading { ref mut wanted } => {
                *wanted = false;
                self.reload = Some(reload);
            }
            Stage::Starting(generation, _) => self.discard(generation.number),
            Stage::Probation { former, .. } => self.roll_back(former),
        }
        self.conclude(number, clients, Err(why.into()));
    }

    /// Workers that never accepted have nothing to finish.
    fn discard(&mut self, number: u64) {
        let of = |child: &&mut Child| child.seat.generation == number;
        let children = self.children.iter_mut().filter(of);
        children.for_each(|child| child.require(Duty::Stop));
        self.actions.push(Action::Discard(number));
    }
}
