//! The head of a response, and how it is written: fields in nginx's order.

use super::bytes::Bytes;
use super::digits::{decimal, hexadecimal};
use super::{date, status};

/// What the site says about its answer; framing and persistence are the connection's.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// Status code; nginx's special numbers (494 to 497) are sent as 400.
    pub status: u16,
    /// Reason phrase; `None`: the standard one.
    pub reason: Option<Bytes>,
    /// The Server field; empty: none is sent.
    pub server: Bytes,
    /// The Content-Type field.
    pub content_type: Option<Bytes>,
    /// The Last-Modified field, seconds since the epoch.
    pub last_modified: Option<i64>,
    /// The Location field.
    pub location: Option<Bytes>,
    /// All other fields, in order; they come last.
    pub fields: Vec<(Bytes, Bytes)>,
    /// Whether the site allows another request on this connection.
    pub keep_alive: bool,
    /// Seconds for a Keep-Alive field (directive `keepalive_timeout`, second argument).
    pub keep_alive_header: Option<u64>,
}

/// How long the body will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// No body and no word about one: 204, 304.
    None,
    /// This many bytes.
    Known(u64),
    /// Whatever comes until `finish`: chunked, and for HTTP/1.0 ended by the end of the
    /// connection.
    Unknown,
    /// Whatever comes until `finish`, ended by the end of the connection and never chunked.
    ToTheEnd,
}

/// Fields after the body; sent when the body is chunked.
pub type Trailers = Vec<(Bytes, Bytes)>;

/// What the protocol must know about time.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'a> {
    /// The value of the Date field, as `date::format` writes it.
    pub date: &'a [u8],
}

/// What the head says about the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Announced {
    Nothing,
    Length(u64),
    Chunked,
}

impl ResponseHead {
    /// Appends status line, fields and the empty line.
    pub(crate) fn render(
        &self,
        announced: Announced,
        keep_alive: bool,
        clock: &Clock<'_>,
        out: &mut Vec<u8>,
    ) {
        self.render_status_line(out);
        if !self.server.is_empty() {
            field(out, b"Server: ", &self.server);
        }
        field(out, b"Date: ", clock.date);
        if let Some(content_type) = &self.content_type {
            field(out, b"Content-Type: ", content_type);
        }
        if let Announced::Length(length) = announced {
            out.extend_from_slice(b"Content-Length: ");
            decimal(out, length);
            out.extend_from_slice(b"\r\n");
        }
        if let Some(seconds) = self.last_modified {
            field(out, b"Last-Modified: ", &date::format(seconds));
        }
        if let Some(location) = &self.location {
            field(out, b"Location: ", location);
        }
        if announced == Announced::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        self.render_persistence(keep_alive, out);
        fields(out, &self.fields);
        out.extend_from_slice(b"\r\n");
    }

    fn render_status_line(&self, out: &mut Vec<u8>) {
        let status = status::on_the_wire(self.status);
        out.extend_from_slice(b"HTTP/1.1 ");
        decimal(out, u64::from(status));
        out.push(b' ');
        match &self.reason {
            Some(reason) => value(out, reason),
            None => out.extend_from_slice(status::phrase(status).as_bytes()),
        }
        out.extend_from_slice(b"\r\n");
    }

