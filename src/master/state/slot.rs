//! A slot: one seat of a generation, and the back-off between the workers that take it in turn.

use std::time::{Duration, Instant};

/// The first delay of a slot whose workers keep dying; it doubles from there.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(5);
/// The delay after the second worker in a row that not even SIGKILL ends; it doubles from there, up
/// to about an hour, until one of them ends after all.
const SHORTEST_BESIDE: Duration = Duration::from_secs(1);
/// A worker that served and lived this long ends the back-off of its slot.
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// One seat of a generation. Who sits in it is known to the master's list of children.
pub(super) struct Slot {
    /// How often in a row a worker of this slot failed; 1 is a death that is replaced at once.
    failures: u32,
    /// How many workers of this slot were left alone and exist.
    corpses: u32,
    /// When the next worker may start.
    pub due: Instant,
}

impl Slot {
    /// A new slot, whose worker may start at once.
    pub fn new(now: Instant) -> Slot {
        Slot {
            failures: 0,
            corpses: 0,
            due: now,
        }
    }

    /// Notes the end of a worker that served (`ready`) or did not get that far.
    pub fn died(&mut self, life: Duration, ready: bool, now: Instant) {
        if ready && life >= GOOD_LIFE {
            self.failures = 0;
        }
        // One that served is replaced at once; one that never did would likely fail again.
        let least = if ready { 1 } else { 2 };
        self.failures = self.failures.saturating_add(1).max(least);
        self.due = now + self.delay();
    }

    /// Notes a fork that failed.
    pub fn fork_failed(&mut self, now: Instant) {
        self.died(Duration::ZERO, false, now);
    }

    /// Notes one that does not end. What holds it may well hold the next one.
    pub fn left_alone(&mut self, life: Duration, ready: bool, now: Instant) {
        self.corpses = self.corpses.saturating_add(1);
        self.died(life, ready, now);
    }

    /// What held them does so no more.
    pub fn relieved(&mut self, now: Instant) {
        if self.is_haunted() {
            self.corpses = 0;
            self.due = self.due.min(now + self.delay());
        }
    }

    /// Whether a worker of this slot was left alone.
    pub fn is_haunted(&self) -> bool {
        self.corpses > 0
    }

    /// Whether its next worker follows one that failed too soon.
    pub fn backs_off(&self) -> bool {
        !self.delay().is_zero()
    }

    fn delay(&self) -> Duration {
        let crashes = match self.failures {
            0 | 1 => Duration::ZERO,
            // 100 ms shifted by 6 is past the longest already.
            failures => (SHORTEST * (1 << (failures - 2).min(6))).min(LONGEST),
        };
        let corpses = match self.corpses {
            0 | 1 => Duration::ZERO,
            corpses => SHORTEST_BESIDE * (1 << (corpses - 2).min(12)),
        };
        crashes.max(corpses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpses_are_few() {
        let now = Instant::now();
        let mut slot = Slot::new(now);
        let mut delays = Vec::new();
        for _ in 0..20 {
            slot.left_alone(Duration::from_secs(30), true, now);
            delays.push((slot.due - now).as_secs());
        }
        assert_eq!(delays[..6], [0, 1, 2, 4, 8, 16]);
        assert_eq!(delays[14..], [4096; 6]);
        slot.relieved(now);
        assert_eq!((slot.due, slot.is_haunted()), (now, false));
    }

    fn delays(lives: &[(u64, bool)]) -> Vec<u64> {
        let now = Instant::now();
        let mut slot = Slot::new(now);
        let delay = |&(life, ready): &(u64, bool)| {
            slot.died(Duration::from_millis(life), ready, now);
            let delay = slot.due - now;
            assert_eq!(slot.backs_off(), !delay.is_zero());
            delay.as_millis() as u64
        };
        lives.iter().map(delay).collect()
    }

    #[test]
    fn back_off() {
        let served = delays(&[(50, true); 9]);
        assert_eq!(served, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        for life in [5, 30_000] {
            assert_eq!(delays(&[(life, false); 3]), [100, 200, 400], "never ready");
        }
        let reset = delays(&[(5, true), (5, true), (10_000, true), (9_999, true)]);
        assert_eq!(reset, [0, 100, 0, 100], "ten seconds of life");
        assert_eq!(
            delays(&[(1, true); 99]).last(),
            Some(&5000),
            "never given up"
        );
    }
}
