//! Deadlines of many connections, most of which are moved far more often than they are met. Only
//! the earliest time that was ever asked for is queued; it is moved when it comes up.

use std::collections::BTreeSet;
use std::time::Instant;

/// A queue of deadlines by key, with at most one entry for each.
#[derive(Default)]
pub struct Deadlines {
    queue: BTreeSet<(Instant, usize)>,
}

/// The deadline of one connection.
#[derive(Default)]
pub struct Deadline {
    due: Option<Instant>,
    /// The time of its entry in the queue.
    queued: Option<Instant>,
}

impl Deadlines {
    /// Sets or clears a deadline.
    pub fn set(&mut self, deadline: &mut Deadline, key: usize, due: Option<Instant>) {
        deadline.due = due;
        let Some(due) = due else { return };
        if deadline.queued.is_none_or(|queued| due < queued) {
            self.remove(deadline, key);
            deadline.queued = Some(due);
            self.queue.insert((due, key));
        }
    }

    /// Forgets a deadline, whose connection is over.
    pub fn remove(&mut self, deadline: &mut Deadline, key: usize) {
        if let Some(queued) = deadline.queued.take() {
            self.queue.remove(&(queued, key));
        }
    }

    /// When to look again.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// The next key whose entry has come up; `met` says whether its deadline has.
    pub fn pop(&mut self, now: Instant) -> Option<usize> {
        self.next().filter(|due| *due <= now)?;
        self.queue.pop_first().map(|(_, key)| key)
    }

    /// Whether the deadline is met, whose entry has come up; otherwise it is queued anew.
    pub fn met(&mut self, deadline: &mut Deadline, key: usize, now: Instant) -> bool {
        deadline.queued = None;
        let met = deadline.due.is_some_and(|due| due <= now);
        if !met {
            self.set(deadline, key, deadline.due);
        }
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_deadline_that_was_moved_is_met_at_its_last_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut all, mut one, mut other) = Default::default();
        let all: &mut Deadlines = &mut all;
        all.set(&mut one, 1, Some(at(10)));
        all.set(&mut other, 2, Some(at(12)));
        all.set(&mut one, 1, Some(at(20)));
        assert_eq!(all.next(), Some(at(10)));
        assert_eq!(all.pop(at(9)), None);

        assert_eq!(all.pop(at(11)), Some(1));
        assert!(!all.met(&mut one, 1, at(11)));
        assert_eq!(all.next(), Some(at(12)));

        assert_eq!(all.pop(at(12)), Some(2));
        assert!(all.met(&mut other, 2, at(12)));
        assert_eq!(all.pop(at(20)), Some(1));
        assert!(all.met(&mut one, 1, at(20)));
        assert_eq!(all.next(), None);
    }

    #[test]
    fn an_earlier_deadline_takes_the_place_of_a_later_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut all, mut one): (Deadlines, Deadline) = Default::default();
        all.set(&mut one, 1, Some(at(10)));
        all.set(&mut one, 1, Some(at(5)));
        assert_eq!(all.pop(at(5)), Some(1));
        assert!(all.met(&mut one, 1, at(5)));
        assert_eq!(all.next(), None, "the later one is gone");
    }

    #[test]
    fn what_is_cleared_is_not_met() {
        let now = Instant::now();
        let (mut all, mut one): (Deadlines, Deadline) = Default::default();
        all.set(&mut one, 1, Some(now));
        all.set(&mut one, 1, None);
        assert_eq!(all.pop(now), Some(1));
        assert!(!all.met(&mut one, 1, now));
        assert_eq!(all.next(), None);
    }

    #[test]
    fn connections_that_are_over_leave_nothing() {
        let due = Instant::now() + Duration::from_secs(60);
        let mut all = Deadlines::default();
        for key in 0..1000 {
            let mut one = Deadline::default();
            all.set(&mut one, key, Some(due));
            all.remove(&mut one, key);
        }
        assert!(all.queue.is_empty());
    }
}
