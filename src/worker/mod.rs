//! A worker: one process, one thread, one event loop. It accepts connections, drives them, keeps
//! their deadlines and leaves when it is told to. How it was started it does not know.

mod accept;
mod client;
pub mod command;
#[cfg(debug_assertions)]
mod crash_route;
mod deadlines;
mod drive;
mod event_loop;
pub mod in_hand;
mod leave;
mod sandbox;
pub mod scoreboard;
mod send;
pub mod settings;
mod setup;

pub use setup::{Setup, Socket, Who, run};
