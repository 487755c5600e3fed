//! How fast an answer goes out (`limit_rate`): in bursts of at most what a second allows, each
//! followed by as long as it takes at that rate. By nginx's arithmetic.

use std::time::{Duration, Instant};

/// The pace of one answer.
pub struct Pace {
    /// Bytes in each second, never 0.
    rate: u64,
    /// Bytes that go out before that holds.
    after: u64,
    /// When its request began.
    started: Instant,
    /// Bytes that went out.
    sent: u64,
    /// What is left of a burst, and how many bytes of it count.
    burst: Option<(u64, u64)>,
    /// When the next one may begin, if it may not yet.
    rests_until: Option<Instant>,
}

impl Pace {
    /// Of an answer to a request that began then.
    pub fn new((rate, after): (u64, u64), started: Instant) -> Pace {
        Pace {
            rate: rate.max(1),
            after,
            started,
            sent: 0,
            burst: None,
            rests_until: None,
        }
    }

    /// How many bytes may go out now; none, if it rests.
    pub fn room(&mut self, now: Instant) -> Option<u64> {
        if self.rests_until.is_some_and(|until| until > now) {
            return None;
        }
        self.rests_until = None;
        if let Some((left, _)) = self.burst {
            return Some(left);
        }
        let seconds = now.saturating_duration_since(self.started).as_secs() + 1;
        let allowed = self.rate.saturating_mul(seconds).saturating_add(self.after);
        if allowed <= self.sent {
            self.rest(
                now,
                self.time(self.sent - allowed) + Duration::from_millis(1),
            );
            return None;
        }
        let room = allowed - self.sent;
        self.burst = Some((room, 0));
        Some(room)
    }

    /// So many bytes went out.
    pub fn sent(&mut self, count: u64, now: Instant) {
        let beyond = |sent: u64| sent.saturating_sub(self.after);
        let counted = beyond(self.sent + count) - beyond(self.sent);
        self.sent += count;
        let Some((left, so_far)) = self.burst else {
            return;
        };
        match left.saturating_sub(count) {
            0 => self.rest(now, self.time(so_far + counted)),
            left => self.burst = Some((left, so_far + counted)),
        }
    }

    /// Whether it rested until now; it does no more.
    pub fn has_rested(&mut self, now: Instant) -> bool {
        let over = self.rests_until.take_if(|until| *until <= now);
        over.is_some()
    }

    /// When it goes on, if it rests.
    pub fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    fn rest(&mut self, now: Instant, time: Duration) {
        self.burst = None;
        self.rests_until = (!time.is_zero()).then(|| now + time);
    }

    /// How long so many bytes take.
    fn time(&self, bytes: u64) -> Duration {
        let milliseconds = u128::from(bytes) * 1000 / u128::from(self.rate);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as much as it may for a while, in writes of at most so many bytes; when each part of
    /// the last kilobyte went out, in milliseconds, and how many bytes in all.
    fn run(rate: u64, after: u64, most: u64, milliseconds: u64) -> u64 {
        let start = Instant::now();
        let mut pace = Pace::new((rate, after), start);
        let mut total = 0;
        for millisecond in 0..milliseconds {
            let now = start + Duration::from_millis(millisecond);
            while let Some(room) = pace.room(now) {
                let count = room.min(most);
                pace.sent(count, now);
                total += count;
                let second = millisecond / 1000 + 1;
                assert!(
                    total <= after + rate * second,
                    "{total} in {millisecond} ms"
                );
            }
        }
        total
    }

    #[test]
    fn as_many_bytes_go_out_as_may() {
        for (rate, after, most) in [
            (1000, 0, u64::MAX),
            (1000, 0, 7),
            (1000, 500, 100),
            (1_000_000, 0, 16_384),
            (10, 0, 3),
            (1, 0, 1),
        ] {
            let seconds = 20;
            let total = run(rate, after, most, seconds * 1000);
            let least = after + rate * seconds * 9 / 10;
            assert!(
                total >= least,
                "{total} of {rate} after {after}, {most} at a time"
            );
        }
    }

    #[test]
    fn it_rests_as_long_as_a_burst_takes() {
        let start = Instant::now();
        let mut pace = Pace::new((1000, 200), start);
        assert_eq!(pace.room(start), Some(1200));
        pace.sent(700, start);
        assert_eq!(pace.room(start), Some(500));
        assert_eq!(pace.rests_until(), None);
        pace.sent(500, start);
        let until = start + Duration::from_secs(1);
        assert_eq!(pace.rests_until(), Some(until));
        assert_eq!(pace.room(until - Duration::from_millis(1)), None);
        assert_eq!(pace.room(until), Some(1000));
    }

    #[test]
    fn a_pause_is_not_made_up_for_beyond_what_seconds_allow() {
        let start = Instant::now();
        let mut pace = Pace::new((1000, 0), start);
        let late = start + Duration::from_secs(10);
        assert_eq!(pace.room(late), Some(11_000));
        pace.sent(11_000, late);
        assert_eq!(pace.room(late + Duration::from_secs(10)), None);
    }
}
