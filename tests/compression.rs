//! Answers in content codings: whole, fresh, and coded once for however many ask.

mod common;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{
    Client, MTIME, Response, Setup, TestServer, coded, decoded, is_forkful, possible,
    processor_time, scaled_count, wait_until,
};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];
const ALL: &str = "gzip on; gzip_types *; brotli on; brotli_types *; zstd on; zstd_types *;";

/// A page of about so many bytes, as compressible as pages are.
fn page(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut page = Vec::with_capacity(bytes + 100);
    while page.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let line = format!("<li>{:x} of {}</li>\n", state >> 48, page.len());
        page.extend_from_slice(line.as_bytes());
    }
    page
}

fn request(method: &str, target: &str, fields: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// A GET of what is to come in this coding.
fn get(address: SocketAddr, target: &str, coding: &str) -> Response {
    let mut client = Client::connect(address);
    let fields = format!("Accept-Encoding: {coding}\r\n");
    client.send(request("GET", target, &fields));
    client.response()
}

fn serve(http: &str) -> Setup {
    Setup::http(&format!(
        "{http} server {{ listen %LISTEN%; root %PREFIX%/html; }}"
    ))
}

fn can_run() -> bool {
    possible(is_forkful(), "nginx has no zstd and keeps nothing")
}

#[test]
fn every_level_of_every_coding_is_whole() {
    if !can_run() {
        return;
    }
    let levels = [
        ("gzip", "gzip_comp_level", vec![1, 6, 9]),
        ("br", "brotli_comp_level", vec![0, 1, 4, 6, 9, 10, 11]),
        ("zstd", "zstd_comp_level", vec![-1000, -1, 1, 9, 16, 19, 22]),
    ];
    let mut locations = String::new();
    let mut wanted = Vec::new();
    for (coding, directive, levels) in levels {
        for level in levels {
            let path = format!("/{coding}{level}/");
            locations +=
                &format!("location {path} {{ alias %PREFIX%/html/; {directive} {level}; }} ");
            wanted.push((coding, path));
        }
    }
    let pages = [
        ("none", page(0)),
        ("short", page(1000)),
        ("long", page(70_000)),
    ];
    for cache in ["size=32m", "off"] {
        let http = format!(
            "{ALL} gzip_min_length 0; brotli_min_length 0; zstd_min_length 0; \
             compressed_cache {cache}; server {{ listen %LISTEN%; {locations} }}"
        );
        let mut setup = Setup::http(&http);
        for (name, page) in &pages {
            setup = setup.file(&format!("html/{name}"), page);
        }
        let server = setup.start();
        for (coding, path) in &wanted {
            for (name, page) in &pages {
                let response = get(server.address(), &format!("{path}{name}"), coding);
                let what = format!("{path}{name} {cache}");
                assert_eq!(response.header("Content-Encoding"), Some(*coding), "{what}");
                let has_length = response.header("Content-Length").is_some();
                assert_eq!(has_length, cache != "off" || page.is_empty(), "{what}");
                assert!(decoded(&response).body == *page, "{what}");
            }
        }
    }
}

#[test]
fn the_best_coding_that_a_client_takes_is_chosen() {
    if !can_run() {
        return;
    }
    let server = serve(&format!("{ALL} gzip_vary on;"))
        .file("html/page", page(20_000))
        .start();
    let mut sizes = Vec::new();
    for (accepted, chosen) in [
        ("gzip, deflate, br, zstd", Some("br")),
        ("gzip, zstd", Some("zstd")),
        ("gzip", Some("gzip")),
        ("*", Some("br")),
        ("br;q=0.5, gzip", Some("gzip")),
        ("br;q=0, *;q=0.1", Some("zstd")),
        ("identity", None),
        ("", None),
    ] {
        let response = get(server.address(), "/page", accepted);
        assert_eq!(response.header("Content-Encoding"), chosen, "{accepted}");
        assert_eq!(
            response.header("Vary"),
            Some("Accept-Encoding"),
            "{accepted}"
        );
        assert!(decoded(&response).body == page(20_000), "{accepted}");
        sizes.push(response.body.len());
    }
    assert!(sizes[..3].is_sorted(), "{sizes:?}");
}

#[test]
fn head_says_what_get_says() {
    if !can_run() {
        return;
    }
    let server = serve(ALL).file("html/page", page(20_000)).start();
    for coding in CODINGS {
        let mut client = server.connect();
        let fields = format!("Accept-Encoding: {coding}\r\n");
        client.send(request("HEAD", "/page", &fields));
        let head = client.head_response();
        let whole = get(server.address(), "/page", coding);
        let told = |name| (head.header(name), whole.header(name));
        for name in [
            "Content-Encoding",
            "Content-Length",
            "ETag",
            "Last-Modified",
        ] {
            let (of_head, of_get) = told(name);
            assert!(of_head.is_some() && of_head == of_get, "{coding} {name}");
        }
        assert!(whole.header("ETag").unwrap().starts_with("W/"));
        assert_eq!(whole.header("Accept-Ranges"), None);
    }
}

/// What was changed a moment ago can change again without a trace, and is not kept.
fn wait_until_settled(server: &TestServer, file: &str) {
    let changed = fs::metadata(server.path(file)).unwrap().created().unwrap();
    wait_until("the file is settled", || {
        let age = changed.elapsed().unwrap_or_default();
        (age > Duration::from_millis(200)).then_some(())
    });
}

#[test]
fn a_file_is_coded_once_for_all_who_ask_at_once() {
    if !can_run() {
        return;
    }
    const CLIENTS: usize = 40;
    let server = serve(&format!("{ALL} brotli_comp_level 11;"))
        .file("html/one", page(50_000))
        .file("html/two", page(50_001))
        .start();
    wait_until_settled(&server, "html/two");
    let worker = server.workers()[0];
    let cost = |work: &dyn Fn()| {
        let before = processor_time(worker);
        work();
        processor_time(worker) - before
    };
    let one = cost(&|| drop(get(server.address(), "/one", "br")));
    let many = cost(&|| {
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(request("GET", "/two", "Accept-Encoding: br\r\n"));
        }
        let all: Vec<_> = clients.iter_mut().map(Client::response).collect();
        assert_eq!(decoded(&all[0]).body, page(50_001));
        assert!(all.iter().all(|response| response.body == all[0].body));
        assert!(all[0].header("Content-Encoding").is_some());
    });
    assert!(many < 4 * one, "{CLIENTS} took {many:?}, one {one:?}");
    let again = cost(&|| drop(get(server.address(), "/one", "br")));
    assert!(again < one / 4, "again took {again:?}, first {one:?}");
}

