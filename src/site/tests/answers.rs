//! Answers without a file, redirects, and the fields that answers carry.

use crate::site::testing::{self, Kit};

/// The answers of locations, each with its body of directives.
fn locations(list: &[(&str, &str)]) -> Kit {
    let location = |(path, text): &(&str, &str)| format!("location = {path} {{ {text} }}");
    testing::server(&format!(
        "root /r; {}",
        list.iter().map(location).collect::<String>()
    ))
    .file("/r/a.txt", "0123456789")
    .files(&["/r/d/x"])
}

#[test]
fn return_in_all_forms() {
    for (text, expected) in [
        ("return 200 text", "200 text"),
        ("return 200 'a $uri b'", "200 a /x b"),
        ("return 200 $status", "200 200"),
        ("return 200", "200"),
        ("return 200 ''", "200"),
        ("return 204", "204"),
        ("return 301 /y", "301 http://a/y"),
        ("return 302 /y?$args", "302 http://a/y?q"),
        ("return 303 y", "303 y"),
        ("return 307 http://b/", "307 http://b/"),
        ("return 308 //b/", "308 http://a//b/"),
        ("return 301", "301 "),
        ("return http://b$request_uri", "302 http://b/x?q"),
        ("return https://b/", "302 https://b/"),
        ("return $scheme://b/", "302 http://b/"),
        ("return 404", "404"),
        ("return 404 own", "404 own"),
        ("return 500 own", "500 own"),
        ("return 599", "599"),
        ("return 444", "0"),
        ("return 499", "0"),
        ("return 403; return 404", "403"),
    ] {
        let kit = locations(&[("/x", &format!("{text};"))]);
        assert_eq!(kit.get("/x?q").brief(), expected, "{text}");
    }
    for wrong in [
        "return /x",
        "return x",
        "return 1000",
        "return -1",
        "return 20x y",
    ] {
        let said = testing::said(&format!("server {{ {wrong}; }}"));
        assert!(
            said.len() == 1 && said[0].contains("invalid return code"),
            "{wrong}: {said:?}"
        );
    }
}

#[test]
fn a_text_has_the_type_of_its_path() {
    let kit = locations(&[
        ("/x", "return 200 text;"),
        ("/x.html", "return 200 text;"),
        (
            "/typed.html",
            "types { } default_type a/b; return 200 text;",
        ),
        ("/untyped", "default_type ''; return 200 text;"),
        ("/error", "default_type a/b; return 404;"),
    ]);
    for (path, expected) in [
        ("/x", Some("text/plain")),
        ("/x.html", Some("text/html")),
        ("/typed.html", Some("a/b")),
        ("/untyped", None),
        ("/error", Some("text/html")),
    ] {
        assert_eq!(kit.get(path).field("Content-Type"), expected, "{path}");
    }
}

#[test]
fn the_server_answers_before_any_location() {
    let kit = testing::server("return 410; location / { return 200 never; }");
    assert_eq!(kit.get("/").status, 410);
}

