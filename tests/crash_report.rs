//! What the error log says of a worker that died, and of the request that killed it. The requests
//! that do are those of a debug build, and so is this file: a release has no route that crashes.
#![cfg(debug_assertions)]

mod common;

use common::{Client, Setup, TestServer, is_forkful, signal, wait_until};
use nix::sys::signal::Signal;

/// Deaths of a test must not be those of a back-off: each has a generation of its own.
fn site(workers: usize) -> TestServer {
    site_with(&format!("worker_processes {workers};"))
}

fn site_with(main: &str) -> TestServer {
    let config = "server { listen %LISTEN%; root %PREFIX%/html; autoindex on; \
         location /pid { return 200 \"$pid\"; } }";
    Setup::with_main(
        &format!("{main} reload_probation 10ms; env FORKFUL_CRASH_ROUTE;"),
        config,
    )
    .environment("FORKFUL_CRASH_ROUTE", "/crash/")
    .file("html/f.txt", "content")
    .file("html/big", vec![b'x'; 20 << 20])
    .file("html/crash/job/fault/f.txt", "content")
    .file("html/crash/job/overflow/f.txt", "content")
    .file("html/crash/job/panic/f.txt", "content")
    .start()
}

/// A worker that serves.
fn worker(server: &TestServer) -> u32 {
    server.get("/pid").text().parse().expect("a process")
}

/// Gives it new workers, and new slots to those. That somebody serves says that the dead ones were
/// replaced.
fn renew(server: &TestServer) {
    worker(server);
    server.reload();
}

/// Sends a request and waits for the connection to be gone.
fn crash(server: &TestServer, request: &str) {
    let mut client = server.connect();
    client.send(request);
    let (_, rest) = client.ending();
    assert_eq!(rest, b"", "nothing is answered");
}

/// The line about the end of this worker.
fn obituary(server: &TestServer, pid: u32) -> String {
    let start = format!("worker process {pid} exited");
    server.wait_for_log(&start);
    let log = server.log();
    let line = log.lines().find(|line| line.contains(&start));
    line.expect("it was there").to_owned()
}

#[test]
fn a_crash_names_its_request() {
    if !is_forkful() {
        return;
    }
    let table = [
        ("fault", "signal 11", "SEGV_MAPERR at 0x8, "),
        ("overflow", "signal 11", "SEGV_"),
        ("panic", "signal 6", "SI_TKILL, "),
        ("abort", "signal 6", "SI_TKILL, "),
    ];
    for (how, signal, code) in table {
        let mut server = site(1);
        server.expect_log("exited on signal");
        server.expect_log(if how == "panic" {
            "panicked: "
        } else {
            "exited on"
        });
        let pid = worker(&server);
        let (mut idle, mut other) = (server.connect(), server.connect());
        assert_eq!(idle.get("/f.txt").text(), "content");
        assert_eq!(other.get("/f.txt").text(), "content");
        crash(
            &server,
            &format!("GET /crash/{how}?\" HTTP/1.1\r\nHost: a.b\r\n\r\n"),
        );
        let line = obituary(&server, pid);
        let request = format!(
            "slot 0, generation 1, 3 requests served, 3 connections lost, client: 127.0.0.1, \
             request: \"GET /crash/{how}?\\x22 HTTP/1.1\", host: \"a.b\"), replaced at once"
        );
        assert!(line.contains(&format!("exited on {signal}")), "{line}");
        assert!(line.contains(code) && line.ends_with(&request), "{line}");
        assert_eq!(server.get("/f.txt").text(), "content");
    }
}

/// Directories are listed by threads.
#[test]
fn a_crash_in_a_thread_names_the_request_it_worked_for() {
    if !is_forkful() {
        return;
    }
    for (how, signal) in [("fault", 11), ("overflow", 11), ("panic", 6)] {
        let mut server = site(1);
        server.expect_log("exited on signal");
        server.expect_log(if how == "panic" {
            "panicked: "
        } else {
            "exited on"
        });
        let pid = worker(&server);
        let listing = server.get("/crash/job/").text();
        assert!(
            listing.contains(how),
            "the thread does other work: {listing}"
        );
        crash(
            &server,
            &format!("GET /crash/job/{how}/ HTTP/1.1\r\nHost: a.b\r\n\r\n"),
        );
        let line = obituary(&server, pid);
        let request = format!("request: \"GET /crash/job/{how}/ HTTP/1.1\", host: \"a.b\")");
        assert!(
            line.contains(&format!("exited on signal {signal}")) && line.contains(&request),
            "{line}"
        );
        let listing = server.get("/crash/job/").text();
        assert!(listing.contains(how), "the next worker: {listing}");
    }
}

