//! What a thread does for a worker, and how the worker hears of it. A job owns all it needs: who
//! asked for it may be gone when it ends.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mio::Waker;

use crate::files::mounts::Mounts;
use crate::files::{self, Found, Opened, Query};
use crate::site::env::Product;
use crate::sys::file::{self, Meta};
use crate::worker::in_hand::InHand;
use crate::worker::scoreboard::Tally;

/// Says whom a result is for: a client's place, which others may have by then, and a number that
/// nothing else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The client's place.
    pub key: usize,
    /// The number.
    pub number: u64,
}

/// Who asks for something.
pub struct Asker {
    /// The client's place.
    pub key: usize,
    /// Its request, which a thread has in hand meanwhile.
    pub request: InHand,
}

/// A part of a file.
#[derive(Debug)]
pub struct Part {
    /// Where it starts.
    pub start: u64,
    /// Its bytes; fewer than were asked for at the file's end.
    pub bytes: Vec<u8>,
    /// What the file was like after it was read.
    pub meta: Meta,
}

impl Part {
    /// Its bytes from this offset of the file on; none if it has nothing to say about it.
    pub fn from(&self, offset: u64) -> Option<&[u8]> {
        let skipped = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(skipped..)?;
        (skipped == 0 || !bytes.is_empty()).then_some(bytes)
    }
}

/// What is to be done.
pub enum Task {
    /// Answer a question.
    Look {
        query: Query,
        /// The file, if its content is held.
        held: Option<Opened>,
        /// Bytes of the largest file whose content is to be held.
        largest: u64,
        mounts: Arc<Mounts>,
        /// Whether the path is known to lead far away.
        far: bool,
        asked: Instant,
        /// Who asks; none if the cache knows.
        ticket: Option<Ticket>,
    },
    /// Read a part of a file.
    Read {
        file: Arc<File>,
        range: Range<u64>,
        ticket: Ticket,
    },
    /// Do what an exchange asks for.
    Do {
        run: Box<dyn FnOnce() -> Product + Send>,
        ticket: Ticket,
    },
    /// Close a file.
    Close(Opened),
    /// Do what nobody waits for.
    Tend(Box<dyn FnOnce() + Send>),
}

/// What was done.
pub enum Done {
    Looked {
        query: Query,
        found: Found,
        /// Whether it is far away.
        far: bool,
        asked: Instant,
        ticket: Option<Ticket>,
    },
    Read(Ticket, io::Result<Part>),
    Did(Ticket, Product),
}

impl Done {
    /// The device that has answered, if one has.
    pub fn device(&self) -> Option<u64> {
        match self {
            Done::Looked { found, .. } => found.meta().map(|meta| meta.device),
            Done::Read(_, part) => part.as_ref().ok().map(|part| part.meta.device),
            Done::Did(..) => None,
        }
    }
}

/// A task, for whom it is done, and where its result goes.
pub struct Job {
    pub task: Task,
    /// The request of whoever asked first; none for what the worker does for itself.
    pub request: Option<InHand>,
    pub tally: Tally,
    pub outbox: Arc<Outbox>,
}

impl Job {
    /// Does it.
    pub fn run(self) {
        let Job { task, request, .. } = self;
        let done = match request {
            None => task.run(),
            Some(request) => self.tally.hold(&request, || {
                #[cfg(debug_assertions)]
                crate::worker::crash_route::follow_in_job(&request);
                task.run()
            }),
        };
        if let Some(done) = done {
            self.outbox.post(done);
        }
    }
}

impl Task {
    fn run(self) -> Option<Done> {
        Some(match self {
            Task::Look {
                query,
                held,
                largest,
                mounts,
                far,
                asked,
                ticket,
            } => {
                let found = files::look(&query);
                let far = found
                    .meta()
                    .map_or(far, |meta| mounts.is_remote(meta.device));
                let found = match found {
                    Found::Opened(Ok(opened)) if far => {
                        let same = held.filter(|held| held.meta == opened.meta);
                        Found::Opened(Ok(same.unwrap_or_else(|| opened.held(largest))))
                    }
                    found => found,
                };
                Done::Looked {
                    query,
                    found,
                    far,
                    asked,
                    ticket,
                }
            }
            Task::Read {
                file,
                range,
                ticket,
            } => Done::Read(ticket, read(&file, range)),
            Task::Do { run, ticket } => Done::Did(ticket, run()),
            Task::Close(file) => {
                drop(file);
                return None;
            }
            Task::Tend(run) => {
                run();
                return None;
            }
        })
    }
}

fn read(file: &File, range: Range<u64>) -> io::Result<Part> {
    Ok(Part {
        start: range.start,
        bytes: file::read(file, range)?,
        meta: file::meta(file)?,
    })
}

/// Results on their way to the event loop.
pub struct Outbox {
    done: Mutex<Vec<Done>>,
    waker: Waker,
}

impl Outbox {
    /// An empty one that wakes the loop with the first result.
    pub fn new(waker: Waker) -> Arc<Outbox> {
        let done = Mutex::default();
        Arc::new(Outbox { done, waker })
    }

    /// All results so far.
    pub fn take(&self) -> Vec<Done> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn post(&self, result: Done) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(result);
        let is_first = done.len() == 1;
        drop(done);
        if is_first {
            // An eventfd whose loop is gone: so is the process, in a moment.
            let _ = self.waker.wake();
        }
    }
}
