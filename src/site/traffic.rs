//! What the workers are doing, in shared memory that each of them can read: one line for each
//! process life, which only that process writes, and one for those that are over.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::sys::shared;

/// Lines that there are. What nobody has touched costs no memory.
const LINES: usize = 1 << 16;

crate::plain! {
    /// What one process has done and is doing. No two share a line of the processors' caches.
    #[repr(align(64))]
    pub struct Line {
        turned_away: AtomicU64,
        accepted: AtomicU64,
        requests: AtomicU64,
        connections: AtomicU64,
        doing: [AtomicU64; 3],
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing: it waits for a request.
    Waiting = 0,
    /// A request is being read.
    Reading,
    /// A request is being answered.
    Writing,
}

/// All lines, as every process sees them.
#[derive(Clone, Copy)]
pub struct Board {
    lines: &'static [Line],
    /// How many were ever used.
    used: &'static AtomicU64,
}

/// What all processes together have done and are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Those of them that were not turned away at once.
    pub handled: u64,
    /// Requests.
    pub requests: u64,
    /// Connections that are open.
    pub active: u64,
    /// Those that wait for a request, those that read one, those that answer one.
    pub doing: [u64; 3],
}

impl Board {
    /// An empty one, for this process and all that it forks.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn map() -> io::Result<Board> {
        Ok(Board {
            lines: shared::map(LINES)?,
            used: &shared::map(1)?[0],
        })
    }

    /// The line of this number; none if there are not that many.
    pub fn line(self, number: usize) -> Option<&'static Line> {
        // The first is for those that are over.
        let line = self.lines.get(number + 1)?;
        self.used.fetch_max(number as u64 + 2, Relaxed);
        Some(line)
    }

    /// A process is over: what it has done is kept, and its line is empty.
    pub fn retire(self, line: &Line) {
        let Some(past) = self.lines.first() else {
            return;
        };
        for (past, counter) in past.totals().into_iter().zip(line.totals()) {
            past.fetch_add(counter.load(Relaxed), Relaxed);
        }
        line.clear();
    }

    /// What all say together.
    pub fn sum(self) -> Traffic {
        let used = self.used.load(Relaxed) as usize;
        let mut all = Traffic::default();
        for line in &self.lines[..used.min(LINES)] {
            let [turned_away, accepted, requests] = line.totals().map(|it| it.load(Relaxed));
            all.handled += accepted;
            all.accepted += accepted + turned_away;
            all.requests += requests;
            all.active += line.connections.load(Relaxed);
            for (sum, counter) in all.doing.iter_mut().zip(&line.doing) {
                *sum += counter.load(Relaxed);
            }
        }
        // A request counts from its first byte.
        all.requests += all.doing[Doing::Reading as usize];
        all
    }
}

impl Line {
    fn totals(&self) -> [&AtomicU64; 3] {
        [&self.turned_away, &self.accepted, &self.requests]
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let counters = self.totals().into_iter().chain(&self.doing);
        counters
            .chain([&self.connections])
            .for_each(|counter| counter.store(0, Relaxed));
    }

    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// Connections that were accepted and not turned away.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Requests that came.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// A connection was accepted; for which there is no room, if it is turned away.
    pub fn accept(&self, turned_away: bool) {
        let counter = match turned_away {
            true => &self.turned_away,
            false => &self.accepted,
        };
        add(counter, 1);
    }

    /// So many connections are open.
    pub fn set_connections(&self, count: u64) {
        self.connections.store(count, Relaxed);
    }

    /// A request has come.
    pub fn request(&self) {
        add(&self.requests, 1);
    }

    /// A connection is doing something else.
    pub fn turn(&self, from: Option<Doing>, to: Option<Doing>) {
        if let Some(from) = from {
            add(&self.doing[from as usize], 1u64.wrapping_neg());
        }
        if let Some(to) = to {
            add(&self.doing[to as usize], 1);
        }
    }
}

/// To a counter that nobody else writes.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_summed_up_and_the_dead_are_remembered() {
        let board = Board::map().expect("mapped");
        assert_eq!(board.sum(), Traffic::default());
        let lines = [board.line(0), board.line(40)].map(|line| line.expect("a line"));
        for line in lines {
            (0..3).for_each(|_| line.accept(false));
            line.accept(true);
            line.set_connections(2);
            line.request();
            line.turn(None, Some(Doing::Waiting));
            line.turn(None, Some(Doing::Reading));
        }
        lines[0].turn(Some(Doing::Reading), Some(Doing::Writing));
        let expected = Traffic {
            accepted: 8,
            handled: 6,
            requests: 3,
            active: 4,
            doing: [2, 1, 1],
        };
        assert_eq!(board.sum(), expected);
        board.retire(lines[1]);
        let expected = Traffic {
            requests: 2,
            active: 2,
            doing: [1, 0, 1],
            ..expected
        };
        assert_eq!(board.sum(), expected);
        assert!(board.line(LINES).is_none());
    }

    #[test]
    fn lines_do_not_share_a_part_of_a_cache() {
        assert_eq!(size_of::<Line>(), 64);
    }
}
