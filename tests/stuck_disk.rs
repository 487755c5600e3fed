//! A disk that does not answer costs only those who ask it for what nobody has seen yet.

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{
    Client, LIMIT, SITE, Setup, SlowDisk, TestServer, holds_for, possible, processor_time,
    wait_until,
};
use nix::libc::linger;
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt::Linger};

/// Far more than an answer from memory takes, far less than a disk that sleeps.
const PROMPT: Duration = Duration::from_secs(2);

fn can_run() -> bool {
    let why = "needs root and /dev/fuse";
    possible(SlowDisk::is_possible() && common::is_forkful(), why)
}

fn server(main: &str, site: &str) -> TestServer {
    let site = SITE.replace("root", &format!("{site} root"));
    Setup::with_main(&format!("worker_processes 1; {main}"), &site)
        .file("html/index.html", "hello")
        .start()
}

/// A disk below the root of files, mounted while the server runs.
fn disk(server: &TestServer, name: &str, files: &[(&str, &[u8])]) -> SlowDisk {
    SlowDisk::mount(&server.path("html").join(name), files)
}

/// Requires the body at once.
fn prompt(server: &TestServer, target: &str, body: &str) {
    let start = Instant::now();
    let response = server.get(target);
    let time = start.elapsed();
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, body),
        "{target}"
    );
    assert!(time < PROMPT, "{target} took {time:?}");
}

/// A client whose request is on its way to the disk.
fn ask(server: &TestServer, target: &str) -> Client {
    let mut client = server.connect();
    client.send_get(target);
    client
}

#[test]
fn what_is_cached_and_what_is_elsewhere_is_served() {
    if !can_run() {
        return;
    }
    let server = server("", "");
    let disk = disk(
        &server,
        "slow",
        &[
            ("a", b"from the disk"),
            ("b", b"late"),
            ("index.html", b"i"),
        ],
    );
    prompt(&server, "/slow/a", "from the disk");
    prompt(&server, "/slow/", "i");
    disk.hold();
    let mut late = ask(&server, "/slow/b");
    wait_until("the disk is asked", || disk.is_asked().then_some(()));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2500) {
        prompt(&server, "/slow/a", "from the disk");
        prompt(&server, "/slow/", "i");
        prompt(&server, "/", "hello");
    }
    let mut client = server.connect();
    client.send("GET /slow/a HTTP/1.1\r\nHost: a\r\nRange: bytes=5-7\r\n\r\n");
    let part = client.response();
    assert_eq!((part.status, part.text().as_str()), (206, "the"));
    disk.write("a", b"newer");
    disk.release();
    assert_eq!(late.response().text(), "late");
    wait_until("the new file is seen", || {
        (server.get("/slow/a").text() == "newer").then_some(())
    });
}

#[test]
fn a_full_queue_is_503_for_that_disk_alone() {
    if !can_run() {
        return;
    }
    let mut server = server(
        "thread_pool default threads=4 max_queue=2;",
        "autoindex on;",
    );
    let names = ["0", "1", "2", "3", "4", "5", "6", "7"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, name.as_bytes())).collect();
    let (dead, _alive) = (
        disk(&server, "dead", &files),
        disk(&server, "alive", &files),
    );
    prompt(&server, "/alive/0", "0");
    dead.hold();
    // Two hold their half of the threads, two wait.
    let target = |name: &&str| format!("/dead/{name}");
    let mut clients: Vec<_> = names
        .iter()
        .map(|name| ask(&server, &target(name)))
        .collect();
    let is_answered = |client: &Client| {
        client.stream().set_nonblocking(true).expect("set");
        let answered = client.stream().peek(&mut [0]).is_ok();
        client.stream().set_nonblocking(false).expect("set");
        answered
    };
    wait_until("all but four are refused", || {
        let answered = clients.iter().filter(|client| is_answered(client));
        (answered.count() == names.len() - 4).then_some(())
    });
    server.expect_log("thread pool \"default\" queue overflow: 2 tasks waiting");
    for name in names {
        prompt(&server, &format!("/alive/{name}"), name);
    }
    assert!(server.get("/alive/").text().contains("href=\"4\""));
    prompt(&server, "/", "hello");
    dead.release();
    let statuses = clients.iter_mut().map(|client| client.response().status);
    let (good, refused): (Vec<_>, Vec<_>) = statuses.partition(|status| *status == 200);
    assert_eq!((good.len(), refused), (4, vec![503; names.len() - 4]));
    for name in names {
        prompt(&server, &target(&name), name);
    }
}

