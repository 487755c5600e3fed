//! `listen ... reuseport`: a socket for each slot, none of which is ever without a worker.

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::{Client, Load, Reuse, Setup, TestServer, is_forkful, signal, wait_until};
use nix::sys::signal::Signal;

fn site(workers: usize, parameter: &str) -> TestServer {
    let config = format!(
        "server {{ listen %LISTEN%{parameter}; root %PREFIX%/html; \
         location = / {{ return 200 \"$pid\"; }} }}"
    );
    let main = format!("worker_processes {workers}; reload_probation 100ms;");
    Setup::with_main(&main, &config)
        .file("html/f.txt", "content")
        .start()
}

fn reload(server: &TestServer, number: usize) {
    server.signal(Signal::SIGHUP);
    server.wait_for_log(&format!("generation {number} serves"));
}

#[test]
fn every_worker_has_its_part() {
    if !is_forkful() {
        return; // the sockets of nginx are those that it was given: one
    }
    let server = site(3, " reuseport");
    let all: BTreeSet<String> = server.workers().iter().map(u32::to_string).collect();
    let mut seen = BTreeSet::new();
    wait_until("each has answered", || {
        seen.insert(server.get("/").text());
        (seen == all).then_some(())
    });
}

#[test]
fn another_stands_in_for_a_slot_that_keeps_dying() {
    if !is_forkful() {
        return;
    }
    let mut server = site(3, " reuseport");
    server.expect_log("exited on signal 9");
    let spared = server.workers()[1..].to_vec();
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        for pid in server
            .workers()
            .into_iter()
            .filter(|pid| !spared.contains(pid))
        {
            signal(pid, Signal::SIGKILL);
        }
        // Eight connections miss none of three queues but once in 25.
        for _ in 0..8 {
            let asked = Instant::now();
            let mut client = Client::connect(server.address());
            if client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok()
                && let Err(why) = client.try_response(false)
            {
                // One that the killed worker had accepted.
                assert!(!why.contains("time"), "{why}");
            }
            assert!(asked.elapsed() < Duration::from_secs(1));
        }
    }
    server.wait_for_log("next attempt within 400 ms");
    wait_until("the slot is filled and has its socket back", || {
        let pid = server.get("/").text().parse().ok()?;
        (!spared.contains(&pid)).then_some(())
    });
}

#[test]
fn it_is_turned_on_and_off_under_load() {
    let server = site(2, "");
    let load = Load::start(server.address(), 4, Reuse::Never, "content");
    let address = format!("listen {}", server.address());
    let shared = format!("{address} reuseport");
    if !is_forkful() {
        return;
    }
    for number in [2, 4, 6] {
        server.edit_config(&address, &shared);
        reload(&server, number);
        load.wait_for_more();
        server.edit_config(&shared, &address);
        reload(&server, number + 1);
        load.wait_for_more();
    }
    let (answered, failures) = load.finish();
    assert!(failures.is_empty(), "{answered} answered: {failures:?}");
}

#[test]
fn the_number_of_workers_changes_under_load() {
    if !is_forkful() {
        return;
    }
    for parameter in ["", " reuseport"] {
        let server = site(1, parameter);
        let load = Load::start(server.address(), 4, Reuse::Never, "content");
        let mut before = 1;
        for (number, workers) in (2..).zip([4, 2, 5, 1, 3]) {
            let count = |workers| format!("worker_processes {workers}");
            server.edit_config(&count(before), &count(workers));
            before = workers;
            reload(&server, number);
            load.wait_for_more();
        }
        let (answered, failures) = load.finish();
        assert!(failures.is_empty(), "{answered} answered: {failures:?}");
        wait_until("the last number of workers is left", || {
            (server.workers().len() == 3).then_some(())
        });
    }
}
