//! One client's work does not keep others waiting.

mod common;

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use common::{Setup, TestServer, scaled_count};

/// What is "at once" on a loaded machine; a quiet one needs a tenth.
const SOON: Duration = Duration::from_secs(1);

fn site(options: &str) -> TestServer {
    let server = Setup::http(&format!(
        "server {{ listen %LISTEN%; root %PREFIX%/html; keepalive_requests 100000; {options} }}"
    ))
    .file("html/f.txt", "content")
    .start();
    let huge = File::create(server.path("html/huge")).unwrap();
    huge.set_len(10 << 30).unwrap();
    server
}

/// Asks on fresh connections; all but one in fifty answers come soon.
fn others_are_served_soon(server: &TestServer) {
    let ask = |_| {
        let start = Instant::now();
        assert_eq!(server.get("/f.txt").text(), "content");
        start.elapsed()
    };
    let mut times: Vec<Duration> = (0..scaled_count(1000, 50)).map(ask).collect();
    times.sort();
    let slow = times[times.len() - 1 - times.len() / 50];
    assert!(slow < SOON, "{slow:?}");
}

fn a_download_does_not_starve_others(options: &str) {
    let server = site(options);
    let mut greedy = server.connect();
    greedy.send_get("/huge");
    let stream = greedy.stream();
    let reader = std::thread::spawn({
        let mut stream = stream.try_clone().unwrap();
        move || {
            let mut chunk = vec![0; 1 << 20];
            while stream.read(&mut chunk).is_ok_and(|count| count > 0) {}
        }
    });
    stream.peek(&mut [0]).unwrap();
    others_are_served_soon(&server);
    assert!(!reader.is_finished(), "all happened beside the download");
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    reader.join().unwrap();
}

#[test]
fn a_download_by_sendfile_does_not_starve_others() {
    a_download_does_not_starve_others("sendfile on;");
}

#[test]
fn a_download_by_reading_does_not_starve_others() {
    a_download_does_not_starve_others("sendfile off;");
}

#[test]
fn a_pipeline_does_not_starve_others() {
    const REQUESTS: usize = 2000;
    let server = site("");
    let mut greedy = server.connect();
    let request = "GET /f.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    greedy.send(request.repeat(REQUESTS));
    others_are_served_soon(&server);
    for _ in 0..REQUESTS {
        assert_eq!(greedy.response().text(), "content");
    }
}
