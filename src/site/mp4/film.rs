//! A film from one moment to another: the file is read as far as it takes, its `moov` is written anew,
//! and of its `mdat` a part is named that follows. Nothing is known here of requests.

use std::io;
use std::ops::Range;

use super::atom::{self, Atoms, Fault, Header, LONGEST};
use super::cut::{self, Whole};
use super::timed::{FILM, Span, Timed};
use super::track::Track;

/// Bytes of the largest `ftyp`, without its header.
const LARGEST_TYPE: u64 = 1024;

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that are read at once (`mp4_buffer_size`).
    pub buffer: usize,
    /// Bytes that a `moov` may have if it does not fit into these (`mp4_max_buffer_size`).
    pub most: u64,
}

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// The file as it is.
    Whole,
    /// These bytes, and this part of the file.
    Part(Vec<u8>, Range<u64>),
}

/// Cuts a file of so many bytes, which are read by offset: fewer bytes only at its end.
///
/// # Errors
/// It is not what it should be, or the part that is asked for is not in it.
pub fn cut(
    size: u64,
    read: impl FnMut(u64, &mut [u8]) -> io::Result<usize>,
    limits: Limits,
    span: Span,
) -> Result<Cut, Fault> {
    let mut window = Window {
        read,
        size,
        start: 0,
        bytes: Vec::new(),
        step: limits.buffer.max(LONGEST),
    };
    let (mut kind, mut film, mut data) = (None, None, None);
    let mut at = 0;
    while at < size && (film.is_none() || data.is_none()) {
        let Some(header) = Header::read(window.at(at, LONGEST)?, size - at)? else {
            break;
        };
        let inside = at + header.length..at + header.size;
        let length = inside.end - inside.start;
        match &header.name {
            b"ftyp" if length > LARGEST_TYPE => {
                return Fault::is(format!("ftyp atom is too large:{length}"));
            }
            b"ftyp" if kind.is_some() => return Fault::holds("duplicate mp4 ftyp atom"),
            b"ftyp" => kind = Some(window.all(inside)?),
            b"moov" if data.is_none() && span.start == 0 && span.length == 0 => {
                return Ok(Cut::Whole);
            }
            b"moov" if film.is_some() => return Fault::holds("duplicate mp4 moov atom"),
            b"moov" if length > limits.most.max(limits.buffer as u64) => {
                let advice = "you may want to increase mp4_max_buffer_size";
                return Fault::is(format!("moov atom is too large:{length}, {advice}"));
            }
            b"moov" => film = Some(window.all(inside)?),
            b"mdat" if data.is_some() => return Fault::holds("duplicate mp4 mdat atom"),
            b"mdat" => data = Some(inside),
            _ => {}
        }
        at += header.size;
    }
    let mut film = Film::read(film.as_deref().unwrap_or_default(), span)?;
    let Some(data) = data else {
        return Fault::holds("no mp4 mdat atom was found");
    };
    film.cut(
        kind.as_deref(),
        Whole {
            size,
            end: data.end,
        },
        span,
    )
}

/// A part of a file in memory.
struct Window<R> {
    read: R,
    size: u64,
    start: u64,
    bytes: Vec<u8>,
    step: usize,
}

impl<R: FnMut(u64, &mut [u8]) -> io::Result<usize>> Window<R> {
    /// So many bytes from an offset on; fewer at the end of the file.
    fn at(&mut self, offset: u64, length: usize) -> Result<&[u8], Fault> {
        let room = usize::try_from(self.size - offset).unwrap_or(usize::MAX);
        let length = length.min(room);
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + length as u64 > end {
            self.bytes.resize(self.step.max(length).min(room), 0);
            self.start = offset;
            let count = (self.read)(offset, &mut self.bytes).map_err(Fault::Unread)?;
            self.bytes.truncate(count);
        }
        let skipped = (offset - self.start) as usize;
        match self.bytes.get(skipped..skipped + length) {
            Some(bytes) => Ok(bytes),
            None => Fault::is("file truncated"),
        }
    }

    fn all(&mut self, range: Range<u64>) -> Result<Vec<u8>, Fault> {
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        self.at(range.start, length).map(<[u8]>::to_vec)
    }
}

struct Film<'a> {
    header: Option<Timed>,
    tracks: Vec<Track<'a>>,
}

impl<'a> Film<'a> {
    fn read(data: &'a [u8], span: Span) -> Result<Film<'a>, Fault> {
        let mut film = Film {
            header: None,
            tracks: Vec::new(),
        };
        for atom in Atoms(data) {
            match atom? {
                (b"mvhd", _) if film.header.is_some() => {
                    return Fault::holds("duplicate mp4 mvhd atom");
                }
                (b"mvhd", data) => film.header = Some(header(data, span)?),
                (b"trak", data) => {
                    let timescale = film.header.as_ref().map_or(0, Timed::timescale);
                    film.tracks.extend(Track::read(data, timescale, span)?);
                }
                (b"cmov", _) => {
                    return Fault::is("compressed moov atom (cmov) is not supported");
                }
                _ => {}
            }
        }
        match film.tracks.is_empty() {
            true => Fault::holds("no mp4 trak atoms were found"),
            false => Ok(film),
        }
    }

    /// Cuts all tracks, and moves them to where they will be behind their new tables.
    fn cut(&mut self, kind: Option<&[u8]>, whole: Whole, span: Span) -> Result<Cut, Fault> {
        let mut range = whole.size..0;
        for track in &mut self.tracks {
            if let Some(needed) = cut::track(track, span, whole)? {
                range = range.start.min(needed.start)..range.end.max(needed.end);
            }
        }
        if range.is_empty() {
            return Fault::holds("no data between start time and end time");
        }
        if range.start >= whole.end {
            return Fault::holds("start time is out mp4 mdat atom");
        }
        let mut head = Vec::new();
        atom::copy(&mut head, b"ftyp", kind);
        let data = data_header(range.end - range.start);
        let length = head.len() + self.written().len() + data.len();
        let shift = (length as u64).wrapping_sub(range.start);
        for offsets in self.tracks.iter_mut().filter_map(|it| it.offsets.as_mut()) {
            offsets.adjust(shift);
        }
        head.extend(self.written());
        head.extend(data);
        Ok(Cut::Part(head, range))
    }

    fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        atom::write(&mut out, b"moov", |out| {
            atom::copy(out, b"mvhd", self.header.as_ref().map(|it| &it.data[..]));
            for track in &self.tracks {
                track.write(out);
            }
        });
        out
    }
}

fn header(data: &[u8], span: Span) -> Result<Timed, Fault> {
    let mut header = Timed::read("mvhd", data, FILM)?;
    let Some(left) = span.of(header.duration(), header.timescale()) else {
        return Fault::is("start time exceeds file duration");
    };
    header.set_duration(left);
    Ok(header)
}

/// The header of an `mdat` with so many bytes in it.
fn data_header(length: u64) -> Vec<u8> {
    match u32::try_from(length.saturating_add(8)) {
        Ok(size) => [&size.to_be_bytes()[..], b"mdat"].concat(),
        Err(_) => {
            let size = length.saturating_add(16).to_be_bytes();
            [&b"\0\0\0\x01mdat"[..], &size].concat()
        }
    }
}

#[cfg(test)]
mod tests;
