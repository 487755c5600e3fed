//! `listen ... proxy_protocol`: a connection begins with a header, whole or in pieces, or it ends.

mod common;

use common::{Setup, TestServer, is_forkful};

const HEADER: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn site(http: &str) -> TestServer {
    Setup::http(&format!(
        "{http} server {{ listen %LISTEN% proxy_protocol; return 200 $proxy_protocol_addr; }}"
    ))
    .start()
}

#[test]
fn a_header_comes_once_and_holds_for_the_connection() {
    let server = site("");
    let mut client = server.connect();
    client.send([HEADER, GET, GET].concat());
    assert_eq!(client.response().text(), "192.0.2.1");
    assert_eq!(client.response().text(), "192.0.2.1");
    assert_eq!(client.get("/").text(), "192.0.2.1");
}

#[test]
fn a_header_may_come_in_pieces() {
    if !is_forkful() {
        return; // nginx wants it in the first bytes that it reads
    }
    let server = site("");
    for at in 1..HEADER.len() {
        let mut client = server.connect();
        client.stream().set_nodelay(true).unwrap();
        client.send(&HEADER[..at]);
        client.send([&HEADER[at..], GET].concat());
        assert_eq!(client.response().text(), "192.0.2.1", "split at {at}");
    }
}

#[test]
fn a_connection_without_one_is_closed_and_told() {
    let mut server = site("");
    server.expect_log("broken header");
    let mut client = server.connect();
    client.send(GET);
    client.expect_closed();
    let told = "broken header: \"GET / HTTP/1.1\" while reading PROXY protocol, client: 127.0.0.1, \
                server: 127.0.0.1:";
    server.wait_for_log(told);
    let mut client = server.connect();
    client.send("PROXY TCP4 1");
    client.finish_sending();
    client.expect_closed();
    server.wait_for_log("broken header: \"PROXY TCP4 1\"");
}

#[test]
fn it_has_the_time_of_a_head() {
    let server = site("client_header_timeout 200ms;");
    for start in ["", &HEADER[..20]] {
        if start.is_empty() || is_forkful() {
            let mut client = server.connect();
            client.send(start);
            client.expect_closed();
        }
    }
    let mut client = server.connect();
    client.send(HEADER);
    client.expect_closed();
}
