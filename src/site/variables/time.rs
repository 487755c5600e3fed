//! Variables of time: `$msec`, `$time_local`, `$time_iso8601`.

use std::io::Write;

use super::{Declared, Exchange};
use crate::sys::clock;

pub const DECLARED: Declared = Declared {
    variables: &[
        ("msec", msec),
        ("time_iso8601", time_iso8601),
        ("time_local", time_local),
    ],
    families: &[],
    settable: &[],
};

fn msec(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let wall = x.clock().wall();
    write!(out, "{}.{:03}", wall.as_secs(), wall.subsec_millis()).is_ok()
}

/// `20/Nov/2026:12:24:05 +0000`
fn time_local(x: &Exchange, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(x.clock().local().as_bytes());
    true
}

/// `2026-11-20T12:24:05+00:00`
fn time_iso8601(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let t = clock::local(x.clock().wall().as_secs() as i64);
    let (sign, hours, minutes) = t.zone();
    write!(
        out,
        "{}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{hours:02}:{minutes:02}",
        t.year, t.month, t.day, t.hour, t.minute, t.second
    )
    .is_ok()
}
