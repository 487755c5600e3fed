//! Files as they are found by name: questions to the file system, and their answers; which file
//! system a path is on; what is kept of answers that are slow to get, and what is kept open. What
//! was opened is what is spoken of.

pub mod cache;
pub mod change;
pub mod mounts;
pub mod open;
pub mod places;
pub mod recent;
pub mod temp;

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::mem::{Discriminant, discriminant};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::http::{Bytes, Chunk, Piece};
use crate::sys::file::guarded::{self, Guard, Lookup};
use crate::sys::file::{self, Entry, Kind, Meta};

/// A question to the file system. It owns its data: it may be answered later and elsewhere.
#[derive(Clone, Debug)]
pub enum Query {
    /// Open the file and say what was opened.
    Open(PathBuf),
    /// Say what is there.
    Stat(PathBuf),
    /// As [`Query::Open`], past no symlink that is not to be followed.
    OpenGuarded(PathBuf, Guard),
    /// As [`Query::Stat`], past no symlink that is not to be followed.
    StatGuarded(PathBuf, Guard),
    /// List the directory.
    List(PathBuf),
    /// Say what the path is without symlinks.
    Real(PathBuf),
}

impl Query {
    /// What it is about.
    pub fn path(&self) -> &Path {
        match self {
            Query::Open(path) | Query::Stat(path) | Query::List(path) | Query::Real(path) => path,
            Query::OpenGuarded(path, _) | Query::StatGuarded(path, _) => path,
        }
    }

    /// The same question, with a guard against symlinks where it has a meaning.
    pub fn guarded(self, guard: Guard) -> Query {
        match self {
            Query::Open(path) => Query::OpenGuarded(path, guard),
            Query::Stat(path) => Query::StatGuarded(path, guard),
            other => other,
        }
    }

    fn guard(&self) -> Option<Guard> {
        match self {
            Query::OpenGuarded(_, guard) | Query::StatGuarded(_, guard) => Some(*guard),
            _ => None,
        }
    }

    fn identity(&self) -> (Discriminant<Query>, &[u8], Option<Guard>) {
        let path = self.path().as_os_str().as_bytes();
        (discriminant(self), path, self.guard())
    }
}

/// By the bytes of the path: `a` and `a/` are equal as paths, and not to a file system.
impl PartialEq for Query {
    fn eq(&self, other: &Query) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Query {}

impl Hash for Query {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// A file as it was opened: what is said of it is what will be sent.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What is in it.
    pub content: Content,
    /// What `fstat` said of its descriptor.
    pub meta: Meta,
}

/// What is in a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// It is still to be read.
    Open(Arc<File>),
    /// It was read whole.
    Held(Arc<[u8]>),
}

impl From<(File, Meta)> for Opened {
    fn from((file, meta): (File, Meta)) -> Opened {
        let content = Content::Open(Arc::new(file));
        Opened { content, meta }
    }
}

impl Opened {
    /// The same with its content read, if it is a file of at most so many bytes, and has as many as
    /// were found. Its descriptor is closed then.
    pub fn held(self, most: u64) -> Opened {
        let Opened {
            content: Content::Open(file),
            meta,
        } = &self
        else {
            return self;
        };
        let length = usize::try_from(meta.size).unwrap_or(usize::MAX);
        if meta.kind != Kind::Regular || meta.size > most {
            return self;
        }
        let mut bytes = vec![0; length];
        match file::pread(file, &mut bytes, 0) {
            Ok(count) if count == length => Opened {
                content: Content::Held(bytes.into()),
                ..self
            },
            _ => self,
        }
    }
}

impl Content {
    /// Reads at an offset; fewer bytes than asked for only at the end.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Content::Open(file) => file::pread(file, buffer, offset),
            Content::Held(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let mut rest = bytes.get(start..).unwrap_or_default();
                rest.read(buffer)
            }
        }
    }

    /// A part of it, to be sent.
    ///
    /// # Panics
    /// When the range reaches past what is held.
    pub fn piece(&self, range: Range<u64>) -> Piece {
        match self {
            Content::Open(file) => Piece::File {
                file: file.clone(),
                range,
            },
            Content::Held(bytes) => {
                let range = range.start as usize..range.end as usize;
                Piece::Bytes(Chunk::new(Bytes::Shared(bytes.clone()), range))
            }
        }
    }
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
    /// To [`Query::Real`].
    Real(io::Result<PathBuf>),
}

impl Found {
    /// The same answer for somebody else.
    pub fn again(&self) -> Found {
        fn again<T: Clone>(result: &io::Result<T>) -> io::Result<T> {
            match result {
                Ok(found) => Ok(found.clone()),
                Err(error) => Err(match error.raw_os_error() {
                    Some(number) => io::Error::from_raw_os_error(number),
                    None => error.kind().into(),
                }),
            }
        }
        match self {
            Found::Opened(result) => Found::Opened(again(result)),
            Found::Meta(result) => Found::Meta(again(result)),
            Found::Entries(result) => Found::Entries(again(result)),
            Found::Real(result) => Found::Real(again(result)),
        }
    }

    /// Why there is nothing to be had, if so.
    pub fn error(&self) -> Option<&io::Error> {
        match self {
            Found::Opened(result) => result.as_ref().err(),
            Found::Meta(result) => result.as_ref().err(),
            Found::Entries(result) => result.as_ref().err(),
            Found::Real(result) => result.as_ref().err(),
        }
    }

    /// What is said of a file or directory, if that was the question.
    pub fn meta(&self) -> Option<&Meta> {
        match self {
            Found::Opened(Ok(opened)) => Some(&opened.meta),
            Found::Meta(Ok(meta)) => Some(meta),
            _ => None,
        }
    }
}

/// Asks the file system, and waits for it.
pub fn look(query: &Query) -> Found {
    match query {
        Query::Open(path) => Found::Opened(file::open(path).map(Opened::from)),
        Query::Stat(path) => Found::Meta(file::stat(path)),
        Query::List(path) => Found::Entries(file::list(path)),
        Query::Real(path) => Found::Real(path.canonicalize()),
        Query::OpenGuarded(path, guard) => {
            Found::Opened(guarded::open(path, *guard, Lookup::Disk).map(Opened::from))
        }
        Query::StatGuarded(path, guard) => Found::Meta(guarded::stat(path, *guard, Lookup::Disk)),
    }
}
