//! Whatever a film is made of: cutting it reads nothing outside of it, and what is sent is in it.
#![no_main]

use forkful::site::mp4::film::{Cut, Limits, cut};
use forkful::site::mp4::timed::Span;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u16, bool, &[u8])| {
    let (start, length, key_frames, file) = input;
    let span = Span {
        start: start.into(),
        length: length.into(),
        key_frames,
    };
    let limits = Limits {
        buffer: 64,
        most: 1 << 20,
    };
    let read = |at: u64, buffer: &mut [u8]| {
        let rest = &file[at as usize..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    };
    if let Ok(Cut::Part(head, range)) = cut(file.len() as u64, read, limits, span) {
        assert!(range.start < range.end && range.end <= file.len() as u64);
        assert!(head.len() <= 2 * file.len() + 256);
    }
});
