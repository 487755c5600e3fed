//! Who has which entry of the scoreboard: one for each process life, claimed before the fork and
//! given back when the process was reaped and reported. Not what workers write there.

use std::io;
use std::time::Instant;

use super::state::Seat;
use crate::sys::process::Pid;
use crate::sys::shared;
use crate::worker::scoreboard::{Entry, Tally};

/// Entries that are mapped in one go. What nobody has touched costs no memory.
const AT_ONCE: usize = 32;

/// All entries: as many as there ever were processes at the same time.
pub struct Scoreboard {
    spare: Vec<&'static Entry>,
    at_once: usize,
    /// For the workers without an entry of their own; never read.
    nobodys: &'static Entry,
}

/// One life's entry. It has to be given back, see [`Scoreboard::release`].
pub struct Place {
    entry: &'static Entry,
    started: Instant,
}

impl Scoreboard {
    /// An empty one, with room for the first workers.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new() -> io::Result<Scoreboard> {
        let nobodys = &shared::map::<Entry>(1)?[0];
        let mut scoreboard = Scoreboard {
            spare: Vec::new(),
            at_once: AT_ONCE,
            nobodys,
        };
        scoreboard.grow()?;
        Ok(scoreboard)
    }

    fn grow(&mut self) -> io::Result<()> {
        self.spare.extend(shared::map::<Entry>(self.at_once)?);
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
        let entry = self.spare.pop().ok_or(io::ErrorKind::OutOfMemory)?;
        entry.begin(seat.generation, seat.slot);
        Ok(Place {
            entry,
            started: now,
        })
    }

    /// Takes an entry back, of a process that is gone or never was.
    pub fn release(&mut self, place: Place) {
        self.spare.push(place.entry);
    }

    /// Where a worker without an entry writes.
    pub fn nobodys(&self) -> Tally {
        Tally::new(self.nobodys)
    }
}

impl Place {
    /// The process was forked.
    pub fn born(&self, pid: Pid) {
        self.entry.born(pid);
    }

    /// What the worker writes to.
    pub fn tally(&self) -> Tally {
        Tally::new(self.entry)
    }

    /// When the life began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What can be read there.
    pub fn entry(&self) -> &Entry {
        self.entry
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
        assert!(
            seen.iter()
                .all(|place| place.entry().snapshot().requests == 0)
        );
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
                let seen = place.entry().snapshot();
                assert_eq!((seen.slot, seen.generation, seen.requests), (slot, 2, 1));
                scoreboard.release(place);
            }
        }
    }
}
