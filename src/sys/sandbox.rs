//! What a process gives up for good, whoever it runs as: system calls and files. Not what a
//! configuration wants, nor who the process is.
//!
//! Both halves concern the calling thread and the threads it starts afterwards, so they belong
//! before the first of these. Both want `no_new_privs`, and set it.

mod calls;
mod fence;

pub use calls::{Changes, deny_calls};
pub use fence::{Extent, Fence, Scope};

#[cfg(test)]
mod tests;
