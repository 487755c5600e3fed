//! The command line: what was asked for, and doing it.

pub mod arguments;
