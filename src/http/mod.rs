//! The protocol, sans-io: bytes in, bytes and file ranges out.
//!
//! Nothing here knows a socket, a clock or the configuration. RFC 9110, 9112 and 3986 rule; where
//! they leave a choice, nginx's is taken.

mod bytes;
pub mod chunked;
pub mod coding;
mod connection;
pub mod date;
pub mod digits;
pub mod head;
pub mod host;
mod method;
pub mod multipart;
pub mod path;
pub mod proxy_protocol;
pub mod range;
mod response;
pub mod status;
pub mod validator;

pub use bytes::{Bytes, Chunk, Piece};
pub use coding::{Accepted, Coding};
pub use connection::{Connection, Event, Pieces, Pool, Sent as SentBytes, Timeout};
pub use head::{Head, Limits, Linger};
pub use method::Method;
pub use response::{Clock, Length, ResponseHead, Trailers};

/// Why a request is refused before anyone looks at what it asks for.
///
/// The connection closes after the answer: what follows on it cannot be told apart any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The status to answer with. 494 is nginx's own number for an oversized field; it is sent as
    /// 400.
    pub status: u16,
    /// For the error log, in nginx's words.
    pub reason: &'static str,
}

impl Fault {
    pub(crate) const fn bad_request(reason: &'static str) -> Fault {
        Fault {
            status: 400,
            reason,
        }
    }
}

/// The protocol version a request is answered by (RFC 9110, 2.5): a higher minor version is
/// answered as the highest one known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1, and every later 1.x
    Http11,
}

/// How the body of a request is delimited (RFC 9112, 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Neither Content-Length nor Transfer-Encoding: there is no body.
    None,
    /// Content-Length, in bytes.
    Length(u64),
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// Names one exchange on its connection; never used twice there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id(pub u32);
