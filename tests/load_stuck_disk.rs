//! A disk that sleeps beside others under full load: what is cached of it and what stands elsewhere
//! is answered as before.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test load_stuck_disk -- --nocapture`.

mod common;

use std::process::Command;
use std::time::Duration;

use common::{
    Client, Reuse, SITE, Setup, SlowDisk, TestServer, Wrk, is_forkful, possible, scaled, wait_until,
};

/// Requests that wait for the disk all the time.
const WAITING: usize = 40;
/// How many times fewer answers there may be while the disk sleeps. If each waited for the disk, or
/// for the `grace` of 100 ms, there would be a hundred times fewer.
const MARGIN: f64 = 5.0;

fn server() -> TestServer {
    let main = "worker_processes 2; thread_pool default threads=8;";
    Setup::with_main(main, &SITE.replace("root", "access_log off; root"))
        .file("html/f.txt", "elsewhere")
        .start()
}

/// Answers per second, all of them good.
fn rate(server: &TestServer, target: &str) -> f64 {
    let duration = scaled(Duration::from_secs(10), Duration::from_secs(1));
    let mut wrk = Command::new("wrk");
    let wrk = Wrk::start_by(
        &mut wrk,
        server.address(),
        target,
        duration,
        Reuse::KeepAlive,
    );
    let report = wrk.finish();
    assert!(report.is_clean(), "{target}: {report:?}");
    println!(
        "{target}: {} answers, p99 {:?}",
        report.requests, report.p99
    );
    report.rate
}

fn ask(server: &TestServer, number: usize) -> Client {
    let mut client = server.connect();
    client.send_get(&format!("/disk/{number}"));
    client
}

#[test]
fn cached_files_and_other_disks_are_answered_as_before() {
    if !possible(
        SlowDisk::is_possible() && Wrk::is_installed() && is_forkful(),
        "needs root, /dev/fuse and wrk",
    ) {
        return;
    }
    let server = server();
    let names: Vec<String> = (0..WAITING).map(|number| number.to_string()).collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"late"[..])).collect();
    files.push(("cached", b"cached"));
    let disk = SlowDisk::mount(&server.path("html/disk"), &files);
    let targets = ["/f.txt", "/disk/cached"];
    let awake = targets.map(|target| rate(&server, target));
    disk.hold();
    let mut waiting: Vec<_> = (0..WAITING).map(|number| ask(&server, number)).collect();
    wait_until("the disk is asked", || disk.is_asked().then_some(()));
    println!("the disk sleeps, {WAITING} requests wait for it");
    let asleep = targets.map(|target| rate(&server, target));
    disk.release();
    for client in &mut waiting {
        assert_eq!(client.response().text(), "late");
    }
    for (awake, asleep) in awake.iter().zip(&asleep) {
        assert!(
            asleep * MARGIN > *awake,
            "{awake} per second, then {asleep}"
        );
    }
}
