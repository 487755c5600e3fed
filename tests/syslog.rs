//! Logs that go to a syslog daemon: what it gets, and that nobody waits for it.

mod common;

use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use common::{LIMIT, Setup, TestServer, is_forkful, wait_until};

fn site(http: &str) -> TestServer {
    Setup::http(http).file("html/f.txt", "content").start()
}

/// The next datagram that holds a text; others before it are passed over.
fn wait_for(text: &str, mut receive: impl FnMut(&mut [u8]) -> usize) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = receive(&mut buffer);
        let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if line.contains(text) {
            return line;
        }
    }
}

#[test]
fn access_and_error_lines_arrive_over_udp() {
    let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
    daemon.set_read_timeout(Some(LIMIT)).unwrap();
    let to = format!("syslog:server={}", daemon.local_addr().unwrap());
    let server = site(&format!(
        "log_format short '$request_method $uri $status';
         server {{ listen %LISTEN%; root %PREFIX%/html;
             access_log {to},facility=local0,severity=notice,tag=site,nohostname short;
             error_log {to},tag=errors; }}"
    ));
    let receive = |buffer: &mut [u8]| daemon.recv(buffer).expect("a line");
    assert_eq!(server.get("/f.txt").status, 200);
    let line = wait_for("GET /f.txt", receive);
    assert!(line.starts_with("<133>"), "{line}");
    assert!(line.ends_with(" site: GET /f.txt 200"), "{line}");
    assert_eq!(server.get("/none").status, 404);
    let line = wait_for("open()", receive);
    assert!(line.starts_with("<187>"), "{line}");
    assert!(
        line.contains(" errors: ") && line.contains(" [error] "),
        "{line}"
    );
    assert!(
        line.contains("client: 127.0.0.1, server: , request: \"GET /none HTTP/1.1\""),
        "{line}"
    );
    assert!(!line.ends_with('\n'), "{line}");
}

#[test]
fn a_daemon_may_come_late_and_holds_up_nobody() {
    let setup = Setup::http(
        "server { listen %LISTEN%; root %PREFIX%/html;
             access_log syslog:server=unix:%PREFIX%/daemon; }",
    );
    let mut server = setup.file("html/f.txt", "content").start();
    server.expect_log("daemon");
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(client.get("/f.txt").status, 200);
    }
    if !is_forkful() {
        return; // nginx opens the socket once
    }
    server.wait_for_log("write() to \"syslog:server=unix:");
    let daemon = UnixDatagram::bind(server.path("daemon")).unwrap();
    daemon.set_read_timeout(Some(LIMIT)).unwrap();
    fs::set_permissions(server.path("daemon"), Permissions::from_mode(0o666)).unwrap();
    assert_eq!(client.get("/f.txt?late").status, 200);
    let receive = |buffer: &mut [u8]| daemon.recv(buffer).expect("a line");
    let line = wait_for("late", receive);
    assert!(line.contains(" nginx: 127.0.0.1 - - ["), "{line}");
}

#[test]
fn a_client_can_be_followed_closely() {
    let main = "worker_processes 1; events { debug_connection 127.0.0.1; }";
    let server = Setup::with_main(
        main,
        "server { listen %LISTEN%; error_log %PREFIX%/error.log crit; return 200 hello; }",
    )
    .start();
    assert_eq!(server.get("/followed").text(), "hello");
    server.wait_for_log("[debug]");
    server.wait_for_log("http request line: \"GET /followed HTTP/1.1\"");
}

#[test]
fn lines_may_be_kept_in_memory_alone() {
    let server = site(
        "error_log memory:32k debug;
         server { listen %LISTEN%; root %PREFIX%/html;
             location /file/ { error_log %PREFIX%/other.log; } }",
    );
    assert_eq!(server.get("/none").status, 404);
    assert_eq!(server.get("/file/none").status, 404);
    wait_until("the other log", || {
        let text = fs::read_to_string(server.path("other.log")).ok()?;
        text.contains("/file/none").then_some(())
    });
    assert!(!server.finish().contains("open()"));
}
