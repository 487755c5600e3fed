//! Headers that tell a duration: of the film, of a track, of what is in it (ISO/IEC 14496-12 sections
//! 8.2.2, 8.3.2 and 8.4.2).

use super::atom::{Fault, u32_at, u64_at};

/// Where the numbers of a header are: bytes it has at least, and the offsets of its time scale and
/// its duration.
type Layout = (usize, usize, usize);

/// The layouts of `mvhd`, with numbers of 32 and of 64 bits.
pub const FILM: [Layout; 2] = [(100, 12, 16), (112, 20, 24)];
/// Those of `tkhd`, which has no time scale of its own: it counts in the film's.
pub const TRACK: [Layout; 2] = [(84, 0, 20), (96, 0, 28)];
/// Those of `mdhd`.
pub const MEDIA: [Layout; 2] = [(24, 12, 16), (36, 20, 24)];

/// What is asked for of a film.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it starts, in milliseconds.
    pub start: u64,
    /// How long it is, in milliseconds; 0 if it goes on to the end.
    pub length: u64,
    /// Whether to begin with the key frame before it (`mp4_start_key_frame`).
    pub key_frames: bool,
}

/// Milliseconds in another time scale.
pub fn scaled(milliseconds: u64, timescale: u32) -> u64 {
    let time = u128::from(milliseconds) * u128::from(timescale) / 1000;
    u64::try_from(time).unwrap_or(u64::MAX)
}

impl Span {
    /// What is left of a duration from the start on; none if it is over before.
    pub fn of(&self, duration: u64, timescale: u32) -> Option<u64> {
        let left = duration.checked_sub(scaled(self.start, timescale))?;
        Some(match self.length {
            0 => left,
            length => left.min(scaled(length, timescale)),
        })
    }
}

/// A header with a duration.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Its data.
    pub data: Vec<u8>,
    layout: Layout,
    wide: bool,
}

impl Timed {
    /// Reads the data of the atom of this name.
    ///
    /// # Errors
    /// It has too few bytes for what its version has.
    pub fn read(name: &str, data: &[u8], layouts: [Layout; 2]) -> Result<Timed, Fault> {
        let wide = data.first().is_some_and(|&version| version != 0);
        let layout = layouts[usize::from(wide)];
        if data.len() < layout.0 {
            return Fault::is(format!("{name} atom too small"));
        }
        let data = data.to_vec();
        Ok(Timed { data, layout, wide })
    }

    /// Units in a second.
    pub fn timescale(&self) -> u32 {
        u32_at(&self.data, self.layout.1)
    }

    /// Its duration, in these units.
    pub fn duration(&self) -> u64 {
        match self.wide {
            true => u64_at(&self.data, self.layout.2),
            false => u32_at(&self.data, self.layout.2).into(),
        }
    }

    /// Changes its duration.
    pub fn set_duration(&mut self, duration: u64) {
        let place = &mut self.data[self.layout.2..];
        match self.wide {
            true => place[..8].copy_from_slice(&duration.to_be_bytes()),
            false => place[..4].copy_from_slice(&(duration as u32).to_be_bytes()),
        }
    }
}
