//! Sending what a connection has ready: memory by one call, files by sendfile or by reading.

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::disk::Disk;
use super::waiting::Loading;
use crate::http::Pieces;
use crate::log::Level;
use crate::site::transport::{Aio, Transport};
use crate::sys::file::Meta;
use crate::sys::socket::Stream;
use crate::sys::{OsError, at_hand, file};

/// A write that makes a file grow sets its time before its size, and the disk may be slow between:
/// for so long it may look like one that changes what is there.
const SETTLING: Duration = Duration::from_millis(100);

/// Bytes of a file that are sent together with the head; copying them costs less than another call.
const FIRST: u64 = 16 << 10;
/// Bytes of a file that are looked for in memory before they are sent, and how far apart.
const PROBED: usize = 512 << 10;
const STEP: usize = 64 << 10;

/// How a file is read. The number is that of its device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Here, even if it blocks: that was asked for.
    #[default]
    Plain,
    /// Here, but for what is not in memory.
    Probe { device: u64 },
    /// As `Probe`, and never by sendfile, which could block after all.
    Threads { device: u64 },
    /// By threads: nobody knows what it takes.
    Remote { device: u64 },
}

impl Source {
    /// How a file of this device is read.
    pub fn of(device: u64, transport: &Transport, disk: &Disk) -> Source {
        match transport.aio {
            _ if disk.is_remote(device) => Source::Remote { device },
            Aio::Off => Source::Plain,
            Aio::Probe => Source::Probe { device },
            Aio::Threads(_) => Source::Threads { device },
        }
    }

    /// The number of its device.
    pub fn device(self) -> u64 {
        match self {
            Source::Plain => 0,
            Source::Probe { device } | Source::Threads { device } | Source::Remote { device } => {
                device
            }
        }
    }
}

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
    /// The file is not what was promised any more, or cannot be read.
    Broken,
    /// This part of a file has to be read by a thread first.
    Absent(Arc<File>, Range<u64>),
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
    let Some(room) = client.room() else {
        return Progress::None;
    };
    match attempt(client, (*budget).min(room), room, buffer) {
        Attempt::Nothing => Progress::None,
        Attempt::Broken => {
            client.close();
            Progress::Failed
        }
        Attempt::Absent(file, range) => match client.load(&file, range) {
            true => Progress::None,
            false => Progress::Failed,
        },
        Attempt::Memory(offered, sent) => {
            let is_short = matches!(sent, Ok(count) if count < offered);
            client.writable = !is_short;
            account(client, budget, sent)
        }
        Attempt::File(sent) => account(client, budget, sent),
    }
}

fn attempt(client: &Client, budget: u64, room: u64, buffer: &mut [u8]) -> Attempt {
    let all = client.http.output();
    let limited;
    let pieces = match room {
        u64::MAX => &all,
        room => {
            limited = all.limited(room);
            &limited
        }
    };
    let stream = &client.link.stream;
    let slices = pieces.slices();
    match &pieces.file {
        None if slices.is_empty() => Attempt::Nothing,
        None => Attempt::Memory(total(slices), write(stream, slices, pieces.more)),
        Some((file, range)) if slices.is_empty() => send_file(client, file, range, budget, buffer),
        Some((file, range)) => match first_bytes(client, file, range, buffer) {
            Some(bytes) => {
                let mut all = [IoSlice::new(&[]); Pieces::MAX + 1];
                all[..slices.len()].copy_from_slice(slices);
                all[slices.len()] = IoSlice::new(bytes);
                let all = &all[..=slices.len()];
                let more = pieces.more || range.end - range.start > bytes.len() as u64;
                Attempt::Memory(total(all), write(stream, all, more))
            }
            // The file follows at once, unless it has to be waited for.
            None => Attempt::Memory(
                total(slices),
                write(stream, slices, client.source == Source::Plain),
            ),
        },
    }
}

/// The first bytes of a file that can go with what stands before it.
fn first_bytes<'a>(
    client: &'a Client,
    file: &File,
    range: &Range<u64>,
    buffer: &'a mut [u8],
) -> Option<&'a [u8]> {
    let is_same = || matches!(look(client, file, range), Look::Same);
    if client.source == Source::Plain || !is_same() {
        return None;
    }
    let room = (range.end - range.start).min(FIRST);
    let bytes = bytes_at(client, file, range.start, room as usize, buffer);
    bytes.ok().flatten().filter(|bytes| !bytes.is_empty())
}

