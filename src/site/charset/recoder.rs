//! Text of one charset made into text of another, chunk by chunk: where a chunk ends makes no
//! difference. What is no UTF-8 becomes `?`, and never takes the bytes behind it with it.

use std::io::Write;

use super::table::Recoding;
use crate::http::Chunk;

/// Recodes a text of any number of chunks.
pub struct Recoder {
    recoding: Recoding,
    /// ASCII stays what it is.
    keeps_ascii: bool,
    /// The start of a character that the last chunk broke off in.
    broken: Vec<u8>,
}

impl Recoder {
    /// Nothing recoded yet.
    pub fn new(recoding: Recoding) -> Recoder {
        let mut ascii = 0..128u8;
        let keeps_ascii = match &recoding {
            Recoding::Bytes(table) => ascii.all(|byte| table[usize::from(byte)] == byte),
            Recoding::ToUtf8(table) => ascii.all(|byte| table[usize::from(byte)].text() == [byte]),
            Recoding::FromUtf8(_) => true,
        };
        Recoder {
            recoding,
            keeps_ascii,
            broken: Vec::new(),
        }
    }

    /// The next chunk of the text, recoded. One that stays what it is, is not copied.
    pub fn next(&mut self, chunk: Chunk) -> Chunk {
        if self.keeps_ascii && self.broken.is_empty() && chunk.is_ascii() {
            return chunk;
        }
        let mut out = Vec::with_capacity(chunk.len() + chunk.len() / 2);
        match &self.recoding {
            Recoding::Bytes(table) => {
                out.extend(chunk.iter().map(|&byte| table[usize::from(byte)]));
            }
            Recoding::ToUtf8(table) => {
                for &byte in chunk.iter() {
                    out.extend_from_slice(table[usize::from(byte)].text());
                }
            }
            Recoding::FromUtf8(_) => self.decode(&chunk, &mut out),
        }
        out.into()
    }

    /// What is left when the text has ended.
    pub fn end(&mut self) -> Chunk {
        match std::mem::take(&mut self.broken).is_empty() {
            true => Chunk::from(Vec::new()),
            false => Chunk::from("?"),
        }
    }

    fn decode(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let Recoding::FromUtf8(reverse) = &self.recoding else {
            return;
        };
        let mut character = |c: char| match reverse.of(c) {
            _ if c.is_ascii() => out.push(c as u8),
            Some(byte) => out.push(byte),
            None => write!(out, "&#{};", u32::from(c)).unwrap_or_default(),
        };
        let mut rest = chunk;
        // A broken character is at most four bytes: it is completed byte by byte.
        while !self.broken.is_empty() {
            let Some((&byte, behind)) = rest.split_first() else {
                return;
            };
            self.broken.push(byte);
            match complete(&self.broken) {
                Completed::Not => rest = behind,
                Completed::Character(c) => {
                    character(c);
                    self.broken.clear();
                    rest = behind;
                }
                Completed::Never => {
                    character('?');
                    self.broken.clear();
                }
            }
        }
        let mut parts = rest.utf8_chunks().peekable();
        while let Some(part) = parts.next() {
            part.valid().chars().for_each(&mut character);
            match complete(part.invalid()) {
                Completed::Not if parts.peek().is_none() => {
                    self.broken.extend_from_slice(part.invalid());
                }
                _ => character('?'),
            }
        }
    }
}

/// What bytes are that may be the start of one character.
enum Completed {
    Not,
    Character(char),
    Never,
}

fn complete(bytes: &[u8]) -> Completed {
    match std::str::from_utf8(bytes) {
        Ok(text) => text
            .chars()
            .next()
            .map_or(Completed::Not, Completed::Character),
        Err(error) if error.error_len().is_none() => Completed::Not,
        Err(_) => Completed::Never,
    }
}
