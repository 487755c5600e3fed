//! Errors of accept, injected by strace: which are silent, which pause accepting; none ends service.

mod common;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Client, within};
use common::{SITE, Setup, TestServer, is_forkful, processor_time, skip, stop, tool_is_installed};

const STRACE: &str = "/usr/bin/strace";

/// strace, which makes the next calls of accept in a process fail.
struct Injection(Child);

impl Injection {
    /// Starts it; `None` where tracing is not allowed.
    fn start(pid: u32, error: &str, calls: &str) -> Option<Self> {
        let inject = format!("inject=accept4:error={error}:when={calls}");
        let mut command = Command::new(STRACE);
        command.args(["-p", &pid.to_string(), "-e", "trace=accept4", "-e", &inject]);
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

/// A server whose worker's next calls of accept fail; `None` where that cannot be had.
fn failing(error: &str, calls: &str) -> Option<(TestServer, Injection)> {
    if !tool_is_installed(STRACE) {
        skip("strace is not installed");
        return None;
    }
    let server = Setup::http(SITE).file("html/f.txt", "content").start();
    assert_eq!(server.get("/f.txt").text(), "content");
    match Injection::start(server.workers()[0], error, calls) {
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
        let Some((server, injection)) = failing(error, "1..3") else {
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
    for (error, calls) in shortages {
        let Some((mut server, injection)) = failing(error, calls) else {
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