#[test]
fn who_leaves_while_a_file_is_coded_costs_nobody_an_answer() {
    if !can_run() {
        return;
    }
    let server = serve(&format!("{ALL} brotli_comp_level 11;"))
        .file("html/page", page(70_000))
        .start();
    let mut first = server.connect();
    first.send(request("GET", "/page", "Accept-Encoding: br\r\n"));
    let mut second = server.connect();
    second.send(request("GET", "/page", "Accept-Encoding: br\r\n"));
    drop(first);
    let response = second.response();
    assert_eq!(response.header("Content-Encoding"), Some("br"));
    assert_eq!(decoded(&response).body, page(70_000));
}

fn rewrite(server: &TestServer, content: &[u8]) {
    let path = server.path("html/page");
    fs::write(&path, content).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + MTIME).unwrap();
}

#[test]
fn a_change_is_seen_at_once_even_if_size_and_time_stay() {
    if !can_run() {
        return;
    }
    let server = serve(ALL).file("html/page", page(20_000)).start();
    for round in 0..scaled_count(1000, 20) {
        let mut content = page(20_000);
        let number = format!("{round:08}");
        content[..8].copy_from_slice(number.as_bytes());
        rewrite(&server, &content);
        let coding = CODINGS[round % CODINGS.len()];
        for _ in 0..2 {
            let response = get(server.address(), "/page", coding);
            assert_eq!(response.header("Content-Encoding"), Some(coding));
            assert!(decoded(&response).body == content, "{round} {coding}");
        }
    }
}

