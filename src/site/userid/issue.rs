//! Identifiers for clients: of server, second, process and a running number, so that no two are the
//! same. They are no secret.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Id;
use crate::site::exchange::Exchange;
use crate::sys::clock;

/// Running numbers leave their last byte alone, as nginx's.
const STEP: u32 = 0x100;
/// Where running numbers of the second version begin: their bytes are not 0.
const FIRST: u32 = 0x0303_0302;

/// An identifier of the first version: numbers of this machine.
pub fn first_version(service: Option<u32>, x: &Exchange) -> Id {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(STEP, Ordering::Relaxed);
    let numbers = [service.unwrap_or(0), seconds(x), start(), number];
    joined(numbers.map(u32::to_ne_bytes))
}

/// An identifier of the second version: numbers as networks have them.
pub fn second_version(service: Option<u32>, x: &Exchange) -> Id {
    static NEXT: AtomicU32 = AtomicU32::new(FIRST);
    let after = |number: u32| Some(number.wrapping_add(STEP).max(FIRST));
    // The function always gives a number.
    let number = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
    let number = number.unwrap_or(FIRST);
    let server = service.map_or_else(|| address(x), u32::to_be_bytes);
    let [seconds, start, number] = [seconds(x), start(), number].map(u32::to_be_bytes);
    joined([server, seconds, start, number])
}

/// The server's address; the end of a long one.
fn address(x: &Exchange) -> [u8; 4] {
    match x.link.local().ip().map(|address| address.ip()) {
        Some(IpAddr::V4(ip)) => ip.octets(),
        Some(IpAddr::V6(ip)) => ip.octets().last_chunk().copied().unwrap_or_default(),
        None => [0; 4],
    }
}

fn seconds(x: &Exchange) -> u32 {
    x.clock().wall().as_secs() as u32
}

/// What tells this process from others.
fn start() -> u32 {
    static START: OnceLock<u32> = OnceLock::new();
    *START.get_or_init(|| {
        let moment = u32::from(clock::wall().millis) * 50;
        moment << 16 | std::process::id() & 0xffff
    })
}

fn joined(numbers: [[u8; 4]; 4]) -> Id {
    let mut id = [0; 16];
    for (place, number) in id.as_chunks_mut().0.iter_mut().zip(numbers) {
        *place = number;
    }
    id
}
