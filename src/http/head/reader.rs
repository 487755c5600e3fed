//! Finds the lines of a head as its bytes come in, each byte looked at once, and holds them to
//! nginx's buffer limits.

use std::ops::Range;

use super::super::Fault;
use super::{Head, Limits, Span, field, request_line};

const INVALID_START: Fault = Fault::bad_request("client sent invalid method");
pub(super) const BARE_CR: Fault = Fault::bad_request("client sent a bare CR");
const LINE_TOO_LONG: Fault = Fault {
    status: 414,
    reason: "client sent too long URI",
};
const FIELD_TOO_LONG: Fault = Fault {
    status: 494,
    reason: "client sent too long header line",
};

/// Parts of a head are named by 32-bit offsets, whatever the limits allow.
const MAX_SIZE: usize = u32::MAX as usize;

/// Fields parsed in one go: about as many as a browser sends.
const AT_ONCE: usize = 32;

/// How far the search for the end of the head has come. Offsets count from the first byte given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    /// First byte of the head, past empty lines (RFC 9112, 2.2).
    start: usize,
    /// First byte of the line being read.
    line: usize,
    /// Everything before was searched for the end of that line.
    searched: usize,
    in_fields: bool,
    buffers: Buffers,
}

impl Reader {
    /// Bytes that belong to no head: line ends before it.
    pub(crate) fn skipped(&self) -> usize {
        self.start
    }

    /// Reads on. `input` begins with the bytes given before.
    ///
    /// Returns the offset past the head when it is complete or beyond hope; `head` then tells
    /// which.
    pub(crate) fn read(&mut self, input: &[u8], limits: &Limits, head: &mut Head) -> Option<usize> {
        match self.read_lines(input, limits, head) {
            Ok(false) => return None,
            Ok(true) => head.fault = head.check().err(),
            Err(fault) => head.fault = Some(fault),
        }
        if !self.in_fields {
            head.line = Span::find(&input[self.start..self.searched], &input[self.start..]);
        }
        Some(self.keep(input, self.searched, head))
    }

    /// Makes do with what there is of the head, and says how many bytes that are.
    pub(crate) fn give_up(&mut self, input: &[u8], fault: Fault, head: &mut Head) -> usize {
        head.fault = Some(fault);
        if !self.in_fields {
            head.line = Span::find(&input[self.start..], &input[self.start..]);
        }
        self.keep(input, input.len(), head)
    }

    /// Copies the head out of the input.
    fn keep(&self, input: &[u8], end: usize, head: &mut Head) -> usize {
        head.bytes.clear();
        head.bytes.extend_from_slice(&input[self.start..end]);
        end
    }

