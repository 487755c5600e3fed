//! The request line (RFC 9112, 3): method, target in its four forms, version.

use super::super::{Fault, Method, Version, host};
use super::{Head, Span};

/// Where the parts of the line are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) method: Method,
    pub(super) method_name: Span,
    pub(super) target: Span,
    /// `None`: an absolute target without a path, which means `/`.
    pub(super) path: Option<Span>,
    pub(super) query: Option<Span>,
    /// From the path to the end of the target.
    pub(super) uri: Span,
    pub(super) scheme: Option<Span>,
    pub(super) authority: Option<Span>,
    pub(super) version: Version,
    pub(super) version_text: Span,
}

impl Default for Parts {
    fn default() -> Parts {
        Parts {
            method: Method::Other,
            method_name: Span::default(),
            target: Span::default(),
            path: None,
            query: None,
            uri: Span::default(),
            scheme: None,
            authority: None,
            version: Version::Http10,
            version_text: Span::default(),
        }
    }
}

const INVALID_METHOD: Fault = Fault::bad_request("client sent invalid method");
const INVALID_REQUEST: Fault = Fault::bad_request("client sent invalid request");
const INVALID_VERSION: Fault = Fault {
    status: 505,
    reason: "client sent invalid version",
};

/// Whether a method may begin with this byte. The RFC allows more; like nginx, we do not.
pub(super) fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'-' || byte == b'_'
}

/// Reads the line, which is the start of the head and comes without its line end.
///
/// Words may be parted by several spaces, and spaces may follow the last (RFC 9112, 3).
pub(super) fn parse(line: &[u8], head: &mut Head) -> Result<(), Fault> {
    let parts = &mut head.line_parts;
    let method = word(line, 0);
    parts.method_name = method;
    parts.method = Method::parse(method.of(line));
    if method.of(line).is_empty() || !method.of(line).iter().copied().all(is_method_byte) {
        return Err(INVALID_METHOD);
    }
    parts.target = word(line, method.end);
    if parts
        .target
        .of(line)
        .iter()
        .any(|byte| byte.is_ascii_control())
    {
        return Err(INVALID_REQUEST);
    }
    parts.version_text = word(line, parts.target.end);
    parts.version = parse_version(parts.version_text.of(line))?;
    let rest = word(line, parts.version_text.end);
    if rest.start != rest.end {
        return Err(INVALID_REQUEST);
    }
    parse_target(line, head)
}

/// The word after the spaces at `from`; empty at the end of the line.
fn word(line: &[u8], from: u32) -> Span {
    let rest = &line[from as usize..];
    let spaces = rest
        .iter()
        .position(|&byte| byte != b' ')
        .unwrap_or(rest.len());
    let length = memchr::memchr(b' ', &rest[spaces..]);
    let start = from as usize + spaces;
    let end = length.map_or(line.len(), |length| start + length);
    Span {
        start: start as u32,
        end: end as u32,
    }
}

/// Every 1.x from 1.1 on is 1.1; a version that never was, or none at all (HTTP/0.9), is no
/// request.
fn parse_version(text: &[u8]) -> Result<Version, Fault> {
    let Some([major, rest @ ..]) = text.strip_prefix(b"HTTP/") else {
        return Err(INVALID_REQUEST);
    };
    match (major, rest) {
        (b'1', [b'.', minor @ ..]) => match minor {
            [] | [_, _, _, _, ..] => Err(INVALID_REQUEST),
            _ if !minor.iter().all(u8::is_ascii_digit) => Err(INVALID_REQUEST),
            _ if minor.iter().all(|&digit| digit == b'0') => Ok(Version::Http10),
            _ => Ok(Version::Http11),
        },
        (b'1', [b'0'..=b'9', ..]) | (b'2'..=b'9', _) => Err(INVALID_VERSION),
        _ => Err(INVALID_REQUEST),
    }
}

fn parse_target(line: &[u8], head: &mut Head) -> Result<(), Fault> {
    let target = head.line_parts.target;
    match (head.line_parts.method, target.of(line)) {
        (Method::Connect, text) => match host::parse(text) {
            Some(host) if host.port.is_some() => head.line_parts.authority = Some(target),
            _ => return Err(INVALID_REQUEST),
        },
        (_, [b'/', ..]) => split_path(line, target.start, head),
        (Method::Options, b"*") => {
            head.line_parts.path = Some(target);
            head.line_parts.uri = target;
        }
        _ => parse_absolute(line, head)?,
    }
    Ok(())
}

/// `scheme://authority/path?query`
fn parse_absolute(line: &[u8], head: &mut Head) -> Result<(), Fault> {
    let target = head.line_parts.target;
    let text = target.of(line);
    let colon = memchr::memchr(b':', text).ok_or(INVALID_REQUEST)?;
    let (scheme, rest) = text.split_at(colon);
    let rest = rest.strip_prefix(b"://").ok_or(INVALID_REQUEST)?;
    if !is_scheme(scheme) {
        return Err(INVALID_REQUEST);
    }
    let end = rest
        .iter()
        .position(|byte| b"/?#".contains(byte))
        .unwrap_or(rest.len());
    let named = host::parse(&rest[..end]).ok_or(Fault::bad_request(
        "client sent invalid host in request line",
    ))?;
    head.set_host(named);
    let scheme_end = target.start + colon as u32;
    let path = scheme_end + 3 + end as u32;
    head.line_parts.scheme = Some(Span {
        start: target.start,
        end: scheme_end,
    });
    head.line_parts.authority = Some(Span {
        start: scheme_end + 3,
        end: path,
    });
    split_path(line, path, head);
    Ok(())
}

fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// Splits what begins at `start` at the first `?` and `#`.
fn split_path(line: &[u8], start: u32, head: &mut Head) {
    let parts = &mut head.line_parts;
    parts.uri = Span {
        start,
        end: parts.target.end,
    };
    let text = parts.uri.of(line);
    let fragment = memchr::memchr(b'#', text).unwrap_or(text.len());
    let path = memchr::memchr(b'?', &text[..fragment]).unwrap_or(fragment);
    if path > 0 {
        parts.path = Some(Span {
            start,
            end: start + path as u32,
        });
    }
    if path < fragment {
        parts.query = Some(Span {
            start: start + path as u32 + 1,
            end: start + fragment as u32,
        });
    }
}
