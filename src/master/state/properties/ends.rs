//! What must come to an end in the world, whatever its processes do not do.

use std::time::Duration;

use super::world::World;
use super::*;

/// Longer than two reloads take one after the other, each with a check, a canary that starts, the
/// others, a probation, and the end of those that are in the way.
const LIMIT: Duration = Duration::from_secs(150);

/// How far reloads get in a world whose processes do nothing any more, and do not die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    Nowhere,
    /// The configuration is sound.
    Checked,
    /// New workers get ready, the last one of all.
    Ready,
}

impl World {
    /// From now on the master's own answers alone are certain; even so, whoever asks for a reload
    /// is told what came of it.
    pub fn reloads_end(&mut self, progress: Progress) {
        let start = self.now;
        self.step(Step::Ask);
        while self.code.is_none() && !self.asked.is_empty() {
            while self.code.is_none() && self.can_go_on(progress) {
                self.obey(progress);
            }
            if self.asked.is_empty() {
                break;
            }
            let deadline = self.master.deadline().expect("something is waited for");
            assert!(deadline < start + LIMIT, "a reload takes too long");
            self.step(Step::Pass(None));
        }
    }

    /// All that the master does by itself, and what else goes well.
    fn obey(&mut self, progress: Progress) {
        self.check_starts();
        if progress >= Progress::Checked {
            self.check_ends(true);
        }
        self.load_ends(Some(2));
        while self.code.is_none() && !self.forks.is_empty() {
            self.fork_ends(true);
        }
        self.listen_ends(true);
        self.execution_ends(true);
        if progress == Progress::Ready {
            (0..self.living.len()).for_each(|number| self.gets_ready(number));
        }
    }

    fn can_go_on(&self, progress: Progress) -> bool {
        let check = progress >= Progress::Checked && self.check.is_some();
        let start = progress == Progress::Ready && self.living.iter().any(|it| !it.ready);
        let waits = !self.forks.is_empty() || !self.listens.is_empty();
        let begins = matches!(self.check, Some((_, None)));
        waits || begins || check || start || self.load.is_some() || self.executing
    }

    /// All that is under way ends, then every child, if it `dies` at all; afterwards the master
    /// must have exited.
    pub fn end(&mut self, dies: bool) {
        self.check_starts();
        while dies && (self.check.is_some() || !self.stuck.is_empty()) {
            self.check_ends(true);
        }
        self.load_ends(Some(1));
        while self.code.is_none() && !self.forks.is_empty() {
            self.fork_ends(true);
        }
        if !dies {
            (0..self.living.len()).for_each(|number| self.leaves(number));
            let start = self.now;
            (0..99).for_each(|_| self.pass(None));
            assert!(self.now <= start + Duration::from_secs(3), "in time");
        }
        while dies && self.code.is_none() && !self.living.is_empty() {
            self.step(Step::Exit(0, ExitStatus::Code(0), false));
        }
    }
}
