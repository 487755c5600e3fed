//! Chunked bodies: the same bytes and the same end, however they are split.

#![no_main]

use forkful::http::chunked::Chunked;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [step, input @ ..] = data else { return };
    let whole = decode(input, input.len().max(1));
    assert_eq!(whole, decode(input, 1));
    assert_eq!(whole, decode(input, usize::from(*step).max(1)));
});

/// How a body ended, or that it did not.
#[derive(PartialEq, Eq, Debug)]
enum End {
    /// At this offset.
    Complete(usize),
    Missing,
    /// With this status.
    Broken(u16),
}

/// Decodes the input, at most `step` bytes of it seen at a time.
fn decode(input: &[u8], step: usize) -> (Vec<u8>, End) {
    let (mut decoder, mut body, mut at) = (Chunked::new(64), Vec::new(), 0);
    loop {
        let piece = &input[at..input.len().min(at + step)];
        let taken = match decoder.take(piece) {
            Ok(taken) => taken,
            Err(fault) => return (body, End::Broken(fault.status)),
        };
        assert!(taken.used <= piece.len());
        body.extend_from_slice(&piece[taken.data]);
        at += taken.used;
        match (taken.done, taken.used) {
            (true, _) => return (body, End::Complete(at)),
            (false, 0) => return (body, End::Missing),
            _ => {}
        }
    }
}