/// Bytes of a file, if reading them does not block; none at its end.
fn bytes_at<'a>(
    client: &'a Client,
    file: &File,
    start: u64,
    room: usize,
    buffer: &'a mut [u8],
) -> io::Result<Option<&'a [u8]>> {
    match &client.loading {
        Loading::Here(part) if let Some(bytes) = part.from(start) => {
            return Ok(Some(&bytes[..room.min(bytes.len())]));
        }
        Loading::Failed(error) => return Err(error.kind().into()),
        _ => {}
    }
    let buffer = &mut buffer[..room];
    let read = match client.source {
        Source::Plain => file::pread(file, buffer, start),
        Source::Remote { .. } => return Ok(None),
        Source::Probe { .. } | Source::Threads { .. } => match at_hand::read(file, buffer, start) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                file::pread(file, buffer, start)
            }
            read => read,
        },
    };
    read.map(|count| Some(&buffer[..count]))
}

fn total(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).sum()
}

fn write(stream: &Stream, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    if more {
        stream.send_more(slices)
    } else {
        stream.writev(slices)
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
    file: &Arc<File>,
    range: &Range<u64>,
    budget: u64,
    buffer: &mut [u8],
) -> Attempt {
    match look(client, file, range) {
        Look::Same => {}
        Look::Unclear => return Attempt::Nothing,
        Look::Changed => return Attempt::Broken,
    }
    let offered = usize::try_from((range.end - range.start).min(budget)).unwrap_or(usize::MAX);
    let stream = &client.link.stream;
    let sent = match sendable(client, file, range.start, offered) {
        Some(count) => stream.sendfile(file, &mut range.start.clone(), count),
        None => {
            let (count, size) = client.transport.output_buffers;
            let room = buffer.len().min(offered).min(count.saturating_mul(size));
            match bytes_at(client, file, range.start, room, buffer) {
                Ok(Some([])) => Ok(0),
                Ok(Some(bytes)) => stream.writev(&[IoSlice::new(bytes)]),
                Ok(None) => return Attempt::Absent(file.clone(), range.clone()),
                Err(error) => {
                    return broken(client, format_args!("read() failed {}", OsError(&error)));
                }
            }
        }
    };
    if matches!(sent, Ok(0)) {
        return broken(
            client,
            format_args!("the file ended before its promised size"),
        );
    }
    Attempt::File(sent)
}

fn broken(client: &Client, what: fmt::Arguments<'_>) -> Attempt {
    if let Some(x) = client.sending() {
        x.log(Level::Error, what);
    }
    Attempt::Broken
}

/// How many bytes sendfile(2) can send without waiting for a disk; none if it is not to be used.
fn sendable(client: &Client, file: &File, start: u64, offered: usize) -> Option<usize> {
    match client.source {
        _ if !client.transport.sendfile => None,
        Source::Plain => Some(offered),
        Source::Probe { .. } => Some(in_memory(file, start, offered)).filter(|count| *count > 0),
        Source::Threads { .. } | Source::Remote { .. } => None,
    }
}

/// About how many bytes of a file are in memory. The kernel reads files in larger steps than these.
fn in_memory(file: &File, start: u64, offered: usize) -> usize {
    let offered = offered.min(PROBED);
    for at in (0..offered).step_by(STEP).chain([offered - 1]) {
        match at_hand::read(file, &mut [0], start + at as u64) {
            Ok(1) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return at / STEP * STEP,
            // Whatever it is, sendfile will say so.
            _ => return offered,
        }
    }
    offered
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
fn look(client: &Client, file: &File, range: &Range<u64>) -> Look {
    let is_remote = matches!(client.source, Source::Remote { .. });
    let now = match &client.loading {
        // It was seen as it was opened a moment ago.
        _ if range.start == 0 => return Look::Same,
        Loading::Here(part) if part.from(range.start).is_some() => Ok(part.meta),
        _ if is_remote => return Look::Same,
        _ => file::meta(file),
    };
    let (Some(x), Ok(now)) = (client.sending(), now) else {
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
    if present < until && !cut_short && !is_remote {
        return Look::Unclear;
    }
    x.log(
        Level::Error,
        format_args!("the file was changed while it was sent"),
    );
    Look::Changed
}
