//! New workers that die on probation: the old ones serve again, and no connection is lost but theirs.

mod common;

use common::{Client, Load, Reuse, Setup, TestServer, is_forkful, signal, wait_until};
use nix::sys::signal::Signal;

const ONE: &str = "server { listen %LISTEN%; root %PREFIX%/html; \
                   location = / { return 200 \"one $pid\"; } }";

fn site(main: &str, http: &str) -> TestServer {
    Setup::with_main(&format!("{main} reload_probation 60s;"), http)
        .file("html/f.txt", "content")
        .file("html/big", vec![b'x'; 20 << 20])
        .start()
}

/// Waits until the server says this, and returns the process that says it.
fn served(server: &TestServer, word: &str) -> u32 {
    wait_until(&format!("{word} is served"), || {
        let text = server.get("/").text();
        text.strip_prefix(word)?.trim().parse().ok()
    })
}

fn kill(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

#[test]
fn the_old_workers_serve_again_with_their_connections() {
    if !is_forkful() {
        return; // nginx's old workers have left by then
    }
    let mut server = site("worker_processes 1;", ONE);
    server.expect_log("during the probation of the new workers, the old ones go on");
    let (mut idle, mut download) = (server.connect(), server.connect());
    let old = idle.get("/").text();
    download.send_get("/big");
    download.fill().unwrap();
    server.edit_config("one", "two");
    server.signal(Signal::SIGHUP);
    let new = served(&server, "two");
    assert_eq!(idle.get("/").header("Connection"), Some("keep-alive"));
    kill(new);
    server.wait_for_log("the old ones go on");
    assert_eq!(server.get("/").text(), old);
    assert_eq!(idle.get("/").text(), old);
    assert_eq!(download.response().body.len(), 20 << 20);
    server.edit_config("two", "three");
    server.signal(Signal::SIGHUP);
    served(&server, "three");
}

#[test]
fn the_new_workers_that_live_finish_what_they_have() {
    if !is_forkful() {
        return;
    }
    let mut server = site("worker_processes 1;", ONE);
    server.expect_log("exited on signal 9");
    server.edit_config("worker_processes 1", "worker_processes 2");
    server.edit_config("one", "two");
    server.signal(Signal::SIGHUP);
    served(&server, "two");
    let mut download = server.connect();
    let holder: u32 = download.get("/").text()[3..].trim().parse().unwrap();
    download.send_get("/big");
    download.fill().unwrap();
    let new = server.workers()[1..].to_vec();
    kill(*new.iter().find(|pid| **pid != holder).expect("two"));
    served(&server, "one");
    assert_eq!(download.response().body.len(), 20 << 20);
    wait_until("only the old worker is left", || {
        (server.workers().len() == 1).then_some(())
    });
}

#[test]
fn an_address_that_only_the_new_workers_had_closes_when_its_queue_is_empty() {
    if !is_forkful() {
        return;
    }
    let mut server = site("worker_processes 1;", ONE);
    server.expect_log("exited on signal 9");
    let socket = server.path("socket");
    server.edit_config("worker_processes 1", "worker_processes 2");
    let listen = format!("listen unix:{}; root", socket.display());
    server.edit_config("root", &listen);
    server.signal(Signal::SIGHUP);
    wait_until("the new address is open", || {
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    kill(server.workers()[2]);
    wait_until("it is closed, with its file", || {
        (!socket.exists()).then_some(())
    });
    served(&server, "one");
}

#[test]
fn sockets_that_were_added_to_an_address_are_the_old_workers_then() {
    if !is_forkful() {
        return;
    }
    let reuseport = ONE.replace("%LISTEN%", "%LISTEN% reuseport");
    let mut server = site("worker_processes 1;", &reuseport);
    server.expect_log("exited on signal 9");
    server.edit_config("worker_processes 1", "worker_processes 4");
    server.edit_config("one", "two");
    let load = Load::start(server.address(), 4, Reuse::Never, "content");
    server.signal(Signal::SIGHUP);
    let new = served(&server, "two");
    load.wait_for_more();
    kill(new);
    served(&server, "one");
    wait_until("only the old worker is left", || {
        (server.workers().len() == 1).then_some(())
    });
    // Each of the four sockets gets its part of these.
    for _ in 0..100 {
        assert!(
            Client::connect(server.address())
                .get("/")
                .text()
                .starts_with("one")
        );
    }
    let (answered, failures) = load.finish();
    assert!(failures.len() <= 4, "{answered} answered: {failures:?}");
}
