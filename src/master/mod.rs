//! The master: binds, forks, supervises, reloads. It knows no request.
//!
//! - `state`: the rules, as a pure function of events
//! - `run`: the loop that feeds it and does what it says
//! - `start`: what comes before the loop
//! - `load`: from texts to a plan; `loaded`: the plan with its logs opened
//! - `check`: the child that loads a new configuration first
//! - `settings`: the directives of the process
//! - `children`: forks and channels
//! - `listeners`: the sockets, which belong to it
//! - `pid_file`: where others find it
//! - `reopen`: logs, after a rotation
//! - `terminal`: what a hang-up means

mod check;
mod children;
pub mod listeners;
pub mod load;
pub mod loaded;
pub mod pid_file;
mod reopen;
mod run;
pub mod settings;
pub mod start;
pub mod state;
mod terminal;

pub use loaded::Loaded;
pub use start::{Estate, Outcome, serve};
