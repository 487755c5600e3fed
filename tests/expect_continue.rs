//! A client that waits for leave before it sends its body (RFC 9110 10.1.1).

mod common;

use common::{Client, TestServer};

fn site() -> TestServer {
    TestServer::http(
        "server { listen %LISTEN%; root %PREFIX%/html; client_max_body_size 100;
            location /return { return 200 \"returned\"; } }",
    )
}

/// Sends a head that announces a body and waits; returns what comes without the body.
fn ask(client: &mut Client, target: &str, length: usize) -> u16 {
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ));
    client.response().status
}

#[test]
fn an_answer_comes_before_the_body() {
    let server = site();
    let mut client = server.connect();
    let first = ask(&mut client, "/return", 5);
    if first == 100 {
        client.send("hello");
        assert_eq!(client.response().text(), "returned");
        assert_eq!(client.get("/return").text(), "returned");
    } else {
        assert_eq!(first, 200);
    }
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let server = site();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "/return", 101), 413);
    client.expect_closed();
}

#[test]
fn a_body_that_comes_after_a_final_answer_is_no_request() {
    let server = site();
    let mut client = server.connect();
    let body = "GET /return HTTP/1.1\r\nHost: smuggled\r\n\r\n";
    let mut status = ask(&mut client, "/index.html", body.len());
    if status == 100 {
        status = client.response().status;
    }
    assert_eq!(status, 405);
    if client.try_send(body).is_ok() && client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok()
    {
        // Either the connection was closed, or the body was skipped and this is answered.
        let next = client.try_response(false);
        assert!(
            next.is_err() || next.as_ref().is_ok_and(|it| it.text() == "hello"),
            "{next:?}"
        );
    }
}