#[test]
fn only_requests_that_are_refused_count() {
    if !can_run() {
        return;
    }
    let mut server = server("thread_pool default threads=2 max_queue=1;", "");
    server.expect_log("thread pool \"default\" queue overflow: 1 tasks waiting");
    let files = ["0", "1", "2", "3", "4"].map(|name| (name, name.as_bytes()));
    let _alive = disk(&server, "alive", &files);
    let large = vec![0; 2 << 20];
    let dead = disk(
        &server,
        "dead",
        &[&files[..], &[("large", &large)]].concat(),
    );
    // What is too large to be held is opened, and is to be closed.
    assert_eq!(server.get("/dead/large").body.len(), large.len());
    dead.hold();
    let mut waiting = ["0", "1", "2"].map(|name| ask(&server, &format!("/dead/{name}")));
    let refused = || common::status(server.pid()).expect("a door")["jobs_refused"].number();
    wait_until("one has no room", || (refused() == 1.0).then_some(()));
    for (name, _) in files {
        prompt(&server, &format!("/alive/{name}"), name);
    }
    assert_eq!(refused(), 1.0);
    dead.release();
    let statuses = waiting.each_mut().map(|client| client.response().status);
    assert_eq!(statuses, [200, 200, 503]);
}

#[test]
fn a_large_file_goes_on_where_its_disk_slept() {
    if !can_run() {
        return;
    }
    let server = server("", "sendfile on;");
    let content: Vec<u8> = (0..8_000_000u32).flat_map(u32::to_ne_bytes).collect();
    let disk = disk(&server, "slow", &[("large", &content)]);
    let client = ask(&server, "/slow/large");
    let mut stream = client.stream();
    let mut received = vec![0; 1 << 20];
    stream.read_exact(&mut received).expect("the first part");
    disk.hold();
    stream.set_nonblocking(true).expect("set");
    wait_until("the disk is asked", || {
        let mut more = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut more) {
            received.extend_from_slice(&more[..count]);
        }
        disk.is_asked().then_some(())
    });
    stream.set_nonblocking(false).expect("set");
    prompt(&server, "/", "hello");
    disk.release();
    let head = received
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let mut rest = vec![0; head + content.len() - received.len()];
    stream.read_exact(&mut rest).expect("the rest");
    received.extend(rest);
    assert!(received[head..] == content, "other bytes");
}

#[test]
fn a_request_that_waits_for_too_long_is_503() {
    if !can_run() {
        return;
    }
    let server = server("", "send_timeout 300ms;");
    let disk = disk(&server, "slow", &[("a", b"a")]);
    disk.hold();
    assert_eq!(server.get("/slow/a").status, 503);
    disk.release();
    wait_until("the disk answers", || {
        (server.get("/slow/a").status == 200).then_some(())
    });
}

