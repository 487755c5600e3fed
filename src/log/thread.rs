//! The log thread: writes what waits, log by log, with one call for all the lines that a log has.
//!
//! There is one. A file on a disk that does not answer holds it up, and so the lines of all logs;
//! a stream that nobody reads does not: it is written to only while it takes bytes at once.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use super::LogFile;
use super::backlog::{Part, Work};
use super::queue::Queue;
use crate::sys::{crash, file};

/// The most that is written to a file by one call, so that progress can be seen.
const FILE: usize = 64 << 10;
/// The most that is written to a stream by one call: so much a pipe takes whole or not at all
/// (PIPE_BUF).
const STREAM: usize = 4 << 10;

/// Writes until the process ends.
pub(super) fn run(queue: &Queue) {
    // Should it crash, the request of the first thread is not to blame.
    crash::thread_number();
    queue.begin();
    loop {
        let mut wrote = false;
        for place in 0..queue.logs() {
            if let Some(work) = queue.take(place) {
                wrote |= serve(queue, place, work);
            }
        }
        queue.tell_losses();
        queue.rest(wrote);
    }
}

/// Does one thing for a log. Returns whether it was not in vain.
fn serve(queue: &Queue, place: usize, work: Work) -> bool {
    let Work { log, part, stream } = work;
    match part {
        Part::Lines(lines) => {
            let stream = stream.unwrap_or_else(|| {
                let stream = file::is_stream(log.as_fd());
                queue.set_stream(place, stream);
                stream
            });
            return write(queue, place, &log, stream, lines);
        }
        Part::LinesTo(member, lines) => {
            queue.set_stream(place, false);
            match log.write_member(&member, &lines) {
                Ok(()) => {
                    queue.written(place, &lines);
                    queue.done(lines);
                }
                Err(error) => queue.fail(place, &lines, error),
            }
            return true;
        }
        Part::Replace(new) => log.replace_or_complain(new.as_fd()),
        Part::Reopen => log.reopen_or_complain(),
    }
    queue.replaced(place);
    true
}

fn write(queue: &Queue, place: usize, log: &LogFile, stream: bool, mut lines: Vec<u8>) -> bool {
    let mut done = 0;
    while done < lines.len() {
        let rest = &lines[done..];
        match write_some(log, stream, rest) {
            Ok(count) => {
                queue.written(place, &rest[..count]);
                done += count;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                lines.drain(..done);
                queue.give_back(place, lines);
                return done > 0;
            }
            Err(error) => {
                queue.fail(place, rest, error);
                return true;
            }
        }
    }
    queue.done(lines);
    true
}

fn write_some(log: &LogFile, stream: bool, lines: &[u8]) -> io::Result<usize> {
    let written = match stream {
        true => file::write_now(log.as_fd(), whole_lines(lines, STREAM)),
        false => file::write(log.as_fd(), whole_lines(lines, FILE)),
    };
    match written {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        other => other,
    }
}

/// As many lines as fit, but at least one. A file in append mode takes them in one piece, between
/// the lines of other processes.
fn whole_lines(lines: &[u8], size: usize) -> &[u8] {
    let fitting = lines.get(..size).map(|start| memchr::memrchr(b'\n', start));
    let end = match fitting {
        None => lines.len(),
        Some(Some(last)) => last + 1,
        Some(None) => memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1),
    };
    &lines[..end]
}

#[cfg(test)]
mod tests;
