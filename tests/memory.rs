//! What clients can do to a worker's memory: nothing that grows with them, and nothing that stays.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;

use common::{
    Client, Setup, TestServer, descriptors, private_memory, scale, scaled_count, wait_until,
};
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

/// Bytes of private memory that come and go with the allocator.
const NOISE: u64 = 512 << 10;

fn site(limits: &str) -> TestServer {
    let server = Setup::with_main(
        "worker_processes 1; events { worker_connections 4096; }",
        &format!(
            "access_log off; keepalive_requests 1000000000;
             server {{ listen %LISTEN%; root %PREFIX%/html; sendfile on; {limits} }}"
        ),
    )
    .file("html/f.txt", "content")
    .start();
    let huge = File::create(server.path("html/huge")).unwrap();
    huge.set_len(100 << 20).unwrap();
    server
}

/// Bytes of private memory that the only worker has.
fn memory(server: &TestServer) -> u64 {
    private_memory(server.workers()[0])
}

fn all_are_closed(server: &TestServer, before: usize) {
    let worker = server.workers()[0];
    wait_until("as few descriptors as before", || {
        (descriptors(worker).len() <= before).then_some(())
    });
}

/// Does the same twice: the first time shows what is kept for use, the second what is lost.
fn leaves_nothing(server: &TestServer, mut act: impl FnMut()) {
    server.get("/f.txt");
    let worker = server.workers()[0];
    wait_until("the file is closed", || {
        let file = server.path("html/f.txt");
        (!descriptors(worker).contains(&file)).then_some(())
    });
    let open = descriptors(worker).len();
    act();
    all_are_closed(server, open);
    let before = memory(server);
    act();
    all_are_closed(server, open);
    let after = memory(server);
    assert!(
        after <= before + NOISE,
        "{before} bytes once, {after} bytes twice"
    );
}

#[test]
fn slow_readers_of_a_large_file_cost_little() {
    let server = site("");
    let before = memory(&server);
    let slow = |_| {
        let mut client = server.connect();
        setsockopt(client.stream(), sockopt::RcvBuf, &4096).unwrap();
        client.send_get("/huge");
        client.stream().peek(&mut [0]).unwrap();
        client
    };
    let clients: Vec<Client> = (0..scaled_count(1000, 50)).map(slow).collect();
    assert_eq!(server.get("/f.txt").text(), "content");
    let each = memory(&server).saturating_sub(before) / clients.len() as u64;
    assert!(each < 16 << 10, "{each} bytes for each slow reader");
}

#[test]
fn pipelines_that_nobody_reads_cost_little() {
    let server = site("");
    let before = memory(&server);
    let pipeline = "GET /huge HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10_000);
    let greedy = |_| {
        let client = server.connect();
        client.stream().set_nonblocking(true).unwrap();
        let _as_much_as_it_takes = (&mut client.stream()).write(pipeline.as_bytes());
        client
    };
    let clients: Vec<Client> = (0..scaled_count(500, 25)).map(greedy).collect();
    for client in &clients {
        client.stream().set_nonblocking(false).unwrap();
        client.stream().peek(&mut [0]).unwrap();
    }
    let each = memory(&server).saturating_sub(before) / clients.len() as u64;
    assert!(each < 256 << 10, "{each} bytes for each pipeline");
}

#[test]
fn a_head_of_many_fields_is_bounded() {
    let server = site("");
    let head = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(20_000)
    );
    leaves_nothing(&server, || {
        for _ in 0..20 {
            let mut client = server.connect();
            let _closed_is_seen_by_reading = client.try_send(&head);
            if let Ok(response) = client.try_response(false) {
                assert!(matches!(response.status, 400 | 431), "{response:?}");
            }
        }
    });
}

/// What a client has sent when it breaks off; some wait for the answer to begin.
const PHASES: [(&str, bool); 8] = [
    ("", false),
    ("GET /f", false),
    ("GET /f.txt HTTP/1.1\r\nHost: a\r\nX: ", false),
    (
        "POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc",
        false,
    ),
    (
        "POST /f.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        false,
    ),
    ("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n", true),
    ("GET /f.txt HTTP/1.1\r\nHost: a\r\n\r\n", true),
    ("GET / HTTP/1.1\r\n\r\nmore than was asked for", true),
];

#[test]
fn clients_that_break_off_leave_nothing() {
    let server = site("");
    let at_once = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    leaves_nothing(&server, || {
        for round in 0..scaled_count(5000, 250) {
            let (sent, waits) = PHASES[round % PHASES.len()];
            let mut client = server.connect();
            setsockopt(client.stream(), sockopt::Linger, &at_once).unwrap();
            client.send(sent);
            if waits {
                client.stream().peek(&mut [0]).unwrap();
            }
        }
    });
    assert_eq!(server.get("/f.txt").text(), "content");
}

/// Requests of all outcomes but the broken off: the head of each, and how many.
const MIXED: &str = "GET /f.txt HTTP/1.1\r\nHost: a\r\n\r\n\
    GET /f.txt HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n\
    GET /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\n\r\n\
    GET /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,2-3\r\n\r\n\
    GET /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=9-\r\n\r\n\
    HEAD /f.txt HTTP/1.1\r\nHost: a\r\n\r\n\
    GET /none HTTP/1.1\r\nHost: a\r\n\r\n\
    POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const KINDS: usize = 8;

/// Sends the mixed requests so many times, pipelined, and takes the answers, which are as long as
/// those before; then a wrong request, and one that is broken off.
fn ask_mixed(server: &TestServer, times: usize) {
    let mut stream: &TcpStream = &TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(common::LIMIT)).unwrap();
    let last = "GET /f.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let requests = MIXED.repeat(times) + last;
    std::thread::scope(|scope| {
        scope.spawn(move || (&mut &*stream).write_all(requests.as_bytes()).unwrap());
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).unwrap();
        let statuses = answers.windows(9).filter(|it| *it == b"HTTP/1.1 ").count();
        assert_eq!(statuses, times * KINDS + 1);
    });
    let mut wrong = server.connect();
    wrong.send("GET /\r\n\r\n");
    assert_eq!(wrong.response().status, 400);
    server.connect().send_get("/huge");
}

#[test]
fn memory_is_constant_over_time() {
    let server = site("");
    // By the square: what is enough every day is far from what is convincing.
    let (batch, requests) = (200, 2e6 * scale() * scale());
    let batches = (requests as usize / KINDS / batch).max(10);
    for _ in 0..batches / 10 {
        ask_mixed(&server, batch);
    }
    let early = memory(&server);
    for _ in batches / 10..batches {
        ask_mixed(&server, batch);
    }
    let late = memory(&server);
    assert!(
        late < early + (2 << 20),
        "{early} bytes after a tenth, {late} bytes after {} requests",
        batches * batch * KINDS
    );
}
