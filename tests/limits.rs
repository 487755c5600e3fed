//! Slow, greedy and vanishing clients: what is bounded, by what, and that others are still served.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{
    Client, Ending, LIMIT, Setup, TestServer, descriptors, holds_for, is_forkful, possible,
    processor_time, wait_until,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

fn site(limits: &str) -> TestServer {
    Setup::http(&format!(
        "server {{ listen %LISTEN%; root %PREFIX%/html; {limits} }}"
    ))
    .file("html/f.txt", "content")
    .file("html/big", vec![b'x'; 20 << 20])
    .start()
}

/// Sends a byte now and then until the server ends the connection; returns what it said.
fn trickle(client: &Client, byte: u8) -> Vec<u8> {
    let mut stream: &TcpStream = client.stream();
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let deadline = Instant::now() + LIMIT;
    let mut said = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        assert!(Instant::now() < deadline, "the server waits for ever");
        match stream.read(&mut chunk) {
            Ok(0) => return said,
            Ok(n) => said.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let _closed_is_seen_by_read = stream.write(&[byte]);
            }
            Err(_) => return said,
        }
    }
}

/// Whether a worker holds a file open.
fn holds(server: &TestServer, name: &str) -> bool {
    server
        .workers()
        .into_iter()
        .any(|pid| descriptors(pid).contains(&server.path(name)))
}

