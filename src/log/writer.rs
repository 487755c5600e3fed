//! The buffer of an access log. It does not make the lines, nor write them to disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LogFile;

/// The parameters `buffer` and `flush` of `access_log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffering {
    /// Bytes that may wait.
    pub size: usize,
    /// The time that the first of them may wait.
    pub flush: Option<Duration>,
}

/// Gathers the lines of one log, if it is to.
#[derive(Debug)]
pub struct Writer {
    file: Arc<LogFile>,
    buffering: Option<Buffering>,
    buffer: Vec<u8>,
    deadline: Option<Instant>,
}

impl Writer {
    /// A writer to `file`.
    pub fn new(file: Arc<LogFile>, buffering: Option<Buffering>) -> Writer {
        let buffer = Vec::with_capacity(buffering.map_or(0, |buffering| buffering.size));
        Writer {
            file,
            buffering,
            buffer,
            deadline: None,
        }
    }

    /// Takes one line, with its newline.
    pub fn write(&mut self, line: &[u8], now: Instant) {
        let Some(Buffering { size, flush }) = self.buffering else {
            return self.file.write(line);
        };
        if self.buffer.len() + line.len() > size {
            self.flush();
        }
        if line.len() > size {
            return self.file.write(line);
        }
        if self.buffer.is_empty() {
            self.deadline = flush.map(|time| now + time);
        }
        self.buffer.extend_from_slice(line);
    }

    /// Whether lines may wait for a time to pass.
    pub fn is_timed(&self) -> bool {
        self.buffering
            .is_some_and(|buffering| buffering.flush.is_some())
    }

    /// When [`Writer::flush`] is due; `None` while nothing waits, or may wait for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Hands on what waits: at the deadline, before the file is replaced, and at the end.
    pub fn flush(&mut self) {
        self.deadline = None;
        if !self.buffer.is_empty() {
            self.file.write(&self.buffer);
            self.buffer.clear();
        }
    }
}

#[cfg(test)]
mod tests;