#[test]
fn the_request_is_the_one_in_hand_and_no_other() {
    if !is_forkful() {
        return;
    }
    let mut server = site(1);
    server.expect_log("exited on signal");
    let head = "GET /crash/fault HTTP/1.1\r\nHost: a\r\n\r\n";
    let dies_of = |server: &TestServer, act: &mut dyn FnMut(&mut Client)| {
        let pid = worker(server);
        let mut client = server.connect();
        act(&mut client);
        client.ending();
        let line = obituary(server, pid);
        renew(server);
        line
    };
    let line = dies_of(&server, &mut |client| {
        client.send(format!("GET /f.txt HTTP/1.1\r\nHost: a\r\n\r\n{head}"));
    });
    assert!(
        line.contains("request: \"GET /crash/fault HTTP/1.1\", host: \"a\""),
        "pipelined: {line}"
    );

    let line = dies_of(&server, &mut |client| {
        let (first, rest) = head.split_at(9);
        client.send(first);
        assert_eq!(
            server.get("/f.txt").text(),
            "content",
            "another one in between"
        );
        client.send(rest);
    });
    assert!(
        line.contains("request: \"GET /crash/fault HTTP/1.1\", host: \"a\""),
        "in parts: {line}"
    );

    let line = dies_of(&server, &mut |client| {
        client.send("POST /crash/fault HTTP/1.1\r\nHost: a\r\n");
        client.send("Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n");
        assert_eq!(
            server.get("/f.txt").text(),
            "content",
            "another one in between"
        );
        client.send("0\r\n\r\n");
    });
    assert!(
        line.contains("request: \"POST /crash/fault HTTP/1.1\", host: \"a\""),
        "its body came later: {line}"
    );

    let long = format!(
        "GET /crash/fault?{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "x".repeat(5000)
    );
    let line = dies_of(&server, &mut |client| client.send(&long));
    assert!(
        line.contains("client: 127.0.0.1, request: \"GET /crash/fault?xxx"),
        "long: {line}"
    );
}

