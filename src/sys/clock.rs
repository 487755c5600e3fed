//! Wall-clock and local time. Monotonic time is `std::time::Instant`, but for what other processes
//! compare with theirs.

use std::ffi::CString;
use std::sync::Once;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::ClockId;

/// A moment of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall {
    /// Seconds since 1970, UTC.
    pub seconds: i64,
    /// Milliseconds past `seconds`, below 1000.
    pub millis: u16,
}

/// The wall clock; a clock set before 1970 reads as 1970.
pub fn wall() -> Wall {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Wall {
        seconds,
        millis: since.subsec_millis() as u16,
    }
}

/// The monotonic clock as other processes of this machine read it: since some moment in the past.
pub fn monotonic() -> Duration {
    ClockId::CLOCK_MONOTONIC
        .now()
        .map(Duration::from)
        .unwrap_or_default()
}

/// A moment as a clock on the wall of this machine shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year, as in 2026.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The day of the week, 0 (Sunday) to 6.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// Minutes that local time is ahead of UTC; negative to the west.
    pub offset: i32,
}

impl LocalTime {
    /// How far it is ahead of UTC: the sign, hours and minutes.
    pub fn zone(&self) -> (char, i32, i32) {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs();
        (sign, minutes / 60, minutes % 60)
    }
}

/// Local time, by the time zone that the process had when it first asked. Seconds are since 1970,
/// UTC; what no calendar can hold shows as 1970.
pub fn local(seconds: i64) -> LocalTime {
    broken_down(seconds, local_tm())
}

/// localtime_r(3), once the zone is known.
fn local_tm() -> BreakDown {
    static ZONE: Once = Once::new();
    // SAFETY: the call reads the environment, which nobody writes while there are threads (see
    // `replace_environment`).
    ZONE.call_once(|| unsafe { tzset() });
    libc::localtime_r
}

/// As [`local`], in UTC.
pub fn utc(seconds: i64) -> LocalTime {
    broken_down(seconds, libc::gmtime_r)
}

/// Whose clock shows a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// This machine's.
    Local,
    /// UTC's, which strftime(3) calls GMT.
    Utc,
}

/// A time as strftime(3) writes it; empty if that is nothing, or more than 1 KB.
pub fn formatted(format: &[u8], seconds: i64, zone: Zone) -> Vec<u8> {
    let Ok(format) = CString::new(format) else {
        return Vec::new();
    };
    let tm = match zone {
        Zone::Local => tm_of(seconds, local_tm()),
        Zone::Utc => tm_of(seconds, libc::gmtime_r),
    };
    let mut out = vec![0u8; 1 << 10];
    // SAFETY: the buffer is as long as it is said to be, and the format ends in a NUL.
    let count = unsafe { libc::strftime(out.as_mut_ptr().cast(), out.len(), format.as_ptr(), &tm) };
    out.truncate(count);
    out
}

type BreakDown = unsafe extern "C" fn(*const libc::time_t, *mut libc::tm) -> *mut libc::tm;

fn tm_of(seconds: i64, by: BreakDown) -> libc::tm {
    // SAFETY: all zeroes are a valid tm: numbers and a null pointer.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call.
    match unsafe { by(&seconds, &mut tm) }.is_null() {
        true => tm_of(0, by),
        false => tm,
    }
}

fn broken_down(seconds: i64, by: BreakDown) -> LocalTime {
    let tm = tm_of(seconds, by);
    LocalTime {
        year: tm.tm_year + 1900,
        month: tm.tm_mon as u8 + 1,
        day: tm.tm_mday as u8,
        weekday: tm.tm_wday as u8,
        hour: tm.tm_hour as u8,
        minute: tm.tm_min as u8,
        second: tm.tm_sec as u8,
        offset: (tm.tm_gmtoff / 60) as i32,
    }
}

unsafe extern "C" {
    /// Not in the `libc` crate.
    fn tzset();
}

#[cfg(test)]
mod tests {
    use super::super::alone::alone;
    use super::super::process::replace_environment;
    use super::*;

    #[test]
    fn the_wall_clock_is_this_century() {
        let now = wall();
        assert!(now.seconds > 1_700_000_000 && now.millis < 1000);
    }

    #[test]
    fn local_time_knows_its_zone() {
        alone("sys::clock::tests::local_time_knows_its_zone", || {
            // A zone spelt out needs no database: 3:30 behind, summer time 2:30 behind.
            let zone = "NST3:30NDT2:30,M3.2.0,M11.1.0";
            replace_environment(&[("TZ".into(), zone.into())]).expect("set");
            let winter = LocalTime {
                year: 2026,
                month: 1,
                day: 2,
                weekday: 5,
                hour: 23,
                minute: 34,
                second: 5,
                offset: -210,
            };
            assert_eq!(local(1_767_409_445), winter);
            assert_eq!(local(1_782_961_445).offset, -150);
            assert_eq!(local(i64::MAX), local(0));
        });
    }
}
