//! The writer of access logs: whole lines, at once or buffered; what is lost is counted. It does
//! not make the lines.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ErrorLog, Level, LogFile};
use crate::sys::OsError;

/// The time between two alerts of one writer.
const ALERT_INTERVAL: Duration = Duration::from_secs(60);

/// The parameters `buffer` and `flush` of `access_log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffering {
    /// Bytes that may wait.
    pub size: usize,
    /// The time that the first of them may wait.
    pub flush: Option<Duration>,
}

/// Writes lines to a log. A failure never reaches the request: the lines are lost, counted, and an
/// alert says so at most once a minute.
#[derive(Debug)]
pub struct Writer {
    file: Arc<LogFile>,
    buffering: Option<Buffering>,
    buffer: Vec<u8>,
    deadline: Option<Instant>,
    lost: u64,
    alerts: ErrorLog,
    alerted: Option<Instant>,
}

impl Writer {
    /// A writer to `file`; without buffering each line is one system call. Failures are told to
    /// `alerts`.
    pub fn new(file: Arc<LogFile>, buffering: Option<Buffering>, alerts: ErrorLog) -> Writer {
        let buffer = Vec::with_capacity(buffering.map_or(0, |buffering| buffering.size));
        Writer {
            file,
            buffering,
            buffer,
            deadline: None,
            lost: 0,
            alerts,
            alerted: None,
        }
    }

    /// Takes one line, with its newline.
    pub fn write(&mut self, line: &[u8], now: Instant) {
        let Some(Buffering { size, flush }) = self.buffering else {
            return self.put(line, now);
        };
        if self.buffer.len() + line.len() > size {
            self.flush(now);
        }
        if line.len() > size {
            return self.put(line, now);
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

    /// Writes what waits: at the deadline, before the file is replaced, and at the end.
    pub fn flush(&mut self, now: Instant) {
        self.deadline = None;
        if self.buffer.is_empty() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        self.put(&buffer, now);
        buffer.clear();
        self.buffer = buffer;
    }

    fn put(&mut self, lines: &[u8], now: Instant) {
        if let Err((error, rest)) = write_all(&self.file, lines) {
            self.lost += rest.iter().filter(|&&byte| byte == b'\n').count() as u64;
            self.alert(&error, now);
        }
    }

    fn alert(&mut self, error: &io::Error, now: Instant) {
        if self
            .alerted
            .is_some_and(|last| now.duration_since(last) < ALERT_INTERVAL)
        {
            return;
        }
        let (path, lost) = (self.file.path().display(), std::mem::take(&mut self.lost));
        let lines = if lost == 1 { "line" } else { "lines" };
        let message = format_args!(
            "write() to \"{path}\" failed {}, {lost} {lines} lost",
            OsError(error)
        );
        self.alerts.write(Level::Alert, None, message);
        self.alerted = Some(now);
    }
}

/// Writes all, or says what was not written; the first line of that may have been written in part.
fn write_all<'a>(file: &LogFile, lines: &'a [u8]) -> Result<(), (io::Error, &'a [u8])> {
    let mut rest = lines;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), rest)),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, rest)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
