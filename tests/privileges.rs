//! What a worker may do once it serves: nothing that root may.

mod common;

use std::fs;

use common::{SITE, Setup, TestServer, is_forkful, possible};
use nix::unistd::{Group, User, geteuid};

/// A field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

/// Whether there are privileges to drop.
fn is_root() -> bool {
    possible(geteuid().is_root(), "only root has privileges to drop")
}

/// A server whose worker has served, and so is done with its start.
fn site() -> TestServer {
    let server = Setup::http(SITE).file("html/f.txt", "content").start();
    assert_eq!(server.get("/f.txt").text(), "content");
    server
}

#[test]
fn workers_are_somebody_else_for_good() {
    if !is_root() {
        return;
    }
    let server = site();
    let user = User::from_name("nobody").unwrap().unwrap().uid;
    let group = Group::from_name("nogroup").unwrap().unwrap().gid;
    for pid in server.workers() {
        assert_eq!(
            status(pid, "Uid"),
            [user.to_string().as_str(); 4].join("\t")
        );
        assert_eq!(
            status(pid, "Gid"),
            [group.to_string().as_str(); 4].join("\t")
        );
        assert_eq!(status(pid, "Groups"), group.to_string());
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(u64::from_str_radix(&status(pid, set), 16), Ok(0), "{set}");
        }
    }
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn a_worker_gets_nothing_from_what_it_could_run() {
    let server = site();
    for pid in server.workers() {
        assert!(status(pid, "NoNewPrivs") == "1" || !is_forkful());
    }
}

#[test]
fn the_master_keeps_what_a_reload_needs() {
    if !is_root() {
        return;
    }
    let server = site();
    assert_eq!(status(server.pid(), "Uid"), ["0"; 4].join("\t"));
    server.reload();
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn a_user_who_does_not_exist_is_an_error() {
    if !is_root() {
        return;
    }
    let config = "daemon off; user no-such-user; pid %PREFIX%/pid; events {} http {}";
    let mut server = Setup::config(config).spawn();
    server.expect_log("getpwnam(\"no-such-user\") failed");
    assert_eq!(server.wait(), 1);
}

#[test]
fn limits_of_the_configuration_reach_the_workers() {
    let main = "worker_processes 1; worker_rlimit_nofile 123; worker_rlimit_core 0;";
    let server = Setup::with_main(main, SITE).start();
    server.get("/");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.workers()[0])).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let values: Vec<&str> = files.split_whitespace().collect();
    assert_eq!(values[3..5], ["123", "123"], "{files}");
}

#[test]
fn a_limit_past_the_hard_one_is_told_and_the_worker_goes_on() {
    let main = "worker_processes 1; worker_rlimit_nofile 99999999999;";
    let mut server = Setup::with_main(main, SITE)
        .file("html/f.txt", "content")
        .start();
    server.expect_log("setrlimit(RLIMIT_NOFILE) failed (1: Operation not permitted)");
    assert_eq!(server.get("/f.txt").text(), "content");
}
