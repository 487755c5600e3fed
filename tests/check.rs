//! The checker of a new configuration: whatever the configuration does to it, the site serves on, the
//! log says why, once, and nothing is left over.

mod common;

use std::fs::{self, File};
use std::io::Write;

use common::{
    Lease, Setup, TestServer, descriptors, is_forkful, possible, severe_lines, signal, wait_until,
};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use tempfile::NamedTempFile;

const MAIN: &str = "worker_processes 2; reload_probation 10ms; #main";
const SITE: &str = "server { listen %LISTEN%; return 200 \"one\"; } #http";

fn site(main: &str) -> Site {
    let server = Setup::with_main(&format!("{MAIN}\n{main}"), SITE).start();
    let config = fs::read_to_string(server.path("server.conf")).unwrap();
    server.reload();
    wait_until("the first workers are gone", || {
        (server.workers().len() == 2).then_some(())
    });
    let (workers, open) = (server.workers(), descriptors(server.pid()).len());
    Site {
        server,
        config,
        workers,
        open,
    }
}

/// A server whose reloads are all to be refused.
struct Site {
    server: TestServer,
    config: String,
    workers: Vec<u32>,
    open: usize,
}

impl Site {
    /// Asks for a reload with this in place of that.
    fn reload_with(&self, from: &str, to: &str) {
        fs::write(self.server.path("server.conf"), &self.config).unwrap();
        self.server.edit_config(from, to);
        self.server.signal(Signal::SIGHUP);
    }

    /// Waits until a reload was refused, and sees that this cost one line and nothing else.
    fn is_refused(&self, log_before: &str, expected: &str) {
        let said = || self.server.log()[log_before.len()..].to_owned();
        wait_until(&format!("the log says {expected:?}"), || {
            said().contains(expected).then_some(())
        });
        self.serves_on();
        let said = said();
        let severe: Vec<_> = severe_lines(&said).collect();
        assert_eq!(severe.len(), 1, "{severe:#?}");
        assert!(severe[0].contains("[emerg]") && severe[0].contains(expected));
    }

    /// The same workers, no process and no descriptor more.
    fn serves_on(&self) {
        assert_eq!(self.server.get("/").text(), "one");
        wait_until("nothing is left over", || {
            let settled = self.server.workers() == self.workers
                && descriptors(self.server.pid()).len() == self.open;
            settled.then_some(())
        });
    }

    /// A good configuration is served after all that, and the log holds nothing but this.
    fn finish(mut self, expected: &'static str) {
        self.reload_with("one", "two");
        wait_until("the new configuration is served", || {
            (self.server.get("/").text() == "two").then_some(())
        });
        self.server.expect_log(expected);
        self.server.finish();
    }

    /// A reload with this in place of that, whose checker waits for a file for ever: that checker,
    /// and what releases it.
    fn hang(&self, from: &str, to: &str) -> (u32, Lease) {
        self.server.write("held.conf", "");
        let lease = Lease::take(&self.server.path("held.conf")).expect("leased before");
        self.reload_with(from, &format!("{to} include held.conf;"));
        let checker = wait_until("the checker waits", || {
            let mut children = self.server.workers();
            children.retain(|pid| !self.workers.contains(pid));
            let [checker] = children[..] else { return None };
            let stat = fs::read_to_string(format!("/proc/{checker}/stat")).ok()?;
            stat.contains(") S ").then_some(checker)
        });
        (checker, lease)
    }
}

fn can_hang() -> bool {
    // Closed: only who alone has a file open can lease it.
    let file = NamedTempFile::new().unwrap().into_temp_path();
    let leased = Lease::take(&file).is_some();
    is_forkful() && possible(leased, "no perl, or no leases on this file system")
}

/// An orphan may stay a zombie until the system's first process looks after it.
fn is_gone(pid: u32) {
    wait_until("the checker is gone", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
            .then_some(())
    });
}

#[test]
fn a_broken_configuration_costs_a_line() {
    if !is_forkful() {
        return; // its words are others
    }
    let site = site("");
    let server = &site.server;
    mkfifo(&server.path("fifo"), Mode::S_IRWXU).unwrap();
    fs::create_dir(server.path("folder")).unwrap();
    let large = File::create(server.path("large.conf")).unwrap();
    large.set_len(65 << 20).unwrap();
    server.write("own.conf", "include own.conf;");
    server.write("deep.conf", "wrong on;");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("server {{ listen {}; }}", taken.local_addr().unwrap());
    let failed = "failed (2: No such file or directory)";
    for (from, to, expected) in [
        ("#http", "wrong on;", "unknown directive \"wrong\" in "),
        ("#http", "include deep.conf;", "/deep.conf:1:1"),
        (
            "#http",
            "server {",
            "unexpected end of file, expecting \"}\"",
        ),
        (
            "#main",
            "events {}",
            "\"events\" directive is duplicate in ",
        ),
        ("#main", "\0", "unexpected NUL byte in "),
        ("#main", "include missing.conf;", failed),
        (
            "#main",
            "include folder;",
            "/folder\" is not a regular file in ",
        ),
        (
            "#main",
            "include fifo;",
            "/fifo\" is not a regular file in ",
        ),
        (
            "#main",
            "include own.conf;",
            "/own.conf\" includes itself in ",
        ),
        (
            "#main",
            "include large.conf;",
            "the configuration is larger than 67108864 bytes in ",
        ),
        (
            "#http",
            "keepalive_timeout much;",
            "\"keepalive_timeout\" directive invalid value in ",
        ),
        (
            "#http",
            "server { location ~ ( {} }",
            "invalid regular expression \"(\": ",
        ),
        (
            "#http",
            "server { listen no.such.host.invalid:80; }",
            "host not found in ",
        ),
        (
            "#http",
            "access_log missing/log;",
            "/missing/log\" failed (2: No such file or directory)",
        ),
        (
            "#http",
            taken.as_str(),
            "failed (98: Address already in use)",
        ),
    ] {
        let before = server.log();
        site.reload_with(from, to);
        site.is_refused(&before, expected);
    }
    if geteuid().is_root() {
        let before = server.log();
        site.reload_with("user nobody nogroup", "user no-such-user");
        site.is_refused(&before, "getpwnam(\"no-such-user\") failed in ");
    }
    site.finish("[emerg]");
}

