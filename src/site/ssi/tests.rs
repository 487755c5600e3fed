//! Pages with commands: whole, and split anywhere.

use super::parse::{Parser, Part};
use crate::site::testing::{self, Kit};

fn parts(chunks: &[&[u8]]) -> String {
    let mut parser = Parser::new(7);
    let mut out = String::new();
    let mut text = String::new();
    let mut show = |part: Part| match part {
        Part::Text(more) => text.push_str(&String::from_utf8_lossy(&more)),
        other => {
            out.push_str(&std::mem::take(&mut text));
            out.push_str(&match other {
                Part::Command(command) => String::from_utf8_lossy(&command.text()).into_owned(),
                Part::Wrong(what) => format!("({what})"),
                _ => "(broken)".to_owned(),
            });
        }
    };
    for chunk in chunks {
        parser.go_on(chunk.to_vec().into());
        while let Some(part) = parser.part() {
            show(part);
        }
    }
    if let Some(part) = parser.end() {
        show(part);
    }
    out + &text
}

#[test]
fn commands_are_found_wherever_a_page_is_split() {
    for (page, expected) in [
        ("text", "text"),
        ("a<!--#x-->b", "a<!--#x -->b"),
        (
            "<<!--<!<!--#\n x\t a = 'b' c=\"d\"\r-->-->",
            "<<!--<!<!--#x a=\"b\" c=\"d\" -->-->",
        ),
        ("<!--#x a='1\\'2'-->", "<!--#x a=\"1\\'2\" -->"),
        (
            "<!--#x a=1-->b",
            "(unexpected \"1\" symbol before value of \"a\" parameter in \"x\" SSI command)(broken)b",
        ),
        (
            "<!--#x a-->b",
            "(unexpected \"-\" symbol after \"a\" parameter in \"x\" SSI command)(broken)b",
        ),
        (
            "<!--#x a b-->c",
            "(unexpected \"b\" symbol after \"a\" parameter in \"x\" SSI command)(broken)c",
        ),
        (
            "<!--#x a='b'c-->d",
            "(unexpected \"c\" symbol after \"b\" value of \"a\" parameter in \"x\" SSI command)(broken)d",
        ),
        (
            "<!--#x--->b-->c",
            "(unexpected \"-\" symbol in \"x\" SSI command)(broken)c",
        ),
        (
            "<!--#-->b",
            "(unexpected \">\" symbol in \"-\" SSI command)",
        ),
        ("<!--#x a='1234567'-->", "<!--#x a=\"1234567\" -->"),
        (
            "<!--#x a='12345678'-->",
            "(too long \"12345678...\" value of \"a\" parameter in \"x\" SSI command)(broken)",
        ),
        ("a<!--", "a<!--"),
        ("a<!--#x a='b", "a"),
    ] {
        assert_eq!(parts(&[page.as_bytes()]), expected, "{page}");
        for at in 0..=page.len() {
            let (a, b) = page.as_bytes().split_at(at);
            assert_eq!(parts(&[a, b]), expected, "{page} at {at}");
        }
        let each: Vec<&[u8]> = page.as_bytes().chunks(1).collect();
        assert_eq!(parts(&each), expected, "{page}");
    }
}

/// What a page comes to; commands that are wrong show as `!`.
fn shown(page: &str) -> String {
    let page = format!("<!--#config errmsg='!'-->{page}");
    let kit = kit().file("/r/page", &page);
    shown_by(&kit, "/page?x=1")
}

fn kit() -> Kit {
    testing::server(
        "root /r; ssi on; ssi_types *; default_type text/plain;
         location /silent/ { ssi_silent_errors on; }
         location /plain/ { ssi off; alias /r/; }
         location /return { return 200 $uri:$args; }
         location /empty { return 200; }
         location /gone { return 410; }",
    )
    .file("/r/inc", "[inc]")
    .file("/r/sets", "<!--#set var='v' value='V'-->")
    .file("/r/gets", "<!--#echo var='v'-->")
    .file("/r/self", ".<!--#include virtual='self'-->")
    .file("/r/silent/page", "a<!--#none-->b")
}

