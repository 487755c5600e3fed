//! An answer as a phase gives it, and the response it becomes after the filters.

use std::rc::Rc;

use super::env::Env;
use super::exchange::Exchange;
use super::source::{Input, Pull, Source};
use crate::files::Content;
use crate::http::{Bytes, Chunk, Coding, Piece};
use crate::http::{Length, ResponseHead};
use crate::sys::file::Meta;

/// An answer, before the filters.
#[derive(Default)]
pub struct Answer {
    /// The status, unless an error page sets another.
    pub status: u16,
    /// Its media type.
    pub content_type: Option<Bytes>,
    /// What `Content-Type` says of its charset.
    pub charset: Option<Bytes>,
    /// Time of the last change, seconds since the epoch.
    pub last_modified: Option<i64>,
    /// Entity tag, with its quotes.
    pub etag: Option<Vec<u8>>,
    /// Where to go instead, as an absolute URI that stands at its own place in the head.
    pub location: Option<Bytes>,
    /// Other fields.
    pub fields: Vec<(Bytes, Bytes)>,
    /// How the body is coded, which one of the fields says.
    pub coding: Option<Coding>,
    /// The body.
    pub body: Body,
    /// Whether parts of it may be asked for.
    pub ranges: bool,
    /// Whether it is one part at a time.
    pub single_range: bool,
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
    /// Another body, each of its bytes replaced by the one in this table.
    Mapped(Box<Body>, Rc<[u8; 256]>),
    /// What is made while it is sent.
    Source(Box<dyn Source>),
}

impl Body {
    /// Its length in bytes, where it is known before it was sent.
    pub fn len(&self) -> Option<u64> {
        Some(match self {
            Body::Empty => 0,
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File(_, meta) => meta.size,
            Body::Pieces(pieces) => pieces.iter().map(Piece::len).sum(),
            Body::Mapped(body, _) => return body.len(),
            Body::Source(_) => return None,
        })
    }

    /// Whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The same with its bytes made where they are not what they were read as.
    pub fn made(self) -> Body {
        match self {
            Body::Mapped(body, table) => Body::Source(Box::new(Mapped {
                input: Input::new(*body),
                table,
            })),
            body => body,
        }
    }

    /// Its pieces, where all of them are there; none of one that is made.
    pub fn into_pieces(self) -> Vec<Piece> {
        match self {
            Body::Empty | Body::Mapped(..) | Body::Source(_) => Vec::new(),
            Body::Bytes(bytes) => vec![Piece::Bytes(Chunk::from(bytes))],
            Body::File(content, meta) => vec![content.piece(0..meta.size)],
            Body::Pieces(pieces) => pieces,
        }
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

    /// Replaces the body by what a filter makes of it, whose length nobody knows. Parts of it
    /// cannot be asked for.
    pub fn transform<S: Source + 'static>(&mut self, filter: impl FnOnce(Input) -> S) {
        let body = std::mem::take(&mut self.body);
        self.body = Body::Source(Box::new(filter(Input::new(body))));
        self.ranges = false;
    }

    /// Its media type with its charset.
    pub fn media(&self) -> Option<Bytes> {
        let media = self.content_type.clone().filter(|it| !it.is_empty())?;
        Some(match self.charset.as_deref().filter(|it| !it.is_empty()) {
            Some(charset) => [&media[..], b"; charset=", charset].concat().into(),
            None => media,
        })
    }

    /// Has each byte of the body replaced by the one in a table.
    pub fn map(&mut self, table: Rc<[u8; 256]>) {
        let body = std::mem::take(&mut self.body);
        self.body = Body::Mapped(Box::new(body), table);
    }

    /// Undoes [`Answer::map`], and gives the table.
    pub fn unmap(&mut self) -> Option<Rc<[u8; 256]>> {
        match std::mem::take(&mut self.body) {
            Body::Mapped(body, table) => {
                self.body = *body;
                Some(table)
            }
            body => {
                self.body = body;
                None
            }
        }
    }

    /// The body means the same as the one its entity tag is for, and has other bytes
    /// (RFC 9110 section 8.8.1).
    pub fn weaken_etag(&mut self) {
        if let Some(etag) = self.etag.as_mut().filter(|etag| etag.starts_with(b"\"")) {
            etag.splice(0..0, *b"W/");
        }
    }

    /// The body is not coded any more.
    pub fn forget_coding(&mut self) {
        if self.coding.take().is_some() {
            let is_coding = |name: &[u8]| name.eq_ignore_ascii_case(b"content-encoding");
            self.fields.retain(|(name, _)| !is_coding(name));
        }
    }

    /// The body is not what its date and its entity tag are for.
    pub fn forget_validators(&mut self) {
        self.last_modified = None;
        self.etag = None;
        self.ranges = false;
    }
}

/// The source of a [`Body::Mapped`].
struct Mapped {
    input: Input,
    table: Rc<[u8; 256]>,
}

impl Source for Mapped {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        match self.input.next(x, env) {
            Ok(Some(chunk)) => {
                let map = |&byte: &u8| self.table[usize::from(byte)];
                let bytes: Vec<u8> = chunk.iter().map(map).collect();
                Pull::Piece(Piece::Bytes(bytes.into()))
            }
            Ok(None) => Pull::End,
            Err(stop) => stop.into(),
        }
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
