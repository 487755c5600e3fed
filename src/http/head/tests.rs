use super::*;
use proptest::prelude::*;

fn parse(text: &[u8]) -> Head {
    let (head, _) = Head::parse(text, &Limits::default()).expect("a whole head");
    head
}

fn status(text: &[u8]) -> u16 {
    parse(text).fault().map_or(200, |fault| fault.status)
}

/// The same head, its bytes given one at a time.
fn trickled(text: &[u8], limits: &Limits) -> Option<(Head, usize)> {
    let (mut reader, mut head) = (Reader::default(), Head::default());
    let end = (1..=text.len()).find_map(|n| reader.read(&text[..n], limits, &mut head))?;
    Some((head, end))
}

#[test]
fn a_bare_cr_ends_the_head_it_stands_in_and_no_other() {
    for text in [
        "GET /\rx",
        "\r\n\r\nGET /\rx",
        "GET / HTTP/1.1\r\n\rx",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\rx",
    ] {
        assert_eq!(status(text.as_bytes()), 400, "{text:?}");
        let limits = Limits::default();
        let (head, _) = trickled(text.as_bytes(), &limits).expect("refused");
        assert_eq!(head.fault(), parse(text.as_bytes()).fault(), "{text:?}");
    }
    let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (head, end) = Head::parse(&[&whole[..], b"\rx"].concat(), &Limits::default()).unwrap();
    assert_eq!((head.fault(), end), (None, whole.len()));
}

#[test]
fn parts() {
    let text = b"\r\n\nGET  /a%20b?x=1?y#z  HTTP/1.1 \r\nHOST: \tEXAMPLE.com.:8080 \nX-a:\r\nx-A: b c\r\n\r\nrest";
    let head = parse(text);
    assert_eq!(head.fault(), None);
    assert_eq!(head.method(), Method::Get);
    assert_eq!(head.method_name(), b"GET");
    assert_eq!(head.target(), b"/a%20b?x=1?y#z");
    assert_eq!(head.request_uri(), b"/a%20b?x=1?y#z");
    assert_eq!(head.path(), b"/a%20b");
    assert_eq!(head.query(), Some(&b"x=1?y"[..]));
    assert_eq!(head.version(), Version::Http11);
    assert_eq!(head.version_text(), b"HTTP/1.1");
    assert_eq!(head.request_line(), b"GET  /a%20b?x=1?y#z  HTTP/1.1 ");
    assert_eq!(head.host(), Some(&b"example.com"[..]));
    assert_eq!(head.port(), Some(8080));
    assert_eq!(head.field("host"), Some(&b"EXAMPLE.com.:8080"[..]));
    assert_eq!(head.field("x-a"), Some(&b""[..]));
    assert_eq!(head.field("x-b"), None);
    assert_eq!(head.fields().count(), 3);
    assert_eq!(head.fields().last(), Some((&b"x-A"[..], &b"b c"[..])));
    assert_eq!(head.len(), text.len() - "\r\n\n".len() - "rest".len());
}

#[test]
fn absolute_target_wins_over_host() {
    let head = parse(b"GET http://A.b:81?q HTTP/1.1\r\nHost: c\r\n\r\n");
    assert_eq!(head.host(), Some(&b"a.b"[..]));
    assert_eq!((head.port(), head.path()), (Some(81), &b"/"[..]));
    assert_eq!(head.query(), Some(&b"q"[..]));
    assert_eq!(head.scheme(), Some(&b"http"[..]));
    assert_eq!(head.authority(), Some(&b"A.b:81"[..]));
    let head = parse(b"GET HTTPS://a/b/c HTTP/1.0\r\n\r\n");
    assert_eq!(head.path(), b"/b/c");
    assert_eq!(head.request_uri(), b"/b/c");
    let head = parse(b"GET http://a HTTP/1.0\r\n\r\n");
    assert_eq!((head.path(), head.request_uri()), (&b"/"[..], &b"/"[..]));
}

