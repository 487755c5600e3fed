//! x
#![allow(missing_docs)]
mod des;
mod md5;
mod password;
pub use password::is_slow;
pub use password::matches;
