//! What a worker may do once it serves: nothing that root may.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use common::{SITE, Setup, TestServer, is_forkful, possible, signal};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
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

/// The soft and the hard limit of a process.
fn limits(pid: u32, name: &str) -> [String; 2] {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let mut values = line.unwrap().split_whitespace().map(str::to_owned);
    [values.next().unwrap(), values.next().unwrap()]
}

#[test]
fn limits_of_the_configuration_reach_the_workers() {
    let main = "worker_processes 1; worker_rlimit_nofile 123; worker_rlimit_core 4k; \
                worker_priority 7;";
    let server = Setup::with_main(main, SITE).start();
    server.get("/");
    let worker = server.workers()[0];
    assert_eq!(limits(worker, "Max open files"), ["123", "123"]);
    assert_eq!(limits(worker, "Max core file size"), ["4096", "4096"]);
    let stat = fs::read_to_string(format!("/proc/{worker}/stat")).unwrap();
    // The name may hold spaces; behind it the fields are counted from the third.
    let fields = stat.rsplit(") ").next().unwrap().split(' ');
    let nice = fields.skip(19 - 3).next().unwrap();
    assert_eq!(
        nice,
        if geteuid().is_root() || is_forkful() {
            "7"
        } else {
            "0"
        }
    );
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

#[test]
fn who_is_not_root_is_told_what_it_may_not_and_goes_on() {
    if !is_forkful() {
        return; // nginx does not try to set the priority then
    }
    setrlimit(Resource::RLIMIT_CORE, 1 << 30, 1 << 30).unwrap();
    let main = "worker_processes 1; worker_rlimit_core 2g; worker_priority -5;";
    let mut server = Setup::with_main(main, SITE)
        .file("html/f.txt", "content")
        .as_nobody()
        .start();
    server.expect_log("setrlimit(RLIMIT_CORE, 2147483648) failed (1: Operation not permitted)");
    server.expect_log("setpriority(-5) failed (13: Permission denied)");
    assert_eq!(server.get("/f.txt").text(), "content");
    let worker = server.workers()[0];
    assert_eq!(status(worker, "Uid"), status(server.pid(), "Uid"));
    assert_eq!(status(worker, "CapEff"), "0000000000000000");
    assert_eq!(status(worker, "Seccomp"), "2");
}

/// Who owns a dumpable process's files in /proc is its user, else root.
fn is_dumpable(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid() != 0
}

#[test]
fn only_who_wants_core_files_makes_workers_dumpable() {
    if !is_root() || !is_forkful() {
        return;
    }
    for (main, dumpable) in [
        ("", false),
        ("working_directory %PREFIX%;", false),
        ("worker_rlimit_core 1m;", true),
    ] {
        let main = format!("worker_processes 1; {main}");
        let server = Setup::with_main(&main, SITE)
            .file("html/f.txt", "content")
            .start();
        assert_eq!(server.get("/f.txt").text(), "content");
        assert_eq!(is_dumpable(server.workers()[0]), dumpable, "{main}");
    }
}

#[test]
fn a_core_file_is_left_where_the_worker_runs() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let beside = !pattern.starts_with(['|', '/']);
    if !possible(beside, "core files go elsewhere on this machine") {
        return;
    }
    for sandbox in ["on", "strict"] {
        let main = format!(
            "worker_processes 1; worker_rlimit_core 1g; working_directory %PREFIX%/cores; \
             worker_sandbox {sandbox};"
        );
        let mut server = Setup::with_main(&main, SITE)
            .file("html/f.txt", "content")
            .file("cores/seed", "")
            .start();
        let cores = server.path("cores");
        fs::set_permissions(&cores, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(server.get("/f.txt").text(), "content");
        signal(server.workers()[0], Signal::SIGSEGV);
        server.expect_log("exited on signal 11 (core dumped)");
        server.wait_for_log("exited on signal 11 (core dumped)");
        assert_eq!(fs::read_dir(&cores).unwrap().count(), 2, "{sandbox}");
        assert_eq!(server.get("/f.txt").text(), "content");
    }
}

#[test]
fn what_workers_make_is_written_by_them_alone() {
    let server = site();
    for pid in server.workers() {
        assert!(status(pid, "Umask") == "0022" || !is_forkful());
    }
}
