//! Files that are kept open, and what is known of directories and of what is not there
//! (`open_file_cache`): for this machine's own disks, where it saves the way to the file. It asks no
//! file system, but looks whether what it has open is still what it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::recent::Recent;
use super::{Content, Found, Opened, Query};
use crate::sys::file::{self, Absence, Kind, Meta};

/// Time between two looks for what is idle.
const PAUSE: Duration = Duration::from_secs(1);

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Answers, each with a descriptor at most.
    pub max: usize,
    /// How long one is kept that nobody asks for.
    pub idle: Duration,
}

/// What one who asks thinks of old answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Age up to which an answer is used.
    pub valid: Duration,
    /// How often a file must have been asked for to be kept open.
    pub min_uses: u64,
    /// Whether it is kept that something is not there.
    pub errors: bool,
}

/// The files of one `open_file_cache`.
pub struct OpenFiles {
    limits: Limits,
    entries: Recent<Query, Entry>,
    /// When idle ones were looked for.
    swept: Option<Instant>,
}

struct Entry {
    /// None while it was not asked for often enough.
    found: Option<Found>,
    /// When the file system was asked.
    asked: Instant,
    used: Instant,
    uses: u64,
}

impl OpenFiles {
    /// None yet.
    pub fn new(limits: Limits) -> OpenFiles {
        OpenFiles {
            limits,
            entries: Recent::default(),
            swept: None,
        }
    }

    /// The answer to a question, if it is young enough. A file that was written to since it was
    /// opened has to be opened anew: what is said of it must fit what will be sent.
    pub fn answer(&mut self, query: &Query, terms: Terms, now: Instant) -> Option<Found> {
        let entry = self.entries.get_mut(query)?;
        entry.used = now;
        entry.uses += 1;
        let found = entry.found.as_ref()?;
        if now.saturating_duration_since(entry.asked) < terms.valid && is_unchanged(found) {
            return Some(found.again());
        }
        None
    }

    /// Takes note of what the file system has answered.
    pub fn keep(&mut self, query: &Query, found: &Found, terms: Terms, now: Instant) {
        let is_wanted = match (found.error(), found.meta()) {
            (Some(error), _) => terms.errors && Absence::of(error) != Absence::Failed,
            // A FIFO that is held open is one that has a reader.
            (None, Some(meta)) => meta.kind != Kind::Other,
            (None, None) => false,
        };
        if !is_wanted {
            self.entries.remove(query);
            return;
        }
        if self.entries.get_mut(query).is_none() {
            while self.entries.len() >= self.limits.max.max(1) {
                self.entries.remove_oldest();
            }
            let entry = Entry {
                found: None,
                asked: now,
                used: now,
                uses: 1,
            };
            self.entries.insert(query.clone(), entry);
        }
        if let Some(entry) = self.entries.get_mut(query) {
            let is_file = found.meta().is_some_and(|meta| meta.kind == Kind::Regular);
            let is_kept = !is_file || entry.uses >= terms.min_uses;
            entry.found = is_kept.then(|| closed(found));
            entry.asked = now;
        }
    }

    /// When there will be something to forget.
    pub fn deadline(&self) -> Option<Instant> {
        let due = self.entries.oldest()?.used + self.limits.idle;
        Some(self.swept.map_or(due, |swept| due.max(swept + PAUSE)))
    }

    /// Forgets what nobody asked for lately, and closes it.
    pub fn expire(&mut self, now: Instant) {
        self.swept = Some(now);
        let is_idle = |entry: &Entry| now >= entry.used + self.limits.idle;
        while self.entries.oldest().is_some_and(is_idle) {
            self.entries.remove_oldest();
        }
    }
}

fn is_unchanged(found: &Found) -> bool {
    match found {
        Found::Opened(Ok(Opened {
            content: Content::Open(file),
            meta,
        })) => file::meta(file).is_ok_and(|now| is_version(now, *meta)),
        _ => true,
    }
}

/// Whether a file has what it had. That it lost its name, which changes it as well, is seen when its
/// time is over, as in nginx.
fn is_version(now: Meta, then: Meta) -> bool {
    let changed = then.changed;
    Meta { changed, ..now } == then
}

/// An answer as it is kept: a directory needs no descriptor.
fn closed(found: &Found) -> Found {
    let meta = match found {
        Found::Opened(Ok(Opened { meta, .. })) if meta.kind == Kind::Directory => *meta,
        found => return found.again(),
    };
    let content = Content::Held(Arc::from([]));
    Found::Opened(Ok(Opened { content, meta }))
}

#[cfg(test)]
mod tests;
