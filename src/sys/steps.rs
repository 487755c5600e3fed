//! For tests of what a process leaves in shared memory that is killed: looks at it after each of the
//! instructions of a child.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::alone::exit;
use super::process::{Fork, fork};

/// Does some work in a child, and looks after each instruction; how many there were. The caller is
/// single-threaded.
pub fn steps(work: impl FnOnce(), mut look: impl FnMut()) -> usize {
    let child = match fork().expect("fork") {
        Fork::Parent(child) => Pid::from_raw(child.number()),
        Fork::Child => {
            let traced = ptrace::traceme().and_then(|()| raise(Signal::SIGSTOP));
            work();
            exit(traced.is_err().into())
        }
    };
    let mut count = 0;
    let stopped = waitpid(child, None).expect("a child");
    assert_eq!(stopped, WaitStatus::Stopped(child, Signal::SIGSTOP));
    loop {
        ptrace::step(child, None).expect("a step");
        match waitpid(child, None).expect("a child") {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => look(),
            WaitStatus::Exited(_, 0) => return count,
            other => panic!("{other:?}"),
        }
        count += 1;
    }
}
