//! `open_file_cache`: files that are kept open are never stale for longer than `valid`, never mixed,
//! never truncated, and bounded in number.

mod common;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Response, Setup, TestServer, descriptors, holds_for, scaled_count, wait_until};
use std::time::{Duration, Instant};

fn site(directives: &str) -> TestServer {
    let server = "server { listen %LISTEN%; root %PREFIX%/html; keepalive_requests 1000000;";
    Setup::http(&format!("{server} {directives} }}"))
        .file("html/f.txt", "content")
        .file("html/dir/index.html", "index")
        .start()
}

/// Puts a file there as deployments do.
fn put(server: &TestServer, name: &str, content: impl AsRef<[u8]>) {
    server.write("new", content);
    fs::rename(server.path("new"), server.path(name)).unwrap();
}

/// The files of the site that the worker has open.
fn open_files(server: &TestServer) -> usize {
    let root = server.path("html").canonicalize().unwrap();
    let open = descriptors(server.workers()[0]);
    open.iter().filter(|file| file.starts_with(&root)).count()
}

fn text(response: Response) -> String {
    assert_eq!(response.status, 200);
    response.text()
}

#[test]
fn a_replaced_file_is_served_when_the_old_one_is_not_valid_any_more() {
    let server = site("open_file_cache max=10; open_file_cache_valid 1s;");
    assert_eq!(text(server.get("/f.txt")), "content");
    let replaced = Instant::now();
    put(&server, "html/f.txt", "something else");
    wait_until("the new file is served", || {
        let new = text(server.get("/f.txt")) == "something else";
        assert!(
            new || replaced.elapsed() < Duration::from_secs(3),
            "it is stale"
        );
        new.then_some(())
    });
    fs::remove_file(server.path("html/f.txt")).unwrap();
    wait_until("it is gone", || {
        (server.get("/f.txt").status == 404).then_some(())
    });
}

#[test]
fn a_file_that_is_kept_open_is_not_looked_up() {
    let server = site("open_file_cache max=10; open_file_cache_valid 1h;");
    assert_eq!(text(server.get("/f.txt")), "content");
    put(&server, "html/f.txt", "something else");
    fs::remove_file(server.path("html/f.txt")).unwrap();
    holds_for(Duration::from_millis(100), "the old file is served", || {
        text(server.get("/f.txt")) == "content"
    });
    assert_eq!(text(server.get("/dir/")), "index");
    fs::rename(server.path("html/dir"), server.path("html/away")).unwrap();
    assert_eq!(text(server.get("/dir/")), "index");
    assert_eq!(server.get("/dir/none").status, 404);
}

#[test]
fn what_is_written_in_place_is_served_at_once() {
    let server = site("open_file_cache max=10; open_file_cache_valid 1h;");
    for content in ["content", "longer content", "short"] {
        fs::write(server.path("html/f.txt"), content).unwrap();
        assert_eq!(text(server.get("/f.txt")), content);
    }
}

/// Each version has its own length and its own letter, and its entity tag tells the length.
fn version(number: usize) -> Vec<u8> {
    vec![b'a' + (number % 26) as u8; 1000 + number % 26 * 3000]
}

fn is_one_version(response: &Response) {
    let body = &response.body;
    let letter = body[0];
    assert!(body.iter().all(|&byte| byte == letter), "it is a mix");
    assert_eq!(*body, version(usize::from(letter - b'a')));
    let etag = response.header("ETag").unwrap().trim_matches('"');
    let (_, size) = etag.split_once('-').unwrap();
    assert_eq!(usize::from_str_radix(size, 16).unwrap(), body.len());
}

#[test]
fn a_file_replaced_under_load_is_never_mixed_nor_truncated() {
    let server = site(
        "open_file_cache max=10; open_file_cache_valid 0;
        location /kept/ { alias %PREFIX%/html/; open_file_cache_valid 1s; }",
    );
    put(&server, "html/f.txt", version(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                put(&server, "html/f.txt", version(number));
            }
        });
        let mut client = server.connect();
        for round in 0..scaled_count(50_000, 2_000) {
            is_one_version(&client.get(["/f.txt", "/kept/f.txt"][round % 2]));
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn descriptors_are_bounded_and_closed_when_nobody_asks() {
    let server = site("open_file_cache max=5 inactive=1s; open_file_cache_valid 1h;");
    for number in 0..20 {
        server.write(&format!("html/{number}"), "x");
        assert_eq!(server.get(&format!("/{number}")).status, 200);
        assert!(open_files(&server) <= 5);
    }
    assert_eq!(open_files(&server), 5);
    wait_until("all are closed", || {
        (open_files(&server) == 0).then_some(())
    });
}

#[test]
fn nothing_is_kept_open_unless_that_is_wanted() {
    for directives in ["", "open_file_cache max=5; open_file_cache_min_uses 2;"] {
        let server = site(directives);
        assert_eq!(text(server.get("/f.txt")), "content");
        wait_until("it is closed", || (open_files(&server) == 0).then_some(()));
    }
}

#[test]
fn errors_are_kept_if_that_is_wanted() {
    let server = site(
        "open_file_cache max=10; open_file_cache_valid 1h;
         location /kept/ { alias %PREFIX%/html/; open_file_cache_errors on; }",
    );
    for (target, status) in [("/late", 200), ("/kept/later", 404)] {
        assert_eq!(server.get(target).status, 404);
        let name = target.rsplit('/').next().unwrap();
        server.write(&format!("html/{name}"), "here");
        assert_eq!(server.get(target).status, status, "{target}");
    }
}
