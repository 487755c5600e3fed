//! What time it is, as of the latest turn of the event loop. Nothing in `site` asks the system.

use std::cell::{Cell, Ref, RefCell};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http::date;
use crate::sys::clock::{self, LocalTime};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A clock that its owner sets once per turn; all who read it see the same time.
pub struct Clock {
    now: Cell<Instant>,
    wall: Cell<Duration>,
    date: RefCell<(u64, [u8; 29])>,
    /// Local time, if it was asked for in this second.
    local: RefCell<Option<String>>,
}

impl Clock {
    /// A clock that shows the present.
    pub fn new() -> Clock {
        let clock = Clock {
            now: Cell::new(Instant::now()),
            wall: Cell::new(Duration::ZERO),
            date: RefCell::new((0, date::format(0))),
            local: RefCell::default(),
        };
        clock.tick();
        clock
    }

    /// Takes the time from the system.
    pub fn tick(&self) {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.set(Instant::now(), wall);
    }

    /// Sets the time: monotonic, and since the epoch.
    pub fn set(&self, now: Instant, wall: Duration) {
        self.now.set(now);
        self.wall.set(wall);
        let mut date = self.date.borrow_mut();
        if date.0 != wall.as_secs() {
            *date = (wall.as_secs(), date::format(wall.as_secs() as i64));
            self.local.take();
        }
    }

    /// The monotonic time, for durations and deadlines.
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// The wall clock, since the epoch.
    pub fn wall(&self) -> Duration {
        self.wall.get()
    }

    /// The value of the `Date` field (RFC 9110 section 6.6.1).
    pub fn date(&self) -> [u8; 29] {
        self.date.borrow().1
    }

    /// Local time as a log shows it (`$time_local`): `20/Nov/2026:12:24:05 +0000`.
    pub fn local(&self) -> Ref<'_, str> {
        let spelt = || spelt(&clock::local(self.wall().as_secs() as i64));
        self.local.borrow_mut().get_or_insert_with(spelt);
        Ref::map(self.local.borrow(), |local| local.as_deref().unwrap_or(""))
    }
}

fn spelt(t: &LocalTime) -> String {
    let month = MONTHS[usize::from(t.month.clamp(1, 12)) - 1];
    let (sign, hours, minutes) = t.zone();
    format!(
        "{:02}/{month}/{}:{:02}:{:02}:{:02} {sign}{hours:02}{minutes:02}",
        t.day, t.year, t.hour, t.minute, t.second
    )
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}
