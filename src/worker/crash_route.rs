//! Requests that really crash their worker, for tests: in debug builds, where the environment names
//! the prefix of their paths. Never in a release.

use std::hint::black_box;
use std::{env, process};

use crate::http::Head;
use crate::sys::crash::provoked;

/// The variable; `env` has to keep it for the workers.
const VARIABLE: &str = "FORKFUL_CRASH_ROUTE";

/// Crashes as the rest of the path says, if it begins with the prefix.
pub fn follow(head: &Head) {
    let Ok(prefix) = env::var(VARIABLE) else {
        return;
    };
    match head.path().strip_prefix(prefix.as_bytes()) {
        Some(b"fault") => provoked::fault(),
        Some(b"overflow") => drop(black_box(provoked::overflow(0))),
        Some(b"panic") => panic!("asked to"),
        Some(b"abort") => process::abort(),
        Some(b"memory") => drop(black_box(vec![1u8; 1 << 30])),
        Some(b"loop") => while black_box(true) {},
        _ => {}
    }
}
