//! Processes that not even SIGKILL ends, as where the kernel waits for a disk on their behalf: they
//! are left alone, and nothing waits for them.

use super::child::{Child, Duty, Force};
use super::{Action, Master};
use crate::log::Level;
use crate::sys::process::{Exit, Pid};

impl Master {
    /// A worker closes its channel last, so that nothing but its end can follow.
    pub(super) fn left(&mut self, pid: Pid) {
        let now = self.now;
        if let Some(child) = self.child(pid) {
            child.left.get_or_insert(now);
        }
    }

    /// Kills each child that does not end.
    pub(super) fn kill(&mut self) {
        let now = self.now;
        for child in &mut self.children {
            if let Some(pid) = child.pid
                && child.killed_at().is_some_and(|due| due <= now)
            {
                child.force = Force::Killed(now);
                self.actions.push(Action::Kill(pid));
            }
        }
    }

    /// The seat of a killed child that goes on existing is free for another.
    pub(super) fn leave_corpses(&mut self) {
        let now = self.now;
        let is_corpse = |child: &mut Child| child.buried_at().is_some_and(|due| due <= now);
        let corpses: Vec<Child> = self.children.extract_if(.., is_corpse).collect();
        for child in corpses {
            let Some(pid) = child.pid else { continue };
            self.corpses.push(pid);
            let what = format!("worker process {pid} does not end though it was killed");
            self.log(Level::Alert, format!("{what}, it is left alone"));
            if child.accepts() {
                self.nudge();
            }
            if child.duty == Duty::Serve {
                self.replace_corpse(&child, &what);
            }
        }
    }

    fn replace_corpse(&mut self, child: &Child, what: &str) {
        let (seat, now) = (child.seat, self.now);
        if self.is_starting(seat.generation) || self.is_on_probation(seat.generation) {
            self.give_up(Level::Alert, what);
        } else if let Some(slot) = self.slot(seat) {
            let life = now.saturating_duration_since(child.born);
            slot.left_alone(life, child.ready, now);
        }
    }

    /// Whether this was the end of one of them.
    pub(super) fn corpse_ended(&mut self, exit: Exit) -> bool {
        let Exit { pid, status } = exit;
        let corpses = self.corpses.extract_if(.., |corpse| *corpse == pid);
        let ended = corpses.count() > 0;
        if ended {
            self.relieve_slots();
            let text = format!("worker process {pid}, which was left alone, {status}");
            self.log(Level::Notice, text);
        }
        ended
    }

    fn relieve_slots(&mut self) {
        let reload = self.reload.as_mut().and_then(|it| it.generation_mut());
        let generations = self.serving.iter_mut().chain(reload);
        let slots = generations.flat_map(|it| &mut it.slots);
        slots.for_each(|slot| slot.relieved(self.now));
    }

    /// Whoever adopts them has to reap them.
    pub(super) fn bequeath_corpses(&mut self) {
        let workers = self.corpses.drain(..).map(|pid| ("worker", pid));
        let checkers = self.stuck.drain(..).map(|(_, pid)| ("checker", pid));
        for (kind, pid) in workers.chain(checkers) {
            let text = format!("{kind} process {pid} is left behind, it does not end");
            self.actions.push(Action::Log(Level::Alert, text));
        }
    }
}