#[test]
fn a_head_must_be_complete_in_time() {
    let server = site("client_header_timeout 1s;");
    let slow: Vec<Client> = (0..50).map(|_| server.connect()).collect();
    for mut stream in slow.iter().map(Client::stream) {
        let start = b"GET /f.txt HTTP/1.1\r\nHost: a\r\nX: ";
        stream.write_all(start).unwrap();
    }
    assert_eq!(server.get("/f.txt").text(), "content");
    let start = Instant::now();
    for client in &slow {
        let said = trickle(client, b'x');
        assert!(
            said.is_empty() || said.starts_with(b"HTTP/1.1 408 "),
            "{}",
            said.escape_ascii()
        );
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_connection_must_ask_in_time() {
    let server = site("client_header_timeout 1s;");
    let mut client = server.connect();
    let start = Instant::now();
    let (ending, _) = client.ending();
    assert_eq!(ending, Ending::Closed);
    assert!(
        start.elapsed() >= Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_body_that_stops_ends_the_connection() {
    let server = site("client_body_timeout 1s; lingering_timeout 1s; lingering_time 2s;");
    let mut client = server.connect();
    client.send("POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    client.ending();
}

#[test]
fn a_body_that_never_ends_is_cut() {
    let server = site("client_max_body_size 10; lingering_timeout 1s; lingering_time 1s;");
    let mut client = server.connect();
    client.send("POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    assert_eq!(client.response().status, 413);
    let deadline = Instant::now() + LIMIT;
    while client.try_send([b'x'; 100]).is_ok() {
        assert!(Instant::now() < deadline, "the server reads for ever");
        std::thread::yield_now();
    }
}

#[test]
fn each_body_has_its_own_time() {
    let server = site("lingering_timeout 4s; lingering_time 4s;");
    let mut client = server.connect();
    let head = "POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    // The end of a body comes together with the head of the next request.
    for sent in [
        head.into(),
        "hello".to_owned() + head,
        "hello".to_owned() + head,
    ] {
        client.send(sent);
        assert_eq!(client.response().status, 405);
        holds_for(Duration::from_millis(1500), "the body may come", || {
            !client.has_ended()
        });
    }
    client.send("hello");
    assert_eq!(client.get("/f.txt").text(), "content");
}

#[test]
fn a_client_that_sends_too_much_can_read_why() {
    let server = site("client_max_body_size 1k;");
    let mut client = server.connect();
    client.send("POST /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    for _ in 0..300 {
        client.try_send([b'x'; 10_000]).unwrap();
    }
    assert_eq!(client.response().status, 413);
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let server = site("send_timeout 1s;");
    let mut client = server.connect();
    client.send_get("/big");
    wait_until("the file is open", || {
        holds(&server, "html/big").then_some(())
    });
    wait_until("the file is closed", || {
        (!holds(&server, "html/big")).then_some(())
    });
    assert!(
        client.try_response(false).is_err(),
        "it was sent as a whole"
    );
}

#[test]
fn an_idle_connection_is_closed_after_keepalive_timeout() {
    let server = site("keepalive_timeout 1s;");
    let mut client = server.connect();
    client.get("/f.txt");
    client.expect_closed();
}

#[test]
fn a_connection_serves_keepalive_requests() {
    let server = site("keepalive_requests 3;");
    let mut client = server.connect();
    assert_eq!(
        client.get("/f.txt").header("Connection"),
        Some("keep-alive")
    );
    assert_eq!(
        client.get("/f.txt").header("Connection"),
        Some("keep-alive")
    );
    assert_eq!(client.get("/f.txt").header("Connection"), Some("close"));
    client.expect_closed();
}

#[test]
fn a_connection_lives_for_keepalive_time() {
    let server = site("keepalive_time 1s;");
    let mut client = server.connect();
    wait_until("a response closes", || {
        (client.get("/f.txt").header("Connection") == Some("close")).then_some(())
    });
    client.expect_closed();
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    let config = "server { listen %LISTEN%; root %PREFIX%/html; }";
    let server = Setup::with_main(
        "worker_processes 1; events { worker_connections 32; }",
        config,
    )
    .file("html/f.txt", "content")
    .start();
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut client = server.connect();
        assert_eq!(client.get("/f.txt").text(), "content");
        idle.push(client);
    }
}

#[test]
fn room_is_made_by_those_who_are_idle_alone() {
    let main = "worker_processes 1; events { worker_connections 8; }";
    let server = Setup::with_main(main, common::SITE)
        .file("html/f.txt", "content")
        .start();
    // One for the listener and one for the master.
    let mut clients: Vec<Client> = (0..6).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/f.txt").text(), "content");
    }
    let (last, busy) = clients.split_last_mut().expect("six");
    for client in &mut *busy {
        client.send("GET /f.txt HTTP/1.1\r\n");
    }
    // It is answered after those were read.
    assert_eq!(last.get("/f.txt").text(), "content");
    for _ in 0..20 {
        assert_eq!(server.connect().get("/f.txt").text(), "content");
    }
    last.expect_closed();
    for client in busy {
        client.send("Host: a\r\n\r\n");
        assert_eq!(client.response().text(), "content");
    }
}

#[test]
fn connections_beyond_worker_connections_do_not_hang() {
    let main = "worker_processes 1; events { worker_connections 16; }";
    let mut server = Setup::with_main(main, common::SITE)
        .file("html/f.txt", "content")
        .start();
    server.expect_log("worker_connections are not enough");
    // Each says something at once: a silent one is idle and would make room for the next.
    let half_a_head = |_| {
        let mut client = server.connect();
        let _refused_by_closing = client.try_send("GET /f.txt HTTP/1.1\r\n");
        client
    };
    let mut busy: Vec<Client> = (0..32).map(half_a_head).collect();
    server.wait_for_log("worker_connections are not enough");
    let start = Instant::now();
    let mut late = server.connect();
    let _refused_by_closing = late.try_send("GET /f.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(late.try_response(false).is_err() && late.has_ended());
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    let served = |client: &mut Client| {
        let _it_was_refused = client.try_send("Host: a\r\n\r\n");
        client
            .try_response(false)
            .is_ok_and(|it| it.text() == "content")
    };
    let served = busy
        .iter_mut()
        .filter_map(|it| served(it).then_some(()))
        .count();
    assert!((8..=16).contains(&served), "{served} were served");
}

#[test]
fn a_refusal_costs_no_more_where_there_are_more_connections() {
    if !is_forkful() {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if !possible(hard >= 8000, "too few descriptors") {
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let (few, many) = (time_of_refusals(16), time_of_refusals(6000));
    assert!(many < few * 3, "{few:?} beside few, {many:?} beside many");
}

/// The processor time of refusing connections beside so many busy ones.
fn time_of_refusals(busy: usize) -> Duration {
    let main = format!("worker_processes 1; events {{ worker_connections {busy}; }}");
    let mut server = Setup::with_main(&main, common::SITE).start();
    server.expect_log("worker_connections are not enough");
    let half_a_head = |_| {
        let mut client = server.connect();
        let _refused_by_closing = client.try_send("GET / HTTP/1.1\r\n");
        client
    };
    let _busy: Vec<Client> = (0..busy + 8).map(half_a_head).collect();
    server.wait_for_log("worker_connections are not enough");
    let before = processor_time(server.workers()[0]);
    for _ in 0..2000 {
        server.connect().expect_closed();
    }
    processor_time(server.workers()[0]) - before
}

#[test]
fn idle_connections_take_no_processor_time() {
    let server = site("");
    let worker = server.workers()[0];
    let mut idle: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.get("/f.txt").text(), "content");
    }
    let before = processor_time(worker);
    holds_for(Duration::from_secs(1), "the worker died", || {
        server.workers() == [worker]
    });
    let used = processor_time(worker) - before;
    assert!(used < Duration::from_millis(10), "{used:?} of CPU");
}

#[test]
fn running_out_of_descriptors_pauses_accepting() {
    let config = "server { listen %LISTEN%; root %PREFIX%/html; }";
    let mut server = Setup::with_main("worker_processes 1; worker_rlimit_nofile 32;", config)
        .file("html/f.txt", "content")
        .start();
    server.expect_log("Too many open files");
    let worker = server.workers()[0];
    let many: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    server.wait_for_log("Too many open files");
    let before = processor_time(worker);
    holds_for(Duration::from_secs(2), "the worker died", || {
        server.workers() == [worker]
    });
    let used = processor_time(worker) - before;
    assert!(
        used < Duration::from_millis(100),
        "{used:?} of CPU while there was nothing to do"
    );
    let lines = server.log().matches("Too many open files").count();
    assert!(lines < 20, "{lines} lines in the log");
    drop(many);
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn a_file_that_cannot_be_opened_for_want_of_descriptors_costs_one_request() {
    let config = "server { listen %LISTEN%; root %PREFIX%/html; }";
    let mut server = Setup::with_main("worker_processes 1; worker_rlimit_nofile 32;", config)
        .file("html/f.txt", "content")
        .start();
    server.expect_log("Too many open files");
    let mut served = Vec::new();
    let refused = wait_until("a request fails", || {
        let mut client = server.connect();
        client.send_get("/f.txt");
        client
            .stream()
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let answer = client.try_response(false);
        let good = answer.as_ref().is_ok_and(|response| response.status == 200);
        served.push(client);
        (!good).then_some(answer)
    });
    // Either it was not accepted for now, or it was told.
    assert!(refused.is_err() || matches!(refused.unwrap().status, 500 | 503));
    served.pop();
    served.pop();
    for client in &mut served {
        assert_eq!(client.get("/f.txt").text(), "content");
    }
}

#[test]
fn without_descriptors_the_logs_are_reopened_later() {
    if !is_forkful() {
        return;
    }
    let config = "server { listen %LISTEN%; return 200 ok; }";
    let mut server =
        Setup::with_main("worker_processes 1; worker_rlimit_nofile 32;", config).start();
    server.expect_log("Too many open files");
    server.expect_log("no descriptor left");
    let worker = server.workers()[0];
    let begin = |_| {
        let mut client = server.connect();
        client.send("GET / HTTP/1.1\r\n");
        client
    };
    let many: Vec<Client> = (0..60).map(begin).collect();
    server.wait_for_log("Too many open files");
    let (log, old) = (server.path("access.log"), server.path("access.log.1"));
    fs::rename(&log, &old).unwrap();
    server.signal(Signal::SIGUSR1);
    server.wait_for_log("no descriptor left, its logs are reopened");
    drop(many);
    wait_until("the old log is closed", || {
        (!descriptors(worker).contains(&old)).then_some(())
    });
    assert_eq!(server.get("/").text(), "ok");
    wait_until("the new log has the request", || {
        let log = fs::read_to_string(&log).unwrap();
        log.contains("GET / HTTP/1.1").then_some(())
    });
    assert_eq!(server.workers(), [worker]);
}

#[test]
fn running_out_of_descriptors_cuts_no_download() {
    let mut server = Setup::with_main("worker_processes 1; worker_rlimit_nofile 32;", common::SITE)
        .file("html/f.txt", "content")
        .file("html/big", vec![b'x'; 20 << 20])
        .start();
    server.expect_log("Too many open files");
    let mut downloads: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut downloads {
        client.send_get("/big");
        client.fill().unwrap();
    }
    let many: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    server.wait_for_log("Too many open files");
    for client in &mut downloads {
        assert_eq!(client.response().body.len(), 20 << 20);
    }
    drop(many);
    assert_eq!(server.get("/f.txt").text(), "content");
}

/// The processor time that a worker takes for heads of so many fields.
fn time_of_fields(server: &TestServer, count: usize) -> Duration {
    let head = format!(
        "GET /f.txt HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(count)
    );
    let worker = server.workers()[0];
    let before = processor_time(worker);
    let mut client = server.connect();
    for _ in 0..10 {
        client.send(&head);
        assert_eq!(client.response().text(), "content");
    }
    processor_time(worker) - before
}

#[test]
fn many_fields_take_time_in_proportion_to_their_number() {
    if !is_forkful() {
        return; // Debian's nginx has no `max_headers`
    }
    let server = site("max_headers 100000; large_client_header_buffers 4 1m;");
    time_of_fields(&server, 2_000);
    let (few, many) = (
        time_of_fields(&server, 2_000),
        time_of_fields(&server, 32_000),
    );
    assert!(
        many < few * 16 * 4,
        "{few:?}, and {many:?} for 16 times as many"
    );
}

#[test]
fn a_regex_of_the_configuration_cannot_be_made_to_run_for_ever() {
    let mut server = site("location ~ ^/(a+)+$ { return 200; }");
    server.tolerate_of_nginx("pcre2_match() failed");
    let start = Instant::now();
    let status = server.get(&format!("/{}!", "a".repeat(1000))).status;
    assert!(matches!(status, 404 | 500), "{status}");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
