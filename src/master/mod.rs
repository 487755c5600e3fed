//! The master: binds, forks, supervises, reloads. It knows no request.
//!
//! - `state`: the rules, as a pure function of events
//! - `run`: the loop that feeds it and does what it says
//! - `start`: what comes before the loop
//! - `load`: from texts to a plan; `loaded`: the plan with its logs opened
//! - `check`: the child that loads a new configuration first
//! - `settings`: the directives of the process
//! - `scoreboard`: what workers leave for it to read
//! - `children`: forks and channels
//! - `listeners`: the sockets, which belong to it
//! - `notify`: what the service manager is told
//! - `door`: where an operator asks; `status`: how things are
//! - `report`: what is known of a worker's end; `poison`: requests that keep causing it
//! - `pid_file`: where others find it
//! - `reopen`: logs, after a rotation
//! - `temp_dirs`: where bodies of requests are kept
//! - `terminal`: what a hang-up means
//! - `upgrade`: the second master of another binary

mod check;
mod children;
pub mod door;
mod fragment;
pub mod listeners;
pub mod load;
pub mod loaded;
mod notify;
pub mod pid_file;
pub mod poison;
mod reopen;
pub mod report;
mod run;
pub mod scoreboard;
pub mod settings;
pub mod start;
pub mod state;
pub mod status;
mod temp_dirs;
mod terminal;
mod upgrade;
mod zones;

pub use loaded::Loaded;
pub use start::{Estate, Outcome, serve};
