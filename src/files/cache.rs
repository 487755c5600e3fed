//! Answers of file systems that may be far away, kept by question: used again without asking for a
//! moment, then checked; and served while a check does not come back. It asks nothing itself, and
//! keeps no descriptors: a process that has one cannot even exit while the disk does not answer.
//! Closing one may wait as well, so those that were handed out wait here for somebody who may.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Content, Found, Opened, Query};
use crate::sys::file::Absence;

/// How long an answer is kept that nobody asks for: nginx's `inactive`.
const IDLE: Duration = Duration::from_secs(60);
/// Time between two looks for such answers, and for files to close.
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

impl Limits {
    /// Nothing is kept.
    pub const NONE: Limits = Limits {
        max: 0,
        size: 0,
        valid: Duration::ZERO,
        grace: Duration::ZERO,
        stale: Duration::ZERO,
    };
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
    /// Bytes of contents.
    bytes: u64,
    /// Files that were handed out.
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

    /// The file that was found when it was asked for last, if its content is held.
    pub fn held(&self, query: &Query) -> Option<Opened> {
        let answer = self.entries.get(query)?.answer.as_ref()?;
        opened(&answer.found)
            .filter(|opened| weight(opened) > 0)
            .cloned()
    }

    /// The file system has answered what it was `asked` then; who waits for it is returned. A
    /// failure is not kept, nor a file whose content is not held.
    pub fn answered(&mut self, query: &Query, found: &Found, asked: Instant) -> Vec<W> {
        self.swept.get_or_insert(asked);
        let check = self
            .entries
            .get_mut(query)
            .and_then(|entry| entry.check.take());
        let used = self.entries.get(query).map_or(asked, |entry| entry.used);
        self.forget(query);
        if self.keeps(found) {
            self.bytes += opened(found).map_or(0, weight);
            let answer = Some(Answer {
                found: found.again(),
                asked,
            });
            let check = None;
            self.entries.insert(
                query.clone(),
                Entry {
                    answer,
                    check,
                    used,
                },
            );
        }
        self.retired
            .extend(opened(found).filter(|opened| is_open(opened)).cloned());
        let waiting = check.map(|check| check.waiting);
        waiting.into_iter().flatten().collect()
    }

    fn keeps(&mut self, found: &Found) -> bool {
        if let Some(error) = found.error() {
            return Absence::of(error) != Absence::Failed;
        }
        let Some(opened) = opened(found) else {
            return true;
        };
        let weight = weight(opened);
        while self.bytes + weight > self.limits.size && self.evict() {}
        !is_open(opened) && self.bytes + weight <= self.limits.size
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
        let answer = self.entries.remove(query).and_then(|entry| entry.answer);
        self.bytes -= answer
            .as_ref()
            .and_then(|answer| opened(&answer.found))
            .map_or(0, weight);
    }

    /// When to sweep next.
    pub fn deadline(&self) -> Option<Instant> {
        let is_empty = self.entries.is_empty() && self.retired.is_empty();
        self.swept.filter(|_| !is_empty).map(|swept| swept + PAUSE)
    }

    /// Forgets what nobody asked for lately.
    pub fn sweep(&mut self, now: Instant) {
        self.swept = Some(now);
        let idle = |entry: &Entry<W>| entry.check.is_none() && now >= entry.used + IDLE;
        let idle = self.entries.iter().filter(|(_, entry)| idle(entry));
        let idle: Vec<_> = idle.map(|(query, _)| query.clone()).collect();
        idle.iter().for_each(|query| self.forget(query));
    }

    /// The files of some devices that nobody else has any more: where they are dropped, they are
    /// closed.
    pub fn unused(&mut self, of: impl Fn(u64) -> bool) -> Vec<Opened> {
        let unused = |opened: &mut Opened| match &opened.content {
            _ if !of(opened.meta.device) => false,
            Content::Open(file) => Arc::strong_count(file) == 1,
            Content::Held(_) => true,
        };
        self.retired.extract_if(.., unused).collect()
    }

    /// Takes back a file that could not be closed yet.
    pub fn keep(&mut self, file: Opened) {
        self.retired.push(file);
    }
}

fn opened(found: &Found) -> Option<&Opened> {
    match found {
        Found::Opened(Ok(opened)) => Some(opened),
        _ => None,
    }
}

fn is_open(opened: &Opened) -> bool {
    matches!(opened.content, Content::Open(_))
}

/// Bytes that are held of a file; an empty one counts for one.
fn weight(opened: &Opened) -> u64 {
    match &opened.content {
        Content::Open(_) => 0,
        Content::Held(bytes) => bytes.len().max(1) as u64,
    }
}

#[cfg(test)]
mod tests;
