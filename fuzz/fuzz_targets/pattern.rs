//! Patterns: translated, compiled and matched within their bounds.

#![no_main]

use forkful::conf::pattern::{Captures, Pattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(at) = data.iter().position(|&byte| byte == b'\n') else {
        return;
    };
    let (text, subject) = (&data[..at], &data[at + 1..]);
    for caseless in [false, true] {
        let Ok(pattern) = Pattern::new(text, caseless, 10_000) else {
            continue;
        };
        let mut captures = Captures::default();
        let matched = pattern.is_match(subject);
        assert_eq!(
            matched.is_ok(),
            pattern.captures(subject, &mut captures).is_ok()
        );
        for group in 1..=pattern.captures_len() {
            assert!(
                captures
                    .get(group)
                    .is_none_or(|range| range.end <= subject.len())
            );
        }
    }
});
