//! A storm of signals in no order, to the master and to its workers: none is lost that matters, and
//! no request fails.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test signal_storm -- --nocapture`.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{
    Load, Reuse, Setup, TestServer, descriptors, holds_for, is_forkful, processor_time, run,
    scaled_count, wait_until,
};
use nix::sys::signal::Signal;

const WORKERS: usize = 2;
/// Every signal that means something to a master, or nothing, and ends no service.
const TO_MASTER: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
    Signal::SIGALRM,
    Signal::SIGPIPE,
    Signal::SIGIO,
];
/// The same for a worker.
const TO_WORKERS: [Signal; 5] = [
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGWINCH,
    Signal::SIGALRM,
    Signal::SIGPIPE,
];

#[test]
fn a_storm_of_signals_ends_nothing() {
    if !is_forkful() {
        return; // nginx in the foreground retires its workers at SIGWINCH
    }
    let main = format!("worker_processes {WORKERS}; reload_probation 20ms;");
    let server = Setup::with_main(&main, "server { listen %LISTEN%; root %PREFIX%/html; }")
        .file("html/f.txt", "content")
        .start();
    // A worker that is signalled directly opens its logs itself.
    for log in ["access.log", "error.log"] {
        fs::set_permissions(server.path(log), Permissions::from_mode(0o666)).expect("chmod");
    }
    let before = settled(&server);
    let load = Load::start(server.address(), 4, Reuse::KeepAlive, "content");
    let count = scaled_count(1000, 50);
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..count {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        let choice = (random >> 33) as usize;
        match choice % 3 {
            0 => strike_a_worker(&server, choice / 3),
            _ => server.signal(TO_MASTER[choice / 3 % TO_MASTER.len()]),
        }
        if choice.is_multiple_of(8) {
            load.wait_for_more();
        }
    }
    load.wait_for_more();
    let (answered, failures) = load.finish();
    assert!(failures.is_empty(), "{answered} answered: {failures:?}");
    let after = settled(&server);
    assert!(after <= before, "{before} descriptors, then {after}");
    let idle = || processor_time(server.pid());
    let spent = idle();
    holds_for(Duration::from_secs(1), "the master rests", || {
        idle() - spent < Duration::from_millis(100)
    });
    println!("{count} signals, {answered} requests answered, none failed");
}

/// A worker may be gone by now: it is replaced by each reload.
fn strike_a_worker(server: &TestServer, choice: usize) {
    let workers = server.workers();
    if let Some(&pid) = workers.get(choice % workers.len().max(1)) {
        let which = TO_WORKERS[choice % TO_WORKERS.len()];
        let pid = nix::unistd::Pid::from_raw(pid as i32);
        // ESRCH says that it is gone.
        let _ = nix::sys::signal::kill(pid, which);
    }
}

/// Waits until every reload is over; the number of the master's descriptors then.
fn settled(server: &TestServer) -> usize {
    let output = run(&mut server.operator(&["-s", "reload"]));
    assert!(output.status.success(), "{output:?}");
    wait_until("one generation is left", || {
        (server.workers().len() == WORKERS).then_some(())
    });
    descriptors(server.pid()).len()
}
