//! Signals to the master mean what they mean to nginx.

mod common;

use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::Path;

use common::{Load, Reuse, SITE, Setup, TestServer, is_forkful, scaled_count, signal, wait_until};
use nix::sys::signal::Signal;

fn site() -> TestServer {
    Setup::http(SITE)
        .file("html/f.txt", "content")
        .file("html/big", vec![b'x'; 20 << 20])
        .start()
}

/// A download under way, of which little has been read.
fn download(server: &TestServer) -> common::Client {
    let mut client = server.connect();
    client.send_get("/big");
    client.fill().unwrap();
    client
}

fn until_refused(server: &TestServer) {
    let soon = std::time::Duration::from_secs(1);
    wait_until("new connections are refused", || {
        let error = TcpStream::connect_timeout(&server.address(), soon).err()?;
        (error.kind() == ErrorKind::ConnectionRefused).then_some(())
    });
}

fn ends_at_once(signal: Signal) {
    let mut server = site();
    let mut idle = server.connect();
    idle.get("/f.txt");
    let mut running = download(&server);
    server.signal(signal);
    assert_eq!(server.wait(), 0);
    assert!(
        running.try_response(false).is_err(),
        "the download was not cut"
    );
    idle.ending();
    assert!(!server.path("pid").exists(), "the pid file is left");
}

#[test]
fn term_ends_everything_at_once() {
    ends_at_once(Signal::SIGTERM);
}

#[test]
fn int_ends_everything_at_once() {
    ends_at_once(Signal::SIGINT);
}

#[test]
fn quit_lets_a_download_finish() {
    let mut server = site();
    let mut idle = server.connect();
    idle.get("/f.txt");
    let mut running = download(&server);
    server.signal(Signal::SIGQUIT);
    idle.expect_closed();
    until_refused(&server);
    assert_eq!(running.response().body.len(), 20 << 20);
    assert_eq!(server.wait(), 0);
}

#[test]
fn term_ends_what_quit_waits_for() {
    let mut server = site();
    server.tolerate_of_nginx("open socket #");
    server.tolerate_of_nginx("aborting");
    let mut running = download(&server);
    server.signal(Signal::SIGQUIT);
    until_refused(&server);
    server.signal(Signal::SIGTERM);
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert!(
        running.try_response(false).is_err(),
        "the download was not cut"
    );
}

#[test]
fn usr1_reopens_the_logs() {
    let server = site();
    server.get("/f.txt?before");
    for name in ["access.log", "error.log"] {
        std::fs::rename(server.path(name), server.path(&format!("{name}.1"))).unwrap();
    }
    server.signal(Signal::SIGUSR1);
    wait_until("there are new logs", || {
        (server.path("access.log").exists() && server.path("error.log").exists()).then_some(())
    });
    wait_until("requests are in the new log", || {
        server.get("/f.txt?after");
        let log = std::fs::read_to_string(server.path("access.log")).unwrap();
        log.contains("?after").then_some(())
    });
    let old = std::fs::read_to_string(server.path("access.log.1")).unwrap();
    assert!(old.contains("?before"), "{old}");
}

#[test]
fn a_resized_terminal_does_not_retire_workers() {
    if !is_forkful() {
        return; // nginx takes inherited sockets for a sign that it is a daemon
    }
    let server = site();
    let workers = server.workers();
    server.signal(Signal::SIGWINCH);
    server.signal(Signal::SIGUSR1);
    wait_until("both signals are handled", || {
        server.log().contains("reopening").then_some(())
    });
    assert_eq!(server.get("/f.txt").text(), "content");
    assert_eq!(server.workers(), workers);
}

#[test]
fn signals_without_a_meaning_are_harmless() {
    let server = site();
    let load = Load::start(server.address(), 2, Reuse::Never, "content");
    let workers = server.workers();
    for signal in [
        Signal::SIGPIPE,
        Signal::SIGCHLD,
        Signal::SIGALRM,
        Signal::SIGIO,
    ] {
        server.signal(signal);
        load.wait_for_more();
    }
    assert_eq!(server.workers(), workers);
    let (_, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn reopening_and_reloading_at_any_moment_is_harmless() {
    if !is_forkful() {
        return; // nginx retires its workers, see above, and loses logs that it reopens while it starts
    }
    let server = site();
    let load = Load::start(server.address(), 4, Reuse::Never, "content");
    for round in 0..60 {
        let signals = [
            Signal::SIGHUP,
            Signal::SIGUSR1,
            Signal::SIGWINCH,
            Signal::SIGCHLD,
        ];
        server.signal(signals[round % signals.len()]);
        server.get("/f.txt");
    }
    wait_until("one worker is left", || {
        (server.workers().len() == 1).then_some(())
    });
    load.wait_for_more();
    let (_, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn the_end_may_come_at_any_moment_of_a_reload() {
    if !is_forkful() {
        return; // nginx says other things
    }
    for moment in [
        "reconfiguring",
        "start worker process",
        "generation 2 serves",
    ] {
        for end in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
            let mut server = site();
            assert_eq!(server.get("/f.txt").text(), "content");
            let before = server.log().len();
            let workers = server.workers();
            server.signal(Signal::SIGHUP);
            wait_until(moment, || {
                server.log()[before..].contains(moment).then_some(())
            });
            let workers = [workers, server.workers()].concat();
            server.signal(end);
            assert_eq!(server.wait(), 0, "{end} at {moment:?}");
            assert!(!server.path("pid").exists(), "{end} at {moment:?}");
            let left = |pid: &&u32| Path::new(&format!("/proc/{pid}")).exists();
            assert_eq!(workers.iter().find(left), None, "{end} at {moment:?}");
        }
    }
}

/// Stopping and continuing a process ends its wait with EINTR.
#[test]
fn an_interrupted_wait_goes_on() {
    let server = site();
    let load = Load::start(server.address(), 2, Reuse::KeepAlive, "content");
    let mut running = download(&server);
    let processes = [vec![server.pid()], server.workers()].concat();
    for round in 0..scaled_count(1000, 100) {
        let pid = processes[round % processes.len()];
        signal(pid, Signal::SIGSTOP);
        signal(pid, Signal::SIGCONT);
        load.wait_for_more();
    }
    assert_eq!(running.response().body.len(), 20 << 20);
    let (_, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!([vec![server.pid()], server.workers()].concat(), processes);
}

#[test]
fn workers_ignore_sigpipe() {
    let server = site();
    for _ in 0..20 {
        drop(download(&server));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.workers()[0])).unwrap();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:\t"))
        .unwrap();
    let mask = u64::from_str_radix(ignored, 16).unwrap();
    assert_ne!(
        mask & 1 << (Signal::SIGPIPE as u64 - 1),
        0,
        "SigIgn is {ignored}"
    );
    assert_eq!(server.get("/f.txt").text(), "content");
}
