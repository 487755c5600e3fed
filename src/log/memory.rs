//! The latest lines of an error log, in memory (`error_log memory:32m debug`): for a debugger, or
//! for who looks into a core file. Nothing is written anywhere.

use std::sync::{Mutex, PoisonError};

/// What stands before the lines, so that they can be found.
const MARK: &[u8] = b"MEMLOG\n";

/// A ring of lines: the newest take the place of the oldest.
pub struct Memory(Mutex<Ring>);

struct Ring {
    bytes: Vec<u8>,
    /// Where the next line goes.
    at: usize,
}

impl Memory {
    /// Room for so many bytes, which is taken as lines come.
    pub fn new(size: usize) -> Memory {
        let mut bytes = vec![0; size];
        let start = MARK.len().min(size);
        bytes[..start].copy_from_slice(&MARK[..start]);
        Memory(Mutex::new(Ring { bytes, at: start }))
    }

    /// Takes a line; of one that is longer than all room, the start.
    pub fn write(&self, line: &[u8]) {
        // Nothing panics with the lock held, so a poisoned one is still whole.
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ring { bytes, at } = &mut *ring;
        let start = MARK.len().min(bytes.len());
        let line = &line[..line.len().min(bytes.len() - start)];
        let (first, rest) = line.split_at(line.len().min(bytes.len() - *at));
        bytes[*at..*at + first.len()].copy_from_slice(first);
        *at += first.len();
        if *at == bytes.len() {
            *at = start + rest.len();
            bytes[start..*at].copy_from_slice(rest);
        }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept() {
        let memory = Memory::new(MARK.len() + 10);
        let text = || {
            let ring = memory.0.lock().expect("whole");
            String::from_utf8_lossy(&ring.bytes[MARK.len()..]).replace('\0', ".")
        };
        for (line, expected) in [
            ("abc\n", "abc\n......"),
            ("defgh\n", "abc\ndefgh\n"),
            ("ij\n", "ij\n\ndefgh\n"),
            ("0123456789abc", "7890123456"),
        ] {
            memory.write(line.as_bytes());
            assert_eq!(text(), expected);
        }
        Memory::new(3).write(b"no room at all\n");
    }
}
