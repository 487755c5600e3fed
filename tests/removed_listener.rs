//! An address that a reload removes: what had connected to it is still answered.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use common::{Client, Setup, TestServer, is_forkful, signal, wait_until};
use nix::sys::signal::Signal;

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn site(probation: &str) -> TestServer {
    let main = format!("worker_processes 1; reload_probation {probation};");
    let config = "server { listen %LISTEN%; listen %LISTEN2%; \
                  listen unix:%PREFIX%/socket; return 200 one; }";
    Setup::with_main(&main, config).start()
}

/// Removes all addresses but the first, while the only worker cannot accept.
fn reload_while_stopped(server: &TestServer) {
    server.edit_config("return 200 one", "return 200 two");
    server.edit_config(&format!("listen {};", server.addresses()[1]), "");
    let socket = server.path("socket");
    server.edit_config(&format!("listen unix:{};", socket.display()), "");
    server.signal(Signal::SIGHUP);
}

#[test]
fn its_queue_is_emptied_before_the_old_workers_leave() {
    if !is_forkful() {
        return; // nginx closes it with its queue
    }
    let server = site("100ms");
    let old = server.workers()[0];
    signal(old, Signal::SIGSTOP);
    let removed = server.addresses()[1];
    let mut waiting: Vec<Client> = (0..20).map(|_| Client::connect(removed)).collect();
    waiting.iter_mut().for_each(|client| client.send(REQUEST));
    let socket = server.path("socket");
    let mut local = UnixStream::connect(&socket).unwrap();
    local.write_all(REQUEST.as_bytes()).unwrap();
    reload_while_stopped(&server);
    server.wait_for_log("generation 2 serves");
    assert!(!socket.exists(), "nobody else connects to it");
    signal(old, Signal::SIGCONT);
    for client in &mut waiting {
        assert_eq!(client.response().text(), "one");
    }
    let mut answer = String::new();
    local.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("one"), "{answer}");
    wait_until("the address is closed", || {
        std::net::TcpStream::connect(removed).err()
    });
    assert_eq!(server.get("/").text(), "two");
}

#[test]
fn it_is_served_until_the_probation_is_over() {
    if !is_forkful() {
        return;
    }
    let server = site("60s");
    let removed = server.addresses()[1];
    reload_while_stopped(&server);
    wait_until("the new configuration serves", || {
        (server.get("/").text() == "two").then_some(())
    });
    for _ in 0..10 {
        assert_eq!(Client::connect(removed).get("/").text(), "one");
        assert_eq!(server.get("/").text(), "two");
    }
}
