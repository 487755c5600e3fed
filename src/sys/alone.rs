//! For tests of what changes or forks the whole process: runs one test in a process of its own,
//! single-threaded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::{env, ptr};

const MARK: &str = "FORKFUL_TEST_ALONE";

/// Runs `body` in a second start of the test binary that runs the test `name` (its full path) and
/// nothing else.
pub fn alone(name: &str, body: impl FnOnce()) {
    if env::var_os(MARK).is_some() {
        return in_child(body);
    }
    let output = Command::new(env::current_exe().expect("test binary"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .expect("second start of the test binary");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name}: {}\n{text}\n{errors}",
        output.status
    );
    assert!(
        text.contains("1 passed"),
        "no test is named {name}:\n{text}"
    );
}

/// The test runner keeps a thread besides the test's; a child has only the one that forked.
fn in_child(body: impl FnOnce()) {
    // SAFETY: the runner's other thread waits for this one and holds no lock.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed"),
        0 => {
            let failed = catch_unwind(AssertUnwindSafe(body)).is_err();
            exit(failed.into())
        }
        child => {
            let mut status = 0;
            // SAFETY: the pointer is valid for the call's write.
            let waited = unsafe { libc::waitpid(child, ptr::from_mut(&mut status), 0) };
            assert_eq!(waited, child);
            assert_eq!(
                status, 0,
                "the wait status of the process that ran the test"
            );
        }
    }
}

/// Ends the process without running anything of the test runner's.
pub fn exit(code: i32) -> ! {
    // SAFETY: the call takes a number.
    unsafe { libc::_exit(code) }
}
