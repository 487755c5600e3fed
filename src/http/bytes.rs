//! Bytes on their way out: owned, shared or static, whole or in part, and ranges of files.

use std::fmt;
use std::fs::File;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes that are cheap to hand on.
#[derive(Clone)]
pub enum Bytes {
    /// Part of the program.
    Static(&'static [u8]),
    /// Kept by several: a cached file, a value of the configuration.
    Shared(Arc<[u8]>),
    /// Made for this one answer.
    Owned(Vec<u8>),
}

impl Bytes {
    /// No bytes.
    pub const EMPTY: Bytes = Bytes::Static(b"");
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::EMPTY
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        **self == **other
    }
}

impl Eq for Bytes {}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&'static [u8]> for Bytes {
    fn from(bytes: &'static [u8]) -> Bytes {
        Bytes::Static(bytes)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Bytes {
    fn from(bytes: &'static [u8; N]) -> Bytes {
        Bytes::Static(bytes)
    }
}

impl From<&'static str> for Bytes {
    fn from(text: &'static str) -> Bytes {
        Bytes::Static(text.as_bytes())
    }
}

impl From<Arc<[u8]>> for Bytes {
    fn from(bytes: Arc<[u8]>) -> Bytes {
        Bytes::Shared(bytes)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::Owned(bytes)
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Bytes {
        Bytes::Owned(text.into_bytes())
    }
}

/// A part of some bytes.
#[derive(Clone)]
pub struct Chunk {
    bytes: Bytes,
    start: usize,
    end: usize,
}

impl Chunk {
    /// The given part.
    ///
    /// # Panics
    ///
    /// When the range reaches past the bytes.
    pub fn new(bytes: Bytes, range: Range<usize>) -> Chunk {
        assert!(range.start <= range.end && range.end <= bytes.len());
        Chunk {
            bytes,
            start: range.start,
            end: range.end,
        }
    }

    /// Drops the first `n` bytes, or all when there are fewer.
    pub fn advance(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
    }

    /// Keeps the first `n` bytes.
    pub fn truncate(&mut self, n: usize) {
        self.end = self.end.min(self.start.saturating_add(n));
    }

    /// Takes the first `n` bytes, or all when there are fewer. Both parts share the bytes then,
    /// which are copied once for that if nobody shared them yet.
    pub fn split_to(&mut self, n: usize) -> Chunk {
        if n >= self.len() {
            return std::mem::replace(self, Chunk::from(Bytes::EMPTY));
        }
        if let Bytes::Owned(bytes) = &mut self.bytes {
            self.bytes = Bytes::Shared(std::mem::take(bytes).into());
        }
        let mut front = self.clone();
        front.truncate(n);
        self.advance(n);
        front
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl<B: Into<Bytes>> From<B> for Chunk {
    fn from(bytes: B) -> Chunk {
        let bytes = bytes.into();
        let end = bytes.len();
        Chunk {
            bytes,
            start: 0,
            end,
        }
    }
}

/// A piece of a response's body.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Chunk),
    /// Bytes of a file, by offset; they are read when they are sent.
    File {
        /// The open file; it is sent as it was opened, whatever its name means by then.
        file: Arc<File>,
        /// Offsets of the first byte and past the last one.
        range: Range<u64>,
    },
}

impl Piece {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Piece::Bytes(chunk) => chunk.len() as u64,
            Piece::File { range, .. } => range.end.saturating_sub(range.start),
        }
    }

    /// Nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the first `n` bytes, or all when there are fewer.
    pub(crate) fn advance(&mut self, n: u64) {
        match self {
            Piece::Bytes(chunk) => chunk.advance(n.min(usize::MAX as u64) as usize),
            Piece::File { range, .. } => {
                range.start = range.end.min(range.start.saturating_add(n));
            }
        }
    }

    /// Keeps the first `n` bytes.
    pub(crate) fn truncate(&mut self, n: u64) {
        match self {
            Piece::Bytes(chunk) => chunk.truncate(n.min(usize::MAX as u64) as usize),
            Piece::File { range, .. } => range.end = range.end.min(range.start.saturating_add(n)),
        }
    }
}
