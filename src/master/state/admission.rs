//! Who accepts: the workers of the serving generation, each for its slot and for the empty ones
//! before it. Those of a generation that is being replaced are paused.

use super::child::{Child, Share};
use super::intent::Intent;
use super::{Action, Master};
use crate::sys::process::Pid;
use crate::worker::command::{Command, Slots};

impl Master {
    /// The new ones are admitted before the old ones pause.
    pub(super) fn admit(&mut self) {
        let serving = self.serving.as_ref();
        if let Some(generation) = serving.filter(|_| self.intent == Intent::Serve) {
            let (number, workers) = (generation.number, generation.slots.len());
            for (pid, slots) in cover(&mut self.children, number, workers) {
                let command = Command::Admit { slots };
                self.actions.push(Action::Tell(pid, command));
            }
        }
        let former = self.reload.as_ref().and_then(|reload| reload.former());
        let number = former.map(|generation| generation.number);
        for child in &mut self.children {
            let paused = Some(child.seat.generation) == number && child.can_serve();
            if let Some(pid) = child.pid.filter(|_| paused && child.share != Share::Paused) {
                child.share = Share::Paused;
                self.actions.push(Action::Tell(pid, Command::Pause));
            }
        }
    }

    /// A shared listener wakes one worker for each connection. One that died may have been woken
    /// and not have accepted: the others are told anew, which makes them look.
    pub(super) fn nudge(&mut self) {
        for child in &mut self.children {
            child.share = Share::Untold;
        }
    }
}

/// Shares out the slots of a generation among those of its workers that can serve; returns who has
/// to be told, and what.
fn cover(children: &mut [Child], generation: u64, workers: usize) -> Vec<(Pid, Slots)> {
    let serves = |child: &&mut Child| child.seat.generation == generation && child.can_serve();
    let mut able: Vec<&mut Child> = children.iter_mut().filter(serves).collect();
    able.sort_unstable_by_key(|child| child.seat.slot);
    let Some(last) = able.last().map(|child| child.seat.slot) else {
        return Vec::new();
    };
    let mut before = last;
    let mut news = Vec::new();
    for child in able {
        let slot = child.seat.slot;
        let count = (slot + workers - before - 1) % workers + 1;
        let slots = Slots {
            first: ((before + 1) % workers) as u32,
            count: count as u32,
        };
        before = slot;
        if let Some(pid) = child.pid.filter(|_| child.share != Share::Admitted(slots)) {
            child.share = Share::Admitted(slots);
            news.push((pid, slots));
        }
    }
    news
}
