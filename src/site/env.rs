//! What the world offers to an exchange, and what an exchange can wait for.

use crate::files::{Found, Query};
use crate::http::Fault;

/// What an exchange asks of the process it runs in.
pub trait Env {
    /// The answer if it is at hand; otherwise the exchange waits for it.
    fn look(&mut self, query: &Query) -> Option<Found>;
}

/// What an exchange waits for.
#[derive(Debug)]
pub enum Need {
    /// The answer to a question that was not at hand.
    Lookup(Query),
    /// The end of the request's body, which is read and dropped. One of more bytes than this is
    /// too large.
    Body(Option<u64>),
}

/// Why an exchange runs.
#[derive(Debug)]
pub enum Wake {
    /// It is new.
    Start,
    /// The answer it waited for.
    Found(Found),
    /// There is no answer, and will be none: too many wait already, or it took too long.
    Refused,
    /// The body has ended, or never will as it should.
    Body(Result<(), Fault>),
}
