//! A worker that dies costs its connections, nothing else; a master that dies takes its workers along.

mod common;

use std::time::{Duration, Instant};

use common::{Client, Load, Reuse, Setup, TestServer, holds_for, is_forkful, signal, wait_until};
use nix::sys::signal::Signal;

fn site(workers: usize) -> TestServer {
    let config =
        "server { listen %LISTEN%; root %PREFIX%/html; location /pid { return 200 \"$pid\"; } }";
    Setup::with_main(&format!("worker_processes {workers};"), config)
        .file("html/f.txt", "content")
        .file("html/big", vec![b'x'; 20 << 20])
        .start()
}

/// A process that still runs, which a zombie does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with('Z'))
}

/// A connection and the worker that holds it.
fn connection(server: &TestServer) -> (Client, u32) {
    let mut client = server.connect();
    let pid = client.get("/pid").text().parse().unwrap();
    (client, pid)
}

fn is_replaced_after(how: Signal, word: &'static str) {
    let mut server = site(1);
    server.expect_log(word);
    let old = server.workers()[0];
    signal(old, how);
    assert_eq!(server.get("/f.txt").text(), "content");
    let new = server.workers();
    assert!(
        new.len() == 1 && new[0] != old,
        "{old} was followed by {new:?}"
    );
    server.wait_for_log(&format!("{old} exited"));
}

#[test]
fn a_killed_worker_is_replaced_and_waiting_connections_are_served() {
    is_replaced_after(Signal::SIGKILL, "signal 9");
}

#[test]
fn an_aborted_worker_is_replaced() {
    is_replaced_after(Signal::SIGABRT, "signal 6");
}

#[test]
fn other_workers_go_on() {
    others_go_on(Signal::SIGKILL, "signal 9");
}

#[test]
fn other_workers_go_on_after_a_fault() {
    others_go_on(Signal::SIGSEGV, "signal 11");
}

fn others_go_on(how: Signal, word: &'static str) {
    let mut server = site(2);
    server.expect_log(word);
    let (_first, victim) = connection(&server);
    // Only connections that come together are sure to meet both workers.
    let mut download = wait_until("a connection is with the other worker", || {
        let mut clients: Vec<Client> = (0..64).map(|_| server.connect()).collect();
        clients
            .iter_mut()
            .for_each(|client| client.send_get("/pid"));
        let is_elsewhere = |client: &mut Client| client.response().text() != victim.to_string();
        let elsewhere = clients.iter_mut().position(is_elsewhere)?;
        Some(clients.swap_remove(elsewhere))
    });
    download.send_get("/big");
    download.fill().unwrap();
    signal(victim, how);
    assert_eq!(download.response().body.len(), 20 << 20);
}

#[test]
fn all_workers_killed_at_once_are_replaced() {
    let mut server = site(16);
    server.expect_log("signal 9");
    let old = server.workers();
    old.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
    // A zombie would be a child, and not run.
    wait_until("sixteen new workers run, and nothing else is there", || {
        let now = server.workers();
        let new = now.iter().all(|pid| !old.contains(pid) && runs(*pid));
        (now.len() == 16 && new).then_some(())
    });
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn killing_under_load_refuses_no_connection() {
    let mut server = site(2);
    server.expect_log("signal 9");
    let load = Load::start(server.address(), 4, Reuse::Never, "content");
    let mut killed = 0;
    while killed < 5 {
        signal(server.workers()[0], Signal::SIGKILL);
        killed += 1;
        load.wait_for_more();
        wait_until("both workers run", || {
            (server.workers().len() == 2).then_some(())
        });
    }
    // A refused connect panics in the client; what fails is what a killed worker had accepted.
    let (answered, failures) = load.finish();
    assert!(
        failures.len() <= killed * 4,
        "{answered} answered, failed: {failures:?}"
    );
}

#[test]
fn a_slot_that_keeps_dying_is_forked_ever_more_rarely() {
    if !is_forkful() {
        return; // nginx forks again at once, without end
    }
    let mut server = site(2);
    server.expect_log("signal 9");
    let spared = server.workers()[1];
    let mut killed = std::collections::BTreeSet::new();
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        for pid in server.workers().into_iter().filter(|pid| *pid != spared) {
            signal(pid, Signal::SIGKILL);
            killed.insert(pid);
        }
        assert_eq!(server.get("/f.txt").text(), "content");
    }
    assert!(
        killed.len() <= 12,
        "{} forks in three seconds",
        killed.len()
    );
    wait_until("the slot is filled again", || {
        let now = server.workers();
        (now.len() == 2 && now.iter().all(|pid| runs(*pid) && !killed.contains(pid))).then_some(())
    });
}

#[test]
fn workers_leave_when_their_master_vanishes() {
    if !is_forkful() {
        return; // nginx's workers go on for ever
    }
    let mut server = site(2);
    let workers = server.workers();
    let mut download = server.connect();
    download.send_get("/big");
    download.fill().unwrap();
    server.kill_master();
    holds_for(
        Duration::from_millis(200),
        "a worker left its download",
        || workers.iter().any(|pid| runs(*pid)),
    );
    assert_eq!(download.response().body.len(), 20 << 20);
    wait_until("the workers have left", || {
        workers.iter().all(|pid| !runs(*pid)).then_some(())
    });
}
