//! Leaky buckets in shared memory, one for each key. Of a bucket only the time is kept at which it
//! will have run dry, so that a request is one atomic change of one word.
//!
//! A key may stand in any of a few cells. Where all are taken, the bucket goes that runs dry first:
//! most often it has, and then nothing is lost. Whoever dies on the way leaves an empty cell, an
//! empty bucket, or one charged with its request.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// The number of a key, 0 for none; when its bucket runs dry, 0 for one that is new.
type Cell = [AtomicU64; 2];

/// Cells that a key may stand in.
const WAYS: usize = 16;
/// Nanoseconds in a second.
const SECOND: u128 = 1_000_000_000;

/// All buckets of a zone.
pub struct Buckets<'a>(&'a [Cell]);

/// How fast a bucket leaks, and when that is looked at.
#[derive(Clone, Copy)]
pub struct Leak {
    /// Nanoseconds since the zone began, never 0.
    pub now: u64,
    /// Thousandths of a request in each second, never 0.
    pub rate: u64,
}

impl Leak {
    /// How long a request takes to leak.
    fn one(self) -> u64 {
        (1000 * SECOND / u128::from(self.rate)) as u64
    }

    /// Thousandths of a request in a bucket that runs dry then.
    fn excess(self, dry: u64) -> u64 {
        let left = u128::from(dry.saturating_sub(self.now));
        ((left * u128::from(self.rate) + SECOND / 2) / SECOND) as u64
    }

    /// When a bucket runs dry that gets one more request. The first costs nothing.
    fn charged(self, dry: u64) -> u64 {
        match dry {
            0 => self.now,
            dry => dry.saturating_add(self.one()).max(self.now),
        }
    }
}

impl<'a> Buckets<'a> {
    /// The buckets that are in these words.
    pub fn new(words: &'a [AtomicU64]) -> Buckets<'a> {
        Buckets(words.as_chunks().0)
    }

    /// Puts a request into the bucket of a key, unless there would be more than `most` in it then,
    /// in thousandths of a request. How much there is, or would be.
    pub fn charge(&self, key: u64, leak: Leak, most: u64) -> Result<u64, u64> {
        loop {
            let [number, dry] = self.of(key, leak);
            let before = dry.load(SeqCst);
            let after = leak.charged(before);
            let excess = leak.excess(after);
            if excess > most {
                return Err(excess);
            }
            let charged = dry.compare_exchange(before, after, SeqCst, SeqCst).is_ok();
            if charged && number.load(SeqCst) == key {
                return Ok(excess);
            }
        }
    }

    /// How much there would be in the bucket of a key with another request.
    pub fn look(&self, key: u64, leak: Leak) -> u64 {
        let found = self.ways(key).find(|cell| cell[0].load(SeqCst) == key);
        let dry = found.map_or(0, |[_, dry]| dry.load(SeqCst));
        leak.excess(leak.charged(dry))
    }

    fn ways(&self, key: u64) -> impl Iterator<Item = &'a Cell> {
        let cells = self.0;
        let first = (key % cells.len() as u64) as usize;
        (first..first + WAYS).map(|at| &cells[at % cells.len()])
    }

    /// The only cell of a key, which is given one if it has none.
    fn of(&self, key: u64, leak: Leak) -> &'a Cell {
        loop {
            let mut own = self.ways(key).filter(|cell| cell[0].load(SeqCst) == key);
            match (own.next(), own.next()) {
                (Some(cell), None) => return cell,
                (Some(cell), Some(other)) => unite(key, cell, other, leak),
                (None, _) => self.settle(key),
            }
        }
    }

    /// Tries to give a key a cell. What others do meanwhile is seen by looking again.
    fn settle(&self, key: u64) {
        let seen = |cell: &'a Cell| (cell[0].load(SeqCst), cell[1].load(SeqCst), cell);
        let order = |(number, dry, _): &(u64, u64, &Cell)| (*number != 0, *dry);
        let Some((before, _, [number, dry])) = self.ways(key).map(seen).min_by_key(order) else {
            return;
        };
        // Only whoever was seen there goes: it may be this very key by now.
        if before != 0 && !swap(number, before, 0) {
            return;
        }
        let left = dry.load(SeqCst);
        // If it has an owner again, what is left is that one's.
        if number.load(SeqCst) == 0 && (left == 0 || swap(dry, left, 0)) {
            swap(number, 0, key);
        }
    }
}

/// Two workers have given the same key a cell at the same time. The first in order stays; what is
/// in the other one's bucket is counted before it goes, rather twice than not at all.
fn unite(key: u64, stays: &Cell, goes: &Cell, leak: Leak) {
    let seen = goes[1].load(SeqCst);
    pour(seen, &stays[1], leak);
    if swap(&goes[0], key, 0) {
        let last = goes[1].load(SeqCst);
        if last != seen {
            pour(last, &stays[1], leak);
        }
    }
}

/// Adds what is in a bucket that runs dry then.
fn pour(dry: u64, into: &AtomicU64, leak: Leak) {
    if dry == 0 {
        return;
    }
    let more = dry.saturating_sub(leak.now);
    let add = |before| Some(leak.charged(before).saturating_add(more));
    // It always has something to add.
    let _ = into.fetch_update(SeqCst, SeqCst, add);
}

fn swap(word: &AtomicU64, from: u64, to: u64) -> bool {
    word.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
}

#[cfg(test)]
mod tests;
