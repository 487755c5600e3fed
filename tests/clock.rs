//! A wall clock that is set: `Date` follows it, timers do not. libfaketime does the setting.

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use common::{LIMIT, Setup, TestServer, skip, within};

fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = folders.map(|it| it.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists())
}

/// A server whose wall clock is off by what the file `offset` says; `None` where there is none.
fn site(limits: &str) -> Option<TestServer> {
    let Some(library) = library() else {
        skip("libfaketime is not installed");
        return None;
    };
    let main = "worker_processes 1; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE;
        env FAKETIME_DONT_FAKE_MONOTONIC;";
    let http = format!(
        "access_log %PREFIX%/buffered.log combined buffer=64k flush=1s;
         server {{ listen %LISTEN%; return 200 \"$msec\"; {limits} }}"
    );
    let setup = Setup::with_main(main, &http).file("offset", "+0s\n");
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
