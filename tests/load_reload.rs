//! Reloads under full load: not one request fails, and the master does not grow.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test load_reload -- --nocapture`.

mod common;

use std::time::Duration;

use common::{Holdings, Load, Reuse, Setup, TestServer, Wrk, scaled, skip, wait_until, within};
use nix::sys::signal::Signal;

const WORKERS: usize = 2;
/// Time between two signals.
const BETWEEN: Duration = Duration::from_millis(200);
/// Reloads after which the master has all that it will ever need.
const WARM_UP: usize = 3;
/// What an allocator may keep for itself.
const SLACK: u64 = 256 << 10;

#[test]
fn no_request_fails_and_the_master_does_not_grow() {
    if !Wrk::is_installed() {
        return skip("wrk is not installed");
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
    let config = "access_log off; server { listen %LISTEN%; root %PREFIX%/html; }";
    let server = Setup::with_main(&format!("worker_processes {WORKERS};"), config)
        .file("html/f.txt", body)
        .start();
    (0..WARM_UP).for_each(|_| server.reload());
    wait_until("the workers of the warm-up are gone", || {
        all_is_quiet(&server)
    });
    let before = Holdings::of(server.pid());

    let checked = Load::start(server.address(), 4, reuse, body);
    let duration = scaled(Duration::from_secs(10), Duration::from_secs(1));
    let mut wrk = Wrk::start(server.address(), duration, reuse);
    let mut reloads = 0;
    loop {
        server.signal(Signal::SIGHUP);
        reloads += 1;
        if within(BETWEEN, || (!wrk.runs()).then_some(())).is_some() {
            break;
        }
    }
    let report = wrk.finish();
    let (answered, failures) = checked.finish();
    assert!(report.is_clean(), "{report:?}");
    assert!(
        failures.is_empty(),
        "{answered} answered, failed: {failures:?}"
    );

    let after = wait_until("one generation is left, and its descriptors", || {
        all_is_quiet(&server)?;
        Some(Holdings::of(server.pid())).filter(|now| now.descriptors <= before.descriptors)
    });
    let mode = if reuse == Reuse::Never {
        "Connection: close"
    } else {
        "keep-alive"
    };
    println!(
        "{mode}: {reloads} signals, {} reloads, {} answers to wrk ({:.0}/s), {answered} checked; \
         master before: {before:?}, after: {after:?}",
        server.log().matches("reconfiguring").count() - WARM_UP,
        report.requests,
        report.rate,
    );
    assert!(
        after.memory <= before.memory + SLACK,
        "{before:?}, then {after:?}"
    );
}

/// As many workers as there are to be, and no reload under way.
fn all_is_quiet(server: &TestServer) -> Option<()> {
    (server.workers().len() == WORKERS).then_some(())
}