    fn render_persistence(&self, keep_alive: bool, out: &mut Vec<u8>) {
        if !keep_alive {
            out.extend_from_slice(b"Connection: close\r\n");
            return;
        }
        out.extend_from_slice(b"Connection: keep-alive\r\n");
        if let Some(seconds) = self.keep_alive_header {
            out.extend_from_slice(b"Keep-Alive: timeout=");
            decimal(out, seconds);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends what stands before a chunk (RFC 9112, 7.1); a line break follows it.
pub(crate) fn chunk_start(out: &mut Vec<u8>, length: u64) {
    hexadecimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Appends the chunk that ends a body, and its trailers.
pub(crate) fn last_chunk(out: &mut Vec<u8>, trailers: &Trailers) {
    out.extend_from_slice(b"0\r\n");
    fields(out, trailers);
    out.extend_from_slice(b"\r\n");
}

/// Appends field lines.
fn fields(out: &mut Vec<u8>, fields: &[(Bytes, Bytes)]) {
    for (name, content) in fields {
        value(out, name);
        out.extend_from_slice(b": ");
        value(out, content);
        out.extend_from_slice(b"\r\n");
    }
}

fn field(out: &mut Vec<u8>, name_and_colon: &[u8], content: &[u8]) {
    out.extend_from_slice(name_and_colon);
    value(out, content);
    out.extend_from_slice(b"\r\n");
}

/// Appends what may hold a client's bytes: a line break or NUL in it becomes a space, so that no
/// value ever adds a line (RFC 9110, 5.5).
fn value(out: &mut Vec<u8>, content: &[u8]) {
    let is_break = |byte: u8| matches!(byte, b'\r' | b'\n' | 0);
    if content
        .iter()
        .fold(false, |found, &byte| found | is_break(byte))
    {
        out.extend(
            content
                .iter()
                .map(|&byte| if is_break(byte) { b' ' } else { byte }),
        );
    } else {
        out.extend_from_slice(content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock<'_> = Clock {
        date: b"Sun, 06 Nov 1994 08:49:37 GMT",
    };

    fn rendered(head: &ResponseHead, announced: Announced, keep_alive: bool) -> String {
        let mut out = Vec::new();
        head.render(announced, keep_alive, &CLOCK, &mut out);
        String::from_utf8(out).expect("test heads are text")
    }

    #[test]
    fn order_of_the_fields() {
        let head = ResponseHead {
            status: 200,
            server: "forkful".into(),
            content_type: Some("text/html".into()),
            last_modified: Some(0),
            location: Some("/x".into()),
            fields: vec![("ETag".into(), "\"1\"".into()), ("X".into(), "y".into())],
            keep_alive_header: Some(20),
            ..ResponseHead::default()
        };
        assert_eq!(
            rendered(&head, Announced::Length(1234567890), true),
            "HTTP/1.1 200 OK\r\nServer: forkful\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: text/html\r\nContent-Length: 1234567890\r\n\
             Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\nLocation: /x\r\n\
             Connection: keep-alive\r\nKeep-Alive: timeout=20\r\nETag: \"1\"\r\nX: y\r\n\r\n"
        );
        assert_eq!(
            rendered(&head, Announced::Chunked, false),
            "HTTP/1.1 200 OK\r\nServer: forkful\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
             Content-Type: text/html\r\nLast-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Location: /x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
             ETag: \"1\"\r\nX: y\r\n\r\n"
        );
    }

    #[test]
    fn status_lines() {
        let line = |status, reason: Option<&'static str>| {
            let head = ResponseHead {
                status,
                reason: reason.map(Bytes::from),
                ..ResponseHead::default()
            };
            let text = rendered(&head, Announced::Nothing, true);
            text.lines().next().map(str::to_owned)
        };
        assert_eq!(line(494, None).as_deref(), Some("HTTP/1.1 400 Bad Request"));
        assert_eq!(line(799, None).as_deref(), Some("HTTP/1.1 799 "));
        assert_eq!(
            line(200, Some("Fine")).as_deref(),
            Some("HTTP/1.1 200 Fine")
        );
    }

    #[test]
    fn no_value_adds_a_line() {
        let head = ResponseHead {
            status: 302,
            location: Some("/a\r\nSet-Cookie: x=1".into()),
            fields: vec![("X".into(), "a\nb\0c".into())],
            ..ResponseHead::default()
        };
        let text = rendered(&head, Announced::Nothing, true);
        assert!(text.contains("Location: /a  Set-Cookie: x=1\r\n"));
        assert!(text.contains("X: a b c\r\n"));
    }
}
