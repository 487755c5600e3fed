//! A full disk: requests are still answered, and what cannot be written is told clearly.

mod common;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use common::{Setup, TestServer, run, skip, wait_until};
use nix::sys::signal::Signal;

const HELLO: &str = "server { listen %LISTEN%; return 200 \"one\"; }";

#[test]
fn a_full_access_log_stops_no_answer() {
    let config = format!("access_log /dev/full combined; {HELLO}");
    let mut server = Setup::http(&config).start();
    server.expect_log("/dev/full");
    for _ in 0..100 {
        assert_eq!(server.get("/").text(), "one");
    }
    server.wait_for_log("/dev/full");
    let complaints = server.finish().matches("/dev/full").count();
    assert!(complaints < 10, "{complaints} lines for one full disk");
}

#[test]
fn a_full_error_log_stops_no_answer() {
    let config = "daemon off; worker_processes 1; pid %PREFIX%/pid; error_log /dev/full info;
        events {} http { access_log off; server { listen %LISTEN%; root %PREFIX%/html; } }";
    let server = Setup::config(config).file("html/f.txt", "content").start();
    for _ in 0..100 {
        assert!(matches!(server.get("/none").status, 403 | 404));
    }
}

/// A file system of 64 kilobytes, for as long as it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(server: &TestServer) -> Option<SmallDisk> {
        let place = server.path("small");
        fs::create_dir(&place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]);
        let mounted = run(mount.arg(&place)).status.success();
        mounted.then(|| SmallDisk(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[test]
fn a_log_that_was_full_goes_on_when_there_is_room() {
    let mut server = Setup::http(HELLO).start();
    let Some(disk) = SmallDisk::mount(&server) else {
        return skip("no file system can be mounted here");
    };
    server.expect_log("(28: No space");
    let log = server.path("small/access.log");
    server.edit_config("/access.log", "/small/access.log");
    server.reload();
    let target = format!("/?{}", "x".repeat(1000));
    wait_until("the disk is full", || {
        assert_eq!(server.get(&target).text(), "one");
        server.log().contains("(28: No space").then_some(())
    });
    fs::remove_file(&log).unwrap();
    server.signal(Signal::SIGUSR1);
    wait_until("lines are written again", || {
        assert_eq!(server.get("/after").text(), "one");
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.contains("GET /after").then_some(())
    });
    drop(disk);
}

#[test]
fn a_pid_file_that_cannot_be_written_is_an_error_of_the_start() {
    let config = "daemon off; pid /dev/full; events {}
        http { server { listen unix:%PREFIX%/socket; } }";
    let mut server = Setup::config(config).spawn();
    server.expect_log("open() \"/dev/full\" failed (28: No space left on device)");
    assert_eq!(server.wait(), 1);
    assert!(!server.path("socket").exists(), "the socket is left");
}

#[test]
fn a_reload_whose_pid_file_cannot_be_written_changes_nothing() {
    let mut server = TestServer::http(HELLO);
    server.expect_log("(28: No space left on device)");
    let workers = server.workers();
    let socket = server.path("socket");
    server.edit_config(
        "return 200 \"one\"",
        &format!("listen unix:{}; return 200 \"two\"", socket.display()),
    );
    server.edit_config(&server.path("pid").display().to_string(), "/dev/full");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("/dev/full");
    assert_eq!(server.get("/").text(), "one");
    assert_eq!(server.workers(), workers);
    let pid = fs::read_to_string(server.path("pid")).unwrap();
    assert_eq!(pid, format!("{}\n", server.pid()));
    UnixListener::bind(&socket).expect("the new socket was given up");
}

#[test]
fn a_reload_whose_log_cannot_be_opened_changes_nothing() {
    let mut server = TestServer::http(HELLO);
    server.expect_log("none/access.log\" failed (2: No such file or directory)");
    let workers = server.workers();
    server.edit_config("return 200 \"one\"", "return 200 \"two\"");
    server.edit_config("/access.log", "/none/access.log");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("none/access.log");
    assert_eq!(server.get("/").text(), "one");
    assert_eq!(server.workers(), workers);
}
