//! Probation: the new workers serve, the old ones are paused and keep their connections, until the
//! new ones have lived for a while. If they do not, the old ones serve again.

use std::time::Duration;

use super::generations::Generation;
use super::intent::Intent;
use super::reload::{Reload, Sockets, Stage};
use super::{Action, Death, Master};
use crate::log::Level;

/// A request that killed a worker this recently may come again: that a new worker dies with one in
/// hand, too, says nothing about the new configuration.
const RECENT: Duration = Duration::from_secs(60);

impl Master {
    /// The new generation replaces the old one when its sockets listen.
    pub(super) fn commit(&mut self) {
        let listens =
            |reload: &mut Reload| matches!(reload.stage, Stage::Starting(_, Sockets::Listening));
        let Some(Reload {
            number,
            clients,
            stage: Stage::Starting(generation, _),
        }) = self.reload.take_if(listens)
        else {
            return;
        };
        let until = self.now + generation.terms.probation;
        let Some(former) = self.serving.replace(generation) else {
            return;
        };
        self.reload = Some(Reload {
            number,
            clients,
            stage: Stage::Probation { former, until },
        });
        self.intent = Intent::Serve;
        self.actions.push(Action::Adopt(number));
    }

    /// From here on a crash is only a crash. Returns the reload that is over.
    pub(super) fn end_probation(&mut self) -> Option<Reload> {
        let now = self.now;
        let over = |reload: &mut Reload| matches!(reload.stage, Stage::Probation { until, .. } if until <= now);
        let proved = self.reload.take_if(over)?;
        self.actions.push(Action::Settle(proved.number));
        Some(proved)
    }

    /// The old workers were told by now.
    pub(super) fn announce(&mut self, proved: Option<Reload>) {
        if let Some(Reload {
            number, clients, ..
        }) = proved
        {
            self.log(Level::Notice, format!("generation {number} serves"));
            self.conclude(number, clients, Ok(()));
        }
    }

    /// The old generation serves again; the new one, which has accepted connections, finishes them.
    pub(super) fn roll_back(&mut self, former: Generation) {
        if let Some(failed) = self.serving.replace(former) {
            self.actions.push(Action::Discard(failed.number));
        }
    }

    pub(super) fn is_on_probation(&self, generation: u64) -> bool {
        let former = self.reload.as_ref().and_then(|reload| reload.former());
        let serving = self.serving.as_ref().filter(|_| former.is_some());
        serving.is_some_and(|serving| serving.number == generation)
    }

    pub(super) fn is_starting(&self, generation: u64) -> bool {
        let starting = self.reload.as_ref().and_then(|reload| reload.starting());
        starting.is_some_and(|starting| starting.number == generation)
    }

    /// Whether a death on probation speaks against the new configuration.
    pub(super) fn condemns(&self, death: &Death) -> bool {
        let recent = |at| self.now < at + RECENT;
        !death.blamed || !self.last_blamed.is_some_and(recent)
    }
}
