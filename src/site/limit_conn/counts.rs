//! How many each process holds of each key, in shared memory. Only its owner changes a cell, so
//! what a process holds is known when it dies, and the master gives it back.
//!
//! No word says how many there are in all: they are counted. Whoever wants one more announces it
//! first and counts then, so that of two at the same time at least one sees the other.

use std::hint;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// A key, and what a process holds of it: see [`Held`]. A cell without a holder is free.
type Cell = [AtomicU64; 2];
/// Cells that lie together. The first word tells whether there was ever no room among them: then
/// more may be in the next group. The second is not used.
type Group = [AtomicU64; 16];

/// Groups that are searched at most for a key.
const LONGEST: usize = 64;
/// Groups in a page, whose use is noted in one bit.
const PAGE: usize = 32;
/// Tries while others announce the same.
const TRIES: usize = 100;

/// The counts of a zone.
pub struct Counts<'a> {
    /// The pages that were ever used, one bit each: others are not looked at, nor take memory.
    used: &'a [AtomicU64],
    groups: &'a [Group],
}

/// Why nothing can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many as there may be.
    Over,
    /// There is no room for another key.
    Full,
}

/// What a process holds of a key, in one word: its number, whether it announces one more, how many.
#[derive(Clone, Copy)]
struct Held(u64);

const ANNOUNCED: u64 = 1 << 31;

impl Held {
    fn nothing(process: u32) -> Held {
        Held(u64::from(process) << 32)
    }

    fn process(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn count(self) -> u64 {
        self.0 & (ANNOUNCED - 1)
    }

    fn announces(self) -> bool {
        self.0 & ANNOUNCED != 0
    }
}

impl<'a> Counts<'a> {
    /// The counts that are in these words.
    pub fn new(words: &'a [AtomicU64]) -> Counts<'a> {
        let pages = words.len().div_ceil(PAGE * 16);
        let (used, words) = words.split_at(pages.div_ceil(64).next_multiple_of(16));
        let groups = words.as_chunks().0;
        Counts { used, groups }
    }

    /// Takes one of a key, unless there are as many as there may be. It is to be given back by the
    /// number of its cell.
    ///
    /// # Errors
    /// There are too many, of this key or of keys.
    pub fn take(&self, key: u64, process: u32, most: u64) -> Result<usize, Refusal> {
        let place = self.own(key, process).or_else(|| self.claim(key, process));
        let place = place.ok_or(Refusal::Full)?;
        let word = &self.cell(place)[1];
        for _ in 0..TRIES {
            let before = word.load(SeqCst);
            word.store(before | ANNOUNCED, SeqCst);
            let (count, announced) = self.sum(key);
            if count + announced <= most {
                word.store(before + 1, SeqCst);
                return Ok(place);
            }
            word.store(before, SeqCst);
            if count >= most {
                break;
            }
            hint::spin_loop();
        }
        self.leave_if_empty(place);
        Err(Refusal::Over)
    }

    /// Gives one back.
    pub fn give_back(&self, place: usize) {
        let word = &self.cell(place)[1];
        word.store(word.load(SeqCst) - 1, SeqCst);
        self.leave_if_empty(place);
    }

    /// Gives back all that a process holds that is gone.
    pub fn forget(&self, process: u32) {
        for page in 0..self.groups.len().div_ceil(PAGE) {
            if self.used[page / 64].load(SeqCst) & 1 << (page % 64) == 0 {
                continue;
            }
            let groups = self.groups.iter().skip(page * PAGE).take(PAGE);
            for [_, held] in groups.flat_map(cells) {
                if Held(held.load(SeqCst)).process() == process {
                    held.store(0, SeqCst);
                }
            }
        }
    }

    /// How many there are of a key, and how many are announced.
    fn sum(&self, key: u64) -> (u64, u64) {
        let (mut count, mut announced) = (0, 0);
        for [number, held] in self.chain(key).flat_map(|at| cells(&self.groups[at])) {
            // In this order: what it holds must not be of the key that it had before.
            let held = Held(held.load(SeqCst));
            if number.load(SeqCst) == key {
                count += held.count();
                announced += u64::from(held.announces());
            }
        }
        (count, announced)
    }

    /// The cell of a key that is this process's.
    fn own(&self, key: u64, process: u32) -> Option<usize> {
        self.chain(key).find_map(|at| {
            let own = |[number, held]: &Cell| {
                number.load(SeqCst) == key && Held(held.load(SeqCst)).process() == process
            };
            let found = cells(&self.groups[at]).iter().position(own)?;
            Some(at * CELLS + found)
        })
    }

    /// A free cell, which is this process's from now on.
    fn claim(&self, key: u64, process: u32) -> Option<usize> {
        for at in self.all(key) {
            let page = at / PAGE;
            self.used[page / 64].fetch_or(1 << (page % 64), SeqCst);
            let mine = Held::nothing(process).0;
            let take = |[_, held]: &Cell| held.compare_exchange(0, mine, SeqCst, SeqCst).is_ok();
            if let Some(found) = cells(&self.groups[at]).iter().position(take) {
                let place = at * CELLS + found;
                self.cell(place)[0].store(key, SeqCst);
                return Some(place);
            }
            self.groups[at][0].store(1, SeqCst);
        }
        None
    }

    fn leave_if_empty(&self, place: usize) {
        let word = &self.cell(place)[1];
        if Held(word.load(SeqCst)).count() == 0 {
            word.store(0, SeqCst);
        }
    }

    /// The groups that a key may stand in.
    fn all(&self, key: u64) -> impl Iterator<Item = usize> {
        let count = self.groups.len();
        let first = (key % count as u64) as usize;
        (first..first + LONGEST.min(count)).map(move |at| at % count)
    }

    /// Those of them that it can stand in: up to the first where there always was room.
    fn chain(&self, key: u64) -> impl Iterator<Item = usize> {
        let mut crowded = true;
        self.all(key).take_while(move |at| {
            let here = crowded;
            crowded = self.groups[*at][0].load(SeqCst) != 0;
            here
        })
    }

    fn cell(&self, place: usize) -> &'a Cell {
        &cells(&self.groups[place / CELLS])[place % CELLS]
    }
}

/// Cells of a group.
const CELLS: usize = 7;

fn cells(group: &Group) -> &[Cell] {
    group[2..].as_chunks().0
}

#[cfg(test)]
mod tests;
