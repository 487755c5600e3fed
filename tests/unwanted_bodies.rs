//! Bodies that nobody wants, of every size around every border: they are read and dropped, and
//! nothing in them is ever taken for a request.

mod common;

use common::{SITE, Setup, TestServer};

const BORDERS: [usize; 7] = [0, 1 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 1 << 20];

fn site() -> TestServer {
    Setup::http(SITE).file("html/f.txt", "content").start()
}

fn sizes() -> impl Iterator<Item = usize> {
    let around = |border: usize| border.saturating_sub(1)..=border + 1;
    BORDERS
        .into_iter()
        .flat_map(around)
        .filter(|&size| size <= 1 << 20)
}

/// What would be a request if it were not a body.
fn body(size: usize) -> Vec<u8> {
    let request = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    request.iter().copied().cycle().take(size).collect()
}

#[test]
fn of_a_length_that_was_told() {
    let server = site();
    let worker = server.workers();
    for size in sizes() {
        let mut client = server.connect();
        client.send(format!(
            "POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
        ));
        client.send(body(size));
        assert_eq!(client.response().status, 405, "{size}");
        assert_eq!(client.get("/f.txt").text(), "content", "{size}");
    }
    assert_eq!(server.workers(), worker);
    assert!(!server.log().contains("smuggled"));
}

#[test]
fn in_chunks() {
    let server = site();
    let worker = server.workers();
    for size in sizes().filter(|&size| size > 0) {
        let mut client = server.connect();
        client.send("POST /f.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(format!("{size:x}\r\n"));
        client.send(body(size));
        client.send("\r\n0\r\n\r\n");
        assert_eq!(client.response().status, 405, "{size}");
        assert_eq!(client.get("/f.txt").text(), "content", "{size}");
    }
    assert_eq!(server.workers(), worker);
    assert!(!server.log().contains("smuggled"));
}
