//! The tables of a track, which say when its samples are shown and where they are (ISO/IEC 14496-12
//! section 8.6 and 8.7), and how they are cut down to the samples that are sent. Nothing in them is
//! believed: what does not fit together is a fault, never a panic.

use super::atom::{self, Fault, u32_at, u64_at};

/// A table of entries of `N` numbers.
#[derive(Clone, Debug, Default)]
pub struct Table<const N: usize> {
    /// Version and flags, which are sent as they are.
    start: [u8; 4],
    /// Its entries.
    pub entries: Vec<[u32; N]>,
}

impl<const N: usize> Table<N> {
    /// Reads the data of the atom of this name.
    ///
    /// # Errors
    /// It has fewer entries than it says.
    pub fn read(name: &str, data: &[u8]) -> Result<Table<N>, Fault> {
        let (start, entries) = split(name, data, 4 * N)?;
        let entry = |bytes: &[u8]| std::array::from_fn(|at| u32_at(bytes, 4 * at));
        let entries = entries.chunks_exact(4 * N).map(entry).collect();
        Ok(Table { start, entries })
    }

    /// Appends it as an atom.
    pub fn write(&self, out: &mut Vec<u8>, name: &[u8; 4]) {
        atom::write(out, name, |out| {
            out.extend_from_slice(&self.start);
            out.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
            for number in self.entries.as_flattened() {
                out.extend_from_slice(&number.to_be_bytes());
            }
        });
    }
}

/// Version, flags, and the entries of a table: as many as it says.
fn split<'a>(name: &str, data: &'a [u8], entry: usize) -> Result<([u8; 4], &'a [u8]), Fault> {
    let too_small = || Fault::Is(format!("{name} atom too small"));
    let (start, rest) = data.split_first_chunk::<4>().ok_or_else(too_small)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(too_small)?;
    let size = u64::from(u32::from_be_bytes(*count)) * entry as u64;
    let size = usize::try_from(size).map_err(|_| too_small())?;
    Ok((*start, rest.get(..size).ok_or_else(too_small)?))
}

/// Of entries that each stand for a number of units: the one in which a unit lies, and how many of
/// its own units are before that. None if there are not so many.
pub fn find(counts: impl Iterator<Item = u64>, units: u64) -> Option<(usize, u64)> {
    let mut left = units;
    for (at, count) in counts.enumerate() {
        if left < count {
            return Some((at, left));
        }
        left -= count;
    }
    None
}

/// The sizes of samples: of each, or one of all.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Version, flags, and the size that all have; 0 if each has its own.
    start: [u8; 8],
    /// How many samples it speaks of.
    count: u32,
    /// The sizes, if each sample has its own.
    pub each: Option<Vec<u32>>,
}

impl Sizes {
    /// Reads the data of `stsz`.
    ///
    /// # Errors
    /// It has fewer entries than it says.
    pub fn read(data: &[u8]) -> Result<Sizes, Fault> {
        let too_small = || Fault::Is("stsz atom too small".into());
        let (&start, rest) = data.split_first_chunk::<8>().ok_or_else(too_small)?;
        let (&count, rest) = rest.split_first_chunk::<4>().ok_or_else(too_small)?;
        let count = u32::from_be_bytes(count);
        let mut each = None;
        if u32_at(&start, 4) == 0 {
            let size = usize::try_from(4 * u64::from(count)).map_err(|_| too_small())?;
            let sizes = rest.get(..size).ok_or_else(too_small)?;
            each = Some(sizes.chunks_exact(4).map(|size| u32_at(size, 0)).collect());
        }
        Ok(Sizes { start, count, each })
    }

    /// Appends it as an atom.
    pub fn write(&self, out: &mut Vec<u8>) {
        let count = self.each.as_ref().map(|each| each.len() as u32);
        atom::write(out, b"stsz", |out| {
            out.extend_from_slice(&self.start);
            out.extend_from_slice(&count.unwrap_or(self.count).to_be_bytes());
            for size in self.each.iter().flatten() {
                out.extend_from_slice(&size.to_be_bytes());
            }
        });
    }
}

/// Where chunks start in the file.
#[derive(Clone, Debug)]
pub struct Offsets {
    start: [u8; 4],
    /// Whether they have 64 bits (`co64`), or 32 (`stco`).
    pub wide: bool,
    /// The offsets.
    pub each: Vec<u64>,
}

impl Offsets {
    /// Reads the data of `stco` or `co64`.
    ///
    /// # Errors
    /// It has fewer entries than it says.
    pub fn read(data: &[u8], wide: bool) -> Result<Offsets, Fault> {
        let (start, each) = match wide {
            true => {
                let (start, bytes) = split("co64", data, 8)?;
                (
                    start,
                    bytes.chunks_exact(8).map(|it| u64_at(it, 0)).collect(),
                )
            }
            false => {
                let (start, bytes) = split("stco", data, 4)?;
                let offset = |bytes| u32_at(bytes, 0).into();
                (start, bytes.chunks_exact(4).map(offset).collect())
            }
        };
        Ok(Offsets { start, wide, each })
    }

    /// The name of its atom.
    pub fn name(&self) -> &'static str {
        if self.wide { "co64" } else { "stco" }
    }

    /// Moves all of them.
    pub fn adjust(&mut self, by: u64) {
        for offset in &mut self.each {
            *offset = offset.wrapping_add(by);
        }
    }

    /// Appends it as an atom.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = if self.wide { b"co64" } else { b"stco" };
        atom::write(out, name, |out| {
            out.extend_from_slice(&self.start);
            out.extend_from_slice(&(self.each.len() as u32).to_be_bytes());
            for &offset in &self.each {
                match self.wide {
                    true => out.extend_from_slice(&offset.to_be_bytes()),
                    false => out.extend_from_slice(&(offset as u32).to_be_bytes()),
                }
            }
        });
    }
}
