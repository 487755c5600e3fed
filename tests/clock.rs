//! A wall clock that is set: `Date` follows it, timers do not. libfaketime does the setting.

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use common::{LIMIT, Setup, TestServer, holds_for, is_forkful, signal, skip, wait_until, within};
use nix::sys::signal::Signal;

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = folders.map(|it| it.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists())
}

fn site(limits: &str) -> Option<TestServer> {
    site_with("", limits)
}

/// A server whose wall clock is off by what the file `offset` says; `None` where there is none.
fn site_with(main: &str, limits: &str) -> Option<TestServer> {
    let Some(library) = library() else {
        skip("libfaketime is not installed");
        return None;
    };
    let main = format!(
        "worker_processes 1; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE;
         env FAKETIME_DONT_FAKE_MONOTONIC; {main}"
    );
    let http = format!(
        "access_log %PREFIX%/buffered.log combined buffer=64k flush=1s;
         server {{ listen %LISTEN%; return 200 \"$msec\"; {limits} }}"
    );
    let setup = Setup::with_main(&main, &http).file("offset", "+0s\n");
    let offset = setup.prefix().join("offset");
    let server = setup
        .environment("LD_PRELOAD", library)
        .environment("FAKETIME_TIMESTAMP_FILE", offset)
        .environment("FAKETIME_NO_CACHE", "1")
        .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    Some(server)
}

/// How far the server's clock is ahead of ours, by its `Date`, in whole hours.
fn hours_ahead(server: &TestServer) -> i64 {
    let response = server.get("/");
    let date = forkful::http::date::parse(response.header("Date").unwrap().as_bytes()).unwrap();
    let msec: f64 = response.text().parse().unwrap();
    assert!((msec - date as f64).abs() < 2.0, "{response:?}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    (date as f64 / 3600.0 - now.unwrap().as_secs_f64() / 3600.0).round() as i64
}

fn set_clock(server: &TestServer, offset: &str, hours: i64) {
    server.write("offset", format!("{offset}\n"));
    let followed = within(LIMIT, || (hours_ahead(server) == hours).then_some(()));
    assert!(
        followed.is_some(),
        "Date is {} hours ahead",
        hours_ahead(server)
    );
}

#[test]
fn a_clock_set_forward_ends_nothing_early() {
    let Some(server) = site("client_header_timeout 30s; keepalive_timeout 30s;") else {
        return;
    };
    let (mut idle, mut slow) = (server.connect(), server.connect());
    assert_eq!(idle.get("/").status, 200);
    slow.send("GET / HTTP/1.1\r\n");
    set_clock(&server, "+1d", 24);
    slow.send("Host: a\r\n\r\n");
    assert_eq!(slow.response().status, 200);
    assert_eq!(idle.get("/").header("Connection"), Some("keep-alive"));
}

#[test]
fn a_clock_set_back_ends_nothing_late() {
    let Some(server) = site("client_header_timeout 1s; keepalive_timeout 1s;") else {
        return;
    };
    let (mut idle, mut slow) = (server.connect(), server.connect());
    assert_eq!(idle.get("/").status, 200);
    slow.send("GET / HTTP/1.1\r\n");
    set_clock(&server, "-1h", -1);
    idle.expect_closed();
    slow.ending();
    let log = server.path("buffered.log");
    let written = within(LIMIT, || {
        (fs::metadata(&log).unwrap().len() > 0).then_some(())
    });
    assert!(written.is_some(), "the log is not flushed");
}

/// Where the clock is set to, one after the other.
const JUMPS: [(&str, i64); 3] = [("+1d", 24), ("-1h", -1), ("+0", 0)];

#[test]
fn a_reload_takes_the_time_it_takes() {
    if !is_forkful() {
        return;
    }
    let Some(server) = site_with("reload_timeout 5s; reload_probation 300ms;", "") else {
        return;
    };
    for (number, (offset, hours)) in JUMPS.into_iter().enumerate() {
        let serves = |generation: usize| {
            server.wait_for_log(&format!("generation {generation} serves"));
        };
        server.signal(Signal::SIGHUP);
        set_clock(&server, offset, hours);
        serves(2 * number + 2);
        server.reload();
        serves(2 * number + 3);
    }
}

#[test]
fn no_worker_stalls_because_the_clock_was_set() {
    if !is_forkful() {
        return; // nginx looks after nobody
    }
    let Some(server) = site_with("worker_stall_timeout 1s;", "") else {
        return;
    };
    let workers = server.workers();
    for (offset, hours) in JUMPS {
        set_clock(&server, offset, hours);
        // A ping, and the time that the answer may take.
        holds_for(Duration::from_millis(2_500), "nobody is replaced", || {
            server.workers() == workers
        });
    }
}

#[test]
fn a_back_off_ends_in_time() {
    let Some(mut server) = site("") else { return };
    server.expect_log("exited on signal 9");
    for (offset, hours) in JUMPS {
        for _ in 0..2 {
            let worker = wait_until("there is a worker", || server.workers().pop());
            signal(worker, Signal::SIGKILL);
            server.wait_for_log(&format!("{worker} exited on signal 9"));
        }
        set_clock(&server, offset, hours);
        wait_until("there is a worker", || server.workers().pop());
    }
}
