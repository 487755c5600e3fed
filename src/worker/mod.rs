//! A worker: one process, one event loop, and threads for what can block. It accepts connections,
//! drives them, keeps their deadlines and leaves when it is told to. How it was started it does not
//! know.

mod accept;
mod beside;
mod client;
pub mod command;
#[cfg(debug_assertions)]
mod crash_route;
mod deadlines;
mod disk;
mod drive;
mod event_loop;
pub mod in_hand;
mod leave;
mod missed;
mod pace;
mod pool;
mod preface;
mod receive;
mod sandbox;
pub mod scoreboard;
mod send;
pub mod settings;
mod setup;
mod timer;
mod waiting;

pub use disk::settings as disks;
pub use sandbox::Enclosure;
pub use setup::{Setup, Socket, Who, run};
