//! Waiting for conditions under deadlines: the one place of the tests that pauses.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything that happens "at once" may take on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(2);

/// Waits until `condition` yields a value; panics with `what` after [`LIMIT`].
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(PAUSE);
    }
}

/// Panics with `what` if `condition` ceases to hold within `duration`: for things that must not happen.
pub fn holds_for(duration: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        assert!(condition(), "{what}");
        thread::sleep(PAUSE);
    }
}
