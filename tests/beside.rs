//! What requests leave to be done beside their connections (`mirror`, `post_action`): no answer and
//! no connection waits for it, and a worker that leaves ends it first.

mod common;

use std::fs;

use common::{TestServer, wait_until};
use nix::sys::signal::Signal;

/// A server whose mirrored requests are delayed, all but the first, by a second each.
fn site() -> TestServer {
    TestServer::http(
        "limit_req_zone $server_port zone=slow:1m rate=1r/s;
         log_format beside \"$uri $status\";
         server { listen %LISTEN%; root %PREFIX%/html;
            location / { mirror /mirror; }
            location /mirror { limit_req zone=slow burst=9; log_subrequest on;
                access_log %PREFIX%/beside.log beside; alias %PREFIX%/html/index.html; } }",
    )
}

fn lines(server: &TestServer) -> usize {
    let log = fs::read_to_string(server.path("beside.log")).unwrap_or_default();
    log.lines().filter(|line| *line == "/mirror 200").count()
}

#[test]
fn neither_an_answer_nor_the_end_of_a_connection_waits() {
    let server = site();
    let mut kept = server.connect();
    assert_eq!(kept.get("/index.html").status, 200);
    assert_eq!(kept.get("/index.html").status, 200);
    let mut closed = server.connect();
    closed.send("GET /index.html HTTP/1.0\r\n\r\n");
    assert_eq!(closed.response().status, 200);
    closed.expect_closed();
    assert!(lines(&server) < 3, "nobody was delayed");
    wait_until("all were made once more", || {
        (lines(&server) == 3).then_some(())
    });
    assert_eq!(kept.get("/index.html").status, 200);
}

#[test]
fn a_worker_that_leaves_ends_it_first() {
    let mut server = site();
    assert_eq!(server.get("/index.html").status, 200);
    assert_eq!(server.get("/index.html").status, 200);
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    assert_eq!(lines(&server), 2);
}