    /// Reads the lines that are whole, and says whether the empty one is among them. What was
    /// searched ends with the last of them, or with what made the head hopeless.
    fn read_lines(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<bool, Fault> {
        if !self.in_fields {
            self.skip_empty_lines(input);
            self.read_first_line(input, limits, head)?;
        }
        if self.in_fields && self.read_fields(input, limits, head)? {
            return Ok(true);
        }
        // A line whose end is not there yet can be too long already, or hold a bare CR.
        self.with_line(input, input.len() + 1, limits)?;
        let unseen = self.searched.saturating_sub(1).max(self.line);
        self.refuse_bare_cr(input, unseen..input.len().saturating_sub(1))?;
        self.searched = input.len();
        Ok(false)
    }

    fn skip_empty_lines(&mut self, input: &[u8]) {
        while matches!(input.get(self.line), Some(b'\r' | b'\n')) {
            self.line += 1;
            self.start = self.line;
            self.searched = self.searched.max(self.line);
        }
    }

    fn read_first_line(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<(), Fault> {
        let first = input.get(self.line).copied();
        if first.is_some_and(|byte| !request_line::is_method_byte(byte)) {
            self.searched = self.line + 1;
            return Err(INVALID_START);
        }
        let Some(end) = line_end(input, self.searched) else {
            return Ok(());
        };
        let line = self.take_line(input, end, limits)?;
        self.refuse_bare_cr(input, self.start..self.start + line.len())?;
        self.in_fields = true;
        head.line = Span::find(line, &input[self.start..]);
        request_line::parse(line, head)
    }

    /// Reads the field lines that are whole, and says whether the empty line follows them.
    fn read_fields(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<bool, Fault> {
        // A line that trickles in is not parsed before its end is there.
        if line_end(input, self.searched).is_none() {
            return Ok(false);
        }
        let bytes = &input[self.start..];
        loop {
            let mut fields = [httparse::EMPTY_HEADER; AT_ONCE];
            let outcome = httparse::parse_headers(&input[self.line..], &mut fields)
                .map(|status| status.is_complete());
            for field in fields.iter().take_while(|field| !field.name.is_empty()) {
                self.take_line(input, end_after(field.value, input), limits)?;
                field::take(field.name.as_bytes(), field.value, bytes, limits, head)?;
            }
            let end = line_end(input, self.line);
            match (outcome, end) {
                (Err(httparse::Error::TooManyHeaders), _) => {}
                (Ok(false), _) | (_, None) => return Ok(false),
                (Ok(true), Some(end)) => return self.take_line(input, end, limits).map(|_| true),
                (Err(_), Some(end)) => {
                    let start = self.line;
                    let line = self.take_line(input, end, limits)?;
                    self.refuse_bare_cr(input, start..start + line.len())?;
                    let (name, value) = field::split(line)?;
                    field::take(name, value, bytes, limits, head)?;
                }
            }
        }
    }

    /// Takes the line that ends before `end` off the input, and returns it without its end.
    fn take_line<'i>(
        &mut self,
        input: &'i [u8],
        end: usize,
        limits: &Limits,
    ) -> Result<&'i [u8], Fault> {
        let start = self.line;
        self.buffers = self.with_line(input, end, limits)?;
        if end - self.start > MAX_SIZE {
            return Err(self.too_long());
        }
        self.line = end;
        self.searched = end;
        let line = &input[start..end - 1];
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The buffers with the line up to `end` in them. Of one that does not fit, no more is kept
    /// than would, however much of it came at once.
    fn with_line(&mut self, input: &[u8], end: usize, limits: &Limits) -> Result<Buffers, Fault> {
        let start = self.line;
        self.buffers.with_line(end - start, limits).or_else(|room| {
            self.refuse_bare_cr(input, start..start + room.saturating_sub(1))?;
            self.searched = start + room;
            Err(self.too_long())
        })
    }

    /// Refuses a CR in a part of a line that does not reach its end (RFC 9112, 2.2): what comes
    /// after it cannot be told to be a part of the head or not.
    fn refuse_bare_cr(&mut self, input: &[u8], part: Range<usize>) -> Result<(), Fault> {
        let start = part.start;
        match input.get(part).and_then(|part| memchr::memchr(b'\r', part)) {
            None => Ok(()),
            Some(at) => {
                self.searched = start + at + 1;
                Err(BARE_CR)
            }
        }
    }

    fn too_long(&self) -> Fault {
        if self.in_fields {
            FIELD_TOO_LONG
        } else {
            LINE_TOO_LONG
        }
    }
}

/// The offset past the next line end from `from` on.
fn line_end(input: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(b'\n', &input[from..]).map(|length| from + length + 1)
}

/// The offset past the line end after a value, which stands before at most white space.
fn end_after(value: &[u8], input: &[u8]) -> usize {
    let from = value.as_ptr_range().end.addr() - input.as_ptr().addr();
    let is_end = |&byte: &u8| byte == b'\n';
    let length = input[from..].iter().position(is_end);
    length.map_or(input.len(), |length| from + length + 1)
}

/// nginx's accounts: a first buffer, then a number of large ones; no line is split over two.
#[derive(Clone, Copy, Debug, Default)]
struct Buffers {
    /// Bytes taken of the buffer in use.
    used: usize,
    /// Large buffers begun.
    large: usize,
}

impl Buffers {
    /// With another line in them; if it does not fit, how much of it would.
    fn with_line(self, length: usize, limits: &Limits) -> Result<Buffers, usize> {
        let (count, size) = limits.large_buffers;
        let Buffers { used, large } = self;
        let room = if large == 0 {
            limits.header_buffer
        } else {
            size
        };
        if used + length <= room {
            let used = used + length;
            Ok(Buffers { used, large })
        } else if large == count {
            Err(room.saturating_sub(used))
        } else if length > size {
            Err(size)
        } else {
            let (used, large) = (length, large + 1);
            Ok(Buffers { used, large })
        }
    }
}
