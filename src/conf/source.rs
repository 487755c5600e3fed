//! The texts a configuration was read from, and places in them.
//!
//! A character, here, is a byte that does not continue a UTF-8 sequence together with the bytes
//! that do continue it: columns are then defined for any bytes, and are what an editor shows for a
//! valid text.

use std::path::PathBuf;
use std::rc::Rc;

/// Where something stands in a [`Source`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The index of the source in [`Sources`].
    pub source: u32,
    /// The line, from 1; 0 for a place that is a whole source.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The width in characters, as written (with quotes), within the first line.
    pub width: u32,
}

/// One text: a file, or the argument of `-g`.
#[derive(Debug)]
pub struct Source {
    /// The name as messages print it.
    pub name: PathBuf,
    /// The whole text, as read, but for a byte order mark at its start.
    pub text: Rc<[u8]>,
}

/// Every text of one configuration, in the order of first use.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and returns the index that a [`Place`] names it by.
    pub fn add(&mut self, name: impl Into<PathBuf>, text: &[u8]) -> u32 {
        let text = text
            .strip_prefix("\u{feff}".as_bytes())
            .unwrap_or(text)
            .into();
        self.0.push(Source {
            name: name.into(),
            text,
        });
        (self.0.len() - 1) as u32
    }

    /// The source of an index returned by [`add`](Self::add).
    pub fn get(&self, index: u32) -> Option<&Source> {
        self.0.get(index as usize)
    }

    /// The sources in order, as `-T` prints them.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// The line a place stands in, without its line end; empty when there is no such line.
    pub fn line(&self, place: Place) -> &[u8] {
        let text = self
            .get(place.source)
            .map_or(&[][..], |source| &*source.text);
        let index = (place.line as usize).wrapping_sub(1);
        let line = text
            .split(|&byte| byte == b'\n')
            .nth(index)
            .unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Whether a byte starts a character (see the top of this file).
pub fn starts_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// Splits a line into its characters, each as its bytes.
pub fn characters(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.chunk_by(|_, &next| !starts_character(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_without_its_end() {
        let mut sources = Sources::default();
        let source = sources.add("a", b"\xef\xbb\xbfone\r\ntwo\n\nfour");
        let cases: [(u32, &[u8]); 6] = [
            (0, b""),
            (1, b"one"),
            (2, b"two"),
            (3, b""),
            (4, b"four"),
            (5, b""),
        ];
        for (line, expected) in cases {
            assert_eq!(
                sources.line(Place {
                    source,
                    line,
                    ..Place::default()
                }),
                expected
            );
        }
        assert_eq!(
            sources.line(Place {
                source: 9,
                line: 1,
                column: 1,
                width: 1
            }),
            b""
        );
    }

    #[test]
    fn characters_are_defined_for_any_bytes() {
        let split = |line| characters(line).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(split("aé€".as_bytes()), [1, 2, 3]);
        assert_eq!(split(b"\x80\x80a\xffb"), [2, 1, 1, 1]);
        assert_eq!(split(b""), [0; 0]);
    }
}
