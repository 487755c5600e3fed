//! What the world offers to an exchange, and what an exchange can wait for.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use super::body::Keep;
use super::exchange::Exchange;
use crate::files::temp::RequestBody;
use crate::files::{Found, Query};
use crate::http::Fault;

/// What an exchange asks of the process it runs in.
pub trait Env {
    /// The answer if it is at hand; otherwise the exchange waits for it.
    fn look(&mut self, query: &Query) -> Option<Found>;

    /// Whether what has this device number may be far away.
    fn is_remote(&self, device: u64) -> bool;

    /// Has an exchange run to its end beside the one that asks, whose answer it does not change.
    fn begin(&mut self, x: Box<Exchange>);

    /// Bytes of a file, fewer at its end, if they are at hand.
    fn read(&mut self, file: &File, range: Range<u64>) -> Option<io::Result<Vec<u8>>>;
}

/// What an exchange waits for.
#[derive(Debug)]
pub enum Need {
    /// The answer to a question that was not at hand.
    Lookup(Query),
    /// The end of the request's body, which is read and dropped. One of more bytes than this is
    /// too large.
    Body(Option<u64>),
    /// The request's body, kept in this way.
    RequestBody(Box<Keep>),
    /// What a thread does.
    Job(Job),
    /// A point in time.
    Until(Instant),
    /// Its next turn: it has worked for long enough, and others come first.
    Turn,
}

/// Work that can block or takes long, for a thread. It owns all it needs: the exchange may be gone
/// when it ends.
pub struct Job {
    /// Whom it waits with for a thread.
    pub lane: Lane,
    /// What it is, for a log line.
    pub what: &'static str,
    /// Whether it may take longer than a client may stay silent (`send_timeout`): it changes
    /// something, and is done also for a client that is gone.
    pub patient: bool,
    /// Does it.
    pub run: Box<dyn FnOnce() -> Product + Send>,
}

/// What came of a job.
pub type Product = Box<dyn Any + Send>;

/// Jobs of one lane hold at most half the threads of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lane {
    /// That of the file system that this path is on.
    Path(PathBuf),
    /// That of the file system with this device number.
    Device(u64),
    /// That of what computes.
    Work,
    /// That of passwords, whose hashes are slow on purpose: few may wait, and who waits behind
    /// others and ends what it sends is taken to be gone.
    Passwords,
    /// That of what computes slice by slice, for clients that may read slowly.
    Stream,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({}, {:?})", self.what, self.lane)
    }
}

/// Why an exchange runs.
#[derive(Debug)]
pub enum Wake {
    /// It is new.
    Start,
    /// The answer it waited for.
    Found(Found),
    /// What came of its job.
    Done(Product),
    /// The time has come.
    Time,
    /// There is no answer, and will be none: too many wait already, or it took too long.
    Refused,
    /// The body has ended, or never will as it should.
    Body(Result<(), Fault>),
    /// The body was kept.
    Kept(RequestBody),
}
