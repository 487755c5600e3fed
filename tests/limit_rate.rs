//! Answers that are sent no faster than they may be.

mod common;

use std::time::{Duration, Instant};

use common::{Setup, TestServer};

fn site() -> TestServer {
    Setup::http(
        "send_timeout 500ms; \
         server { listen %LISTEN%; root %PREFIX%/html; \
         location /rate/ { limit_rate 20k; alias %PREFIX%/html/; } \
         location /read/ { limit_rate 20k; sendfile off; alias %PREFIX%/html/; } \
         location /after/ { limit_rate 20k; limit_rate_after 40k; alias %PREFIX%/html/; } \
         location /set/ { set $limit_rate $arg_r; alias %PREFIX%/html/; } \
         location /text/ { limit_rate 100; return 200 \"$arg_t$arg_t$arg_t$arg_t\"; } }",
    )
    .file("html/f", vec![b'x'; 50 << 10])
    .start()
}

/// How long an answer takes with so many bytes.
fn time(server: &TestServer, target: &str, length: usize) -> Duration {
    let start = Instant::now();
    let response = server.get(target);
    assert_eq!(
        (response.status, response.body.len()),
        (200, length),
        "{target}"
    );
    start.elapsed()
}

/// That an answer takes so long or longer, and that not only because the machine is slow.
fn takes(server: &TestServer, target: &str, length: usize, least: Duration) {
    let took = time(server, target, length);
    assert!(took >= least, "{target} took {took:?}");
}

#[test]
fn an_answer_takes_as_long_as_its_rate_says() {
    let server = site();
    let (two, one) = (Duration::from_secs(2), Duration::from_secs(1));
    std::thread::scope(|scope| {
        for (target, least) in [
            ("/rate/f", two),
            ("/read/f", two),
            ("/set/f?r=20k", two),
            ("/set/f?r=40k", one),
        ] {
            let server = &server;
            scope.spawn(move || takes(server, target, 50 << 10, least));
        }
        let text = format!("/text/?t={}", "y".repeat(40));
        scope.spawn({
            let server = &server;
            move || takes(server, &text, 160, two)
        });
    });
}

#[test]
fn what_is_not_limited_is_not_held_up() {
    let server = site();
    let limited = Duration::from_secs(2);
    for target in ["/f", "/after/f", "/set/f?r=0", "/set/f?r=1m", "/rate/f"] {
        let took = time(&server, target, 50 << 10);
        assert_eq!(
            took >= limited,
            target == "/rate/f",
            "{target} took {took:?}"
        );
    }
}

#[test]
fn a_connection_is_used_again() {
    let server = site();
    let mut client = server.connect();
    for _ in 0..2 {
        let response = client.get("/set/f?r=60k");
        assert_eq!(response.body.len(), 50 << 10);
    }
}
