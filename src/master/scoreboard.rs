//! Who has which entry of the scoreboard: one for each process life, claimed before the fork and
//! given back when the process was reaped and reported. Not what workers write there.

use std::io;
use std::ptr;
use std::time::Instant;

use super::state::Seat;
use crate::site::traffic::{Board, Line};
use crate::sys::process::Pid;
use crate::sys::shared;
use crate::worker::scoreboard::{Entry, Snapshot, Tally};

/// Entries that are mapped in one go. What nobody has touched costs no memory.
const AT_ONCE: usize = 32;

/// An entry, and the line that goes with it.
type Pair = (&'static Entry, &'static Line);

/// All entries: as many as there ever were processes at the same time.
pub struct Scoreboard {
    spare: Vec<Pair>,
    at_once: usize,
    /// For the workers without an entry of their own; the entry is never read.
    nobodys: Pair,
    board: Board,
    /// Lines of the board that are somebody's.
    lines: usize,
}

/// One life's entry. It has to be given back, see [`Scoreboard::release`].
pub struct Place {
    pair: Pair,
    started: Instant,
}

impl Scoreboard {
    /// An empty one, with room for the first workers.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new() -> io::Result<Scoreboard> {
        let board = Board::map()?;
        let entry = &shared::map::<Entry>(1)?[0];
        let line = board.line(0).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut scoreboard = Scoreboard {
            spare: Vec::new(),
            at_once: AT_ONCE,
            nobodys: (entry, line),
            board,
            lines: 1,
        };
        scoreboard.grow()?;
        Ok(scoreboard)
    }

    fn grow(&mut self) -> io::Result<()> {
        for entry in shared::map::<Entry>(self.at_once)? {
            let line = self.board.line(self.lines).unwrap_or(self.nobodys.1);
            self.lines += 1;
            self.spare.push((entry, line));
        }
        Ok(())
    }

    /// An entry for a process that is about to be forked.
    ///
    /// # Errors
    /// ENOMEM. Without an entry a worker has [`Scoreboard::nobodys`].
    pub fn claim(&mut self, seat: Seat, now: Instant) -> io::Result<Place> {
        if self.spare.is_empty() {
            self.grow()?;
        }
        let pair = self.spare.pop().ok_or(io::ErrorKind::OutOfMemory)?;
        pair.0.begin(seat.generation, seat.slot);
        Ok(Place { pair, started: now })
    }

    /// Takes an entry back, of a process that is gone or never was.
    pub fn release(&mut self, place: Place) {
        let (_, line) = place.pair;
        if !ptr::eq(line, self.nobodys.1) {
            self.board.retire(line);
        }
        self.spare.push(place.pair);
    }

    /// Where a worker without an entry writes.
    pub fn nobodys(&self) -> Tally {
        Tally::new(self.nobodys.0, self.nobodys.1)
    }

    /// What all workers can read of each other.
    pub fn board(&self) -> Board {
        self.board
    }
}

impl Place {
    /// The process was forked.
    pub fn born(&self, pid: Pid) {
        self.pair.0.born(pid);
    }

    /// What the worker writes to.
    pub fn tally(&self) -> Tally {
        Tally::new(self.pair.0, self.pair.1)
    }

    /// When the life began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What can be read there.
    pub fn entry(&self) -> &Entry {
        self.pair.0
    }

    /// What is said there now.
    pub fn snapshot(&self) -> Snapshot {
        self.pair.0.snapshot(self.pair.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAT: Seat = Seat {
        generation: 2,
        slot: 0,
    };

    #[test]
    fn without_memory_a_worker_goes_unseen() {
        let mut scoreboard = Scoreboard::new().expect("mapped");
        scoreboard.at_once = 1 << 40;
        let mut claim = || scoreboard.claim(SEAT, Instant::now());
        let seen: Vec<Place> = (0..AT_ONCE).map(|_| claim().expect("a place")).collect();
        let error = claim().err().expect("no memory");
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        scoreboard.nobodys().request();
        assert!(seen.iter().all(|place| place.snapshot().requests == 0));
    }

    #[test]
    fn entries_are_used_again_and_never_run_out() {
        let mut scoreboard = Scoreboard::new().expect("mapped");
        let seat = |slot| Seat { slot, ..SEAT };
        let now = Instant::now();
        for round in 0..3 {
            let lives: Vec<Place> = (0..100)
                .map(|slot| scoreboard.claim(seat(slot), now).expect("a place"))
                .collect();
            assert_eq!(scoreboard.spare.len(), 4 * AT_ONCE - 100, "round {round}");
            for (slot, place) in lives.into_iter().enumerate() {
                place.tally().request();
                let seen = place.snapshot();
                assert_eq!((seen.slot, seen.generation, seen.requests), (slot, 2, 1));
                scoreboard.release(place);
            }
        }
    }
}
