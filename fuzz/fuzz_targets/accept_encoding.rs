//! Accept-Encoding: whatever it says, what is chosen is offered and taken, and the ranking is one.

#![no_main]

use forkful::http::{Accepted, Coding};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&offers, value)) = data.split_first() else {
        return;
    };
    let accepted = Accepted::parse(value.split(|&byte| byte == b'\n'));
    let offered = |coding: Coding| offers & (1 << coding as u8) != 0;
    let ranked: Vec<Coding> = accepted.ranked(offered).collect();
    assert_eq!(accepted.best(offered), ranked.first().copied());
    for (place, coding) in ranked.iter().enumerate() {
        assert!(offered(*coding) && accepted.takes(*coding));
        assert!(!ranked[..place].contains(coding));
    }
    let all: Vec<Coding> = accepted.ranked(|_| true).collect();
    assert!(all.iter().copied().filter(|&coding| offered(coding)).eq(ranked));
    if value.iter().all(|byte| b" \t,\n".contains(byte)) {
        assert!(all.is_empty());
    }
});
