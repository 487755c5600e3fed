//! Zones of shared memory: what is counted there outlives workers and configurations.

mod common;

use std::time::{Duration, Instant};

use common::{Setup, TestServer, signal, wait_until};
use nix::sys::signal::Signal;

const ZONE: &str = "limit_req_zone $arg_a zone=one:1m rate=1r/m;";

fn site(workers: usize) -> TestServer {
    let http =
        format!("{ZONE} server {{ listen %LISTEN%; root %PREFIX%/html; limit_req zone=one; }}");
    Setup::with_main(&format!("worker_processes {workers};"), &http)
        .file("html/f.txt", "content")
        .start()
}

fn status(server: &TestServer, key: &str) -> u16 {
    server.get(&format!("/f.txt?a={key}")).status
}

#[test]
fn a_reload_keeps_a_zone_while_kind_size_and_key_agree() {
    let server = site(2);
    assert_eq!((status(&server, "1"), status(&server, "1")), (200, 503));
    server.reload();
    assert_eq!(status(&server, "1"), 503, "kept");
    server.edit_config("rate=1r/m", "rate=2r/m");
    server.reload();
    assert_eq!(status(&server, "1"), 503, "with another rate as well");
    for (from, to) in [
        ("$arg_a zone", "$arg_a$arg_b zone"),
        (":1m", ":2m"),
        ("zone=one", "zone=two"),
    ] {
        assert_eq!(status(&server, "1"), 503, "{from}");
        server.edit_config(from, to);
        server.reload();
        assert_eq!(status(&server, "1"), 200, "another zone with {to}");
    }
}

#[test]
fn a_zone_is_still_there_while_a_worker_has_it() {
    let server = Setup::http(
        &format!(
            "{ZONE} server {{ listen %LISTEN%; root %PREFIX%/html; limit_req zone=one; \
         location /slow {{ limit_rate 1k; limit_req off; }} }}"
        )
        .replace("limit_req off;", ""),
    )
    .file("html/f.txt", "content")
    .file("html/slow", vec![b'x'; 1 << 20])
    .start();
    assert_eq!((status(&server, "1"), status(&server, "1")), (200, 503));
    let mut slow = server.connect();
    slow.send_get("/slow");
    slow.fill().expect("the answer begins");
    let old = server.workers()[0];
    let there = || server.workers().contains(&old);
    server.edit_config(ZONE, &ZONE.replace("$arg_a", "$arg_b"));
    server.signal(Signal::SIGHUP);
    wait_until("another worker serves", || {
        (server.workers().len() == 2).then_some(())
    });
    wait_until("another zone serves", || {
        (status(&server, "1") == 200).then_some(())
    });
    server.edit_config("$arg_b zone", "$arg_a zone");
    server.signal(Signal::SIGHUP);
    wait_until("the first zone serves again", || {
        (status(&server, "1") == 503).then_some(())
    });
    assert!(there(), "it still sends");
}

#[test]
fn workers_that_die_take_no_count_with_them() {
    let mut server = site(1);
    server.expect_log("exited on signal 9");
    assert_eq!((status(&server, "1"), status(&server, "1")), (200, 503));
    let worker = server.workers()[0];
    signal(worker, Signal::SIGKILL);
    wait_until("there is another one", || {
        let workers = server.workers();
        (workers.len() == 1 && workers[0] != worker).then_some(())
    });
    assert_eq!(status(&server, "1"), 503);
}

#[test]
fn requests_of_a_burst_wait_for_their_turn() {
    let server = Setup::http(
        "limit_req_zone $server_addr zone=one:1m rate=4r/s; \
         log_format limited \"$status $limit_req_status\"; \
         access_log %PREFIX%/access.log limited; \
         server { listen %LISTEN%; root %PREFIX%/html; limit_req zone=one burst=3; }",
    )
    .file("html/f.txt", "content")
    .start();
    let start = Instant::now();
    let mut clients: Vec<_> = (0..4).map(|_| server.connect()).collect();
    clients
        .iter_mut()
        .for_each(|client| client.send_get("/f.txt"));
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert!(
        start.elapsed() >= Duration::from_millis(700),
        "{:?}",
        start.elapsed()
    );
    let mut gone = server.connect();
    gone.send_get("/f.txt");
    server.wait_for_log("delaying request, excess: 1.");
    drop(gone);
    let logged = || std::fs::read_to_string(server.path("access.log")).unwrap_or_default();
    wait_until("whoever leaves is not waited for", || {
        logged().contains("499 DELAYED").then_some(())
    });
    assert_eq!(logged().matches("200 DELAYED").count(), 3);
}