#[test]
fn where_redirects_lead() {
    let redirect = |text: &str, to: &str, request: &str| {
        let kit = testing::site(&format!(
            "server {{ listen 80; listen 8080; listen [::1]:81; server_name first second; root /r; {text} }}"
        ));
        let kit = kit.files(&["/r/d/x", "/r/a b/x"]).to(to);
        kit.send(request).field("Location").unwrap_or("").to_owned()
    };
    let from_a = "GET /d HTTP/1.1\r\nHost: A:99\r\n\r\n";
    let no_host = "GET /d HTTP/1.0\r\n\r\n";
    for (text, to, request, expected) in [
        ("", "127.0.0.1:80", from_a, "http://a/d/"),
        ("", "127.0.0.1:8080", from_a, "http://a:8080/d/"),
        (
            "port_in_redirect off;",
            "127.0.0.1:8080",
            from_a,
            "http://a/d/",
        ),
        (
            "server_name_in_redirect on;",
            "127.0.0.1:80",
            from_a,
            "http://first/d/",
        ),
        ("absolute_redirect off;", "127.0.0.1:80", from_a, "/d/"),
        ("", "127.0.0.1:8080", no_host, "http://127.0.0.1:8080/d/"),
        ("", "[::1]:81", no_host, "http://[::1]:81/d/"),
        (
            "",
            "127.0.0.1:80",
            "GET /a%20b?x=%20 HTTP/1.1\r\nHost: a\r\n\r\n",
            "http://a/a%20b/?x=%20",
        ),
        (
            "",
            "127.0.0.1:80",
            "GET //d HTTP/1.1\r\nHost: a\r\n\r\n",
            "http://a/d/",
        ),
        (
            "absolute_redirect off;",
            "127.0.0.1:80",
            "GET //d HTTP/1.1\r\nHost: a\r\n\r\n",
            "/d/",
        ),
    ] {
        assert_eq!(redirect(text, to, request), expected, "{text} {request}");
    }
}

#[test]
fn no_capture_adds_a_line() {
    let kit = testing::server("location ~ \"^/([^/]*)$\" { add_header X $1; return 302 /t/$1; }");
    let answer = kit.get("/a%0d%0aSet-Cookie:x");
    assert_eq!(answer.field("Location"), Some("http://a/t/a  Set-Cookie:x"));
    assert_eq!(
        (answer.field("X"), answer.field("Set-Cookie")),
        (Some("a  Set-Cookie:x"), None)
    );
}

#[test]
fn added_fields_are_inherited_whole_or_not_at_all() {
    let kit = testing::site(
        "add_header A http; server { listen 80; add_header B server; add_header C c always;
           location /inherits { return 200 x; }
           location /replaces { add_header D d; return 200 x; }
           location /nested { add_header E e; location /nested/in { return 200 x; } }
           location /error { return 404; }
           location /moved { return 301 /; } }",
    );
    for (path, expected) in [
        ("/inherits", "B: server C: c"),
        ("/replaces", "D: d"),
        ("/nested/in", "E: e"),
        ("/error", "C: c"),
        ("/moved", "B: server C: c"),
    ] {
        let answer = kit.get(path);
        let single = |line: &&str| {
            line.split_once(": ")
                .is_some_and(|(name, _)| name.len() == 1)
        };
        let fields: Vec<&str> = answer.head.lines().filter(single).collect();
        assert_eq!(fields.join(" "), expected, "{path}");
    }
}

#[test]
fn added_fields_and_those_of_the_answer() {
    let kit = locations(&[
        (
            "/a.txt",
            "add_header X-Status $status; add_header X-Type $sent_http_content_type;
            add_header X-Length $sent_http_content_length; add_header X-Tag $sent_http_etag;
            add_header X-Expires $sent_http_expires; expires epoch; add_header X-None $http_none;",
        ),
        ("/etag", "alias /r/a.txt; add_header ETag own;"),
        (
            "/no-etag",
            "alias /r/a.txt; add_header ETag ''; add_header Last-Modified '';",
        ),
        (
            "/changed",
            "alias /r/a.txt; add_header Last-Modified yesterday;",
        ),
        ("/twice", "add_header X 1; add_header X 2; return 200 x;"),
    ]);
    let answer = kit.get("/a.txt");
    let expected = [
        ("X-Status", Some("200")),
        ("X-Type", Some("text/plain")),
        ("X-Length", Some("10")),
        ("X-Tag", Some("\"2ebc98a1-a\"")),
        ("X-Expires", Some("Thu, 01 Jan 1970 00:00:01 GMT")),
        ("X-None", None),
    ];
    for (name, value) in expected {
        assert_eq!(answer.field(name), value, "{name}");
    }
    let expected = "Server Date Content-Type Content-Length Last-Modified Connection ETag Expires Cache-Control \
                    X-Status X-Type X-Length X-Tag X-Expires Accept-Ranges";
    assert_eq!(answer.names().join(" "), expected);
    assert_eq!(kit.get("/etag").fields("ETag"), ["own"]);
    let bare = kit.get("/no-etag");
    assert_eq!(
        (bare.field("ETag"), bare.field("Last-Modified")),
        (None, None)
    );
    assert_eq!(kit.get("/changed").fields("Last-Modified"), ["yesterday"]);
    assert_eq!(kit.get("/twice").fields("X"), ["1", "2"]);
}

