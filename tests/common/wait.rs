//! Waiting for conditions under deadlines: the one place of the tests that pauses.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything that happens "at once" may take on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(2);

/// Waits until `condition` yields a value; panics with `what` after [`LIMIT`].
pub fn wait_until<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, condition).unwrap_or_else(|| panic!("waited in vain until {what}"))
}

/// The value that `condition` yields within `limit`, if it does.
pub fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let value = condition();
        if value.is_some() || Instant::now() > deadline {
            return value;
        }
        thread::sleep(PAUSE);
    }
}

/// Panics with `what` if `condition` ceases to hold within `duration`: for things that must not happen.
pub fn holds_for(duration: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let broken = within(duration, || (!condition()).then_some(()));
    assert!(broken.is_none(), "{what}");
}
