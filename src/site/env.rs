//! What the world offers to an exchange, and what an exchange can wait for.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::sys::file::{Entry, Meta};

/// A question to the file system. It owns its data: it may be answered later and elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Open the file and say what was opened.
    Open(PathBuf),
    /// Say what is there.
    Stat(PathBuf),
    /// List the directory.
    List(PathBuf),
}

/// A file as it was opened: what is said of it is what will be sent.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The descriptor.
    pub file: Rc<File>,
    /// What `fstat` said of that descriptor.
    pub meta: Meta,
}

/// The answer to a [`Query`], of the same kind.
#[derive(Debug)]
pub enum Found {
    /// To [`Query::Open`].
    Opened(io::Result<Opened>),
    /// To [`Query::Stat`].
    Meta(io::Result<Meta>),
    /// To [`Query::List`].
    Entries(io::Result<Vec<Entry>>),
}

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
}

/// Why an exchange runs.
#[derive(Debug)]
pub enum Wake {
    /// It is new.
    Start,
    /// What it waited for.
    Found(Found),
}