#[test]
fn a_worker_leaves_though_a_thread_hangs() {
    if !can_run() {
        return;
    }
    let mut server = server("worker_shutdown_timeout 100ms;", "");
    let disk = disk(&server, "slow", &[("a", b"a"), ("b", b"b")]);
    prompt(&server, "/slow/a", "a");
    disk.hold();
    let _client = ask(&server, "/slow/b");
    wait_until("the disk is asked", || disk.is_asked().then_some(()));
    server.signal(Signal::SIGQUIT);
    let start = Instant::now();
    assert_eq!(server.wait(), 0);
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn a_worker_is_replaced_though_its_working_directory_does_not_answer() {
    if !can_run() {
        return;
    }
    let mut server = server("", "");
    server.expect_log("exited on signal 9");
    let disk = disk(&server, "slow", &[("folder/", b"")]);
    let place = server.path("html/slow/folder");
    let place = format!("working_directory {};", place.display());
    server.edit_config(
        "worker_processes 1;",
        &format!("worker_processes 1; {place}"),
    );
    server.reload();
    disk.hold();
    common::signal(server.workers()[0], Signal::SIGKILL);
    prompt(&server, "/", "hello");
}

/// A worker with a thread that nothing ends before the disk answers, and the client that asked.
fn unkillable(server: &TestServer, disk: &SlowDisk) -> (u32, Client) {
    let worker = server.workers()[0];
    prompt(server, "/slow/b", "b");
    disk.hush();
    let client = ask(server, "/slow/a");
    wait_until("the disk is asked", || {
        (disk.unanswered() > 0).then_some(())
    });
    (worker, client)
}

#[test]
fn a_worker_that_cannot_die_holds_up_nobody() {
    if !can_run() {
        return;
    }
    let mut server = server(
        "worker_shutdown_timeout 100ms; worker_generations 1; reload_probation 10ms;",
        "",
    );
    server.expect_log("does not end though it was killed");
    server.expect_log("is left behind");
    let disk = disk(&server, "slow", &[("a", b"a"), ("b", b"b")]);
    let (corpse, mut client) = unkillable(&server, &disk);
    for generation in [2, 3] {
        server.signal(Signal::SIGHUP);
        server.wait_for_log(&format!("generation {generation} serves"));
        prompt(&server, "/", "hello");
        if generation == 2 {
            assert_eq!(client.ending().1, b"", "its connection is closed");
            server.wait_for_log(&format!("worker process {corpse} does not end"));
        }
    }
    let before = processor_time(server.pid());
    holds_for(Duration::from_secs(1), "the master does not spin", || {
        processor_time(server.pid()) < before + Duration::from_millis(100)
    });
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    let line = format!("worker process {corpse} is left behind");
    assert!(server.log().contains(&line), "{}", server.log());
    let refused = TcpStream::connect(server.address());
    assert!(refused.is_err(), "nobody listens");
}

#[test]
fn a_worker_that_cannot_die_lets_go_at_once() {
    if !can_run() {
        return;
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = server("", "");
        server.expect_log("does not end though it was killed");
        server.expect_log("is left behind");
        let disk = disk(&server, "slow", &[("a", b"a"), ("b", b"b")]);
        let (_, mut client) = unkillable(&server, &disk);
        let start = Instant::now();
        server.signal(signal);
        assert_eq!(client.ending().1, b"");
        assert!(start.elapsed() < PROMPT);
        assert_eq!(server.wait(), 0);
        assert!(start.elapsed() < 2 * PROMPT, "two periods of grace");
    }
}

#[test]
fn who_only_ends_what_it_sends_is_answered_and_who_is_gone_makes_room() {
    if !can_run() {
        return;
    }
    let server = server("", "access_log %PREFIX%/access.log;");
    let disk = disk(&server, "slow", &[("a", b"a"), ("b", b"b")]);
    disk.hold();
    let [mut listens, mut gone] = ["/slow/a", "/slow/b"].map(|target| ask(&server, target));
    wait_until("the disk is asked", || disk.is_asked().then_some(()));
    for client in [&mut listens, &mut gone] {
        client.finish_sending();
    }
    prompt(&server, "/", "hello");
    let reset = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(gone.stream(), Linger, &reset).expect("set");
    drop(gone);
    wait_until("its request is over", || {
        let log = std::fs::read_to_string(server.path("access.log")).ok()?;
        log.contains("\"GET /slow/b HTTP/1.1\" 499 ").then_some(())
    });
    disk.release();
    assert_eq!(listens.response().text(), "a");
}

#[test]
fn nothing_is_kept_with_open_file_cache_off() {
    if !can_run() {
        return;
    }
    let server = server(
        "",
        "send_timeout 300ms; location /x { open_file_cache off; }",
    );
    let disk = disk(&server, "slow", &[("a", b"a")]);
    prompt(&server, "/slow/a", "a");
    disk.write("a", b"new");
    prompt(&server, "/slow/a", "new");
    disk.hold();
    assert_eq!(server.get("/slow/a").status, 503);
    disk.release();
}
