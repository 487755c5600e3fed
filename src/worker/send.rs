//! Sending what a connection has ready: memory by one call, files by sendfile or by reading.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;

use super::client::Client;
use crate::log::Level;
use crate::sys::{OsError, file};

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
/// what was promised any more: it was cut short or written to.
fn send_file(
    client: &Client,
    file: &File,
    range: &Range<u64>,
    budget: u64,
    buffer: &mut [u8],
) -> Option<(u64, io::Result<usize>)> {
    let offered = (range.end - range.start).min(budget);
    if range.start > 0 && has_changed(client, file) {
        return None;
    }
    let stream = &client.link.stream;
    let result = if client.transport.sendfile {
        let mut offset = range.start;
        stream.sendfile(file, &mut offset, offered as usize)
    } else {
        let room = buffer
            .len()
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

/// Whether a file that is being sent was written to since its head went out.
fn has_changed(client: &Client, file: &File) -> bool {
    let Some(x) = client.sending() else {
        return false;
    };
    let (Some(promised), Ok(now)) = (x.promised, file::meta(file)) else {
        return false;
    };
    let changed = promised.mtime != now.mtime || promised.mtime_nanos != now.mtime_nanos;
    let grown_only = now.size > promised.size;
    if changed && !grown_only {
        x.log(
            Level::Error,
            format_args!("the file was changed while it was sent"),
        );
        return true;
    }
    false
}
