//! What a worker that was taken over could do: as root, without a sandbox and with each; and what
//! goes on working with one.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use common::{
    Call, SITE, Setup, TestServer, inject, is_forkful, possible, tool_is_installed, wait_until,
};
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

/// A server of one worker that is root, but for its capabilities.
fn root_site(sandbox: &str) -> Option<TestServer> {
    root_site_with(sandbox, "")
}

/// The same with these directives.
fn root_site_with(sandbox: &str, http: &str) -> Option<TestServer> {
    let capable = geteuid().is_root() && is_forkful() && cfg!(target_arch = "x86_64");
    if !possible(
        capable,
        "only root has a worker that is root, injected into on x86_64",
    ) {
        return None;
    }
    let config = format!(
        "daemon off; user root; pid %PREFIX%/pid; error_log %PREFIX%/error.log info; \
         worker_sandbox {sandbox}; events {{}} \
         http {{ access_log %PREFIX%/access.log; default_type text/plain; {http} {SITE} }}"
    );
    let server = Setup::config(&config).file("html/f.txt", "content").start();
    assert_eq!(server.get("/f.txt").text(), "content");
    let log = server.log();
    let lacking = log.contains("no landlock") || log.contains("failed (");
    possible(!lacking, "this kernel has no landlock or no seccomp").then_some(server)
}

/// What its only worker is answered when it tries this.
fn attempt(server: &TestServer, number: i64, text: Option<&str>, arguments: [u64; 3]) -> i64 {
    let call = Call {
        number,
        text,
        arguments,
    };
    inject(server.workers()[0], &call).expect("looked at before")
}

fn exec(server: &TestServer) -> i64 {
    // A directory: nobody can execute it, but who may try is told something else.
    attempt(server, libc::SYS_execve, Some("/"), [0; 3])
}

fn create(server: &TestServer, path: &Path) -> i64 {
    let flags = libc::O_CREAT | libc::O_WRONLY;
    attempt(
        server,
        libc::SYS_open,
        path.to_str(),
        [0, flags as u64, 0o600],
    )
}

fn read(server: &TestServer, path: &str) -> i64 {
    attempt(
        server,
        libc::SYS_open,
        Some(path),
        [0, libc::O_RDONLY as u64, 0],
    )
}

const EPERM: i64 = -(libc::EPERM as i64);
const EACCES: i64 = -(libc::EACCES as i64);

/// A field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim_start_matches(':').trim().to_owned()
}