#[test]
fn more_files_than_are_kept_are_all_served() {
    if !can_run() {
        return;
    }
    let count = 40;
    let mut setup = serve(&format!("{ALL} compressed_cache size=100k;"));
    for number in 0..count {
        setup = setup.file(&format!("html/{number}"), page(10_000 + number));
    }
    let server = setup.start();
    let address = server.address();
    let clients = CODINGS.map(|coding| {
        thread::spawn(move || {
            for number in (0..count).chain(0..count) {
                let response = get(address, &format!("/{number}"), coding);
                assert!(decoded(&response).body == page(10_000 + number), "{number}");
            }
        })
    });
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn files_coded_beforehand_are_decoded_for_who_does_not_take_them() {
    if !can_run() {
        return;
    }
    let names = [("gzip", "gz"), ("br", "br"), ("zstd", "zst")];
    let mut setup = serve("gzip_static on; brotli_static on; zstd_static on; gzip_vary on;");
    for (coding, ending) in names {
        setup = setup
            .file(
                &format!("html/{coding}.{ending}"),
                coded(coding, page(200_000)),
            )
            .file(
                &format!("html/cut.{ending}"),
                &coded(coding, page(200_000))[..900],
            );
    }
    let server = setup.start();
    for (coding, _) in names {
        let target = format!("/{coding}");
        let other = CODINGS.into_iter().find(|other| *other != coding).unwrap();
        for accepted in [coding, other, "identity", ""] {
            let response = get(server.address(), &target, accepted);
            let as_it_is = accepted == coding;
            let expected = as_it_is.then_some(coding);
            assert_eq!(response.header("Content-Encoding"), expected, "{coding}");
            assert_eq!(response.header("Vary"), Some("Accept-Encoding"));
            assert_eq!(response.header("Content-Length").is_some(), as_it_is);
            let is_weak = response.header("ETag").unwrap().starts_with("W/");
            assert_eq!(is_weak, !as_it_is, "{coding}");
            assert!(
                decoded(&response).body == page(200_000),
                "{coding} {accepted}"
            );
        }
        let mut client = server.connect();
        let fields = format!("Accept-Encoding: {coding}\r\nRange: bytes=0-9\r\n");
        client.send(request("GET", &target, &fields));
        let part = client.response();
        assert_eq!((part.status, part.body.len()), (206, 10), "{coding}");
    }
}

#[test]
fn what_cannot_be_decoded_ends_its_connection_and_is_logged() {
    if !can_run() {
        return;
    }
    let mut server = serve("gzip_static on;")
        .file("html/cut.gz", &coded("gzip", page(200_000))[..900])
        .start();
    let mut client = server.connect();
    client.send_get("/cut");
    assert!(client.try_response(false).is_err());
    server.wait_for_log("decompression failed");
    server.expect_log("decompression failed");
}

#[test]
fn bodies_that_are_no_files_are_coded_while_they_are_sent() {
    if !can_run() {
        return;
    }
    let mut setup = Setup::http(&format!(
        "{ALL} brotli_comp_level 9; server {{ listen %LISTEN%; root %PREFIX%/html; autoindex on; }}"
    ));
    for number in 0..2000 {
        setup = setup.file(&format!("html/a file of the number {number}"), "");
    }
    let server = setup.start();
    let plain = server.get("/");
    assert!(plain.body.len() > 100_000);
    for coding in CODINGS {
        let response = get(server.address(), "/", coding);
        assert_eq!(response.header("Transfer-Encoding"), Some("chunked"));
        assert_eq!(decoded(&response).body, plain.body, "{coding}");
    }
}

#[test]
fn coding_leaves_others_their_latency() {
    if !can_run() {
        return;
    }
    let mut setup = serve(&format!("{ALL} brotli_comp_level 11;")).file("html/small", "small");
    for number in 0..4 {
        setup = setup.file(&format!("html/{number}"), page(60_000 + number));
    }
    let server = setup.start();
    let mut busy: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for (number, client) in busy.iter_mut().enumerate() {
        let fields = "Accept-Encoding: br\r\n";
        client.send(request("GET", &format!("/{number}"), fields));
    }
    let mut client = server.connect();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        assert_eq!(client.get("/small").status, 200);
        times.push(start.elapsed());
    }
    times.sort();
    assert!(times[50] < Duration::from_millis(20), "{times:?}");
    for client in &mut busy {
        assert_eq!(client.response().header("Content-Encoding"), Some("br"));
    }
}

#[test]
fn clients_that_do_not_read_delay_no_file() {
    if !can_run() {
        return;
    }
    let gzip = "gzip on; gzip_types *; compressed_cache size=1m;";
    let server = serve(gzip)
        .file("html/huge", page(4 << 20))
        .file("html/new", page(20_000))
        .start();
    // More than there is memory for.
    let mut slow: Vec<_> = (0..270).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.send(request("GET", "/huge", "Accept-Encoding: gzip\r\n"));
    }
    for client in &slow {
        assert_eq!(client.stream().peek(&mut [0]).unwrap(), 1);
    }
    let start = Instant::now();
    let response = get(server.address(), "/new", "gzip");
    let took = start.elapsed();
    assert_eq!(response.header("Content-Encoding"), Some("gzip"));
    assert_eq!(decoded(&response).body, page(20_000));
    assert!(took < Duration::from_secs(2), "{took:?}");
}