#[test]
fn several_errors_are_logged_once_each_with_their_levels() {
    if !is_forkful() {
        return;
    }
    let site = site("");
    let before = site.server.log();
    site.reload_with(
        "#http",
        "wrong on;\nssl_buffer_size 4k;\nworse on;\nsendfile maybe;",
    );
    site.server.wait_for_log("\"sendfile\"");
    site.serves_on();
    let said = site.server.log()[before.len()..].to_owned();
    let count = |text: &str| said.lines().filter(|line| line.contains(text)).count();
    for expected in [
        "[emerg]",
        "[notice]",
        "unknown directive \"wrong\"",
        "unknown directive \"worse\"",
        "\"ssl_buffer_size\" directive",
        "\"sendfile\" directive",
    ] {
        let times = match expected {
            "[emerg]" => 3,
            // The signal is one.
            "[notice]" => 2,
            _ => 1,
        };
        assert_eq!(count(expected), times, "{expected}: {said}");
    }
    site.finish("[emerg]");
}

#[test]
fn a_checker_that_is_killed_costs_a_line() {
    if !can_hang() {
        return;
    }
    let site = site("");
    for (which, expected) in [
        (Signal::SIGKILL, "exited on signal 9 (SIGKILL)"),
        (Signal::SIGSEGV, "exited on signal 11"),
        (Signal::SIGTERM, "exited on signal 15 (SIGTERM)"),
    ] {
        let before = site.server.log();
        let (checker, _lease) = site.hang("#http", "");
        signal(checker, which);
        let line = format!("checker process {checker} {expected}");
        site.is_refused(&before, &line);
        is_gone(checker);
    }
    site.finish("checker process");
}

#[test]
fn a_checker_that_takes_too_long_is_killed() {
    if !can_hang() {
        return;
    }
    let site = site("reload_timeout 300ms;");
    for stopped in [false, true] {
        let before = site.server.log();
        let (checker, _lease) = site.hang("#http", "");
        if stopped {
            signal(checker, Signal::SIGSTOP);
        }
        let line = format!("checker process {checker} took longer than reload_timeout (300ms)");
        site.server.wait_for_log(&line);
        is_gone(checker);
        site.serves_on();
        let said = site.server.log()[before.len()..].to_owned();
        assert_eq!(said.matches("checker process").count(), 1, "{said}");
    }
    site.finish("");
}

#[test]
fn the_master_works_while_the_checker_hangs() {
    if !can_hang() {
        return;
    }
    let site = site("");
    let (checker, lease) = site.hang("#http", "");
    assert_eq!(site.server.get("/").text(), "one");
    let log = site.server.path("error.log");
    fs::rename(&log, site.server.path("old.log")).unwrap();
    site.server.signal(Signal::SIGUSR1);
    wait_until("the log is open again", || log.exists().then_some(()));
    signal(site.workers[0], Signal::SIGKILL);
    wait_until("the worker is replaced", || {
        (site.server.workers().len() == 3 && !site.server.workers().contains(&site.workers[0]))
            .then_some(())
    });
    drop(lease);
    is_gone(checker);
    let mut server = site.server;
    server.expect_log("exited on signal 9");
    server.finish();
}

#[test]
fn a_checker_that_hangs_ends_with_its_master() {
    if !can_hang() {
        return;
    }
    for orderly in [true, false] {
        let mut site = site("");
        let (checker, _lease) = site.hang("#http", "");
        match orderly {
            true => {
                site.server.signal(Signal::SIGTERM);
                assert_eq!(site.server.wait(), 0);
            }
            false => site.server.kill_master(),
        }
        is_gone(checker);
    }
}

#[test]
fn memory_is_bounded() {
    if !is_forkful() {
        return;
    }
    let site = site("reload_memory 16m;");
    let mut file = File::create(site.server.path("large.conf")).unwrap();
    file.write_all(&b"a b;\n".repeat(1_000_000)).unwrap();
    let before = site.server.log();
    site.reload_with("#main", "include large.conf;");
    site.is_refused(
        &before,
        " is out of memory, reload_memory is 16777216 bytes",
    );
    site.finish("is out of memory");
}

#[test]
fn what_was_checked_is_what_is_served() {
    if !can_hang() {
        return;
    }
    let site = site("");
    site.server.write("part.conf", "add_header X-Part whole;");
    let (checker, lease) = site.hang("one\"; } #http", "two\"; } include part.conf;");
    // Both have been read by now.
    site.server.write("server.conf", "broken {");
    fs::remove_file(site.server.path("part.conf")).unwrap();
    drop(lease);
    is_gone(checker);
    let answer = wait_until("the new configuration is served", || {
        Some(site.server.get("/")).filter(|answer| answer.text() == "two")
    });
    assert_eq!(answer.header("X-Part"), Some("whole"));
    fs::write(site.server.path("server.conf"), &site.config).unwrap();
    site.server.finish();
}
