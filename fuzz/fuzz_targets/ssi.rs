//! Pages with commands: the same parts however they are split, and all bytes that are no command.

#![no_main]

use forkful::site::ssi::{Parser, Part};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [step, page @ ..] = data else { return };
    let whole = parts(page, page.len().max(1));
    assert_eq!(whole, parts(page, 1));
    assert_eq!(whole, parts(page, usize::from(*step).max(1)));
    let opens = page.windows(5).any(|window| window == b"<!--#");
    assert!(opens || whole == [page].concat());
});

/// The parts of a page as text, of which at most `step` bytes are seen at a time.
fn parts(page: &[u8], step: usize) -> Vec<u8> {
    let mut parser = Parser::new(64);
    let mut out = Vec::new();
    for chunk in page.chunks(step) {
        parser.go_on(chunk.to_vec().into());
        while let Some(part) = parser.part() {
            show(part, &mut out);
        }
    }
    if let Some(part) = parser.end() {
        show(part, &mut out);
    }
    out
}

fn show(part: Part, out: &mut Vec<u8>) {
    match part {
        Part::Text(text) => out.extend_from_slice(&text),
        Part::Command(command) => out.extend_from_slice(&command.text()),
        Part::Wrong(what) => out.extend_from_slice(what.as_bytes()),
        Part::Broken => out.extend_from_slice(b"(broken)"),
    }
}
