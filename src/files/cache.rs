//! Answers of file systems that may be far away, kept by question: used again without asking for a
//! moment, then checked; and served while a check does not come back. It asks nothing itself.
//!
//! The last owner of a file closes it, and closing may wait for the disk as well. So the cache owns
//! every file it ever handed out until nobody else does; then somebody who may wait closes it.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Found, Opened, Query};
use crate::sys::file::{Absence, Meta};

/// How long an answer is kept that nobody asks for: nginx's `inactive`.
const IDLE: Duration = Duration::from_secs(60);
/// Time between two looks for such answers.
const PAUSE: Duration = Duration::from_secs(10);

/// What a cache may hold, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Answers.
    pub max: usize,
    /// Bytes of contents.
    pub size: u64,
    /// Age up to which an answer is used without a check.
    pub valid: Duration,
    /// Time that requests wait for a check before they are served from the cache.
    pub grace: Duration,
    /// Age up to which an answer is used while its check is outstanding.
    pub stale: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max: 20_000,
            size: 64 << 20,
            valid: Duration::from_secs(1),
            grace: Duration::from_millis(100),
            stale: Duration::from_secs(600),
        }
    }
}

/// What to do about a question that the cache cannot answer at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whether the file system is to be asked: nobody does so yet.
    pub ask: bool,
    /// When to give up waiting and take the old answer; none without one.
    pub patience: Option<Instant>,
}

/// The cache; `W` stands for somebody who waits.
pub struct Cache<W> {
    limits: Limits,
    entries: HashMap<Query, Entry<W>>,
    /// Contents by the address of their file, which an entry keeps alive.
    contents: HashMap<*const File, Rc<[u8]>>,
    bytes: u64,
    /// Files that no entry speaks of any more.
    retired: Vec<Opened>,
    swept: Option<Instant>,
}

struct Entry<W> {
    answer: Option<Answer>,
    check: Option<Check<W>>,
    used: Instant,
}

struct Answer {
    found: Found,
    /// When the file system was asked.
    asked: Instant,
}

struct Check<W> {
    since: Instant,
    waiting: HashSet<W>,
}

impl<W> Entry<W> {
    fn new(used: Instant) -> Entry<W> {
        Entry {
            answer: None,
            check: None,
            used,
        }
    }

    fn answer_younger_than(&self, age: Duration, now: Instant) -> Option<Found> {
        let answer = self.answer.as_ref()?;
        (now.saturating_duration_since(answer.asked) < age).then(|| answer.found.again())
    }
}

impl<W: Copy + Eq + Hash> Cache<W> {
    /// An empty one.
    pub fn new(limits: Limits) -> Cache<W> {
        Cache {
            limits,
            entries: HashMap::new(),
            contents: HashMap::new(),
            bytes: 0,
            retired: Vec::new(),
            swept: None,
        }
    }

    /// Whether a question was asked that is answered here.
    pub fn knows(&self, query: &Query) -> bool {
        !self.entries.is_empty() && self.entries.contains_key(query)
    }

    /// The answer, if it is young, or if its check has been out for too long already.
    pub fn answer(&mut self, query: &Query, now: Instant) -> Option<Found> {
        let limits = &self.limits;
        let entry = self.entries.get_mut(query)?;
        entry.used = now;
        let check = entry.check.as_ref();
        let is_late = check.is_some_and(|check| now >= check.since + limits.grace);
        let age = if is_late { limits.stale } else { limits.valid };
        entry.answer_younger_than(age, now)
    }

    /// The answer, old as it may be, to somebody who has waited for a check.
    pub fn old_answer(&self, query: &Query, now: Instant) -> Option<Found> {
        let entry = self.entries.get(query)?;
        entry.answer_younger_than(self.limits.stale, now)
    }

    /// Somebody waits for an answer.
    pub fn wait(&mut self, query: &Query, who: W, now: Instant) -> Plan {
        if !self.knows(query) {
            self.make_room();
        }
        let entry = self
            .entries
            .entry(query.clone())
            .or_insert_with(|| Entry::new(now));
        entry.used = now;
        let ask = entry.check.is_none();
        let check = entry.check.get_or_insert_with(|| Check {
            since: now,
            waiting: HashSet::new(),
        });
        check.waiting.insert(who);
        let old = entry
            .answer
            .as_ref()
            .map(|answer| answer.asked + self.limits.stale);
        let patience = check.since + self.limits.grace;
        Plan {
            ask,
            patience: old.filter(|end| *end > patience.max(now)).map(|_| patience),
        }
    }

    /// Somebody waits no more.
    pub fn leave(&mut self, query: &Query, who: W) {
        let entry = self.entries.get_mut(query);
        if let Some(check) = entry.and_then(|entry| entry.check.as_mut()) {
            check.waiting.remove(&who);
        }
    }

