//! Reloads under full load, every other one broken in one of ten ways: no request notices, whoever
//! asked is told what came of it, and nothing is left behind.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test load_broken_reloads -- --nocapture`.

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{
    Holdings, Lease, Load, Reuse, Setup, TestServer, Wrk, binary, is_forkful, possible,
    scaled_count, wait_until, within,
};
use nix::sys::signal::Signal;

const WORKERS: usize = 2;
/// Time between the starts of two reloads.
const BETWEEN: Duration = Duration::from_millis(150);
/// What one that hangs is given.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(1);
/// What an allocator may keep for itself.
const SLACK: u64 = 256 << 10;
/// Where each broken configuration has what breaks it.
const MAIN: &str = "# main\n";
const HTTP: &str = "# http\n";

/// One way to be broken: its name, what it puts in the place of what, and what the one who asked is
/// told.
struct Way {
    name: &'static str,
    place: String,
    with: String,
    reason: &'static str,
}

impl Way {
    fn apply(&self, good: &str) -> String {
        good.replacen(&self.place, &self.with, 1)
    }
}

/// More than ten ways to be broken; `taken` is an address that somebody else listens on, and `held`
/// a file that nobody can open.
fn ways(server: &TestServer, taken: &str, held: &Path) -> Vec<Way> {
    let huge = server.path("huge.conf");
    let sparse = File::create(&huge).expect("a file");
    sparse.set_len(1 << 36).expect("a sparse file");
    let include = |path: &Path| format!("include {};", path.display());
    let pid = format!("pid {};", server.path("pid").display());
    let workers = format!("worker_processes {WORKERS};");
    let ways = [
        ("syntax", MAIN, "}", "unexpected \"}\""),
        (
            "unknown directive",
            HTTP,
            "nonsense on;",
            "unknown directive",
        ),
        (
            "missing include",
            MAIN,
            "include /nowhere/x;",
            "No such file",
        ),
        (
            "a file larger than memory",
            MAIN,
            &include(&huge),
            "huge.conf",
        ),
        (
            "a file that does not answer",
            MAIN,
            &include(held),
            "reload_timeout",
        ),
        (
            "port in use",
            HTTP,
            &format!("server {{ listen {taken}; }}"),
            "Address already in use",
        ),
        (
            "log without a directory",
            HTTP,
            "server { access_log /nowhere/a; }",
            "No such file",
        ),
        (
            "pid without a directory",
            &pid,
            "pid /nowhere/x.pid;",
            "No such file",
        ),
        (
            "unknown user",
            "user nobody nogroup;",
            "user of_no_name;",
            "of_no_name",
        ),
        (
            "workers that cannot start",
            MAIN,
            "working_directory /nowhere;",
            "chdir(",
        ),
        (
            "no number",
            &workers,
            "worker_processes many;",
            "invalid number",
        ),
    ];
    ways.map(|(name, place, with, reason)| Way {
        name,
        place: place.into(),
        with: with.into(),
        reason,
    })
    .into()
}

