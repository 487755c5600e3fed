//! How large the large tests are, and what happens where one cannot run.

use std::time::Duration;

/// The scale where `FORKFUL_TEST_SCALE` names none: small enough for every day.
const EVERY_DAY: f64 = 0.03;

/// The factor for durations and counts that are full size at 1.
pub fn scale() -> f64 {
    match std::env::var("FORKFUL_TEST_SCALE") {
        Ok(text) => text.parse().expect("FORKFUL_TEST_SCALE is a number"),
        Err(_) => EVERY_DAY,
    }
}

/// A duration at the present scale.
pub fn scaled(full: Duration, least: Duration) -> Duration {
    full.mul_f64(scale()).max(least)
}

/// A count at the present scale.
pub fn scaled_count(full: usize, least: usize) -> usize {
    ((full as f64 * scale()) as usize).max(least)
}

/// Says that a test cannot run; fails where nothing may be skipped.
pub fn skip(why: &str) {
    println!("skipped: {why}");
    let may_skip = std::env::var_os("FORKFUL_NO_SKIP").is_none();
    assert!(may_skip, "skipped: {why}");
}

/// Whether a test can run; where it cannot, as [`skip`].
pub fn possible(condition: bool, why: &str) -> bool {
    if !condition {
        skip(why);
    }
    condition
}
