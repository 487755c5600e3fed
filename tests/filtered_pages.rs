//! Pages that filters work on: whatever is in them, a worker lives and its memory is bounded.

mod common;

use common::{Client, Response, Setup, TestServer, private_memory, scaled_count};

/// One worker that recodes, replaces and carries out commands, in pages of any type.
fn site() -> Setup {
    Setup::with_main(
        "worker_processes 1; events { worker_connections 64; }",
        "access_log off; error_log %PREFIX%/error.log crit;
         charset_map koi8-r utf-8 { C1 D0B0; C2 D0B1; }
         server { listen %LISTEN%; root %PREFIX%/html; default_type text/html;
           location /ssi/ { ssi on; ssi_value_length 1k; }
           location /empty { return 200; }
           location /utf/ { charset koi8-r; source_charset utf-8; }
           location /koi/ { charset utf-8; source_charset koi8-r; }
           location /sub/ { sub_filter abcabd x; sub_filter_once off; } }",
    )
}

/// Asks on a connection of its own.
fn get(server: &TestServer, target: &str) -> Response {
    let mut client = Client::connect(server.address());
    client
        .send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes());
    client.response()
}

/// The same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// A page of commands, whole and broken, that use what others leave behind.
fn hostile(random: &mut Random) -> String {
    const PARTS: [&str; 24] = [
        "<!--#set var='a' value='$a$a$b'-->",
        "<!--#set var='b' value='0123456789'-->",
        "<!--#block name='a'-->",
        "<!--#endblock-->",
        "<!--#include virtual='/empty' stub='a'-->",
        "<!--#include virtual='/ssi/none' stub='a'-->",
        "<!--#include virtual='/ssi/page' set='a'-->",
        "<!--#include virtual='/ssi/page'-->",
        "<!--#include virtual='/ssi/page' wait='yes'-->",
        "<!--#include virtual='$a'-->",
        "<!--#include file='../..'-->",
        "<!--#if expr='$a = /(a*)*\\$/'-->",
        "<!--#if expr='$a = /((/'-->",
        "<!--#elif expr='$1'-->",
        "<!--#else-->",
        "<!--#endif-->",
        "<!--#echo var='1'-->",
        "<!--#echo var='a' encoding='url'-->",
        "<!--#config timefmt='%A%A%Y' errmsg='$a'-->",
        "<!--#echo var='date_local'-->",
        "<!--#",
        "-->",
        "<!-",
        "\\'\"",
    ];
    (0..30).map(|_| PARTS[random.below(PARTS.len())]).collect()
}

#[test]
fn whatever_commands_pages_have_the_worker_lives() {
    let server = site().file("html/ssi/page", "").start();
    let worker = server.workers();
    let mut random = Random(1);
    for number in 0..scaled_count(2000, 60) {
        let page = hostile(&mut random);
        std::fs::write(server.path("html/ssi/other"), &page).unwrap();
        if number % 8 == 0 {
            std::fs::write(server.path("html/ssi/page"), "<!--#echo var='a'-->").unwrap();
        }
        let answer = get(&server, "/ssi/other");
        assert_eq!(answer.status, 200, "{page}");
    }
    std::fs::write(
        server.path("html/ssi/page"),
        "<!--#include virtual='/ssi/page'-->",
    )
    .unwrap();
    assert!(
        get(&server, "/ssi/page")
            .text()
            .contains("an error occurred")
    );
    assert_eq!(server.workers(), worker);
}

#[test]
fn characters_that_break_off_are_recoded_whole_and_take_nothing_with_them() {
    // A character lies across the border of what is read at once; another ends the file.
    let border = 32 << 10;
    let mut text = vec![b'.'; border - 1];
    text.extend_from_slice("а".as_bytes());
    text.extend_from_slice(b"\xd0<b>\xe2\x82<i>\xf0\x80\x80");
    text.extend_from_slice(&vec![0xd0; border]);
    let server = site()
        .file("html/utf/page", &text)
        .file("html/koi/page", vec![0xc1; 3 * border])
        .start();
    let body = get(&server, "/utf/page").body;
    let (dots, rest) = body.split_at(border - 1);
    assert!(dots.iter().all(|&byte| byte == b'.'));
    assert!(rest.starts_with(b"\xc1?<b>?<i>????"), "{:?}", &rest[..20]);
    assert_eq!(rest.len(), b"\xc1?<b>?<i>???".len() + border);
    let body = get(&server, "/koi/page").text();
    assert!(body.len() == 6 * border && body.chars().all(|character| character == 'а'));
}

#[test]
fn long_pages_take_no_memory() {
    let server = site().start();
    let size = scaled_count(64 << 20, 8 << 20);
    let text: Vec<u8> = b"abcabcabd<!--#if expr='1'-->".repeat(size / 27);
    for folder in ["ssi", "sub", "utf", "koi"] {
        let path = format!("html/{folder}");
        std::fs::create_dir_all(server.path(&path)).unwrap();
        std::fs::write(server.path(&format!("{path}/long")), &text).unwrap();
    }
    let worker = server.workers()[0];
    for folder in ["ssi", "sub", "utf", "koi"] {
        get(&server, &format!("/{folder}/none"));
        let before = private_memory(worker);
        let body = get(&server, &format!("/{folder}/long")).body;
        assert!(!body.is_empty());
        let more = private_memory(worker).saturating_sub(before);
        assert!(more < 2 << 20, "{folder}: {more} bytes more");
    }
    assert_eq!(server.workers(), [worker]);
}
