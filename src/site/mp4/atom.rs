//! Atoms: what an MP4 file is made of (ISO/IEC 14496-12 section 4.2). Each has a size, a name and
//! data, which may be atoms again. No size is believed before it was compared with what is there.

use std::fmt;
use std::io;
use std::path::Path;

use crate::log::Legible;
use crate::sys::OsError;

/// Why a file cannot be cut.
#[derive(Debug)]
pub enum Fault {
    /// The file is so.
    Is(String),
    /// This is in the file.
    Holds(String),
    /// It cannot be read.
    Unread(io::Error),
}

impl Fault {
    /// The file is so.
    pub fn is<T>(what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Is(what.into()))
    }

    /// This is in the file.
    pub fn holds<T>(what: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Holds(what.into()))
    }

    /// What is said about it, in nginx's words.
    pub fn about(&self, path: &Path) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let path = Legible(path);
            match self {
                Fault::Is(what) => write!(f, "\"{path}\" mp4 {what}"),
                Fault::Holds(what) => write!(f, "{what} in \"{path}\""),
                Fault::Unread(error) => write!(f, "read() \"{path}\" failed {}", OsError(error)),
            }
        })
    }
}

/// The start of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: [u8; 4],
    /// Bytes of the header itself.
    pub length: u64,
    /// Bytes of all of it.
    pub size: u64,
}

/// Bytes of the longest header.
pub const LONGEST: usize = 16;

impl Header {
    /// Reads the header at the start of `bytes`, of which as many are there as a header can have, or
    /// as the container has `room` for; none at the end of the atoms in it.
    ///
    /// # Errors
    /// It is larger than the container, or too small for itself.
    pub fn read(bytes: &[u8], room: u64) -> Result<Option<Header>, Fault> {
        let Some((size, rest)) = bytes.split_first_chunk::<4>() else {
            return match bytes.iter().all(|&byte| byte == 0) {
                true => Ok(None),
                false => Fault::is("file truncated"),
            };
        };
        let size = u32::from_be_bytes(*size).into();
        let name = rest.first_chunk::<4>();
        let wide = rest.get(4..12).and_then(<[u8]>::first_chunk::<8>);
        let (size, length) = match (size, wide) {
            (0, _) => return Ok(None),
            (1, Some(wide)) => (u64::from_be_bytes(*wide), 16),
            (1, None) => return Fault::is("file truncated"),
            (size, _) => (size, 8),
        };
        if size < length {
            return Fault::is(format!("atom is too small:{size}"));
        }
        match name {
            Some(&name) if size <= room => Ok(Some(Header { name, length, size })),
            _ => Fault::is(format!("atom too large:{size}")),
        }
    }
}

/// The atoms in the data of one: names and data.
pub struct Atoms<'a>(pub &'a [u8]);

impl<'a> Iterator for Atoms<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = &self.0[..self.0.len().min(LONGEST)];
        let header = match Header::read(start, self.0.len() as u64) {
            Ok(header) => header?,
            Err(fault) => {
                self.0 = &[];
                return Some(Err(fault));
            }
        };
        let (atom, rest) = self.0.split_at(header.size as usize);
        self.0 = rest;
        let name = atom[4..].first_chunk()?;
        Some(Ok((name, &atom[header.length as usize..])))
    }
}

/// Appends an atom.
pub fn write(out: &mut Vec<u8>, name: &[u8; 4], data: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(name);
    data(out);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends an atom with this data, if there is any.
pub fn copy(out: &mut Vec<u8>, name: &[u8; 4], data: Option<&[u8]>) {
    if let Some(data) = data {
        write(out, name, |out| out.extend_from_slice(data));
    }
}

/// A number at an offset that is known to be within the data.
pub fn u32_at(data: &[u8], at: usize) -> u32 {
    data[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// As [`u32_at`].
pub fn u64_at(data: &[u8], at: usize) -> u64 {
    data[at..]
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(bytes: &[u8]) -> String {
        let atom = |atom: Result<(&[u8; 4], &[u8]), Fault>| match atom {
            Ok((name, data)) => format!("{}:{}", name.escape_ascii(), data.len()),
            Err(Fault::Is(what)) => what,
            Err(other) => format!("{other:?}"),
        };
        Atoms(bytes).map(atom).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn no_size_is_believed() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"\0\0\0\x08free\0\0\0\x09skip1", "free:0, skip:1"),
            (b"\0\0\0\x01free\0\0\0\0\0\0\0\x11x", "free:1"),
            (b"\0\0\0\x08free\0\0\0\0abcdefgh", "free:0"),
            (b"\0\0\0\x08free\0\0", "free:0"),
            (b"\0\0\0\x08free\0\x01", "free:0, file truncated"),
            (b"\0\0\0\x08fr", "atom too large:8"),
            (b"\0\0\0\x07free", "atom is too small:7"),
            (b"\0\0\0\x09free", "atom too large:9"),
            (b"\xff\xff\xff\xfffree", "atom too large:4294967295"),
            (b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f", "atom is too small:15"),
            (b"\0\0\0\x01free\0\0\0\0", "file truncated"),
            (
                b"\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff",
                "atom too large:18446744073709551615",
            ),
        ] {
            assert_eq!(walked(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
