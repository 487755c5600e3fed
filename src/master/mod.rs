//! The master: binds, forks, supervises, reloads. It knows no request.
//!
//! - `state`: the rules, as a pure function of events
//! - `run`: the loop that feeds it and does what it says

pub mod state;
