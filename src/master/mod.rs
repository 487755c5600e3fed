//! The master: binds, forks, supervises, reloads. It knows no request.
//!
//! - `state`: the rules, as a pure function of events
//! - `listeners`: the sockets, which belong to it
//! - `pid_file`: where others find it
//! - `run`: the loop that feeds it and does what it says

pub mod listeners;
pub mod pid_file;
pub mod state;
