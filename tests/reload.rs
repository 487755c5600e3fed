//! SIGHUP: a good configuration replaces the old one without a failed request, a bad one changes nothing.

mod common;

use std::os::unix::net::UnixStream;
use std::time::Instant;

use common::{Client, LIMIT, Load, Reuse, Setup, TestServer, descriptors, is_forkful, wait_until};
use nix::sys::signal::Signal;

const RETURNS_ONE: &str = "server { listen %LISTEN%; return 200 \"one\"; }";

fn file_site(main: &str) -> TestServer {
    let config = "server { listen %LISTEN%; root %PREFIX%/html; }";
    let probation = if is_forkful() {
        "reload_probation 100ms;"
    } else {
        ""
    };
    Setup::with_main(&format!("{main} {probation}"), config)
        .file("html/f.txt", "content")
        .start()
}

#[test]
fn the_new_configuration_is_served() {
    let server = TestServer::http(RETURNS_ONE);
    assert_eq!(server.get("/").text(), "one");
    server.edit_config("one", "two");
    server.reload();
    assert_eq!(server.get("/").text(), "two");
}

#[test]
fn no_request_fails_with_a_connection_each() {
    let server = file_site("worker_processes 2;");
    let load = Load::start(server.address(), 8, Reuse::Never, "content");
    for _ in 0..10 {
        server.reload();
        load.wait_for_more();
    }
    let (answered, failures) = load.finish();
    assert!(
        failures.is_empty(),
        "{answered} answered, failed: {failures:?}"
    );
}

#[test]
fn no_request_fails_on_connections_that_are_kept() {
    if !is_forkful() {
        return; // nginx closes idle connections at a reload, just as the next request may be under way
    }
    let server = file_site("worker_processes 2;");
    let load = Load::start(server.address(), 8, Reuse::KeepAlive, "content");
    for _ in 0..5 {
        server.reload();
        load.wait_for_more();
    }
    let (answered, failures) = load.finish();
    assert!(
        failures.is_empty(),
        "{answered} answered, failed: {failures:?}"
    );
}

