//! `mp4` and `flv`: films are entered anywhere, and a broken one harms nobody.

mod common;
#[path = "../src/site/mp4/sample.rs"]
mod sample;

use std::fs;

use common::{Setup, TestServer, scaled_count};

fn site(directives: &str) -> TestServer {
    let server = "server { listen %LISTEN%; root %PREFIX%/html; location / { mp4; }";
    Setup::http(&format!(
        "{server} location /clips/ {{ flv; }} {directives} }}"
    ))
    .file("html/film", sample::Film::new(10).bytes())
    .file("html/f.txt", "content")
    .file("html/clips/clip", (0..200u8).collect::<Vec<_>>())
    .start()
}

#[test]
fn a_part_of_a_film_is_one_body() {
    let server = site("");
    let whole = server.get("/film?start=2.5&end=7");
    assert_eq!(whole.status, 200);
    let mut client = server.connect();
    client.send("HEAD /film?start=2.5&end=7 HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head_response();
    let length = whole.body.len();
    assert_eq!(head.header("Content-Length"), Some(&*length.to_string()));
    assert_eq!(head.header("ETag"), whole.header("ETag"));
    for (from, to) in [
        (0, 7),
        (100, 4000),
        (length - 3000, length - 1),
        (length - 1, length - 1),
    ] {
        client.send(format!(
            "GET /film?start=2.5&end=7 HTTP/1.1\r\nHost: a\r\nRange: bytes={from}-{to}\r\n\r\n"
        ));
        let part = client.response();
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[from..=to]));
    }
}

#[test]
fn a_film_is_read_anew_when_it_was_replaced() {
    let server = site("");
    let first = server.get("/film?start=3").body;
    fs::write(server.path("new"), sample::Film::new(20).bytes()).unwrap();
    fs::rename(server.path("new"), server.path("html/film")).unwrap();
    let second = server.get("/film?start=3").body;
    assert!(second.len() > first.len());
    assert_eq!(server.get("/film?start=15").status, 200);
}

#[test]
fn tables_larger_than_allowed_are_refused() {
    let mut server = site(
        "location /small/ { alias %PREFIX%/html/; mp4; mp4_buffer_size 1k; mp4_max_buffer_size 2k; }",
    );
    server.expect_log("mp4 moov atom is too large");
    assert_eq!(server.get("/small/film?start=1").status, 500);
    assert_eq!(server.get("/small/film").status, 200);
    assert_eq!(server.get("/film?start=1").status, 200);
}

/// A number that is another one each time, and the same in each run.
fn noise(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*state >> 33) as usize
}

#[test]
fn broken_films_harm_nobody() {
    let mut server = site("");
    server.expect_log(" in \"");
    let worker = server.workers();
    let film = sample::Film::new(10).bytes();
    let tables = film.windows(4).position(|name| name == b"moov").unwrap();
    let mut state = 1;
    for _ in 0..scaled_count(5_000, 200) {
        let mut broken = film.clone();
        for _ in 0..1 + noise(&mut state) % 4 {
            let at = tables + noise(&mut state) % (film.len() - tables - 4);
            let number = [0, 1, u32::MAX, 1 << 31, 0x0fff_ffff][noise(&mut state) % 5];
            broken[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        server.write("html/broken", broken);
        let response = server.get("/broken?start=3&end=8");
        assert!(matches!(response.status, 200 | 500), "{}", response.status);
    }
    assert_eq!(server.get("/f.txt").text(), "content");
    assert_eq!(server.workers(), worker);
}

#[test]
fn a_clip_starts_with_the_header_of_one() {
    let server = site("");
    let body = server.get("/clips/clip?start=150").body;
    assert_eq!(&body[..13], b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    assert_eq!(body[13..], (150..200).collect::<Vec<u8>>());
}
