//! Clients that show wrong passwords and leave cost nothing: neither the time of those who come
//! after them, nor a place among the connections. Those who stay wait in a short queue.

mod common;

use std::time::Instant;

use common::{Client, Setup, TestServer, is_forkful, wait_until};

/// No password has these hashes; the second takes a thread for long.
const USERS: &str = "user:$2y$08$8LcQ2RrsKJpOTiZnDYHc1eyGUWxgGWIYlNqVGVvVvDzQR6GVpPVVu
held:$2y$10$8LcQ2RrsKJpOTiZnDYHc1eyGUWxgGWIYlNqVGVvVvDzQR6GVpPVVu
right:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
const WRONG: &str = "dXNlcjp3cm9uZw==";
const HELD: &str = "aGVsZDp3cm9uZw==";
const RIGHT: &str = "cmlnaHQ6VSpV";

/// One thread hashes, another reads the file of passwords.
fn server() -> TestServer {
    Setup::with_main(
        "worker_processes 1; thread_pool default threads=2;",
        "server { listen %LISTEN%; root %PREFIX%/html;
         auth_basic closed; auth_basic_user_file %PREFIX%/users; }",
    )
    .file("html/f.txt", "content")
    .file("users", USERS)
    .start()
}

/// A client that has asked.
fn ask(server: &TestServer, shown: &str) -> Client {
    let mut client = server.connect();
    client.send(format!(
        "GET /f.txt HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {shown}\r\n\r\n"
    ));
    client
}

/// How many requests have ended with a status.
fn logged(server: &TestServer, status: u16) -> usize {
    let log = std::fs::read_to_string(server.path("access.log")).unwrap_or_default();
    log.matches(&format!("\" {status} ")).count()
}

#[test]
fn a_right_password_does_not_wait_for_wrong_ones_of_clients_that_left() {
    if !is_forkful() {
        return; // nginx hashes in its loop
    }
    const LEAVE: usize = 100;
    let server = server();
    let start = Instant::now();
    assert_eq!(ask(&server, WRONG).response().status, 401);
    let one = start.elapsed();

    (0..LEAVE).for_each(|_| drop(ask(&server, WRONG)));
    let start = Instant::now();
    assert_eq!(ask(&server, RIGHT).response().status, 200);
    let late = start.elapsed();
    assert!(late < one * (LEAVE as u32) / 3, "{late:?}, one is {one:?}");
    wait_until("those who left are not answered", || {
        (logged(&server, 499) > LEAVE / 2).then_some(())
    });
}

#[test]
fn who_ends_behind_the_passwords_of_others_has_no_connection_any_more() {
    if !is_forkful() {
        return; // nginx hashes in its loop
    }
    let server = server();
    let mut alone = ask(&server, WRONG);
    alone.finish_sending();
    assert_eq!(alone.response().status, 401, "still listens");

    let mut held = ask(&server, HELD);
    let mut gone = ask(&server, WRONG);
    gone.finish_sending();
    gone.expect_closed();
    wait_until("it is noticed", || {
        (logged(&server, 499) == 1).then_some(())
    });
    assert_eq!(logged(&server, 401), 1, "the thread is still at work");
    assert_eq!(held.response().status, 401);
}

#[test]
fn passwords_wait_in_a_short_queue() {
    if !is_forkful() {
        return; // nginx hashes in its loop
    }
    let mut server = server();
    server.expect_log("thread pool \"default\" queue overflow: 128 tasks waiting");
    let _held = ask(&server, HELD);
    let _queue: Vec<Client> = (0..130).map(|_| ask(&server, WRONG)).collect();
    assert_eq!(ask(&server, WRONG).response().status, 503);
    assert!(logged(&server, 401) < 2, "nobody has waited for that");
}
