//! The `forkful` program.

fn main() {}
