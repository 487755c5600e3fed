//! An answer as a phase gives it, and the response it becomes after the filters.

use crate::files::Content;
use crate::http::{Bytes, Piece};
use crate::http::{Length, ResponseHead};
use crate::sys::file::Meta;

/// An answer, before the filters.
#[derive(Default)]
pub struct Answer {
    /// The status, unless an error page sets another.
    pub status: u16,
    /// Its media type.
    pub content_type: Option<Bytes>,
    /// Time of the last change, seconds since the epoch.
    pub last_modified: Option<i64>,
    /// Entity tag, with its quotes.
    pub etag: Option<Vec<u8>>,
    /// Where to go instead, as an absolute URI that stands at its own place in the head.
    pub location: Option<Bytes>,
    /// Other fields.
    pub fields: Vec<(Bytes, Bytes)>,
    /// The body.
    pub body: Body,
    /// Whether parts of it may be asked for.
    pub ranges: bool,
}

/// A body.
#[derive(Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// These bytes.
    Bytes(Bytes),
    /// All of a file, as long as it was when it was opened.
    File(Content, Meta),
    /// These pieces.
    Pieces(Vec<Piece>),
}

impl Body {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, meta) => meta.size,
            Body::Pieces(pieces) => pieces.iter().map(Piece::len).sum(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Answer {
    /// An answer with these bytes.
    pub fn bytes(status: u16, content_type: impl Into<Bytes>, body: impl Into<Bytes>) -> Answer {
        Answer {
            status,
            content_type: Some(content_type.into()),
            body: Body::Bytes(body.into()),
            ..Answer::default()
        }
    }

    /// Adds a field.
    pub fn field(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Answer {
        self.fields.push((name.into(), value.into()));
        self
    }
}

/// What goes out.
pub struct Response {
    /// The head.
    pub head: ResponseHead,
    /// How the body's end is told.
    pub length: Length,
    /// The body.
    pub body: Body,
}
