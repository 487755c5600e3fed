//! Fields (RFC 9112, 5): which ones count, and the few that mean something to a connection.
//!
//! The lines are httparse's to read; here is what only nginx says about them.

use super::super::{Fault, host};
use super::{Head, Limits, Span};

const INVALID: Fault = Fault::bad_request("client sent invalid header line");
const DUPLICATE: Fault = Fault::bad_request("client sent duplicate header line");

/// Fields looked at here: those that frame the message and those that no request may have twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Known {
    Authorization,
    Connection,
    ContentLength,
    ContentRange,
    Expect,
    Host,
    IfMatch,
    IfModifiedSince,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    TransferEncoding,
}

impl Known {
    pub(super) fn bit(self) -> u16 {
        1 << self as u16
    }

    fn of(name: &[u8]) -> Option<Known> {
        // Few fields of a common request have one of these lengths.
        let candidates: &[(&str, Known)] = match name.len() {
            4 => &[("host", Known::Host)],
            6 => &[("expect", Known::Expect)],
            8 => &[("if-match", Known::IfMatch), ("if-range", Known::IfRange)],
            10 => &[("connection", Known::Connection)],
            13 => &[
                ("if-none-match", Known::IfNoneMatch),
                ("authorization", Known::Authorization),
                ("content-range", Known::ContentRange),
            ],
            14 => &[("content-length", Known::ContentLength)],
            17 => &[
                ("if-modified-since", Known::IfModifiedSince),
                ("transfer-encoding", Known::TransferEncoding),
            ],
            19 => &[("if-unmodified-since", Known::IfUnmodifiedSince)],
            _ => &[],
        };
        let same = |(known, _): &&(&str, Known)| name.eq_ignore_ascii_case(known.as_bytes());
        candidates.iter().find(same).map(|&(_, known)| known)
    }
}

/// What Transfer-Encoding says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coding {
    /// `chunked` and nothing else.
    Chunked,
    /// Ends in `chunked`, once: the length is known, the coding before it is not.
    Unknown,
    /// The end of the body cannot be known.
    Endless,
}

impl Coding {
    fn parse(value: &[u8]) -> Coding {
        let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        let chunked = value
            .split(|&byte| byte == b',')
            .filter(|coding| is_chunked(coding))
            .count();
        let last = value
            .rsplit(|&byte| byte == b',')
            .next()
            .unwrap_or_default();
        match (is_chunked(value), chunked, is_chunked(last)) {
            (true, ..) => Coding::Chunked,
            (false, 1, true) => Coding::Unknown,
            _ => Coding::Endless,
        }
    }

    /// RFC 9112, 6.1 and 6.3: 501 for a coding that is not known, 400 where the length is not.
    pub(super) fn check(self) -> Result<(), Fault> {
        let reason = "client sent unknown \"Transfer-Encoding\"";
        match self {
            Coding::Chunked => Ok(()),
            Coding::Unknown => Err(Fault {
                status: 501,
                reason,
            }),
            Coding::Endless => Err(Fault::bad_request(reason)),
        }
    }
}

/// What Expect says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Expectation {
    /// `100-continue`
    Continue,
    /// Something that nobody here can meet.
    Unknown,
}

/// Takes a field of the head that `bytes` begins with, unless nginx leaves it out for its name.
pub(super) fn take(
    name: &[u8],
    value: &[u8],
    bytes: &[u8],
    limits: &Limits,
    head: &mut Head,
) -> Result<(), Fault> {
    if limits.ignore_invalid_headers && is_odd(name, limits) {
        return Ok(());
    }
    if head.fields.len() == limits.max_headers {
        return Err(Fault {
            status: 494,
            reason: "client sent too many header lines",
        });
    }
    head.fields
        .push((Span::find(name, bytes), Span::find(value, bytes)));
    match Known::of(name) {
        Some(known) => apply(known, value, head),
        None => Ok(()),
    }
}

/// Whether nginx finds a name odd.
fn is_odd(name: &[u8], limits: &Limits) -> bool {
    let is_plain =
        |&byte: &u8| PLAIN[usize::from(byte)] || byte == b'_' && limits.underscores_in_headers;
    !name.iter().all(is_plain)
}

/// Bytes that are in no name odd.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        plain[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'-';
        byte += 1;
    }
    plain
};

/// Name and value of a line that httparse refuses. To nginx the name may hold more than a token
/// does (RFC 9110, 5.6.2), but no white space: neither before the colon nor to continue the line
/// before (RFC 9112, 5.1 and 5.2).
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let colon = memchr::memchr(b':', line).ok_or(INVALID)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    if name.is_empty() || name.iter().any(is_blank) || line.iter().any(is_control) {
        return Err(INVALID);
    }
    Ok((name, value.trim_ascii()))
}

fn apply(known: Known, value: &[u8], head: &mut Head) -> Result<(), Fault> {
    if head.has_seen(known) && known != Known::Connection {
        return Err(match known {
            Known::Host => Fault::bad_request("client sent duplicate host header"),
            _ => DUPLICATE,
        });
    }
    head.seen |= known.bit();
    match known {
        Known::Host => return apply_host(value, head),
        Known::Connection => apply_connection(value, head),
        Known::TransferEncoding => head.coding = Some(Coding::parse(value)),
        Known::Expect => head.expectation = parse_expectation(value),
        Known::ContentLength => {
            let invalid = Fault::bad_request("client sent invalid \"Content-Length\" header");
            head.content_length = Some(parse_length(value).ok_or(invalid)?);
        }
        _ => {}
    }
    Ok(())
}

fn apply_host(value: &[u8], head: &mut Head) -> Result<(), Fault> {
    let host = host::parse(value).ok_or(Fault::bad_request("client sent invalid host header"))?;
    if head.line_parts.authority.is_none() {
        head.set_host(host);
    }
    Ok(())
}

fn apply_connection(value: &[u8], head: &mut Head) {
    for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        head.says_close |= option.eq_ignore_ascii_case(b"close");
        head.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
    }
}

fn parse_expectation(value: &[u8]) -> Option<Expectation> {
    let members = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    members
        .filter(|member| !member.is_empty())
        .fold(None, |found, member| {
            match member.eq_ignore_ascii_case(b"100-continue") {
                true => found.or(Some(Expectation::Continue)),
                false => Some(Expectation::Unknown),
            }
        })
}

fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Sizes and offsets of files are signed 64-bit numbers.
    let length = std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?;
    u64::try_from(length).ok()
}

impl Head {
    pub(super) fn set_host(&mut self, host: host::Host<'_>) {
        self.host.clear();
        self.host
            .extend(host.name.iter().map(u8::to_ascii_lowercase));
        self.port = host.port;
    }
}
