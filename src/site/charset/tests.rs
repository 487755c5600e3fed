//! Text from one charset to another, whole and in pieces.

use super::recoder::Recoder;
use super::table::{Charsets, Recoding};
use crate::conf::diagnostic::Diagnostics;
use crate::conf::outside::Outside;
use crate::conf::parse::{self, Start};
use crate::site::testing;

/// The recoding between two charsets, from the text of a `charset_map`.
fn recoding(map: &str, from: &str, to: &str) -> Recoding {
    let start = Start::embedded("test", map);
    let tree = parse::parse(start, &Outside::system(), &mut Diagnostics::default());
    let mut charsets = Charsets::default();
    for item in &tree.items {
        let lines = item.block.as_deref().expect("a block");
        let (a, b) = (&item.args[0], &item.args[1]);
        charsets.map(a, b, lines).expect("a map");
    }
    let number = |name: &str| charsets.find(name.as_bytes()).expect("a charset");
    let found = charsets.recoding(number(from), number(to));
    found.expect("a recoding").clone()
}

fn recoded(recoding: &Recoding, chunks: &[&[u8]]) -> Vec<u8> {
    let mut recoder = Recoder::new(recoding.clone());
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&recoder.next(chunk.to_vec().into()));
    }
    out.extend_from_slice(&recoder.end());
    out
}

const UTF8: &str = "charset_map k utf-8 { C1 D0B0; C2 D0B1; A4 E282AC; }";

#[test]
fn text_is_recoded_wherever_it_is_split() {
    let bytes = "charset_map a b { 41 42; C1 E1; }";
    for (map, from, to, text, expected) in [
        (bytes, "a", "b", &b"xA\xc1\xc2"[..], &b"xB\xe1?"[..]),
        (bytes, "B", "A", b"xB\xe1\xe2A", b"xA\xc1?A"),
        (UTF8, "k", "utf-8", b"a\xc1\xc2\xa4\xff", "aаб€?".as_bytes()),
        (UTF8, "utf-8", "k", "aаб€".as_bytes(), b"a\xc1\xc2\xa4"),
        (
            UTF8,
            "utf-8",
            "k",
            "вä\u{1f600}".as_bytes(),
            b"&#1074;&#228;&#128512;",
        ),
        (
            UTF8,
            "UTF-8",
            "K",
            b"a\xd0<\xff\xe2\x82<\xf0\x80",
            b"a?<??<??",
        ),
        (UTF8, "utf-8", "k", b"a\xe2\x82", b"a?"),
        (UTF8, "utf-8", "k", b"\xd0\xd0\xb0", b"?\xc1"),
    ] {
        let recoding = recoding(map, from, to);
        assert_eq!(recoded(&recoding, &[text]), expected, "{from} {text:?}");
        for a in 0..=text.len() {
            for b in a..=text.len() {
                let chunks = [&text[..a], &text[a..b], &text[b..]];
                assert_eq!(recoded(&recoding, &chunks), expected, "{text:?} {a} {b}");
            }
        }
    }
}

#[test]
fn any_bytes_are_some_text() {
    let recoding = recoding(UTF8, "utf-8", "k");
    for first in 0..=255u8 {
        for second in 0..=255u8 {
            let text = [first, second, b'<', 0x80, first];
            let whole = recoded(&recoding, &[&text]);
            assert!(whole.contains(&b'<'), "{text:?}");
            let each: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(recoded(&recoding, &each), whole, "{text:?}");
        }
    }
}

#[test]
fn maps_are_checked_as_nginx_checks_them() {
    for (text, expected) in [
        (
            "charset_map a A { }",
            "\"charset_map\" between the same charsets \"a\" and \"A\"",
        ),
        (
            "charset_map a b { } charset_map b a { }",
            "duplicate \"charset_map\" between \"b\" and \"a\"",
        ),
        ("charset_map a b { 1; }", "invalid parameters number"),
        ("charset_map a b { 100 1; }", "invalid value \"100\""),
        ("charset_map a b { 1 zz; }", "invalid value \"zz\""),
        ("charset_map a utf-8 { 80 41; }", "invalid value \"41\""),
        ("charset_map a utf-8 { 80 E28; }", "invalid value \"E28\""),
        (
            "charset_map a utf-8 { 80 F09F9880; }",
            "invalid value \"F09F9880\"",
        ),
        ("charset_map a b { 1 2 { } }", "unexpected \"{\""),
        (
            "charset a; source_charset b;",
            "no \"charset_map\" between the charsets \"b\" and \"a\"",
        ),
        ("charset $;", "invalid variable name \"$\""),
        ("charset $none;", "unknown \"none\" variable"),
    ] {
        assert_eq!(
            testing::said(text),
            [format!("error: {expected}")],
            "{text}"
        );
    }
    for text in [
        "charset_map a utf-8 { 41 C3A4; 41 C3A5; }",
        "charset a; source_charset b; charset_map b a { }",
        "charset a; source_charset A;",
        "charset off; source_charset b;",
        "charset a; source_charset $arg_x;",
    ] {
        assert_eq!(testing::said(text), [""; 0], "{text}");
    }
}

#[test]
fn the_charset_is_told_and_text_made_into_it() {
    let kit = testing::site(
        "charset_map k utf-8 { C1 D0B0; } charset_map k b { C1 E1; }
         server { listen 80; root /r; charset utf-8; charset_types text/plain;
           location /type { default_type text/css; }
           location /off { charset off; }
           location /moved { return 301 /x; }
           location /recoded { source_charset k; }
           location /bytes { source_charset k; charset b; }
           location /variable { charset $arg_c; source_charset k; }
           location /unknown { charset $arg_c; source_charset $arg_s; } }",
    )
    .files(&[
        "/r/type",
        "/r/off",
        "/r/plain",
        "/r/bytes",
        "/r/variable",
        "/r/unknown",
    ])
    .file("/r/recoded", "aä");
    for (target, expected) in [
        ("/plain", "text/plain; charset=utf-8"),
        ("/type", "text/css"),
        ("/off", "text/plain"),
        ("/recoded", "text/plain; charset=utf-8"),
        ("/bytes", "text/plain; charset=b"),
        ("/variable?c=UTF-8", "text/plain; charset=UTF-8"),
        ("/variable?c=k", "text/plain; charset=k"),
        ("/variable?c=none", "text/plain"),
        ("/variable", "text/plain"),
        ("/unknown?c=x&s=X", "text/plain; charset=x"),
        ("/moved", "text/html"),
    ] {
        assert_eq!(
            kit.get(target).field("Content-Type"),
            Some(expected),
            "{target}"
        );
    }
    let recoded = kit.get("/recoded");
    assert_eq!(recoded.field("Transfer-Encoding"), Some("chunked"));
    assert_eq!(recoded.body, "3\r\na??\r\n0\r\n\r\n");
    let bytes = kit.ask("GET", "/bytes", "Range: bytes=1-2\r\n");
    assert_eq!((bytes.status, bytes.body.as_str()), (206, "r/"));
    assert_eq!(bytes.field("Content-Length"), Some("2"));
    let parts = kit.once("GET /plain HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1,3-4\r\n\r\n");
    let told = parts.field("Content-Type").unwrap_or_default();
    assert!(told.starts_with("multipart/byteranges") && !told.contains("charset"));
    assert_eq!(
        parts
            .body
            .matches("Content-Type: text/plain; charset=utf-8\r\n")
            .count(),
        2
    );
}
