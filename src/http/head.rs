//! The head of a request: what was sent, and what it means for the connection.

mod field;
mod reader;
mod request_line;
#[cfg(test)]
mod tests;

use super::{Fault, Framing, Method, Version};
use field::Known;
pub(crate) use reader::Reader;

/// Limits and leniencies of heads; the defaults are nginx's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes that every head may have (`client_header_buffer_size`).
    pub header_buffer: usize,
    /// Number and size of further buffers (`large_client_header_buffers`); a line must fit in one.
    pub large_buffers: (usize, usize),
    /// Most fields of a head (`max_headers`).
    pub max_headers: usize,
    /// Leave out fields with odd names (`ignore_invalid_headers`).
    pub ignore_invalid_headers: bool,
    /// An underscore is not odd (`underscores_in_headers`).
    pub underscores_in_headers: bool,
    /// When to read on after the last answer (`lingering_close`).
    pub linger: Linger,
}

/// Directive `lingering_close`: whether a closing connection goes on reading, so that the peer
/// gets to see the answer before the reset its own bytes would cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Linger {
    /// Never.
    Off,
    /// When the peer may still be sending.
    #[default]
    On,
    /// After every last answer.
    Always,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            header_buffer: 1024,
            large_buffers: (4, 8192),
            max_headers: 1000,
            ignore_invalid_headers: true,
            underscores_in_headers: false,
            linger: Linger::On,
        }
    }
}

/// A part of the head's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Of a part of these bytes, not of equal bytes elsewhere.
    fn find(part: &[u8], bytes: &[u8]) -> Span {
        let start = (part.as_ptr().addr() - bytes.as_ptr().addr()) as u32;
        Span {
            start,
            end: start + part.len() as u32,
        }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// A request without its body. It owns its bytes; `clear` keeps the memory for the next one.
#[derive(Clone, Debug, Default)]
pub struct Head {
    bytes: Vec<u8>,
    fields: Vec<(Span, Span)>,
    line: Span,
    line_parts: request_line::Parts,
    host: Vec<u8>,
    port: Option<u16>,
    /// Fields that were met, of those that mean something here.
    seen: u16,
    content_length: Option<u64>,
    coding: Option<field::Coding>,
    says_close: bool,
    says_keep_alive: bool,
    expectation: Option<field::Expectation>,
    fault: Option<Fault>,
}

impl Head {
    /// Reads one head, and says how many bytes it took. `None`: there is no whole head yet.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Option<(Head, usize)> {
        let mut head = Head::default();
        let end = Reader::default().read(bytes, limits, &mut head)?;
        Some((head, end))
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        let Head {
            mut bytes,
            mut fields,
            mut host,
            ..
        } = std::mem::take(self);
        bytes.clear();
        fields.clear();
        host.clear();
        *self = Head {
            bytes,
            fields,
            host,
            ..Head::default()
        };
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.line_parts.method
    }

    /// The method as sent.
    pub fn method_name(&self) -> &[u8] {
        self.line_parts.method_name.of(&self.bytes)
    }

    /// The target as sent.
    pub fn target(&self) -> &[u8] {
        self.line_parts.target.of(&self.bytes)
    }

    /// The path as sent: of an absolute target the part after the authority, and `*` of
    /// `OPTIONS *`. Not decoded; see `path::normalise`.
    pub fn path(&self) -> &[u8] {
        self.line_parts
            .path
            .map_or(b"/", |path| path.of(&self.bytes))
    }

    /// What follows the first `?`, up to a `#`.
    pub fn query(&self) -> Option<&[u8]> {
        self.line_parts.query.map(|query| query.of(&self.bytes))
    }

    /// Path and query as sent, and what a client may have sent after them (`$request_uri`).
    pub fn request_uri(&self) -> &[u8] {
        match self.line_parts.uri.of(&self.bytes) {
            b"" if self.scheme().is_some() => b"/",
            uri => uri,
        }
    }

    /// The scheme of an absolute target, as sent.
    pub fn scheme(&self) -> Option<&[u8]> {
        self.line_parts.scheme.map(|scheme| scheme.of(&self.bytes))
    }

    /// The authority of an absolute target, as sent.
    pub fn authority(&self) -> Option<&[u8]> {
        self.line_parts
            .authority
            .map(|authority| authority.of(&self.bytes))
    }

    /// The version to answer by.
    pub fn version(&self) -> Version {
        self.line_parts.version
    }

    /// The version as sent: `HTTP/1.1`.
    pub fn version_text(&self) -> &[u8] {
        self.line_parts.version_text.of(&self.bytes)
    }

    /// The first line, without its end; of a faulty one as much as was looked at.
    pub fn request_line(&self) -> &[u8] {
        self.line.of(&self.bytes)
    }

    /// The host asked for: valid, in lower case, without port and final dot. That of an absolute
    /// target, else that of the Host field (RFC 9112, 3.2.2).
    pub fn host(&self) -> Option<&[u8]> {
        (!self.host.is_empty()).then_some(&self.host)
    }

    /// The port that was named with the host.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The value of the first field of that name; case does not matter.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let name = name.as_bytes();
        self.fields
            .iter()
            .find(|(known, _)| known.of(&self.bytes).eq_ignore_ascii_case(name))
            .map(|(_, value)| value.of(&self.bytes))
    }

    /// All fields in order, names as sent; without those that were left out for their names.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.of(&self.bytes), value.of(&self.bytes)))
    }

    /// How the body is delimited.
    pub fn framing(&self) -> Framing {
        match (&self.coding, self.content_length) {
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length),
            (None, None) => Framing::None,
        }
    }

    /// Whether a body follows.
    pub fn has_body(&self) -> bool {
        !matches!(self.framing(), Framing::None | Framing::Length(0))
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version() > Version::Http10
            && self.expectation == Some(field::Expectation::Continue)
            && self.has_body()
    }

    /// Whether the client lets the connection persist (RFC 9112, 9.3).
    pub fn keep_alive(&self) -> bool {
        let asked = self.version() > Version::Http10 || self.says_keep_alive;
        asked && !self.says_close && self.fault.is_none()
    }

    /// The bytes, as received.
    pub fn raw(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes received of this head.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Why the request cannot be served. What could be read before is there.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// What only shows when all fields are there.
    fn check(&self) -> Result<(), Fault> {
        let bad = |reason| Err(Fault::bad_request(reason));
        if self.version() > Version::Http10 && !self.has_seen(Known::Host) {
            return bad("client sent HTTP/1.1 request without \"Host\" header");
        }
        if let Some(coding) = self.coding {
            if self.version() < Version::Http11 {
                return bad("client sent HTTP/1.0 request with \"Transfer-Encoding\" header");
            }
            if self.content_length.is_some() {
                return bad(
                    "client sent \"Content-Length\" and \"Transfer-Encoding\" headers \
                     at the same time",
                );
            }
            coding.check()?;
        }
        match self.method() {
            Method::Connect => {
                return Err(Fault {
                    status: 405,
                    reason: "client sent CONNECT method",
                });
            }
            Method::Trace => {
                return Err(Fault {
                    status: 405,
                    reason: "client sent TRACE method",
                });
            }
            _ => {}
        }
        if self.version() > Version::Http10 && self.expectation == Some(field::Expectation::Unknown)
        {
            return Err(Fault {
                status: 417,
                reason: "client sent unknown \"Expect\" header",
            });
        }
        Ok(())
    }

    fn has_seen(&self, known: Known) -> bool {
        self.seen & known.bit() != 0
    }
}
