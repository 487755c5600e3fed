//! Deadlines of many connections, most of which are moved far more often than they are met. Only
//! the earliest time that was ever asked for is queued; it is moved when it comes up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A queue of deadlines by key.
#[derive(Default)]
pub struct Deadlines {
    queue: BinaryHeap<Reverse<(Instant, usize)>>,
}

/// The deadline of one connection.
#[derive(Default)]
pub struct Deadline {
    due: Option<Instant>,
    /// The time of its entry in the queue; entries of other times are stale.
    queued: Option<Instant>,
}

impl Deadlines {
    /// Sets or clears a deadline.
    pub fn set(&mut self, deadline: &mut Deadline, key: usize, due: Option<Instant>) {
        deadline.due = due;
        let Some(due) = due else { return };
        if deadline.queued.is_none_or(|queued| due < queued) {
            deadline.queued = Some(due);
            self.queue.push(Reverse((due, key)));
        }
    }

    /// When to look again.
    pub fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((due, _))| *due)
    }

    /// The next key whose entry has come up; `met` says whether its deadline has.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, usize)> {
        let Reverse((queued, key)) = *self.queue.peek().filter(|Reverse((due, _))| *due <= now)?;
        self.queue.pop();
        Some((queued, key))
    }

    /// Whether the deadline is met, whose entry of this time has come up; otherwise it is queued
    /// anew. A stale entry means nothing.
    pub fn met(
        &mut self,
        deadline: &mut Deadline,
        key: usize,
        queued: Instant,
        now: Instant,
    ) -> bool {
        if deadline.queued != Some(queued) {
            return false;
        }
        deadline.queued = None;
        match deadline.due {
            Some(due) if due <= now => true,
            due => {
                self.set(deadline, key, due);
                false
            }
        }
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

        let (queued, key) = all.pop(at(11)).unwrap();
        assert_eq!(key, 1);
        assert!(!all.met(&mut one, 1, queued, at(11)));
        assert_eq!(all.next(), Some(at(12)));

        let (queued, _) = all.pop(at(12)).unwrap();
        assert!(all.met(&mut other, 2, queued, at(12)));
        let (queued, _) = all.pop(at(20)).unwrap();
        assert!(all.met(&mut one, 1, queued, at(20)));
        assert_eq!(all.next(), None);
    }

    #[test]
    fn an_earlier_deadline_takes_the_place_of_a_later_one() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut all, mut one): (Deadlines, Deadline) = Default::default();
        all.set(&mut one, 1, Some(at(10)));
        all.set(&mut one, 1, Some(at(5)));
        let (queued, _) = all.pop(at(5)).unwrap();
        assert!(all.met(&mut one, 1, queued, at(5)));
        all.set(&mut one, 1, None);
        let (queued, _) = all.pop(at(10)).unwrap();
        assert!(!all.met(&mut one, 1, queued, at(10)), "its entry was stale");
    }
}