#[test]
fn request_lines() {
    let table: &[(&str, u16)] = &[
        ("GET / HTTP/1.1", 200),
        ("GET / HTTP/1.0", 200),
        ("GET / HTTP/1.2", 200),
        ("GET / HTTP/1.99", 200),
        ("GET / HTTP/1.999", 200),
        ("GET / HTTP/1.1000", 400),
        ("GET / HTTP/1.", 400),
        ("GET / HTTP/1", 400),
        ("GET / HTTP/1.x", 400),
        ("GET / HTTP/0.9", 400),
        ("GET / HTTP/2.0", 505),
        ("GET / HTTP/2", 505),
        ("GET / HTTP/11.1", 505),
        ("GET / http/1.1", 400),
        ("GET / HTTP/1.1 x", 400),
        ("GET / x HTTP/1.1", 400),
        ("GET /", 400),
        ("GET", 400),
        ("get / HTTP/1.1", 400),
        ("G=T / HTTP/1.1", 400),
        (" GET / HTTP/1.1", 400),
        ("FOO-BAR / HTTP/1.1", 200),
        ("GET /\t HTTP/1.1", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("GET /\0 HTTP/1.1", 400),
        ("GET /\x7f HTTP/1.1", 400),
        ("GET /\r HTTP/1.1", 400),
        ("GET /\u{e9} HTTP/1.1", 200),
        ("GET * HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 200),
        ("OPTIONS *a HTTP/1.1", 400),
        ("GET a HTTP/1.1", 400),
        ("GET ?a HTTP/1.1", 400),
        ("GET http:/a HTTP/1.1", 400),
        ("GET http:// HTTP/1.1", 400),
        ("GET http:///a HTTP/1.1", 400),
        ("GET http://u@a/ HTTP/1.1", 400),
        ("GET 1http://a/ HTTP/1.1", 400),
        ("GET a+b://a/ HTTP/1.1", 200),
        ("CONNECT a:80 HTTP/1.1", 405),
        ("CONNECT a HTTP/1.1", 400),
        ("CONNECT / HTTP/1.1", 400),
        ("TRACE / HTTP/1.1", 405),
    ];
    for (line, expected) in table {
        assert_eq!(
            status(format!("{line}\r\nHost: a\r\n\r\n").as_bytes()),
            *expected,
            "{line}"
        );
    }
}

#[test]
fn fields() {
    let table: &[(&str, u16)] = &[
        ("", 200),
        ("X: y\n", 200),
        ("X:\r\n", 200),
        ("X: a\tb\r\n", 200),
        ("X: \u{e9}\r\n", 200),
        ("X : y\r\n", 400),
        ("X y: z\r\n", 400),
        (": y\r\n", 400),
        ("X\r\n", 400),
        (" X: y\r\n", 400),
        ("X: y\r\n z\r\n", 400),
        ("X: y\rz\r\n", 400),
        ("X: y\r\r\n", 400),
        ("X: \0\r\n", 400),
        ("X: \x01\r\n", 400),
        ("X\x01: y\r\n", 400),
        ("X(: y\r\n", 200),
        ("X_y: z\r\n", 200),
        ("Host: b\r\n", 400),
        ("Range: bytes=0-1\r\nRange: bytes=0-1\r\n", 200),
        ("If-Match: *\r\nif-match: *\r\n", 400),
        ("Content-Length: 0\r\n", 200),
        ("Content-Length: 9223372036854775807\r\n", 200),
        ("Content-Length: 9223372036854775808\r\n", 400),
        ("Content-Length: 99999999999999999999999\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 5, 5\r\n", 400),
        ("Content-Length: +5\r\n", 400),
        ("Content-Length: -5\r\n", 400),
        ("Content-Length: 0x5\r\n", 400),
        ("Content-Length: 5 5\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 200),
        ("transfer-encoding: \tCHUNKED \r\n", 200),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            400,
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        ("Transfer-Encoding: chunked, gzip\r\n", 400),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 400),
        ("Transfer-Encoding: \"chunked\"\r\n", 400),
        ("Transfer-Encoding:\r\n", 400),
        ("Expect: 100-Continue\r\n", 200),
        ("Expect: nothing\r\n", 417),
        ("Expect: 100-continue, nothing\r\n", 417),
    ];
    for (fields, expected) in table {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(status(text.as_bytes()), *expected, "{fields}");
    }
}

#[test]
fn version_1_0() {
    let table: &[(&str, u16)] = &[
        ("", 200),
        ("Host: a b\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 400),
        ("Expect: nothing\r\n", 200),
    ];
    for (fields, expected) in table {
        let text = format!("GET / HTTP/1.0\r\n{fields}\r\n");
        assert_eq!(status(text.as_bytes()), *expected, "{fields}");
    }
    assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(status(b"GET http://a/ HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400);
}

#[test]
fn persistence() {
    let table: &[(&str, &str, bool)] = &[
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive, CLOSE\r\n", false),
        (
            "1.1",
            "Connection: close\r\nConnection: keep-alive\r\n",
            false,
        ),
        ("1.1", "Connection: disclose\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: x, Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, fields, expected) in table {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(
            parse(text.as_bytes()).keep_alive(),
            *expected,
            "{version} {fields}"
        );
    }
}

#[test]
fn expectations_need_a_body() {
    let expects = |version, fields| {
        let text =
            format!("POST / HTTP/{version}\r\nHost: a\r\nExpect: 100-continue\r\n{fields}\r\n");
        parse(text.as_bytes()).expects_continue()
    };
    assert!(expects("1.1", "Content-Length: 1\r\n"));
    assert!(expects("1.1", "Transfer-Encoding: chunked\r\n"));
    assert!(!expects("1.1", "Content-Length: 0\r\n"));
    assert!(!expects("1.1", ""));
    assert!(!expects("1.0", "Content-Length: 1\r\n"));
}

#[test]
fn odd_names() {
    let fields = |limits: &Limits| {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nA_b: 1\r\nA.b: 2\r\n\r\n";
        let (head, _) = Head::parse(text, limits).expect("a whole head");
        (head.field("a_b").is_some(), head.field("a.b").is_some())
    };
    let default = Limits::default();
    assert_eq!(fields(&default), (false, false));
    let underscores = Limits {
        underscores_in_headers: true,
        ..default.clone()
    };
    assert_eq!(fields(&underscores), (true, false));
    let keep = Limits {
        ignore_invalid_headers: false,
        ..default
    };
    assert_eq!(fields(&keep), (true, true));
}

#[test]
fn many_fields() {
    let fields: String = (0..100)
        .map(|n| format!("X-{n}: {n}\r\nX({n}: \t{n} \r\n"))
        .collect();
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let keep = Limits {
        ignore_invalid_headers: false,
        ..Limits::default()
    };
    for (limits, count) in [(Limits::default(), 101), (keep, 201)] {
        let (head, end) = Head::parse(text.as_bytes(), &limits).expect("a whole head");
        assert_eq!((head.fault(), end), (None, text.len()));
        assert_eq!(head.fields().count(), count);
        assert_eq!(head.field("x-99"), Some(&b"99"[..]));
        assert_eq!(head.field("x(99").is_some(), count == 201);
        assert!(head.field("x(99").is_none_or(|value| value == b"99"));
        let (trickled, _) = trickled(text.as_bytes(), &limits).expect("a whole head");
        assert!(trickled.fields().eq(head.fields()));
    }
}

#[test]
fn limits() {
    let limits = Limits {
        header_buffer: 64,
        large_buffers: (2, 128),
        max_headers: 4,
        ..Limits::default()
    };
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(length - 16));
    let field = |length: usize| format!("X: {}\r\n", "a".repeat(length - 5));
    let host = "Host: a\r\n";
    let table: Vec<(String, u16)> = vec![
        (line(128) + host + "\r\n", 200),
        (line(129) + host + "\r\n", 414),
        (line(50) + host + &field(128) + "\r\n", 200),
        (line(50) + host + &field(129) + "\r\n", 494),
        (line(50) + host + &field(128) + &field(128) + "\r\n", 494),
        (line(50) + host + &field(100) + &field(100) + "\r\n", 200),
        (line(20) + host + &field(10).repeat(3) + "\r\n", 200),
        (line(20) + host + &field(10).repeat(4) + "\r\n", 494),
    ];
    for (text, expected) in table {
        let (head, _) = Head::parse(text.as_bytes(), &limits).expect("a whole head");
        let status = head.fault().map_or(200, |fault| fault.status);
        assert_eq!(status, expected, "{text}");
        let (trickled, _) = trickled(text.as_bytes(), &limits).expect("a whole head");
        assert_eq!(trickled.fault(), head.fault(), "{text}");
        assert_eq!(trickled.len(), head.len(), "{text}");
    }
    assert!(Head::parse("G".repeat(127).as_bytes(), &limits).is_none());
    let (head, _) = Head::parse("G".repeat(500).as_bytes(), &limits).expect("too long");
    assert_eq!(head.request_line().len(), 128);
}

#[test]
fn hopeless_at_once() {
    for text in [&b"\x16\x03\x01"[..], b"{", b"\r\n GET", b"g"] {
        assert_eq!(status(text), 400);
    }
    assert_eq!(parse(b"\x16\x03\x01\x02").request_line(), b"\x16");
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost: a b\r\n"), 400);
    for text in [
        "GET /\rx",
        "GET / HTTP/1.1\r\nHost: a\rx",
        "GET / HTTP/1.1\r\n\r\r",
    ] {
        let (head, end) = Head::parse(text.as_bytes(), &Limits::default()).expect("hopeless");
        assert_eq!(
            (head.fault(), end),
            (Some(&reader::BARE_CR), text.len() - 1)
        );
    }
    assert!(Head::parse(b"\n\rGET /\r", &Limits::default()).is_none());
}

#[test]
fn memory_is_kept() {
    let mut head = parse(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let capacity = head.bytes.capacity();
    head.clear();
    assert_eq!(
        (head.len(), head.host(), head.fields().count()),
        (0, None, 0)
    );
    assert!(!head.has_seen(Known::Host) && !head.says_close);
    assert_eq!(head.bytes.capacity(), capacity);
}

proptest! {
    #[test]
    fn split_makes_no_difference(text in "[ -~]{0,3}(GET|P|) ?(/|x:)[ -~]{0,9} ?(HTTP/1.1)?\r?\n([A-Za-z: \0]{0,9}\r?\n){0,4}(\r\n)?") {
        let limits = Limits { header_buffer: 16, large_buffers: (2, 24), ..Limits::default() };
        let whole = Head::parse(text.as_bytes(), &limits);
        let bytes = trickled(text.as_bytes(), &limits);
        prop_assert_eq!(whole.map(|(head, end)| (format!("{head:?}"), end)),
            bytes.map(|(head, end)| (format!("{head:?}"), end)));
    }

    #[test]
    fn anything_is_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some((head, end)) = Head::parse(&text, &Limits::default()) {
            prop_assert!(end <= text.len());
            let _ = (head.method_name(), head.target(), head.path(), head.query(), head.host());
            let _ = (head.request_line(), head.version_text(), head.request_uri(), head.fields().count());
        }
    }
}