    /// The file system cannot be asked now: nobody waits for it.
    pub fn refuse(&mut self, query: &Query) {
        let Some(entry) = self.entries.get_mut(query) else {
            return;
        };
        entry.check = None;
        if entry.answer.is_none() {
            self.entries.remove(query);
        }
    }

    /// What was found of a file when it was asked for last, if its contents are here.
    pub fn held(&self, query: &Query) -> Option<Meta> {
        match &self.entries.get(query)?.answer.as_ref()?.found {
            Found::Opened(Ok(opened)) if self.contents.contains_key(&Arc::as_ptr(&opened.file)) => {
                Some(opened.meta)
            }
            _ => None,
        }
    }

    /// The file system has answered what it was `asked` then; who waits for it is returned. Without contents those are kept
    /// that were held for a file that is still the same. A failure is not kept.
    pub fn answered(
        &mut self,
        query: &Query,
        found: &Found,
        contents: Option<Vec<u8>>,
        asked: Instant,
    ) -> Vec<W> {
        self.swept.get_or_insert(asked);
        let mut entry = self
            .entries
            .remove(query)
            .unwrap_or_else(|| Entry::new(asked));
        let check = entry.check.take();
        let same = entry.answer.as_ref().and_then(|answer| answer.found.meta()) == found.meta();
        let old = entry.answer.take().and_then(|answer| self.retire(answer));
        if let Found::Opened(Ok(Opened { file, .. })) = found {
            let contents = contents.map(Rc::from).or(old.filter(|_| same));
            contents
                .into_iter()
                .for_each(|bytes| self.hold(file, bytes));
        }
        let failed = |error| Absence::of(error) == Absence::Failed;
        if !found.error().is_some_and(failed) {
            let found = found.again();
            entry.answer = Some(Answer { found, asked });
            self.entries.insert(query.clone(), entry);
        }
        let waiting = check.map(|check| check.waiting);
        waiting.into_iter().flatten().collect()
    }

    /// Everything that is in a file, if it is here.
    pub fn contents(&self, file: &Arc<File>) -> Option<Rc<[u8]>> {
        self.contents.get(&Arc::as_ptr(file)).cloned()
    }

    fn hold(&mut self, file: &Arc<File>, bytes: Rc<[u8]>) {
        let length = bytes.len() as u64;
        if length > self.limits.size {
            return;
        }
        while self.bytes + length > self.limits.size && self.evict() {}
        self.bytes += length;
        self.contents.insert(Arc::as_ptr(file), bytes);
    }

    /// Parts with an answer; its contents are returned, its file waits to be closed.
    fn retire(&mut self, answer: Answer) -> Option<Rc<[u8]>> {
        let Found::Opened(Ok(opened)) = answer.found else {
            return None;
        };
        let contents = self.contents.remove(&Arc::as_ptr(&opened.file));
        self.bytes -= contents.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.retired.push(opened);
        contents
    }

    fn make_room(&mut self) {
        if self.entries.len() >= self.limits.max.max(1) {
            self.evict();
        }
    }

    /// Forgets an eighth of the answers: those not used for longest. One that is being checked
    /// stays. Whether any went.
    fn evict(&mut self) -> bool {
        let idle = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.check.is_none());
        let mut idle: Vec<_> = idle
            .map(|(query, entry)| (entry.used, query.clone()))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        idle.truncate(self.entries.len().div_ceil(8));
        idle.iter().for_each(|(_, query)| self.forget(query));
        !idle.is_empty()
    }

    /// Forgets an answer.
    pub fn forget(&mut self, query: &Query) {
        if let Some(answer) = self.entries.remove(query).and_then(|entry| entry.answer) {
            self.retire(answer);
        }
    }

    /// When to sweep next.
    pub fn deadline(&self) -> Option<Instant> {
        let is_empty = self.entries.is_empty() && self.retired.is_empty();
        self.swept.filter(|_| !is_empty).map(|swept| swept + PAUSE)
    }

    /// Forgets what nobody asked for lately, and hands over the files that nobody else has: where
    /// they are dropped, they are closed.
    pub fn sweep(&mut self, now: Instant) -> Vec<Opened> {
        self.swept = Some(now);
        let idle = |entry: &Entry<W>| entry.check.is_none() && now >= entry.used + IDLE;
        let idle = self.entries.iter().filter(|(_, entry)| idle(entry));
        let idle: Vec<_> = idle.map(|(query, _)| query.clone()).collect();
        idle.iter().for_each(|query| self.forget(query));
        let unused = |opened: &mut Opened| Arc::strong_count(&opened.file) == 1;
        self.retired.extract_if(.., unused).collect()
    }

    /// Takes back a file that could not be closed yet.
    pub fn keep(&mut self, file: Opened) {
        self.retired.push(file);
    }
}

#[cfg(test)]
mod tests;
