//! Finds the lines of a head as its bytes come in, each byte looked at once, and holds them to
//! nginx's buffer limits.

use super::super::Fault;
use super::{Head, Limits, Span, field, request_line};

const LINE_TOO_LONG: Fault = Fault {
    status: 414,
    reason: "client sent too long URI",
};
const FIELD_TOO_LONG: Fault = Fault {
    status: 494,
    reason: "client sent too long header line",
};
const TOO_LARGE: Fault = Fault {
    status: 494,
    reason: "client sent too large request",
};

/// Parts of a head are named by 32-bit offsets, whatever the limits allow.
const MAX_SIZE: usize = u32::MAX as usize;

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
            Ok(None) => None,
            Ok(Some(end)) => Some(self.keep(input, end, head)),
            Err(fault) => {
                head.fault = Some(fault);
                Some(self.keep(input, self.searched, head))
            }
        }
    }

    /// Makes do with what there is of the head, and says how many bytes that are.
    pub(crate) fn give_up(&mut self, input: &[u8], fault: Fault, head: &mut Head) -> usize {
        head.fault = Some(fault);
        self.keep(input, input.len(), head)
    }

    /// Copies the head out of the input.
    fn keep(&self, input: &[u8], end: usize, head: &mut Head) -> usize {
        head.bytes.clear();
        head.bytes.extend_from_slice(&input[self.start..end]);
        end
    }

    fn read_lines(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<Option<usize>, Fault> {
        self.skip_empty_lines(input);
        let first = input.get(self.line).copied();
        if !self.in_fields && first.is_some_and(|byte| !request_line::is_method_byte(byte)) {
            return Err(self.cut(self.line, self.line + 1, limits, INVALID_START, head));
        }
        while let Some(length) = memchr::memchr(b'\n', &input[self.searched..]) {
            let end = self.searched + length + 1;
            let start = self.line;
            if let Err(fault) = self.buffers.take(end - start, limits, self.in_fields) {
                return Err(self.cut(start, end, limits, fault, head));
            }
            if end - self.start > MAX_SIZE {
                return Err(TOO_LARGE);
            }
            self.searched = end;
            self.line = end;
            let line = &input[start..end - 1];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if self.in_fields && line.is_empty() {
                return head.check().map(|()| Some(end));
            }
            self.read_line(line, start, limits, head)?;
        }
        self.searched = input.len();
        self.check_partial(input, limits, head).map(|()| None)
    }

    fn skip_empty_lines(&mut self, input: &[u8]) {
        while !self.in_fields && matches!(input.get(self.line), Some(b'\r' | b'\n')) {
            self.line += 1;
            self.start = self.line;
            self.searched = self.searched.max(self.line);
        }
    }

    fn read_line(
        &mut self,
        line: &[u8],
        start: usize,
        limits: &Limits,
        head: &mut Head,
    ) -> Result<(), Fault> {
        let start = (start - self.start) as u32;
        if self.in_fields {
            return field::parse(line, start, limits, head);
        }
        self.in_fields = true;
        head.line = Span {
            start: 0,
            end: line.len() as u32,
        };
        request_line::parse(line, head)
    }

    /// A line whose end is not there yet can be too long already.
    fn check_partial(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut Head,
    ) -> Result<(), Fault> {
        let length = input.len() - self.line;
        if let Err(fault) = self
            .buffers
            .clone()
            .take(length + 1, limits, self.in_fields)
        {
            return Err(self.cut(self.line, input.len(), limits, fault, head));
        }
        Ok(())
    }

    /// Keeps of a line that is given up what fits in one buffer, however much of it came at once.
    fn cut(
        &mut self,
        start: usize,
        end: usize,
        limits: &Limits,
        fault: Fault,
        head: &mut Head,
    ) -> Fault {
        self.searched = end.min(start + limits.large_buffers.1);
        if !self.in_fields {
            head.line = Span {
                start: 0,
                end: (self.searched - self.start) as u32,
            };
        }
        fault
    }
}

const INVALID_START: Fault = Fault::bad_request("client sent invalid method");

/// nginx's accounts: a first buffer, then a number of large ones; no line is split over two.
#[derive(Clone, Debug, Default)]
struct Buffers {
    /// Bytes taken of the buffer in use.
    used: usize,
    /// Large buffers begun.
    large: usize,
}

impl Buffers {
    fn take(&mut self, length: usize, limits: &Limits, in_fields: bool) -> Result<(), Fault> {
        let (count, size) = limits.large_buffers;
        let room = if self.large == 0 {
            limits.header_buffer
        } else {
            size
        };
        if self.used + length <= room {
            self.used += length;
            return Ok(());
        }
        if length > size {
            return Err(if in_fields {
                FIELD_TOO_LONG
            } else {
                LINE_TOO_LONG
            });
        }
        if self.large == count {
            return Err(if in_fields { TOO_LARGE } else { LINE_TOO_LONG });
        }
        self.large += 1;
        self.used = length;
        Ok(())
    }
}
