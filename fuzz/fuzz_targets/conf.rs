//! Configurations: read whole, down to the plan of the site, and every message about them written.

#![no_main]

use std::path::PathBuf;

use forkful::conf::parse::Start;
use forkful::master::load::{self, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if asks_outside(text) {
        return;
    }
    let plan = load::read(&Request {
        start: Start::embedded("fuzz.conf", text),
        prefix: PathBuf::from("/nonexistent"),
        error_log: None,
        keep_user: true,
        subject: None,
    });
    let _ = (plan.messages(), plan.dump());
    for entry in plan.draft.diagnostics.entries() {
        let _ = entry.headline(&plan.sources);
    }
});

/// Whether files would be read or names resolved: that is slow, and differs from run to run.
fn asks_outside(text: &[u8]) -> bool {
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).collect();
    let names_a_host = |pair: &[&[u8]]| {
        pair[0].ends_with(b"listen") && !pair[1].first().is_some_and(u8::is_ascii_digit)
    };
    text.windows(7).any(|word| word == b"include") || words.windows(2).any(names_a_host)
}
