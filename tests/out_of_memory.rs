//! A worker that the kernel kills for lack of memory, as the error log tells it. What takes all memory is
//! a route of debug builds, and so is this file.
#![cfg(debug_assertions)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Setup, TestServer, binary, is_forkful, possible, signal, wait_until};
use nix::sys::signal::Signal;

/// A memory control group of this test's own, below the one it is in.
struct Group(PathBuf);

impl Group {
    /// `None` where none may be made.
    fn new(limit: &str) -> Option<Group> {
        let group = own_group()?.join(format!("forkful-oom-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        let group = Group(group);
        let set = |name| fs::write(group.0.join(name), limit);
        set("memory.limit_in_bytes")
            .or_else(|_| set("memory.max"))
            .ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).expect("nobody is in it any more");
    }
}

/// The directory of the memory control group of this process, v1 or v2.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let mount = match controllers {
            "" => Path::new("/sys/fs/cgroup"),
            "memory" => Path::new("/sys/fs/cgroup/memory"),
            _ => return None,
        };
        let group = mount.join(path.trim_start_matches('/'));
        let counts = ["memory.oom_control", "memory.events"];
        counts
            .iter()
            .any(|it| group.join(it).exists())
            .then_some(group)
    };
    groups.lines().find_map(of_line)
}

#[test]
fn an_oom_kill_is_recognised() {
    if !is_forkful() {
        return;
    }
    let group = Group::new("64M");
    if !possible(group.is_some(), "no memory control group may be made here") {
        return;
    }
    let group = group.expect("made");
    let mut server = site_in(&group);
    server.expect_log("killed for lack of memory");
    server.expect_log("exited on signal 9");
    for how in ["for lack of memory", "by somebody"] {
        let pid: u32 = server.get("/pid").text().parse().expect("a process");
        let mut client = server.connect();
        match how {
            "by somebody" => signal(pid, Signal::SIGKILL),
            _ => client.send_get("/crash/memory"),
        }
        let line = wait_until("its end is told", || {
            let end = format!("worker process {pid} exited on signal 9");
            let log = server.log();
            log.lines()
                .find(|line| line.contains(&end))
                .map(str::to_owned)
        });
        assert_eq!(
            line.contains("(killed for lack of memory, slot 0"),
            how != "by somebody",
            "{line}"
        );
        assert!(!line.contains("request:"), "it is blamed on none: {line}");
        assert_eq!(server.get("/f.txt").text(), "content");
        server.reload();
    }
    assert!(!server.log().contains("poison"));
    drop(server);
}

/// A server whose every process is in this group.
fn site_in(group: &Group) -> TestServer {
    let config =
        "server { listen %LISTEN%; root %PREFIX%/html; location /pid { return 200 \"$pid\"; } }";
    let setup = Setup::with_main(
        "worker_processes 1; reload_probation 10ms; env FORKFUL_CRASH_ROUTE;",
        config,
    )
    .environment("FORKFUL_CRASH_ROUTE", "/crash/")
    .file("html/f.txt", "content");
    let script = setup.prefix().join("start");
    let text = format!(
        "#!/bin/sh\necho $$ > {}/cgroup.procs && exec {} \"$@\"\n",
        group.0.display(),
        binary().display()
    );
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("executable");
    let script = script.to_str().expect("text").to_owned();
    setup.program(&script).start()
}