#[test]
fn without_a_sandbox_a_worker_of_root_can_do_a_lot() {
    let Some(server) = root_site("off") else {
        return;
    };
    assert_eq!(status(server.workers()[0], "Seccomp"), "0");
    assert_eq!(exec(&server), EACCES, "it may try");
    let path = server.path("html/new");
    assert!(create(&server, &path) >= 0 && path.exists());
    assert!(read(&server, "/etc/hostname") >= 0);
    let master = u64::from(server.pid());
    assert_eq!(attempt(&server, libc::SYS_kill, None, [master, 0, 0]), 0);
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn a_worker_of_root_starts_nothing_and_creates_nothing() {
    for sandbox in ["on", "strict"] {
        let Some(server) = root_site(sandbox) else {
            return;
        };
        let worker = server.workers()[0];
        assert_eq!(status(worker, "Uid"), ["0"; 4].join("\t"));
        assert_eq!(status(worker, "Seccomp"), "2");
        assert_eq!(status(worker, "NoNewPrivs"), "1");
        assert_eq!(status(worker, "CapEff"), "0000000000000000");
        assert_eq!(exec(&server), EPERM);
        for path in ["html/new", "new", "html/f.txt"] {
            assert_eq!(create(&server, &server.path(path)), EACCES, "{path}");
        }
        assert_eq!(create(&server, Path::new("/etc/cron.d/new")), EACCES);
        let own = server.path("html/f.txt");
        assert_eq!(
            attempt(&server, libc::SYS_unlink, own.to_str(), [0; 3]),
            EPERM
        );
        let master = u64::from(server.pid());
        for signal in [0, libc::SIGKILL as u64] {
            let answer = attempt(&server, libc::SYS_kill, None, [master, signal, 0]);
            assert_eq!(answer, EPERM);
        }
        let process = libc::SIGCHLD as u64;
        assert_eq!(
            attempt(&server, libc::SYS_clone, None, [process, 0, 0]),
            EPERM
        );
        assert_eq!(server.get("/f.txt").text(), "content");
        assert_eq!(server.workers(), [worker], "the same worker serves on");
    }
}

/// Removes a file, renames one, makes a directory.
fn changes(server: &TestServer, directory: &str) -> [i64; 3] {
    let path = |name: &str| server.path(directory).join(name).display().to_string();
    for name in ["old", "other"] {
        server.write(&format!("{directory}/{name}"), "");
    }
    let (other, made) = (path("other"), path("made"));
    let call = |number, path: &str| attempt(server, number, Some(path), [0o700, 0, 0]);
    let unlinked = call(libc::SYS_unlink, &path("old"));
    // A name that is null is found to be so only by a call that is let through.
    let renamed = call(libc::SYS_rename, &other);
    [unlinked, renamed, call(libc::SYS_mkdir, &made)]
}

/// What requests may change is what a worker may, and nowhere else.
#[test]
fn a_worker_changes_what_requests_change() {
    const EFAULT: i64 = -(libc::EFAULT as i64);
    let bodies = "client_body_early_read 1; client_body_temp_path %PREFIX%/tmp;";
    let dav = "client_body_temp_path %PREFIX%/tmp; dav_methods PUT DELETE;";
    for sandbox in ["on", "strict"] {
        for (http, within, in_tree) in [
            ("", [EPERM; 3], [EPERM; 3]),
            (bodies, [0, EPERM, 0], [EACCES, EPERM, EACCES]),
            (dav, [0, EFAULT, 0], [0, EFAULT, 0]),
        ] {
            let Some(server) = root_site_with(sandbox, http) else {
                return;
            };
            let [tmp, tree, beside] = ["tmp", "html", "other"].map(|it| changes(&server, it));
            let is_ours = http.is_empty() || server.path("tmp/made").exists();
            assert!(is_ours && !server.path("other/made").exists(), "{http}");
            assert_eq!((tmp, tree), (within, in_tree), "{sandbox}: {http}");
            let refused = beside
                .iter()
                .all(|answer| [EPERM, EACCES, EFAULT].contains(answer));
            assert!(refused, "{sandbox}: {http}: {beside:?}");
            assert_eq!(create(&server, &server.path("other/new")), EACCES);
            assert_eq!(exec(&server), EPERM);
            let chown = attempt(&server, libc::SYS_chown, Some("/"), [0; 3]);
            assert_eq!(chown, EPERM, "owners are nobody's to change");
        }
    }
}

#[test]
fn what_a_sandbox_leaves_is_enough_for_requests_that_change_files() {
    for sandbox in ["on", "strict"] {
        let main = format!("worker_sandbox {sandbox};");
        let http = "client_body_temp_path %PREFIX%/tmp 1; client_body_buffer_size 1k;
            server { listen %LISTEN%; root %PREFIX%/html; location /a/ {
                dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; } }";
        let server = match is_forkful() {
            true => site(&main, http),
            false => site("", http),
        };
        let server = server.folder("html/a", 0o777).start();
        let send = |request: &str, body: &str| {
            let mut client = server.connect();
            let length = body.len();
            client.send(format!(
                "{request}\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
            client.response().status
        };
        let large = "x".repeat(50_000);
        assert_eq!(
            send(
                "PUT /a/small HTTP/1.1\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT",
                "x"
            ),
            201
        );
        assert_eq!(send("PUT /a/b/c/large HTTP/1.1", &large), 201);
        assert_eq!(send("PUT /a/small HTTP/1.1", &large), 204);
        assert_eq!(send("MKCOL /a/d/ HTTP/1.1", ""), 201);
        assert_eq!(send("COPY /a/b/ HTTP/1.1\r\nDestination: /a/d/", ""), 201);
        assert_eq!(send("MOVE /a/d/ HTTP/1.1\r\nDestination: /a/e/", ""), 201);
        assert_eq!(
            send("MOVE /a/small HTTP/1.1\r\nDestination: /a/e/small", ""),
            204
        );
        assert_eq!(server.get("/a/e/c/large").text(), large);
        assert_eq!(server.get("/a/e/small").text(), large);
        assert_eq!(send("DELETE /a/e/ HTTP/1.1", ""), 204);
        assert_eq!(server.get("/a/e/small").status, 404);
    }
}

#[test]
fn strict_reads_nothing_but_what_is_served() {
    let Some(on) = root_site("on") else { return };
    let Some(strict) = root_site("strict") else {
        return;
    };
    for server in [&on, &strict] {
        symlink("/etc/hostname", server.path("html/out")).unwrap();
        symlink("f.txt", server.path("html/in")).unwrap();
        assert_eq!(server.get("/in").text(), "content");
    }
    let path = "/etc/hostname";
    assert!(read(&on, path) >= 0);
    assert_eq!(read(&strict, path), EACCES);
    assert_eq!(on.get("/out").status, 200);
    assert_eq!(strict.get("/out").status, 403);
    assert_eq!(strict.get("/missing").status, 404);
    assert_eq!(read(&strict, "/proc/1/environ"), EACCES);
    let prefix = strict.path("server.conf");
    assert_eq!(read(&strict, prefix.to_str().unwrap()), EACCES);
}

/// A site as anybody runs it, or as root runs it for `nobody`.
fn site(main: &str, http: &str) -> Setup {
    let main = format!("worker_processes 1; {main}");
    Setup::with_main(&main, http).file("html/f.txt", "content")
}

#[test]
fn strict_reads_what_stands_around_variables_and_aliases() {
    if !is_forkful() {
        return;
    }
    let http = "server { listen %LISTEN%; root %PREFIX%/sites/$arg_site;
        location /a/ { alias %PREFIX%/alias/; }
        location = /one { alias %PREFIX%/one.txt; }
        location ~ ^/p/(.*)$ { alias %PREFIX%/pattern/$1; }
        location /listed/ { root %PREFIX%/html; autoindex on; }
        location /gone/ { root %PREFIX%/gone; } }";
    let server = site("worker_sandbox strict;", http)
        .file("sites/x/f.txt", "of x")
        .file("alias/f.txt", "alias")
        .file("one.txt", "one")
        .file("pattern/f.txt", "pattern")
        .file("html/listed/name", "")
        .start();
    assert_eq!(server.get("/f.txt?site=x").text(), "of x");
    assert_eq!(server.get("/a/f.txt").text(), "alias");
    assert_eq!(server.get("/one").text(), "one");
    assert_eq!(server.get("/p/f.txt").text(), "pattern");
    assert!(server.get("/listed/").text().contains("name"));
    assert_eq!(server.get("/gone/f.txt").status, 404);
    let log = server.finish();
    assert!(
        log.contains("/gone\", it cannot be opened (2: No such file"),
        "{log}"
    );
}

/// What README says that strict breaks, and what it does not.
#[test]
fn strict_holds_on_to_the_directories_that_it_began_with() {
    if !is_forkful() {
        return;
    }
    let http = "server { listen %LISTEN%; root %PREFIX%/current; }";
    let server = site("worker_sandbox strict;", http)
        .file("releases/1/f.txt", "first")
        .file("releases/2/f.txt", "second");
    let current = server.prefix().join("current");
    symlink("releases/1", &current).unwrap();
    let server = server.start();
    assert_eq!(server.get("/f.txt").text(), "first");
    server.write("releases/1/new.txt", "new");
    assert_eq!(server.get("/new.txt").text(), "new");
    symlink("releases/2", server.path("next")).unwrap();
    fs::rename(server.path("next"), &current).unwrap();
    wait_until("the other release is out of reach", || {
        (server.get("/f.txt").status == 403).then_some(())
    });
    server.reload();
    assert_eq!(server.get("/f.txt").text(), "second");
}

#[test]
fn strict_refuses_a_path_that_could_be_anywhere() {
    if !is_forkful() {
        return;
    }
    let main = "worker_processes 1; worker_sandbox strict;";
    let http = "server { listen %LISTEN%; root $arg_root; }";
    let mut server = Setup::with_main(main, http).spawn();
    server.expect_log("this path begins with a variable in ");
    assert_eq!(server.wait(), 1);
}

/// How sites are put in place and logs are rotated; under nginx each of these works.
#[test]
fn deploys_work_as_without_a_sandbox() {
    let http = "server { listen %LISTEN%; root %PREFIX%/current; \
                location /built/ { root %PREFIX%; } }";
    let server = site("", http)
        .file("releases/1/f.txt", "first")
        .file("releases/2/f.txt", "second")
        .file("built/f.txt", "old")
        .file("current/f.txt", "none")
        .start();
    fs::remove_dir_all(server.path("current")).unwrap();
    for (release, text) in [("releases/1", "first"), ("releases/2", "second")] {
        symlink(release, server.path("next")).unwrap();
        fs::rename(server.path("next"), server.path("current")).unwrap();
        wait_until("the release is served", || {
            (server.get("/f.txt").text() == text).then_some(())
        });
    }
    fs::remove_dir_all(server.path("built")).unwrap();
    server.write("built/f.txt", "new");
    wait_until("what was built anew is served", || {
        (server.get("/built/f.txt").text() == "new").then_some(())
    });
}

#[test]
fn a_log_directory_may_be_removed_and_made_again() {
    let server = Setup::config(
        "daemon off; pid %PREFIX%/pid; error_log %PREFIX%/logs/site/error.log; events {}
         http { server { listen %LISTEN%; root %PREFIX%/html;
                         access_log %PREFIX%/logs/site/access.log; } }",
    );
    let server = server
        .file("html/f.txt", "content")
        .file("logs/site/seed", "")
        .start();
    let (directory, log) = (
        server.path("logs/site"),
        server.path("logs/site/access.log"),
    );
    // The worker may find its logs itself, where it may write.
    for (target, pid) in [
        ("/f.txt?1", server.pid()),
        ("/f.txt?2", server.workers()[0]),
    ] {
        fs::remove_dir_all(&directory).unwrap();
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        common::signal(pid, Signal::SIGUSR1);
        wait_until("the log is there again", || log.exists().then_some(()));
        wait_until("it gets lines", || {
            assert_eq!(server.get(target).text(), "content");
            fs::read_to_string(&log)
                .unwrap()
                .contains(target)
                .then_some(())
        });
    }
}

/// A kernel without landlock and seccomp, played by strace.
#[test]
fn what_the_kernel_lacks_is_told_and_the_worker_goes_on() {
    const STRACE: &str = "/usr/bin/strace";
    if !is_forkful() || !possible(tool_is_installed(STRACE), "strace is not installed") {
        return;
    }
    let strace = [STRACE, "-D", "-f", "-q", "-o", "/dev/null"];
    let injected = [
        "--trace=landlock_create_ruleset,seccomp",
        "--inject=landlock_create_ruleset:error=ENOSYS",
        "--inject=seccomp:error=EINVAL",
    ];
    let server = site("", SITE)
        .under(&[&strace[..], &injected].concat())
        .start();
    assert_eq!(server.get("/f.txt").text(), "content");
    assert_eq!(status(server.workers()[0], "Seccomp"), "0");
    let log = server.finish();
    for told in [
        "[notice]",
        "worker_sandbox: this kernel has no landlock, or has it disabled",
        "worker_sandbox: seccomp failed (22: Invalid argument)",
    ] {
        assert!(log.contains(told), "{log}");
    }
}

#[test]
fn without_a_master_there_is_no_sandbox() {
    if !is_forkful() {
        return;
    }
    let server = site("master_process off;", SITE).spawn();
    assert_eq!(server.get("/f.txt").text(), "content");
    assert_eq!(status(server.pid(), "Seccomp"), "0");
    server.wait_for_log("worker_sandbox: it has no effect with \"master_process off\"");
}
