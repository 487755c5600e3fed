//! What must hold in the world after each event.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::world::{Process, World};
use super::*;

impl World {
    pub(super) fn check(&self, time: bool) {
        let forks = self.forks.iter();
        let seats: Vec<_> = self.seated().map(|it| &it.seat).chain(forks).collect();
        let distinct: HashSet<_> = seats.iter().collect();
        assert_eq!(seats.len(), distinct.len(), "one process for each seat");
        let exists = |seat: &&Seat| seat.slot < self.workers[&seat.generation];
        assert!(seats.iter().all(exists));
        let current = self.workers.get(&self.current());
        let most = seats.iter().map(|seat| &self.workers[&seat.generation]);
        let most = most.chain(current).max().expect("one");
        // The checker is not among them; the one more is the canary.
        let cap = most * (1 + self.generations) + 1;
        assert!(self.generations == 0 || seats.len() <= cap, "{seats:?}");
        self.check_corpses();
        self.check_empty_slots();
        self.check_who_accepts();
        if time && let Some(deadline) = self.master.deadline() {
            assert!(deadline > self.now, "what is due is done");
        }
    }

    /// Where processes do not die, time alone makes more of them only logarithmically.
    fn check_corpses(&self) {
        let mut seats: HashMap<Seat, usize> = HashMap::new();
        for process in &self.living {
            if self.master.corpses.contains(&process.pid) {
                *seats.entry(process.seat).or_default() += 1;
            }
        }
        let passed = (self.now - self.start).as_secs().max(1).ilog2() as usize;
        let most = 3 + passed + self.ends;
        assert!(seats.values().all(|count| *count <= most), "{seats:?}");
        assert!(self.stuck.len() <= 4, "{:?}", self.stuck);
    }

    /// An empty slot always has a plan: a moment at which it is filled.
    fn check_empty_slots(&self) {
        if self.master.intent != Intent::Serve || self.load == Some(FIRST) {
            return;
        }
        let current = self.current();
        let seats = self.seated().map(|it| (it.seat, it.ready));
        let seats = seats.chain(self.forks.iter().map(|seat| (*seat, false)));
        let filled: Vec<_> = seats.filter(|it| it.0.generation == current).collect();
        if filled.len() < self.workers[&current] {
            let ready = filled.iter().any(|(_, ready)| *ready);
            let corpses = &self.master.corpses;
            let mut living = self
                .living
                .iter()
                .filter(|it| it.seat.generation == current);
            let longest = match living.any(|it| corpses.contains(&it.pid)) {
                true => Duration::from_secs(4096),
                false if self.excess() > usize::from(filled.is_empty()) => Duration::from_secs(2),
                false => Duration::from_millis(if ready { 5000 } else { 100 }),
            };
            let deadline = self.master.deadline().expect("a plan for the empty slot");
            assert!(deadline <= self.now + longest, "within {longest:?}");
        }
    }

    /// How many more generations leave than may.
    fn excess(&self) -> usize {
        let current = self.current();
        let seats = self.seated().map(|it| &it.seat).chain(&self.forks);
        let others = seats.map(|seat| seat.generation);
        let others: HashSet<u64> = others.filter(|it| *it != current).collect();
        match self.generations {
            0 => 0,
            most => others.len().saturating_sub(most),
        }
    }

    /// Each worker of the current generation that can, and none of another; each slot once.
    fn check_who_accepts(&self) {
        let serves = self.master.intent == Intent::Serve;
        let mut covered = vec![0; self.workers.get(&self.current()).copied().unwrap_or(0)];
        for process in &self.living {
            let Process { pid, seat, .. } = process;
            let current = serves && seat.generation == self.current();
            let able = current && process.ready && !process.doomed;
            assert!(able || process.doomed || process.accepts.is_none(), "{pid}");
            assert!(!able || process.accepts.is_some(), "{pid} waits");
            if let Some(slots) = process.accepts.filter(|_| able) {
                let workers = covered.len();
                let own = (0..workers).filter(|&slot| slots.contain(slot, workers));
                own.for_each(|slot| covered[slot] += 1);
            }
        }
        let some = covered.iter().any(|count| *count > 0);
        assert!(
            !some || covered.iter().all(|count| *count == 1),
            "{covered:?}"
        );
    }
}
