//! Requests that really crash their worker, for tests: in debug builds, where the environment names
//! the prefix of their paths. Never in a release.

use std::hint::black_box;
use std::{env, process};

use super::in_hand::InHand;
use crate::http::Head;
use crate::sys::crash::provoked;

/// The variable; `env` has to keep it for the workers.
const VARIABLE: &str = "FORKFUL_CRASH_ROUTE";
/// What follows the prefix where a thread of a pool is to crash.
const IN_JOB: &[u8] = b"job/";

/// Crashes as the rest of the path says, if it begins with the prefix.
pub fn follow(head: &Head) {
    if let Some(how) = rest(head.path()) {
        crash(&how);
    }
}

/// The same for a job: as the name of a directory says.
pub fn follow_in_job(request: &InHand) {
    let mut words = request.raw.split(|&byte| byte == b' ');
    let rest = words.nth(1).and_then(rest);
    let how = rest.as_deref().and_then(|rest| rest.strip_prefix(IN_JOB));
    if let Some(how) = how {
        crash(how.strip_suffix(b"/").unwrap_or(how));
    }
}

fn rest(path: &[u8]) -> Option<Vec<u8>> {
    let prefix = env::var(VARIABLE).ok()?;
    path.strip_prefix(prefix.as_bytes()).map(Vec::from)
}

fn crash(how: &[u8]) {
    match how {
        b"fault" => provoked::fault(),
        b"overflow" => drop(black_box(provoked::overflow(0))),
        b"panic" => panic!("asked to"),
        b"abort" => process::abort(),
        b"memory" => drop(black_box(vec![1u8; 1 << 30])),
        b"loop" => while black_box(true) {},
        _ => {}
    }
}
