//! The page about connections counts all workers.

mod common;

use common::{Setup, TestServer, signal, wait_until};
use nix::sys::signal::Signal;

fn site() -> TestServer {
    Setup::with_main(
        "worker_processes 3;",
        "server { listen %LISTEN%; root %PREFIX%/html; location /status { stub_status; } \
         location /slow { limit_rate 1k; } }",
    )
    .file("html/f.txt", "content")
    .file("html/slow", vec![b'x'; 1 << 20])
    .start()
}

/// Active; accepted, handled, requests; reading, writing, waiting.
fn numbers(server: &TestServer) -> Vec<u64> {
    let page = server.get("/status").text().to_string();
    let words = page.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Waits until the page says so of what connections do; another one asks for it.
fn wait_for(server: &TestServer, [active, reading, writing, waiting]: [u64; 4]) {
    wait_until("the page says what connections do", || {
        let now = numbers(server);
        (now[0] == active && now[4..] == [reading, writing, waiting]).then_some(())
    });
}

#[test]
fn it_tells_what_connections_do_in_all_workers() {
    let server = site();
    wait_for(&server, [1, 0, 1, 0]);
    let mut idle: Vec<_> = (0..6).map(|_| server.connect()).collect();
    wait_for(&server, [7, 0, 1, 6]);
    idle[0].send("GET /f.txt HT");
    wait_for(&server, [7, 1, 1, 5]);
    idle[0].send("TP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle[0].response().status, 200);
    wait_for(&server, [7, 0, 1, 6]);
    idle[1].send_get("/slow");
    wait_for(&server, [7, 0, 2, 5]);
    idle.clear();
    wait_for(&server, [1, 0, 1, 0]);
}

#[test]
fn what_was_counted_outlives_workers_and_what_they_held_does_not() {
    let mut server = site();
    server.expect_log("exited on signal 9");
    let mut held: Vec<_> = (0..20).map(|_| server.connect()).collect();
    held.iter_mut()
        .for_each(|client| assert_eq!(client.get("/f.txt").status, 200));
    let before = numbers(&server);
    assert!(
        before[1] >= 21 && before[1] == before[2] && before[3] >= 21,
        "{before:?}"
    );
    let old = server.workers();
    old.iter()
        .for_each(|worker| signal(*worker, Signal::SIGKILL));
    wait_until("others serve", || {
        let workers = server.workers();
        (workers.len() == 3 && workers.iter().all(|it| !old.contains(it))).then_some(())
    });
    wait_for(&server, [1, 0, 1, 0]);
    let after = numbers(&server);
    assert!(
        (1..4).all(|at| after[at] > before[at]),
        "{before:?} {after:?}"
    );
    server.reload();
    let last = numbers(&server);
    assert!((1..4).all(|at| last[at] > after[at]), "{after:?} {last:?}");
}