fn shown_by(kit: &Kit, target: &str) -> String {
    let answer = kit.get(target);
    assert_eq!(
        answer.field("Transfer-Encoding"),
        Some("chunked"),
        "{target}"
    );
    let mut rest = answer.body.as_str();
    let mut out = String::new();
    while let Some((size, chunk)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        out.push_str(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    out
}

#[test]
fn commands_are_carried_out_as_nginx_does() {
    for (page, expected) in [
        ("<!--#echo var='arg_x'-->", "1"),
        ("<!--#echo var='ARG_X' default='2'-->", "1"),
        (
            "<!--#echo var='none'-->|<!--#echo var='none' default='d'-->",
            "(none)|d",
        ),
        (
            "<!--#set var='s' value='<$arg_x'--><!--#echo var='S'-->",
            "&lt;1",
        ),
        ("<!--#if expr='$arg_x'-->a<!--#else-->b<!--#endif-->c", "ac"),
        (
            "<!--#if expr='$none'-->a<!--#elif expr='$arg_x=1'-->b<!--#endif-->c",
            "bc",
        ),
        (
            "<!--#if expr='$none'-->a<!--#elif expr='$none'-->b<!--#else-->c<!--#endif-->",
            "c",
        ),
        (
            "<!--#if expr='$arg_x = /(?<n>\\d)/'--><!--#echo var='n'--><!--#echo var='0'--><!--#endif-->",
            "11",
        ),
        ("<!--#if expr='$arg_x = /(/'-->a", "!a"),
        ("<!--#else-->a<!--#endif-->", "!a!"),
        (
            "<!--#if expr='1'-->a<!--#if expr='1'-->b<!--#endif-->c",
            "a!bc",
        ),
        ("<!--#none-->a<!--#echo-->", "!a!"),
        (
            "<!--#include virtual='inc'--><!--#include file='/inc'-->",
            "[inc][inc]",
        ),
        ("<!--#include virtual='return?a=$arg_x'-->", "/return:a=1"),
        (
            "<!--#include virtual='../x'--><!--#include virtual=''-->",
            "!!",
        ),
        (
            "<!--#include virtual='inc' set='v'-->a<!--#echo var='v'-->",
            "a[inc]",
        ),
        (
            "<!--#include virtual='gone' set='v'-->a<!--#echo var='v'-->",
            "a",
        ),
        (
            "<!--#include virtual='sets'-->a<!--#echo var='v'-->",
            "a(none)",
        ),
        (
            "<!--#include virtual='sets' wait='yes'-->a<!--#echo var='v'-->",
            "aV",
        ),
        (
            "<!--#set var='v' value='1'--><!--#include virtual='gets'-->",
            "1",
        ),
        (
            "<!--#block name='b'-->B<!--#echo var='arg_x'--><!--#endblock-->|<!--#include virtual='empty' stub='b'-->",
            "|B<!--#echo var=\"arg_x\" -->",
        ),
        (
            "<!--#block name='b'-->B<!--#echo var='arg_x'--><!--#endblock-->|<!--#include virtual='gone' stub='b'-->",
            "|B(none)",
        ),
        (
            "<!--#block name='b'-->B<!--#endblock--><!--#include virtual='inc' stub='b'-->",
            "[inc]",
        ),
        ("<!--#include virtual='inc' stub='b'-->", "!"),
        (
            "<!--#include virtual='plain/gets'-->",
            "<!--#echo var='v'-->",
        ),
        (
            "<!--#include--><!--#include virtual='a' file='b'--><!--#include virtual='a' wait='x'-->",
            "!!!",
        ),
        (
            "<!--#config timefmt='%Y %Z'--><!--#echo var='date_gmt'-->",
            "1994 GMT",
        ),
        (
            "<!--#config timefmt='%s'--><!--#echo var='date_local'-->",
            "784975777",
        ),
        ("a<!--#echo var='x", "a"),
        ("a<!-", "a<!-"),
    ] {
        assert_eq!(shown(page), expected, "{page}");
    }
    assert_eq!(shown_by(&kit(), "/silent/page"), "ab");
}

#[test]
fn pages_that_include_themselves_come_to_an_end() {
    let shown = shown_by(&kit(), "/self");
    assert_eq!(shown.matches('.').count(), 52);
    assert!(shown.ends_with("[an error occurred while processing the directive]"));
}

#[test]
fn what_is_set_is_bounded() {
    let double = "<!--#set var='v' value='$v$v$v$v$v$v$v$v$v$v$v$v'-->".repeat(20);
    let page = format!("<!--#set var='v' value='0123456789'-->{double}");
    let shown = shown(&page);
    assert!(shown.ends_with("!!!"), "{}", shown.len());
    let block = format!(
        "<!--#block name='b'-->{}<!--#endblock-->",
        "b".repeat(2 << 20)
    );
    assert!(self::shown(&block).contains('!'));
}

#[test]
fn validators_are_forgotten_unless_asked_for() {
    let kit = testing::server("root /r; ssi on; location /kept { ssi_last_modified on; }")
        .file("/r/a.html", "a")
        .file("/r/kept/a.html", "a");
    let forgotten = kit.get("/a.html");
    assert_eq!(
        forgotten.names(),
        [
            "Server",
            "Date",
            "Content-Type",
            "Transfer-Encoding",
            "Connection"
        ]
    );
    let kept = kit.get("/kept/a.html");
    assert!(kept.field("Last-Modified").is_some());
    assert!(kept.field("ETag").is_some_and(|tag| tag.starts_with("W/")));
}
