//! Sending what a connection has ready: memory by one call, files by sendfile or by reading.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::time::Duration;

use super::client::Client;
use crate::log::Level;
use crate::sys::file::Meta;
use crate::sys::{OsError, file};

/// A write that makes a file grow sets its time before its size, and the disk may be slow between:
/// for so long it may look like one that changes what is there.
const SETTLING: Duration = Duration::from_millis(100);

/// What came of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something moved.
    Made,
    /// There is nothing to move, or no room for it.
    None,
    /// The connection cannot be used any more.
    Failed,
}

/// Sends once, at most as much as is left of the budget.
pub fn send(client: &mut Client, budget: &mut u64, buffer: &mut [u8]) -> Progress {
    if !client.writable {
        return Progress::None;
    }
    let pieces = client.http.output();
    if pieces.is_empty() {
        return Progress::None;
    }
    let stream = &client.link.stream;
    // A short write of memory says that there is no more room. sendfile(2) can be short for other
    // reasons: only EAGAIN tells.
    let is_file = pieces.slices().is_empty();
    let (offered, sent) = match (pieces.slices(), &pieces.file) {
        ([], Some((file, range))) => match send_file(client, file, range, *budget, buffer) {
            Some(result) => result,
            None => {
                client.close();
                return Progress::Failed;
            }
        },
        (slices, file) => {
            let offered = slices.iter().map(|slice| slice.len() as u64).sum();
            let more = file.is_some() || pieces.more;
            (
                offered,
                if more {
                    stream.send_more(slices)
                } else {
                    stream.writev(slices)
                },
            )
        }
    };
    match sent {
        Ok(0) if offered == 0 => Progress::None,
        Ok(count) => {
            let count = count as u64;
            client.writable = count == offered || is_file;
            *budget = budget.saturating_sub(count);
            client.sent(count);
            Progress::Made
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            client.writable = false;
            Progress::None
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Progress::Made,
        Err(error) => {
            if let Some(x) = client.sending() {
                x.log(
                    Level::Info,
                    format_args!("writev() failed {}", OsError(&error)),
                );
            }
            Progress::Failed
        }
    }
}

/// Offers a part of a file: how much was offered, and what came of it. Nothing if the file is not
/// what was promised any more: it was cut short or written to. Nothing is offered while that is
/// unclear.
fn send_file(
    client: &Client,
    file: &File,
    range: &Range<u64>,
    budget: u64,
    buffer: &mut [u8],
) -> Option<(u64, io::Result<usize>)> {
    let offered = (range.end - range.start).min(budget);
    if range.start > 0 {
        match look(client, file) {
            Look::Same => {}
            Look::Unclear => return Some((0, Ok(0))),
            Look::Changed => return None,
        }
    }
    let stream = &client.link.stream;
    let result = if client.transport.sendfile {
        let mut offset = range.start;
        stream.sendfile(file, &mut offset, offered as usize)
    } else {
        let (count, size) = client.transport.output_buffers;
        let room = (buffer.len().min(count.saturating_mul(size)))
            .min(usize::try_from(offered).unwrap_or(usize::MAX));
        match file::pread(file, &mut buffer[..room], range.start) {
            Ok(0) => Ok(0),
            Ok(count) => {
                let sent = stream.writev(&[IoSlice::new(&buffer[..count])]);
                return Some((count as u64, sent));
            }
            Err(error) => Err(error),
        }
    };
    if matches!(result, Ok(0)) {
        if let Some(x) = client.sending() {
            x.log(
                Level::Error,
                format_args!("the file ended before its promised size"),
            );
        }
        return None;
    }
    Some((offered, result))
}

/// What a look at a file says that is being sent.
enum Look {
    /// What was promised is still there.
    Same,
    /// It was written to; whether it only grew will be seen in a moment.
    Unclear,
    /// It is not what was promised.
    Changed,
}

/// Looks whether a file was written to since its head went out. One that only grew is the same.
fn look(client: &Client, file: &File) -> Look {
    let (Some(x), Ok(now)) = (client.sending(), file::meta(file)) else {
        return Look::Same;
    };
    let same = |promised: Meta| {
        let same_time = (promised.mtime, promised.mtime_nanos) == (now.mtime, now.mtime_nanos);
        same_time || now.size > promised.size
    };
    if x.promised.is_none_or(same) {
        client.unclear_until.set(None);
        return Look::Same;
    }
    let present = client.link.clock.now();
    let until = client.unclear_until.get().unwrap_or(present + SETTLING);
    client.unclear_until.set(Some(until));
    let cut_short = x.promised.is_some_and(|promised| now.size < promised.size);
    if present < until && !cut_short {
        return Look::Unclear;
    }
    x.log(
        Level::Error,
        format_args!("the file was changed while it was sent"),
    );
    Look::Changed
}
