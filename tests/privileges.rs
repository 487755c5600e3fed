//! What a worker may do once it serves: nothing that root may.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use common::{
    Call, SITE, Setup, TestServer, inject, is_forkful, possible, signal, tool_is_installed,
    wait_until,
};
use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Group, User, chown, geteuid};

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

/// Without a sandbox, which would refuse it as well.
#[test]
fn there_is_no_way_back_to_root() {
    if !is_root() {
        return;
    }
    let off = if is_forkful() {
        "worker_sandbox off;"
    } else {
        ""
    };
    let server = Setup::with_main(&format!("worker_processes 1; {off}"), SITE)
        .file("html/f.txt", "content")
        .start();
    assert_eq!(server.get("/f.txt").text(), "content");
    for number in [libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setgroups] {
        let call = Call {
            number,
            text: None,
            arguments: [0; 3],
        };
        let answer = inject(server.workers()[0], &call);
        if !possible(answer.is_some(), "nobody has written how on this machine") {
            return;
        }
        assert_eq!(
            answer,
            Some(-i64::from(libc::EPERM)),
            "system call {number}"
        );
    }
    assert_eq!(server.get("/f.txt").text(), "content");
}

/// Each step in turn is made to fail by strace.
#[test]
fn a_worker_that_cannot_drop_everything_does_not_serve() {
    const STRACE: &str = "/usr/bin/strace";
    if !is_root() || !is_forkful() || !possible(tool_is_installed(STRACE), "no strace") {
        return;
    }
    for (call, told) in [
        ("setgroups", "initgroups("),
        ("setresgid", "setgid("),
        ("setresuid", "setuid("),
    ] {
        let inject = format!("--inject={call}:error=EPERM");
        let trace = format!("--trace={call}");
        let strace = [STRACE, "-D", "-f", "-q", "-o", "/dev/null", &trace, &inject];
        let mut server = Setup::http(SITE).under(&strace).spawn();
        assert_eq!(server.wait(), 1, "{call}");
        server.expect_log("failed (1: Operation not permitted)");
        server.expect_log("it cannot start and is not replaced");
        let log = server.log();
        assert!(log.contains(told), "{call}: {log}");
    }
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
    let mut fields = stat.rsplit(") ").next().unwrap().split(' ');
    let nice = fields.nth(19 - 3).unwrap();
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
        .by_nobody()
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
    if !is_forkful() {
        return;
    }
    for (main, dumpable) in [
        ("", false),
        ("working_directory %PREFIX%;", false),
        ("worker_rlimit_core 1m;", true),
    ] {
        let main = format!("worker_processes 1; {main}");
        let setup = || Setup::with_main(&main, SITE).file("html/f.txt", "content");
        for setup in [setup(), setup().by_nobody()] {
            let server = setup.start();
            assert_eq!(server.get("/f.txt").text(), "content");
            assert_eq!(is_dumpable(server.workers()[0]), dumpable, "{main}");
        }
    }
}

#[test]
fn a_core_file_is_left_where_the_worker_runs() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let beside = !pattern.starts_with(['|', '/']);
    if !beside {
        // A setting of the machine, which no test may change.
        println!("skipped: core files go elsewhere on this machine");
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

/// A directory that `nobody` may do anything in, as `logs` of the prefix.
fn logs_of_nobody(setup: &Setup) -> PathBuf {
    let user = User::from_name("nobody").unwrap().unwrap();
    let directory = setup.prefix().join("logs");
    fs::create_dir_all(&directory).unwrap();
    chown(&directory, Some(user.uid), Some(user.gid)).unwrap();
    directory
}

/// Makes a link that belongs to `nobody`.
fn link_of_nobody(target: &Path, link: &Path) {
    let user = User::from_name("nobody").unwrap().unwrap();
    symlink(target, link).unwrap();
    lchown(link, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
}

const LOGGED: &str = "server { listen %LISTEN%; root %PREFIX%/html;
    access_log %PREFIX%/logs/access.log; }";

/// CVE-2016-1247: whoever had taken over a worker put a link in place of its log, and waited for
/// the next rotation.
#[test]
fn a_link_that_the_workers_put_in_place_of_a_log_is_not_followed() {
    if !is_root() || !is_forkful() {
        return; // nginx follows it, and gives what it leads to to the workers' user
    }
    let setup = Setup::http(LOGGED)
        .file("html/f.txt", "content")
        .file("precious", "text");
    let log = logs_of_nobody(&setup).join("access.log");
    let mut server = setup.start();
    for (target, kept) in [("precious", Some("text")), ("new", None)] {
        let target = server.path(target);
        let _ = fs::remove_file(log.with_file_name("access.log.1"));
        fs::rename(&log, log.with_file_name("access.log.1")).unwrap();
        link_of_nobody(&target, &log);
        let refused = "access.log\" failed (it is a link that another user has made)";
        let before = server.log().matches(refused).count();
        server.signal(Signal::SIGUSR1);
        wait_until("it is refused", || {
            (server.log().matches(refused).count() > before).then_some(())
        });
        assert_eq!(server.get("/f.txt").text(), "content");
        assert_eq!(fs::read_to_string(&target).ok().as_deref(), kept);
        // It goes on in the file it has.
        wait_until("the line is in the old file", || {
            let old = fs::read_to_string(log.with_file_name("access.log.1")).unwrap();
            old.contains("/f.txt").then_some(())
        });
        fs::remove_file(&log).unwrap();
        server.signal(Signal::SIGUSR1);
        wait_until("a file is a file again", || log.exists().then_some(()));
    }
    server.expect_log("access.log\" failed (it is a link that another user has made)");
    assert_eq!(fs::metadata(server.path("precious")).unwrap().uid(), 0);
}

#[test]
fn a_start_through_such_a_link_is_refused() {
    if !is_root() || !is_forkful() {
        return;
    }
    let setup = Setup::http(LOGGED).file("precious", "text");
    let directory = logs_of_nobody(&setup);
    link_of_nobody(
        &setup.prefix().join("precious"),
        &directory.join("access.log"),
    );
    let mut server = setup.spawn();
    server.expect_log("access.log\" failed (it is a link that another user has made)");
    assert_eq!(server.wait(), 1);
    assert_eq!(fs::read_to_string(server.path("precious")).unwrap(), "text");
}

/// As in images of containers: `access.log -> /dev/stdout`.
#[test]
fn links_of_root_are_followed() {
    if !is_root() {
        return;
    }
    let setup = Setup::http(LOGGED).file("html/f.txt", "content");
    let directory = logs_of_nobody(&setup);
    symlink("second", directory.join("access.log")).unwrap();
    symlink("../target", directory.join("second")).unwrap();
    let server = setup.start();
    assert_eq!(server.get("/f.txt").text(), "content");
    let target = server.path("target");
    server.signal(Signal::SIGUSR1);
    wait_until("the line is where the links lead", || {
        let text = fs::read_to_string(&target).unwrap();
        text.contains("/f.txt").then_some(())
    });
    assert!(
        fs::metadata(&target).unwrap().uid() == 0 || !is_forkful(),
        "nobody's now"
    );
}

#[test]
fn a_log_may_be_a_link_to_stderr() {
    let setup = Setup::http(LOGGED)
        .file("html/f.txt", "content")
        .file("logs/seed", "");
    symlink("/dev/stderr", setup.prefix().join("logs/access.log")).unwrap();
    let server = setup.start();
    assert_eq!(server.get("/f.txt").text(), "content");
    server.wait_for_log("\"GET /f.txt HTTP/1.1\" 200");
}
