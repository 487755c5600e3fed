//! Files as they are found by name: questions to the file system, and their answers. Every question
//! is asked anew; what was opened is what is spoken of.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::sys::file::{self, Entry, Meta};

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

/// Asks the file system, and waits for it.
pub fn look(query: &Query) -> Found {
    match query {
        Query::Open(path) => Found::Opened(file::open(path).map(|(file, meta)| Opened {
            file: Rc::new(file),
            meta,
        })),
        Query::Stat(path) => Found::Meta(file::stat(path)),
        Query::List(path) => Found::Entries(file::list(path)),
    }
}
