//! Charsets by name and the tables between them (`charset_map`), as the configuration gives them.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::conf::diagnostic::Reason;
use crate::conf::tree::{Item, Word};

/// What stands for a character that the other charset does not have.
const UNKNOWN: u8 = b'?';

/// The charsets that a configuration names, and the tables between them.
#[derive(Clone, Debug, Default)]
pub struct Charsets {
    names: Vec<Vec<u8>>,
    maps: Vec<Map>,
    /// What blocks want to be made into what, by the number of the block.
    wanted: BTreeMap<u64, (usize, usize)>,
}

/// A table between two charsets; it is read in both directions.
#[derive(Clone, Debug)]
struct Map {
    from: usize,
    to: usize,
    forth: Recoding,
    back: Recoding,
}

/// How text of one charset becomes text of another.
#[derive(Clone, Debug)]
pub enum Recoding {
    /// Byte by byte.
    Bytes(Rc<[u8; 256]>),
    /// Each byte becomes a character of UTF-8.
    ToUtf8(Rc<[Utf8; 256]>),
    /// Each character of UTF-8 becomes a byte, or a numeric reference to it.
    FromUtf8(Rc<Reverse>),
}

/// The UTF-8 of one byte: at most three bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8 {
    bytes: [u8; 3],
    length: u8,
}

impl Utf8 {
    fn new(text: &[u8]) -> Utf8 {
        let mut bytes = [0; 3];
        bytes[..text.len()].copy_from_slice(text);
        let length = text.len() as u8;
        Utf8 { bytes, length }
    }

    /// Its bytes.
    pub fn text(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Bytes of characters up to U+FFFF, in pages of 256; 0 where there is none.
#[derive(Clone, Debug, Default)]
pub struct Reverse(Vec<Option<Box<[u8; 256]>>>);

impl Reverse {
    /// The byte for a character.
    pub fn of(&self, character: char) -> Option<u8> {
        let code = u32::from(character) as usize;
        let page = self.0.get(code >> 8)?.as_ref()?;
        Some(page[code & 0xff]).filter(|&byte| byte != 0)
    }

    fn set(&mut self, character: char, byte: u8) {
        let code = u32::from(character) as usize;
        self.0.resize(self.0.len().max((code >> 8) + 1), None);
        self.0[code >> 8].get_or_insert_with(|| Box::new([0; 256]))[code & 0xff] = byte;
    }
}

impl Charsets {
    /// The number of a charset, which is added if it is new. Case does not matter.
    pub fn number(&mut self, name: &[u8]) -> usize {
        self.find(name).unwrap_or_else(|| {
            self.names.push(name.to_vec());
            self.names.len() - 1
        })
    }

    /// The number of a charset that the configuration names.
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        self.names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
    }

    /// The name of a charset, as it was written first.
    pub fn name(&self, number: usize) -> &[u8] {
        &self.names[number]
    }

    /// How text of one becomes text of the other; none if no table says it.
    pub fn recoding(&self, from: usize, to: usize) -> Option<&Recoding> {
        self.maps.iter().find_map(|map| match (map.from, map.to) {
            (a, b) if (a, b) == (from, to) => Some(&map.forth),
            (a, b) if (a, b) == (to, from) => Some(&map.back),
            _ => None,
        })
    }

    /// Notes what a block wants to be made into what, in place of what it wanted before.
    pub fn want(&mut self, block: u64, pair: Option<(usize, usize)>) {
        match pair {
            Some(pair) => drop(self.wanted.insert(block, pair)),
            None => drop(self.wanted.remove(&block)),
        }
    }

    /// Says which table is missing, if any is wanted that is not there.
    pub fn missing(&self) -> Option<Reason> {
        let mut wanted = self.wanted.values();
        let (from, to) = wanted.find(|(a, b)| a != b && self.recoding(*a, *b).is_none())?;
        let name = |number: &usize| String::from_utf8_lossy(self.name(*number));
        let (from, to) = (name(from), name(to));
        let what = format!("no \"charset_map\" between the charsets \"{from}\" and \"{to}\"");
        Some(what.into())
    }

    /// Reads a `charset_map` between two names.
    ///
    /// # Errors
    /// The names are the same, there is such a table already, or a line is wrong.
    pub fn map(&mut self, from: &Word, to: &Word, lines: &[Item]) -> Result<(), Reason> {
        let (a, b) = (self.number(&from.text), self.number(&to.text));
        let both = format!("\"{}\" and \"{}\"", from.str(), to.str());
        if a == b {
            return Err(format!("\"charset_map\" between the same charsets {both}").into());
        }
        if self.recoding(a, b).is_some() {
            return Err(format!("duplicate \"charset_map\" between {both}").into());
        }
        let (forth, back) = if to.text.eq_ignore_ascii_case(b"utf-8") {
            utf8(lines)?
        } else {
            bytes(lines)?
        };
        self.maps.push(Map {
            from: a,
            to: b,
            forth,
            back,
        });
        Ok(())
    }
}

fn bytes(lines: &[Item]) -> Result<(Recoding, Recoding), Reason> {
    let plain = |byte: usize| if byte < 128 { byte as u8 } else { UNKNOWN };
    let mut forth: [u8; 256] = std::array::from_fn(plain);
    let mut back = forth;
    for line in lines {
        let (from, to) = pair(line)?;
        let (from, to) = (byte(from)?, byte(to)?);
        forth[usize::from(from)] = to;
        back[usize::from(to)] = from;
    }
    Ok((Recoding::Bytes(forth.into()), Recoding::Bytes(back.into())))
}

fn utf8(lines: &[Item]) -> Result<(Recoding, Recoding), Reason> {
    let plain = |byte: usize| Utf8::new(&[if byte < 128 { byte as u8 } else { UNKNOWN }]);
    let mut forth: [Utf8; 256] = std::array::from_fn(plain);
    let mut back = Reverse::default();
    for line in lines {
        let (from, to) = pair(line)?;
        let from = byte(from)?;
        let (text, character) = character(&to.text).ok_or_else(|| invalid(to))?;
        forth[usize::from(from)] = Utf8::new(&text);
        back.set(character, from);
    }
    Ok((
        Recoding::ToUtf8(forth.into()),
        Recoding::FromUtf8(back.into()),
    ))
}

fn pair(line: &Item) -> Result<(&Word, &Word), Reason> {
    match (&line.args[..], &line.block) {
        (_, Some(_)) => Err(Reason::from("unexpected \"{\"").at(line.name.place)),
        ([to], None) => Ok((&line.name, to)),
        _ => Err(Reason::from("invalid parameters number").at(line.name.place)),
    }
}

fn byte(word: &Word) -> Result<u8, Reason> {
    let value = word.text.iter().try_fold(0, |value: u32, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value * 16 + digit).filter(|&value| value <= 255)
    });
    value
        .filter(|_| !word.text.is_empty())
        .map(|value| value as u8)
        .ok_or_else(|| invalid(word))
}

/// A character of at least two bytes and up to U+FFFF, as the hexadecimal digits of its UTF-8.
fn character(digits: &[u8]) -> Option<(Vec<u8>, char)> {
    let digit = |digit: &u8| Some(char::from(*digit).to_digit(16)? as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let text: Vec<u8> = digits.chunks(2).map(pair).collect::<Option<_>>()?;
    let mut characters = std::str::from_utf8(&text).ok()?.chars();
    let first = characters.next()?;
    let fits = ('\u{80}'..='\u{ffff}').contains(&first) && characters.next().is_none();
    fits.then_some((text, first))
}

fn invalid(word: &Word) -> Reason {
    Reason::about("invalid value", word)
}