#[test]
fn expires_on_the_wire() {
    for (text, expires, control) in [
        ("off", None, None),
        (
            "epoch",
            Some("Thu, 01 Jan 1970 00:00:01 GMT"),
            Some("no-cache"),
        ),
        (
            "max",
            Some("Thu, 31 Dec 2037 23:55:55 GMT"),
            Some("max-age=315360000"),
        ),
        (
            "1h",
            Some("Wed, 16 Nov 1994 09:49:37 GMT"),
            Some("max-age=3600"),
        ),
        (
            "0",
            Some("Wed, 16 Nov 1994 08:49:37 GMT"),
            Some("max-age=0"),
        ),
        (
            "-1",
            Some("Wed, 16 Nov 1994 08:49:36 GMT"),
            Some("no-cache"),
        ),
        (
            "modified 1h",
            Some("Sun, 06 Nov 1994 09:49:37 GMT"),
            Some("no-cache"),
        ),
        (
            "modified 11d",
            Some("Thu, 17 Nov 1994 08:49:37 GMT"),
            Some("max-age=86400"),
        ),
        (
            "$arg_e",
            Some("Wed, 16 Nov 1994 08:49:39 GMT"),
            Some("max-age=2"),
        ),
        ("$arg_none", None, None),
    ] {
        let kit = locations(&[("/a.txt", &format!("expires {text};"))]);
        let answer = kit.get("/a.txt?e=2s");
        assert_eq!(answer.field("Expires"), expires, "{text}");
        assert_eq!(answer.field("Cache-Control"), control, "{text}");
    }
    let kit = locations(&[
        ("/a.txt", "expires 1h; error_page 404 /a.txt;"),
        ("/x", "expires 1h;"),
    ]);
    assert_eq!(
        kit.get("/x").field("Expires"),
        None,
        "errors do not stay fresh"
    );
    for wrong in ["soon", "@25h", "modified max", "x 1h"] {
        assert_eq!(
            testing::said(&format!("expires {wrong};")).len(),
            1,
            "{wrong}"
        );
    }
}

#[test]
fn conditions_and_ranges() {
    let kit = locations(&[
        ("/a.txt", ""),
        ("/before", "alias /r/a.txt; if_modified_since before;"),
        ("/off", "alias /r/a.txt; if_modified_since off;"),
        ("/no-etag", "alias /r/a.txt; etag off;"),
        ("/none", "alias /r/a.txt; max_ranges 0;"),
        ("/one", "alias /r/a.txt; max_ranges 1;"),
    ]);
    let (same, later) = (
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:38 GMT",
    );
    let (same, later) = (
        format!("If-Modified-Since: {same}"),
        format!("If-Modified-Since: {later}"),
    );
    for (path, field, expected) in [
        ("/a.txt", &*same, "304"),
        ("/a.txt", &later, "200 0123456789"),
        ("/before", &later, "304"),
        ("/off", &same, "200 0123456789"),
        ("/a.txt", "If-None-Match: \"2ebc98a1-a\"", "304"),
        (
            "/no-etag",
            "If-None-Match: \"2ebc98a1-a\"",
            "200 0123456789",
        ),
        ("/a.txt", "If-Match: \"other\"", "412"),
        ("/a.txt", "Range: bytes=0-1", "206 01"),
        ("/a.txt", "Range: bytes=-1", "206 9"),
        ("/a.txt", "Range: bytes=10-", "416"),
        ("/none", "Range: bytes=0-1", "200 0123456789"),
        ("/one", "Range: bytes=0-1", "206 01"),
        ("/one", "Range: bytes=0-1,3-4", "200 0123456789"),
        (
            "/a.txt",
            "Range: bytes=0-1\r\nIf-Range: \"other\"",
            "200 0123456789",
        ),
    ] {
        let answer = kit.ask("GET", path, &format!("{field}\r\n"));
        assert_eq!(answer.brief(), expected, "{path} {field}");
    }
    let parts = kit.once("GET /a.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1,3-4\r\n\r\n");
    assert!(
        parts
            .field("Content-Type")
            .is_some_and(|t| t.starts_with("multipart/byteranges; boundary="))
    );
    assert_eq!(parts.body.matches("Content-Range: bytes ").count(), 2);
}

