//! What the integration tests share: a server under test, a client that speaks raw bytes, and waiting.
//!
//! The server is the built binary; `FORKFUL_TEST_SERVER=/usr/sbin/nginx` runs the same tests against
//! another one, which shows whether an expectation is ours alone.
#![allow(dead_code, unused_imports)] // every test file uses its part of it

mod checkout;
mod client;
mod coding;
mod fuse;
mod inject;
mod json;
mod lease;
mod link;
mod load;
mod process;
mod response;
mod scale;
mod server;
mod status;
mod usage;
mod wait;
mod wrk;

pub use checkout::{Checkout, Foreground};
pub use client::{Client, Ending};
pub use coding::{coded, decoded};
pub use fuse::SlowDisk;
pub use inject::{Call, inject};
pub use json::Json;
pub use lease::Lease;
pub use load::{Load, Reuse};
pub use process::{
    children, descriptors, install, install_script, run, signal, stop, tool_is_installed,
};
pub use response::Response;
pub use scale::{possible, scale, scaled, scaled_count, skip};
pub use server::{
    MTIME, Setup, TestServer, binary, is_forkful, listener, severe_lines, spawn_with,
};
pub use status::{door, printed_status, status};
pub use usage::{Holdings, anonymous_memory, private_memory, processor_time};
pub use wait::{LIMIT, holds_for, wait_until, within};
pub use wrk::{Wrk, WrkReport};

/// A site of one server block on the first listener, rooted in `html`.
pub const SITE: &str = "server { listen %LISTEN%; root %PREFIX%/html; }";