#[test]
fn the_third_crash_makes_a_request_poison() {
    if !is_forkful() {
        return;
    }
    let mut server = site(1);
    server.expect_log("exited on signal 11");
    server.expect_log("exited on signal 6");
    server.expect_log("this request is poison");
    let poison = |server: &TestServer| server.log().matches("is poison").count();
    for (number, agent) in ["a", "b", "c", "d"].iter().enumerate() {
        assert_eq!(poison(&server), usize::from(number == 3));
        let pid = worker(&server);
        crash(
            &server,
            &format!("GET /crash/fault HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\n\r\n"),
        );
        obituary(&server, pid);
        let pid = worker(&server);
        crash(
            &server,
            &format!("GET /crash/abort?{number} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        obituary(&server, pid);
        renew(&server);
    }
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("is poison"))
        .expect("told");
    let request =
        "three workers: client: 127.0.0.1, request: \"GET /crash/fault HTTP/1.1\", host: \"a\"";
    assert!(line.ends_with(request), "{line}");
    assert_eq!(poison(&server), 1, "{log}");
}

#[test]
fn a_signal_from_outside_blames_no_request() {
    if !is_forkful() {
        return;
    }
    let mut server = site(2);
    server.expect_log("exited on signal");
    let own = std::process::id();
    for (how, number) in [
        (Signal::SIGSEGV, 11),
        (Signal::SIGABRT, 6),
        (Signal::SIGBUS, 7),
    ] {
        let (_looping, victim) = keep_busy(&server);
        let workers = server.workers();
        let other = *workers.iter().find(|pid| **pid != victim).expect("two");
        let mut download = connection_of(&server, other);
        download.send_get("/big");
        download.fill().expect("it begins");
        signal(victim, how);
        let line = obituary(&server, victim);
        let cause = format!("exited on signal {number} ");
        assert!(line.contains(&cause), "{line}");
        assert!(
            line.contains(&format!("SI_USER sent by process {own}, slot ")),
            "{line}"
        );
        assert!(
            line.contains("1 connections lost)") && !line.contains("request:"),
            "{line}"
        );
        assert_eq!(
            download.response().body.len(),
            20 << 20,
            "the other's client"
        );
        renew(&server);
    }
    assert!(!server.log().contains("poison"));
}

/// Sends a worker into an endless loop.
fn keep_busy(server: &TestServer) -> (Client, u32) {
    let mut client = server.connect();
    client.send_get("/crash/loop");
    let victim = wait_until("a worker is busy", || {
        server.workers().into_iter().find(|pid| is_busy(*pid))
    });
    (client, victim)
}

/// Runs and has run for a while, which an event loop with nothing to do does not.
fn is_busy(pid: u32) -> bool {
    let stat = stat(pid);
    stat[0] == "R" && stat[11].parse::<u64>().expect("ticks") >= 5
}

/// What the kernel says of a process, from its state on.
fn stat(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("its name is in parentheses");
    fields.split(' ').map(str::to_owned).collect()
}

/// A connection to this worker, while the other one accepts nothing.
fn connection_of(server: &TestServer, worker: u32) -> Client {
    let mut client = server.connect();
    assert_eq!(client.get("/pid").text(), worker.to_string());
    client
}

#[test]
fn a_stall_quotes_the_request_and_blames_it_for_nothing() {
    if !is_forkful() {
        return;
    }
    let mut server = site_with("worker_processes 2; worker_stall_timeout 500ms;");
    server.expect_log("it is aborted");
    server.expect_log("stands still");
    server.expect_log("exited on signal 6");
    for _ in 0..3 {
        let (mut looping, victim) = keep_busy(&server);
        looping.ending();
        let line = obituary(&server, victim);
        let master = server.pid();
        assert!(
            line.contains(&format!("SI_USER sent by process {master}, slot ")),
            "{line}"
        );
        assert!(!line.contains("request:"), "{line}");
    }
    let log = server.log();
    let request = "client: 127.0.0.1, request: \"GET /crash/loop HTTP/1.1\", host: \"a\"";
    let quoted = |line: &&str| line.contains(" stands still: slot ") && line.ends_with(request);
    assert_eq!(log.lines().filter(quoted).count(), 3, "{log}");
    assert!(!log.contains("poison"), "{log}");
}

#[test]
fn a_killed_worker_leaves_what_it_did() {
    if !is_forkful() {
        return;
    }
    let mut server = site(1);
    server.expect_log("exited on signal 9");
    let mut clients: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/f.txt").text(), "content");
        assert_eq!(client.get("/none").status, 404);
    }
    let pid = worker(&server);
    wait_until("it waits", || (stat(pid)[0] == "S").then_some(()));
    signal(pid, Signal::SIGKILL);
    let line = obituary(&server, pid);
    let facts = "(slot 0, generation 1, 11 requests served, 5 connections lost), replaced at once";
    assert!(
        line.contains(" exited on signal 9 after 0.") && line.ends_with(facts),
        "{line}"
    );
    renew(&server);
    let old = worker(&server);
    renew(&server);
    let line = obituary(&server, old);
    let facts = "(slot 0, generation 2, 2 requests served, 0 connections lost)";
    assert!(
        line.contains(" exited with code 0 after ") && line.ends_with(facts),
        "{line}"
    );
}

#[test]
fn entries_are_given_back() {
    if !is_forkful() {
        return;
    }
    let mut server = site(8);
    server.expect_log("exited on signal 9");
    let shared = shared_mappings(server.pid());
    assert!(shared > 0);
    // More lives than entries that are mapped at once, and never more than a few at a time.
    for _ in 0..5 {
        let lives = server.workers();
        lives.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
        lives.iter().for_each(|pid| drop(obituary(&server, *pid)));
        assert_eq!(server.get("/f.txt").text(), "content");
        renew(&server);
    }
    assert_eq!(shared_mappings(server.pid()), shared);
}

fn shared_mappings(pid: u32) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    maps.lines()
        .filter(|line| line.contains("/dev/zero"))
        .count()
}
