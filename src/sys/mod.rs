//! The operating system: small safe surfaces over Linux. The only home of `unsafe`, `libc` and
//! `nix`.
//!
//! Knows nothing of HTTP or of the configuration. Errors are `std::io::Error`; every descriptor is
//! close-on-exec.
#![allow(unsafe_code)]

pub mod at_hand;
pub mod channel;
pub mod clock;
pub mod cpu;
pub mod crash;
mod error;
pub mod file;
pub mod host;
pub mod limit;
pub mod oom;
mod openat2;
pub mod poll;
pub mod privilege;
pub mod process;
pub mod random;
pub mod rename;
pub mod sandbox;
pub mod scratch;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod tree;
pub mod wake;

#[cfg(test)]
pub mod alone;
#[cfg(test)]
pub mod steps;

pub use error::OsError;