#[test]
fn the_server_names_itself_as_told() {
    for (text, expected) in [
        ("", Some("forkful/0.1.0")),
        ("server_tokens on;", Some("forkful/0.1.0")),
        ("server_tokens build;", Some("forkful/0.1.0")),
        ("server_tokens off;", Some("forkful")),
        ("server_tokens '';", None),
        ("server_tokens 'mine $uri';", Some("mine /")),
    ] {
        let answer = testing::server(&format!("{text} return 404;")).get("/");
        assert_eq!(answer.field("Server"), expected, "{text}");
        let footer = expected.map(|name| format!("<footer>{name}</footer>"));
        assert!(
            answer.body.contains(footer.as_deref().unwrap_or("</html>")),
            "{text}"
        );
        assert!(expected.is_some() || !answer.body.contains("<footer>"));
    }
}

#[test]
fn connections_stay_open_as_told() {
    for (text, fields, expected) in [
        ("", "", "keep-alive"),
        ("", "Connection: close\r\n", "close"),
        ("keepalive_timeout 0;", "", "close"),
        ("keepalive_requests 1;", "", "close"),
        ("keepalive_time 0;", "", "close"),
        (
            "keepalive_disable safari;",
            "User-Agent: Mac OS X Safari/1\r\n",
            "close",
        ),
        (
            "keepalive_disable safari;",
            "User-Agent: Mac OS X Chrome/1 Safari/1\r\n",
            "keep-alive",
        ),
        (
            "keepalive_disable none;",
            "User-Agent: Mac OS X Safari/1\r\n",
            "keep-alive",
        ),
    ] {
        let kit = testing::server(&format!("{text} location / {{ return 200 x; }}"));
        assert_eq!(
            kit.ask("GET", "/", fields).field("Connection"),
            Some(expected),
            "{text} {fields}"
        );
    }
    let kit = testing::server("keepalive_timeout 5s 4s; return 200 x;");
    assert_eq!(kit.get("/").field("Keep-Alive"), Some("timeout=4"));
}

#[test]
fn conditions_count_where_there_are_no_validators() {
    let kit = testing::server(
        "root /r; location /text { return 200 text; } location /none { return 204; }
         location /d/ { autoindex on; }",
    )
    .files(&["/r/d/a"]);
    let long_ago = "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT";
    for path in ["/text", "/d/"] {
        for (field, expected) in [
            ("If-Match: \"a\"", 412),
            ("If-Match: *", 200),
            ("If-None-Match: \"a\"", 200),
            ("If-None-Match: *", 304),
            (long_ago, 200),
        ] {
            let answer = kit.ask("GET", path, &format!("{field}\r\n"));
            assert_eq!(answer.status, expected, "{path} {field}");
        }
    }
    for field in ["If-Match: \"a\"", "If-None-Match: *", long_ago] {
        assert_eq!(kit.ask("GET", "/none", &format!("{field}\r\n")).status, 204);
    }
}