/// `-s reload`, which waits. It is given a configuration of its own, that names the pid file alone:
/// what is wrong with the other one is found by the master.
fn ask(server: &TestServer) -> Child {
    Command::new(binary())
        .args(["-s", "reload", "-c"])
        .arg(server.path("client.conf"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("started")
}

fn outcome(asking: Child) -> Result<(), String> {
    let output = asking.wait_with_output().expect("waited for");
    match output.status.code() {
        Some(0) => Ok(()),
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Everything that a reload may leave is gone: processes, descriptors.
fn settled(server: &TestServer) -> Option<Holdings> {
    (server.workers().len() == WORKERS).then(|| Holdings::of(server.pid()))
}

#[test]
fn every_other_reload_is_broken_and_no_request_notices() {
    if !is_forkful() || !possible(Wrk::is_installed(), "wrk is not installed") {
        return;
    }
    for reuse in [Reuse::KeepAlive, Reuse::Never] {
        reload_under_load(reuse);
    }
}

fn reload_under_load(reuse: Reuse) {
    let body: &'static str = (0..400)
        .map(|n| format!("{n:09}\n"))
        .collect::<String>()
        .leak();
    let main = format!(
        "worker_processes {WORKERS}; reload_probation 30ms; reload_timeout {}s; \
         reload_memory 64m;\n{MAIN}",
        RELOAD_TIMEOUT.as_secs(),
    );
    let http = format!("access_log off; server {{ listen %LISTEN%; root %PREFIX%/html; }}\n{HTTP}");
    let mut server = Setup::with_main(&main, &http)
        .file("html/f.txt", body)
        .start();
    let pid = server.path("pid");
    server.write("client.conf", format!("pid {}; events {{}}", pid.display()));
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let taken = taken.local_addr().expect("an address").to_string();
    server.write("held.conf", "");
    let held = server.path("held.conf");
    let lease = Lease::take(&held);
    if !possible(lease.is_some(), "a file cannot be leased here") {
        return;
    }
    let good = std::fs::read_to_string(server.path("server.conf")).expect("read");
    let mut ways = ways(&server, &taken, &held);
    // Only the configuration of root names a user.
    ways.retain(|way| good.contains(&way.place));
    for way in &ways {
        server.expect_log(way.reason);
    }
    (0..3).for_each(|_| assert_eq!(outcome(ask(&server)), Ok(())));
    let before = wait_until("one generation is left", || settled(&server));

    let count = scaled_count(100, 2 * ways.len());
    let load = Load::start(server.address(), 4, reuse, body);
    let slow = RELOAD_TIMEOUT * (1 + count / 2 / ways.len()) as u32;
    let wrk = Wrk::start(server.address(), BETWEEN * count as u32 + slow, reuse);
    let mut outcomes = BTreeMap::<String, usize>::new();
    for number in 0..count {
        let next = Instant::now() + BETWEEN;
        let way = (number % 2 == 1).then(|| &ways[number / 2 % ways.len()]);
        let config = match way {
            None => good.clone(),
            Some(way) => way.apply(&good),
        };
        server.write("server.conf", config);
        let said = outcome(ask(&server));
        let name = match (&said, way) {
            (Ok(()), None) => "good".to_owned(),
            (Err(said), Some(way)) if said.contains(way.reason) => way.name.to_owned(),
            _ => panic!("{:?}: {said:?}\n{}", way.map(|way| way.name), server.log()),
        };
        *outcomes.entry(name).or_default() += 1;
        within(
            next.saturating_duration_since(Instant::now()),
            || None::<()>,
        );
    }
    let report = wrk.finish();
    let (answered, failures) = load.finish();
    assert!(report.is_clean(), "{report:?}");
    assert!(failures.is_empty(), "{answered} answered: {failures:?}");
    server.write("server.conf", &good);
    let collapsed = burst(&server);
    let after = wait_until("nothing is left of it", || {
        settled(&server).filter(|now| now.descriptors <= before.descriptors)
    });
    assert!(
        after.memory <= before.memory + SLACK,
        "{before:?}, then {after:?}"
    );
    println!(
        "{count} reloads, {} answers to wrk, {answered} \
         checked, 0 failed; master before {before:?}, after {after:?}; a burst of {BURST} signals \
         made {collapsed} reloads\n{outcomes:#?}",
        report.requests,
    );
}

/// How many signals a burst has, and how many reloads may come of it: the kernel collapses some of
/// the signals, the master what arrives during a reload.
const BURST: usize = 50;
const MOST: usize = 5;

/// Many signals at once come to few reloads: one under way, one that follows. Returns how many
/// there were.
fn burst(server: &TestServer) -> usize {
    let serves = || server.log().matches(" serves\n").count();
    let before = serves();
    for _ in 0..BURST {
        server.signal(Signal::SIGHUP);
    }
    assert_eq!(outcome(ask(server)), Ok(()));
    let reloads = serves() - before;
    assert!((1..=MOST).contains(&reloads), "{reloads} of {BURST}");
    reloads
}
