//! A worker whose loop stands still is replaced, and its master knows when it was itself that slept.

mod common;

use std::time::{Duration, Instant};

use common::{Setup, TestServer, children, holds_for, is_forkful, signal, wait_until};
use nix::sys::signal::Signal;

fn site(workers: usize) -> TestServer {
    let main = format!("worker_processes {workers}; worker_stall_timeout 1s;");
    let config = "server { listen %LISTEN%; return 200 \"$pid\"; }";
    Setup::with_main(&main, config).start()
}

fn replaced(server: &TestServer, victim: u32) -> Duration {
    let since = Instant::now();
    wait_until("it is replaced", || {
        let workers = server.workers();
        (workers.len() == 2 && !workers.contains(&victim)).then_some(())
    });
    since.elapsed()
}

#[test]
fn a_stopped_worker_is_replaced() {
    if !is_forkful() {
        return; // nginx waits for ever
    }
    let mut server = site(2);
    server.expect_log("it is aborted");
    server.expect_log("stands still");
    server.expect_log("exited on signal");
    let mut spared = server.connect();
    let other: u32 = spared.get("/").text().parse().unwrap();
    let victim = server
        .workers()
        .into_iter()
        .find(|pid| *pid != other)
        .unwrap();
    signal(victim, Signal::SIGSTOP);
    let time = replaced(&server, victim);
    // A second until the next ping, the time-out, and the grace after SIGABRT, which waits, too.
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert_eq!(spared.get("/").text(), other.to_string());
    server.wait_for_log(&format!("worker process {victim} exited on signal"));
    assert!(server.get("/").text() != victim.to_string());
}

#[test]
fn a_stopped_worker_that_leaves_is_ended_too() {
    if !is_forkful() {
        return;
    }
    let mut server = site(1);
    server.expect_log("it is aborted");
    server.expect_log("stands still");
    server.expect_log("exited on signal");
    let mut idle = server.connect();
    assert_eq!(idle.get("/").status, 200);
    let old = server.workers()[0];
    signal(old, Signal::SIGSTOP);
    server.signal(Signal::SIGHUP);
    wait_until("the old worker is gone", || {
        let workers = children(server.pid());
        (workers.len() == 1 && workers[0] != old).then_some(())
    });
}

#[test]
fn a_master_that_was_stopped_blames_no_worker() {
    if !is_forkful() {
        return;
    }
    let server = site(2);
    assert_eq!(server.get("/").status, 200);
    let workers = server.workers();
    server.signal(Signal::SIGSTOP);
    holds_for(Duration::from_millis(2_500), "they serve meanwhile", || {
        workers.contains(&server.get("/").text().parse().unwrap())
    });
    server.signal(Signal::SIGCONT);
    holds_for(Duration::from_millis(2_500), "nobody is replaced", || {
        server.workers() == workers
    });
}
