//! Quotas of the control groups that this machine has: `worker_processes auto` knows them. The
//! other version's files are read from fixtures, see `sys::cpu`.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Setup, TestServer, binary, is_forkful, wait_until};

/// A control group of this test, with no more than one processor's time.
struct Group(PathBuf);

impl Group {
    /// None where the kernel or its owner offers none that can be written; no package changes that.
    fn of_one_processor() -> Option<Group> {
        let name = format!("forkful-test-{}", std::process::id());
        let (v1, v2) = (Path::new("/sys/fs/cgroup/cpu"), Path::new("/sys/fs/cgroup"));
        let is_v2 = fs::read_to_string(v2.join("cgroup.subtree_control"))
            .is_ok_and(|controllers| controllers.contains("cpu"));
        let group = Group(if is_v2 { v2.join(name) } else { v1.join(name) });
        fs::create_dir(&group.0).ok()?;
        let written = if is_v2 {
            fs::write(group.0.join("cpu.max"), "100000 100000")
        } else {
            fs::write(group.0.join("cpu.cfs_period_us"), "100000")
                .and_then(|()| fs::write(group.0.join("cpu.cfs_quota_us"), "100000"))
        };
        written.is_ok().then_some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process has been reaped; the kernel may take a moment more.
        common::within(common::LIMIT, || fs::remove_dir(&self.0).ok());
    }
}

fn start(group: &Group) -> TestServer {
    let setup = Setup::with_main(
        "worker_processes auto;",
        "server { listen %LISTEN%; root %PREFIX%/html; }",
    );
    let script = setup.prefix().join("start");
    let text = format!(
        "#!/bin/sh\necho $$ >{}/cgroup.procs\nexec {} \"$@\"\n",
        group.0.display(),
        binary().display(),
    );
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, Permissions::from_mode(0o755)).expect("executable");
    let path = script.to_str().expect("a path").to_owned();
    setup.file("html/f.txt", "content").program(&path).start()
}

#[test]
fn auto_is_no_more_than_the_quota_allows() {
    if !is_forkful() {
        return; // nginx counts the processors of the machine
    }
    let Some(group) = Group::of_one_processor() else {
        return println!("not run: no control group can be made here");
    };
    let server = start(&group);
    server.wait_for_log("quota of 1");
    wait_until("one worker serves", || {
        (server.workers().len() == 1).then_some(())
    });
    assert_eq!(server.get("/f.txt").text(), "content");
    drop(server);
}
