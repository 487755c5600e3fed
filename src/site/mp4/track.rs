//! A track of a film: its headers and tables, read from its atom and written as one. Of other atoms
//! in it nothing is sent.

use super::atom::{self, Atoms, Fault};
use super::tables::{Offsets, Sizes, Table};
use super::timed::{MEDIA, Span, TRACK, Timed};

/// A track.
#[derive(Default)]
pub struct Track<'a> {
    header: Option<Timed>,
    media: Option<Timed>,
    handler: Option<&'a [u8]>,
    video: Option<&'a [u8]>,
    sound: Option<&'a [u8]>,
    sources: Option<&'a [u8]>,
    description: Option<&'a [u8]>,
    /// How long it is when it is sent, in the film's time scale.
    movie_duration: u64,
    /// How long what is in it is when it is sent, in its own time scale.
    pub(super) duration: u64,
    /// Time that is sent before the start that was asked for.
    pub(super) prefix: u64,
    pub(super) times: Option<Table<2>>,
    pub(super) key_frames: Option<Table<1>>,
    pub(super) compositions: Option<Table<2>>,
    pub(super) chunks: Option<Table<3>>,
    /// A chunk of which samples at its start are left out.
    pub(super) first_chunk: Option<[u32; 3]>,
    /// A chunk of which samples at its end are left out.
    pub(super) last_chunk: Option<[u32; 3]>,
    pub(super) sizes: Option<Sizes>,
    pub(super) offsets: Option<Offsets>,
}

impl<'a> Track<'a> {
    /// Reads the data of `trak`; none if the track is over before the start.
    ///
    /// # Errors
    /// What is in it does not fit together.
    pub fn read(data: &'a [u8], timescale: u32, span: Span) -> Result<Option<Track<'a>>, Fault> {
        let mut track = Track::default();
        for atom in Atoms(data) {
            let goes_on = match atom? {
                (name @ b"tkhd", data) => track.read_header(name, data, timescale, span)?,
                (b"mdia", data) => track.read_media(data, span)?,
                _ => true,
            };
            if !goes_on {
                return Ok(None);
            }
        }
        Ok(Some(track))
    }

    /// Whether the track goes on after the start.
    fn read_header(
        &mut self,
        name: &[u8; 4],
        data: &[u8],
        timescale: u32,
        span: Span,
    ) -> Result<bool, Fault> {
        let mut header = Timed::read("tkhd", data, TRACK)?;
        let Some(left) = span
            .of(header.duration(), timescale)
            .filter(|left| *left > 0)
        else {
            return Ok(false);
        };
        header.set_duration(left);
        self.movie_duration = left;
        once(&mut self.header, header, name)?;
        Ok(true)
    }

    fn read_media(&mut self, data: &'a [u8], span: Span) -> Result<bool, Fault> {
        for atom in Atoms(data) {
            match atom? {
                (name @ b"mdhd", data) => {
                    let media = Timed::read("mdhd", data, MEDIA)?;
                    let left = span.of(media.duration(), media.timescale());
                    let Some(left) = left.filter(|left| *left > 0) else {
                        return Ok(false);
                    };
                    self.duration = left;
                    once(&mut self.media, media, name)?;
                }
                (name @ b"hdlr", data) => once(&mut self.handler, data, name)?,
                (b"minf", data) => self.read_information(data)?,
                _ => {}
            }
        }
        Ok(true)
    }

    fn read_information(&mut self, data: &'a [u8]) -> Result<(), Fault> {
        for atom in Atoms(data) {
            match atom? {
                (b"vmhd" | b"smhd", _) if self.video.or(self.sound).is_some() => {
                    return Fault::holds("duplicate mp4 vmhd/smhd atom");
                }
                (b"vmhd", data) => self.video = Some(data),
                (b"smhd", data) => self.sound = Some(data),
                (name @ b"dinf", data) => once(&mut self.sources, data, name)?,
                (b"stbl", data) => self.read_tables(data)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_tables(&mut self, data: &'a [u8]) -> Result<(), Fault> {
        for atom in Atoms(data) {
            let (name, data) = atom?;
            match name {
                b"stsd" if data.len() < 16 => return Fault::is("stsd atom too small"),
                b"stsd" => once(&mut self.description, data, name)?,
                b"stts" => once(&mut self.times, Table::read("stts", data)?, name)?,
                b"stss" => once(&mut self.key_frames, Table::read("stss", data)?, name)?,
                b"ctts" => once(&mut self.compositions, Table::read("ctts", data)?, name)?,
                b"stsc" => once(&mut self.chunks, Table::read("stsc", data)?, name)?,
                b"stsz" => once(&mut self.sizes, Sizes::read(data)?, name)?,
                b"stco" | b"co64" => {
                    let offsets = Offsets::read(data, name == b"co64")?;
                    if self.offsets.replace(offsets).is_some() {
                        return Fault::holds("duplicate mp4 stco/co64 atom");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Units in a second.
    pub(super) fn timescale(&self) -> u32 {
        self.media.as_ref().map_or(0, Timed::timescale)
    }

    /// Appends it as an atom.
    pub fn write(&self, out: &mut Vec<u8>) {
        atom::write(out, b"trak", |out| {
            let header = self.header.as_ref().map(|header| &header.data[..]);
            atom::copy(out, b"tkhd", header);
            self.write_edit(out);
            atom::write(out, b"mdia", |out| self.write_media(out));
        });
    }

    /// Appends an edit list that has players skip what is sent before the start.
    fn write_edit(&self, out: &mut Vec<u8>) {
        if self.prefix == 0 {
            return;
        }
        let list = |out: &mut Vec<u8>| {
            // Version 1, and one entry.
            out.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 1]);
            out.extend_from_slice(&self.movie_duration.to_be_bytes());
            out.extend_from_slice(&self.prefix.to_be_bytes());
            out.extend_from_slice(&[0, 1, 0, 0]);
        };
        atom::write(out, b"edts", |out| atom::write(out, b"elst", list));
    }

    fn write_media(&self, out: &mut Vec<u8>) {
        if let Some(mut media) = self.media.clone() {
            media.set_duration(self.duration);
            atom::copy(out, b"mdhd", Some(&media.data));
        }
        atom::copy(out, b"hdlr", self.handler);
        atom::write(out, b"minf", |out| {
            atom::copy(out, b"vmhd", self.video);
            atom::copy(out, b"smhd", self.sound);
            atom::copy(out, b"dinf", self.sources);
            atom::write(out, b"stbl", |out| self.write_tables(out));
        });
    }

    fn write_tables(&self, out: &mut Vec<u8>) {
        atom::copy(out, b"stsd", self.description);
        let write = |out: &mut Vec<u8>, table: &Option<Table<2>>, name| {
            if let Some(table) = table {
                table.write(out, name);
            }
        };
        write(out, &self.times, b"stts");
        if let Some(key_frames) = &self.key_frames {
            key_frames.write(out, b"stss");
        }
        write(out, &self.compositions, b"ctts");
        if let Some(mut chunks) = self.chunks.clone() {
            chunks.entries.splice(0..0, self.first_chunk);
            chunks.entries.extend(self.last_chunk);
            chunks.write(out, b"stsc");
        }
        if let Some(sizes) = &self.sizes {
            sizes.write(out);
        }
        if let Some(offsets) = &self.offsets {
            offsets.write(out);
        }
    }
}

fn once<T>(place: &mut Option<T>, atom: T, name: &[u8; 4]) -> Result<(), Fault> {
    match place.replace(atom) {
        None => Ok(()),
        Some(_) => Fault::holds(format!("duplicate mp4 {} atom", name.escape_ascii())),
    }
}
