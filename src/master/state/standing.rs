//! How the master stands, for those who watch it.

use super::child::Child;
use super::intent::Intent;
use super::{FIRST, Master};
use crate::sys::process::Pid;

/// The course of a master's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No worker was ready yet.
    Starting,
    /// It serves, or would if its workers were not retired.
    Serving,
    /// It serves, and a reload is under way.
    Reloading,
    /// It waits for the end of its workers, and then exits.
    Leaving,
}

/// What is told of a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it is in its life.
    pub phase: Phase,
    /// The generation that serves.
    pub generation: u64,
    /// How many workers accept; of a master that leaves, how many are left.
    pub workers: usize,
    /// Whether another master started this one and still runs.
    pub succeeds: bool,
    /// The master that this one started, which takes its place.
    pub successor: Option<Pid>,
}

impl Master {
    /// How it stands.
    pub fn standing(&self) -> Standing {
        let phase = self.phase();
        let generation = self.serving.as_ref().map(|serving| serving.number);
        let accepts =
            |child: &&Child| child.can_serve() && Some(child.seat.generation) == generation;
        Standing {
            phase,
            generation: generation.unwrap_or(FIRST),
            workers: match phase {
                Phase::Leaving => self.children.len(),
                _ => self.children.iter().filter(accepts).count(),
            },
            succeeds: self.predecessor.is_some(),
            successor: self.succession.pid(),
        }
    }

    /// Whether the outcome of a reload is awaited.
    pub(super) fn is_reloading(&self) -> bool {
        self.reload.is_some()
    }

    fn phase(&self) -> Phase {
        match self.intent {
            Intent::Quit | Intent::Stop => Phase::Leaving,
            _ if !self.ever_ready => Phase::Starting,
            _ if self.is_reloading() => Phase::Reloading,
            _ => Phase::Serving,
        }
    }
}
