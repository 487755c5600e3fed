//! Errors of accept and open, injected by strace: which are silent, which pause accepting, which cost
//! a request; none ends service.

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Client, within};
use common::{
    SITE, Setup, TestServer, is_forkful, processor_time, skip, stop, tool_is_installed, wait_until,
};

const STRACE: &str = "/usr/bin/strace";

/// strace, which makes the next calls in a process fail.
struct Injection(Child);

impl Injection {
    /// Starts it; `None` where tracing is not allowed.
    fn start(pid: u32, calls: &str, error: &str, which: &str) -> Option<Self> {
        let inject = format!("--inject={calls}:error={error}:when={which}");
        let (number, trace) = (pid.to_string(), format!("--trace={calls}"));
        let mut command = Command::new(STRACE);
        command.args(["-f", "-p", &number, &trace, &inject]);
        let strace = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut injection = Self(strace.ok()?);
        let traced = within(common::LIMIT, || {
            let ended = injection.0.try_wait().unwrap().is_some();
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let traced = !status.contains("TracerPid:\t0\n");
            (ended || traced).then_some(traced)
        });
        (traced == Some(true)).then_some(injection)
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        stop(&mut self.0);
    }
}

/// A server whose worker's calls fail, these of the next; `None` where that cannot be had.
fn failing(calls: &str, error: &str, which: &str) -> Option<(TestServer, Injection)> {
    if !tool_is_installed(STRACE) {
        skip("strace is not installed");
        return None;
    }
    let server = Setup::http(SITE)
        .file("html/f.txt", "content")
        .file("html/other.txt", "content")
        .start();
    assert_eq!(server.get("/f.txt").text(), "content");
    match Injection::start(server.workers()[0], calls, error, which) {
        Some(injection) => Some((server, injection)),
        None => {
            skip("strace may not trace");
            None
        }
    }
}

#[test]
fn errors_of_one_connection_are_silent() {
    for error in [
        "ECONNABORTED",
        "EINTR",
        "EAGAIN",
        "EPROTO",
        "ETIMEDOUT",
        "EPERM",
    ] {
        let Some((server, injection)) = failing("accept4", error, "1..3") else {
            return;
        };
        assert_eq!(server.get("/f.txt").text(), "content", "{error}");
        drop(injection);
        let log = server.finish();
        let quiet = !log.contains("accept4() failed");
        assert!(quiet || !is_forkful(), "{error}: {log}");
    }
}

#[test]
fn shortages_pause_accepting_and_are_told_once() {
    let shortages = [
        ("EMFILE", "1..3"),
        ("ENFILE", "1"),
        ("ENOMEM", "1"),
        ("ENOBUFS", "1"),
    ];
    for (error, which) in shortages {
        let Some((mut server, injection)) = failing("accept4", error, which) else {
            return;
        };
        server.expect_log("accept4() failed");
        let worker = server.workers()[0];
        let (start, before) = (Instant::now(), processor_time(worker));
        let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/f.txt").text(), "content", "{error}");
        }
        let (used, pause) = (processor_time(worker) - before, start.elapsed());
        assert!(pause >= Duration::from_millis(500), "{error}: no pause");
        assert!(used < pause / 4, "{error}: {used:?} of {pause:?} were used");
        assert_eq!(server.workers(), [worker], "{error}");
        drop(injection);
        let lines = server.finish().matches("accept4() failed").count();
        assert!(lines == 1 || !is_forkful(), "{error}: {lines} lines");
    }
}

#[test]
fn a_file_that_cannot_be_opened_costs_its_requests_only() {
    let told = [
        ("EMFILE", "failed (24: Too many open files)"),
        ("ENFILE", "failed (23: Too many open files in system)"),
        ("ENOMEM", "failed (12: Cannot allocate memory)"),
        ("EIO", "failed (5: Input/output error)"),
    ];
    for (error, told) in told {
        let Some((mut server, injection)) = failing("openat,openat2", error, "1+") else {
            return;
        };
        server.expect_log(told);
        let mut client = server.connect();
        client.send("GET /f.txt HTTP/1.1\r\n");
        for _ in 0..3 {
            assert_eq!(server.get("/other.txt").status, 500, "{error}");
        }
        drop(injection);
        client.send("Host: a\r\n\r\n");
        assert_eq!(client.response().text(), "content", "{error}");
        wait_until("it can be opened again", || {
            (server.get("/other.txt").status == 200).then_some(())
        });
    }
}
