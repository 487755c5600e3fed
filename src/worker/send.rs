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

/// What one attempt came to.
enum Attempt {
    /// There is nothing to send now.
    Nothing,
    /// The file is not what was promised any more.
    Broken,
    /// So much memory was offered. A short write says that there is no more room.
    Memory(usize, io::Result<usize>),
    /// A part of a file was offered. sendfile(2) can be short for other reasons than room: only
    /// EAGAIN tells.
    File(io::Result<usize>),
}

/// Sends once, at most as much as is left of the budget.
pub fn send(client: &mut Client, budget: &mut u64, buffer: &mut [u8]) -> Progress {
    if !client.writable {
        return Progress::None;
    }
    match attempt(client, *budget, buffer) {
        Attempt::Nothing => Progress::None,
        Attempt::Broken => {
            client.close();
            Progress::Failed
        }
        Attempt::Memory(offered, sent) => {
            let is_short = matches!(sent, Ok(count) if count < offered);
            client.writable = !is_short;
            account(client, budget, sent)
        }
        Attempt::File(sent) => account(client, budget, sent),
    }
}

fn attempt(client: &Client, budget: u64, buffer: &mut [u8]) -> Attempt {
    let pieces = client.http.output();
    let stream = &client.link.stream;
    match (pieces.slices(), &pieces.file) {
        ([], None) => Attempt::Nothing,
        ([], Some((file, range))) => send_file(client, file, range, budget, buffer),
        (slices, file) => {
            let offered = slices.iter().map(|slice| slice.len()).sum();
            let sent = if file.is_some() || pieces.more {
                stream.send_more(slices)
            } else {
                stream.writev(slices)
            };
            Attempt::Memory(offered, sent)
        }
    }
}

/// Takes note of what was sent.
fn account(client: &mut Client, budget: &mut u64, sent: io::Result<usize>) -> Progress {
    match sent {
        Ok(count) => {
            *budget = budget.saturating_sub(count as u64);
            client.sent(count as u64);
            Progress::Made
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            client.writable = false;
            Progress::None
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Progress::Made,
        Err(error) => {
            if let Some(x) = client.sending() {
                let what = format_args!("writev() failed {}", OsError(&error));
                x.log(Level::Info, what);
            }
            Progress::Failed
        }
    }
}

/// Offers a part of a file that is still what was promised. Nothing is offered while that is
/// unclear.
fn send_file(
    client: &Client,
    file: &File,
    range: &Range<u64>,
    budget: u64,
    buffer: &mut [u8],
) -> Attempt {
    if range.start > 0 {
        match look(client, file) {
            Look::Same => {}
            Look::Unclear => return Attempt::Nothing,
            Look::Changed => return Attempt::Broken,
        }
    }
    let offered = usize::try_from((range.end - range.start).min(budget)).unwrap_or(usize::MAX);
    let stream = &client.link.stream;
    let sent = if client.transport.sendfile {
        let mut offset = range.start;
        stream.sendfile(file, &mut offset, offered)
    } else {
        let (count, size) = client.transport.output_buffers;
        let room = buffer.len().min(offered).min(count.saturating_mul(size));
        match file::pread(file, &mut buffer[..room], range.start) {
            Ok(count) if count > 0 => stream.writev(&[IoSlice::new(&buffer[..count])]),
            end => end,
        }
    };
    if matches!(sent, Ok(0)) {
        if let Some(x) = client.sending() {
            let what = format_args!("the file ended before its promised size");
            x.log(Level::Error, what);
        }
        return Attempt::Broken;
    }
    Attempt::File(sent)
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
