//! Field lines (RFC 9112, 5), and the few fields that mean something to a connection.
//!
//! Written by hand where a parsing crate would judge a head as a whole: nginx judges line by
//! line, leaves a line with an odd name out, and so knows a hopeless request early.

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

/// Reads one field line, which begins at `start` of the head and comes without its line end.
pub(super) fn parse(
    line: &[u8],
    start: u32,
    limits: &Limits,
    head: &mut Head,
) -> Result<(), Fault> {
    let (name, odd) = parse_name(line, limits)?;
    let value = trim(line, name + 1);
    if has_controls(value.of(line)) {
        return Err(INVALID);
    }
    if odd && limits.ignore_invalid_headers {
        return Ok(());
    }
    if head.fields.len() == limits.max_headers {
        return Err(Fault {
            status: 494,
            reason: "client sent too many header lines",
        });
    }
    let span = |from: u32, to: u32| Span {
        start: start + from,
        end: start + to,
    };
    head.fields
        .push((span(0, name as u32), span(value.start, value.end)));
    match Known::of(&line[..name]) {
        Some(known) => apply(known, value.of(line), head),
        None => Ok(()),
    }
}

/// Looks at every byte rather than stop early: such a loop is done many bytes at a time.
fn has_controls(value: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    let (blocks, rest) = value.as_chunks::<16>();
    let any = |found, &byte: &u8| found | is_control(byte);
    blocks.iter().any(|block| block.iter().fold(false, any)) || rest.iter().fold(false, any)
}

/// The length of the name, and whether nginx finds it odd. Space in a name, or before the colon,
/// is refused (RFC 9112, 5.1), and so is a line that continues another (5.2).
fn parse_name(line: &[u8], limits: &Limits) -> Result<(usize, bool), Fault> {
    let mut odd = false;
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => {}
            b'_' if limits.underscores_in_headers => {}
            b':' if at > 0 => return Ok((at, odd)),
            b':' | ..=b' ' | 0x7f => return Err(INVALID),
            _ => odd = true,
        }
    }
    Err(INVALID)
}

/// What stands from `from` on, without white space around it.
fn trim(line: &[u8], from: usize) -> Span {
    let is_text = |byte: &u8| *byte != b' ' && *byte != b'\t';
    let start = line[from..]
        .iter()
        .position(is_text)
        .map_or(line.len(), |at| from + at);
    let end = line[start..]
        .iter()
        .rposition(is_text)
        .map_or(start, |at| start + at + 1);
    Span {
        start: start as u32,
        end: end as u32,
    }
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