#[test]
fn a_storm_of_signals_ends_in_order() {
    let server = file_site("worker_processes 2;");
    let load = Load::start(server.address(), 4, Reuse::Never, "content");
    let first = server.workers();
    for _ in 0..100 {
        server.signal(Signal::SIGHUP);
        server.get("/f.txt");
    }
    wait_until("two workers are left, both new", || {
        let now = server.workers();
        (now.len() == 2 && now.iter().all(|pid| !first.contains(pid))).then_some(())
    });
    load.wait_for_more();
    let (_, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn a_broken_configuration_leaves_the_old_one_serving() {
    let mut server = TestServer::http(RETURNS_ONE);
    let workers = server.workers();
    server.edit_config("return 200", "retrun 200");
    server.expect_log("unknown directive \"retrun\"");
    server.expect_log("server.conf:");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("retrun");
    assert_eq!(server.get("/").text(), "one");
    assert_eq!(server.workers(), workers);
    server.edit_config("retrun 200 \"one\"", "return 200 \"two\"");
    server.reload();
    assert_eq!(server.get("/").text(), "two");
}

#[test]
fn an_address_that_cannot_be_bound_leaves_the_old_one_serving() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut server = TestServer::http(RETURNS_ONE);
    server.edit_config(
        "return 200 \"one\"",
        &format!("listen {address}; return 200 \"two\""),
    );
    server.expect_log("failed (98: Address already in use)");
    server.expect_log("[emerg]");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("Address already in use");
    assert_eq!(server.get("/").text(), "one");
}

#[test]
fn an_address_that_cannot_be_listened_on_leaves_the_old_one_serving() {
    if !is_forkful() {
        return; // nginx listens before it forks
    }
    let mut server = TestServer::http(RETURNS_ONE);
    let workers = server.workers();
    let port = common::listener().local_addr().unwrap().port();
    // Both can be bound as long as neither listens.
    let listen = format!("listen 127.0.0.1:{port} bind; listen {port} bind;");
    server.edit_config(
        "return 200 \"one\"",
        &format!("{listen} return 200 \"two\""),
    );
    server.expect_log("listen() to 0.0.0.0");
    server.expect_log("[emerg] ");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("the old ones go on");
    wait_until("the new worker is gone", || {
        (server.workers() == workers).then_some(())
    });
    assert_eq!(server.get("/").text(), "one");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_log_that_nobody_reads_leaves_the_old_one_serving() {
    if !is_forkful() {
        return; // nginx waits for a reader
    }
    let mut server = TestServer::http(RETURNS_ONE);
    let fifo = server.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let text = format!("access_log {}; return 200 \"two\"", fifo.display());
    server.edit_config("return 200 \"one\"", &text);
    server.expect_log("/fifo\" failed (6: No such device or address)");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("No such device");
    assert_eq!(server.get("/").text(), "one");
}

#[test]
fn a_new_address_opens_and_an_old_one_closes() {
    let server =
        TestServer::http("server { listen %LISTEN%; listen %LISTEN2%; root %PREFIX%/html; }");
    server.write("html/f.txt", "content");
    let [kept, dropped] = server.addresses()[..] else {
        panic!("two addresses")
    };
    let load = Load::start(kept, 2, Reuse::Never, "content");
    let socket = server.path("socket");
    let unix = format!("unix:{}", socket.display());
    server.edit_config(&dropped.to_string(), &unix);
    server.reload();
    UnixStream::connect(&socket).expect("the new address is open");
    wait_until("the old address is closed", || {
        std::net::TcpStream::connect(dropped).err()
    });
    let (_, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn the_number_of_workers_changes() {
    let server = file_site("worker_processes 1;");
    server.edit_config("worker_processes 1", "worker_processes 3");
    server.signal(Signal::SIGHUP);
    wait_until("there are three workers", || {
        (server.workers().len() == 3).then_some(())
    });
    server.edit_config("worker_processes 3", "worker_processes 1");
    server.signal(Signal::SIGHUP);
    wait_until("there is one worker", || {
        (server.workers().len() == 1).then_some(())
    });
}

#[test]
fn a_download_outlives_the_reload() {
    let server = file_site("worker_processes 1;");
    let content = vec![b'x'; 20 << 20];
    server.write("html/big", &content);
    let mut client = server.connect();
    client.send_get("/big");
    client.fill().unwrap();
    let old = server.workers();
    server.signal(Signal::SIGHUP);
    wait_until("a new worker is there", || {
        (server.workers().len() == 2).then_some(())
    });
    assert_eq!(client.response().body.len(), content.len());
    wait_until("the old worker is gone", || {
        let now = server.workers();
        (now.len() == 1 && now != old).then_some(())
    });
}

#[test]
fn a_download_is_cut_after_worker_shutdown_timeout() {
    let server = file_site("worker_processes 1; worker_shutdown_timeout 1s;");
    server.write("html/big", vec![b'x'; 20 << 20]);
    let mut client = server.connect();
    client.send_get("/big");
    client.fill().unwrap();
    let old = server.workers();
    server.signal(Signal::SIGHUP);
    wait_until("the old worker is gone", || {
        let now = server.workers();
        (now.len() == 1 && now != old).then_some(())
    });
    assert!(
        client.try_response(false).is_err(),
        "the download was not cut"
    );
}

#[test]
fn a_kept_connection_learns_of_the_reload_by_its_next_response() {
    if !is_forkful() {
        return; // nginx closes idle connections at once
    }
    let server =
        Setup::http("keepalive_min_timeout 60s; server { listen %LISTEN%; return 200 \"one\"; }")
            .start();
    let mut client = server.connect();
    assert_eq!(client.get("/").header("Connection"), Some("keep-alive"));
    let old = server.workers();
    server.edit_config("one", "two");
    server.signal(Signal::SIGHUP);
    wait_until("a new worker serves", || {
        (server.get("/").text() == "two").then_some(())
    });
    wait_until("the old worker is told to leave", || {
        let response = client.get("/");
        assert_eq!(response.text(), "one");
        (response.header("Connection") == Some("close")).then_some(())
    });
    client.expect_closed();
    wait_until("the old worker is gone", || {
        (server.workers() != old).then_some(())
    });
}

#[test]
fn an_idle_connection_is_closed_after_keepalive_min_timeout() {
    let server = TestServer::http(RETURNS_ONE);
    let mut client = server.connect();
    client.get("/");
    let start = Instant::now();
    server.signal(Signal::SIGHUP);
    client.expect_closed();
    assert!(
        start.elapsed() < LIMIT / 2,
        "closed after {:?}",
        start.elapsed()
    );
}

#[test]
fn the_master_keeps_no_descriptor_of_the_past() {
    let server = file_site("worker_processes 1;");
    server.reload();
    let before = descriptors(server.pid());
    for _ in 0..10 {
        server.reload();
    }
    let after = wait_until("no more descriptors than before", || {
        let after = descriptors(server.pid());
        (after.len() <= before.len()).then_some(after)
    });
    assert_eq!(
        after.len(),
        before.len(),
        "before: {before:?}, after: {after:?}"
    );
}

#[test]
fn a_connection_between_reloads_is_kept() {
    let server = file_site("worker_processes 1;");
    for _ in 0..20 {
        server.reload();
        let mut client = Client::connect(server.address());
        assert_eq!(client.get("/f.txt").text(), "content");
        assert_eq!(client.get("/f.txt").text(), "content");
    }
}
