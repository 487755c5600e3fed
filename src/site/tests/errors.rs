//! Errors and their pages, internal redirects and their bounds.

use crate::site::testing;

#[test]
fn error_pages_in_all_forms() {
    let kit = testing::server(
        "root /r;
         location /same/ { error_page 404 /e.html; }
         location /other/ { error_page 404 =200 /e.html; }
         location /page/ { error_page 404 = /e.html; }
         location /zero/ { error_page 404 =0 /e.html; }
         location /uri/ { error_page 404 http://b/x?$uri; }
         location /uri-status/ { error_page 404 =301 http://b/; }
         location /uri-odd/ { error_page 404 =200 http://b/; }
         location /named/ { error_page 404 @named; }
         location /named-page/ { error_page 404 = @named; }
         location /named-error/ { error_page 404 = @gone; }
         location /nowhere/ { error_page 404 @nowhere; }
         location /args/ { error_page 404 /args?of=$uri; }
         location = /args { return 200 $args; }
         location /missing/ { error_page 404 /missing/too; }
         location /dir/ { error_page 404 /d; }
         location /several/ { error_page 403 404 /e.html; error_page 405 =200 /e.html; }
         location /redirect/ { error_page 302 /e.html; return 302 /x; }
         location /none/ { error_page 500 /e.html; }
         location /status/ { error_page 404 /$status.html; }
         location @named { return 200 named:$uri; }
         location @gone { return 410; }",
    )
    .file("/r/e.html", "page")
    .files(&["/r/d/x", "/r/404.html"]);
    for (target, expected) in [
        ("/same/", "404 page"),
        ("/other/", "200 page"),
        ("/page/", "200 page"),
        ("/zero/", "200 page"),
        ("/uri/x", "302 http://b/x?/uri/x"),
        ("/uri-status/", "301 http://b/"),
        ("/uri-odd/", "302 http://b/"),
        ("/named/x", "404 named:/named/x"),
        ("/named-page/x", "200 named:/named-page/x"),
        ("/named-error/", "410"),
        ("/nowhere/", "500"),
        ("/args/x", "404 of=/args/x"),
        ("/missing/", "404"),
        ("/dir/x", "301 http://a/d/"),
        ("/several/x", "404 page"),
        ("/redirect/", "302 /x"),
        ("/none/", "404"),
        ("/status/", "404 /r/404.html"),
    ] {
        let mut answer = kit.get(target);
        answer.head = answer.head.replace("http://a/x", "/x");
        assert_eq!(answer.brief(), expected, "{target}");
    }
    assert_eq!(kit.get("/redirect/").body, "page");
    let put = kit.ask("PUT", "/several/x", "");
    assert_eq!(put.brief(), "200 page", "a page is fetched by GET");
}

#[test]
fn a_page_is_got_and_a_named_location_is_asked_as_the_client_asked() {
    let kit = testing::server(
        "root /r;
         location /page { error_page 404 = /got; }
         location /got { return 200 $request_method; }
         location /named { error_page 404 = @named; }
         location @named { try_files /a =404; }",
    )
    .files(&["/r/a"]);
    assert_eq!(kit.ask("PUT", "/page", "").status, 405);
    assert_eq!(kit.ask("POST", "/page", "").brief(), "200 GET");
    assert_eq!(kit.ask("POST", "/named", "").brief(), "405");
    assert_eq!(kit.get("/named").brief(), "200 /r/a");
}

#[test]
fn an_error_page_is_no_file_that_was_asked_for() {
    let kit = testing::server("root /r; error_page 404 /e.html;").file("/r/e.html", "page");
    let since = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for fields in ["", since, "If-None-Match: *\r\n", "Range: bytes=0-1\r\n"] {
        let answer = kit.ask("GET", "/x", fields);
        assert_eq!(answer.brief(), "404 page", "{fields}");
        assert_eq!(answer.field("Last-Modified"), None);
        assert_eq!(answer.field("Accept-Ranges"), None);
    }
}

#[test]
fn an_error_keeps_its_fields_under_its_page() {
    let kit = testing::server("root /r; error_page 405 416 /e.html;")
        .file("/r/e.html", "page")
        .file("/r/a", "0123456789");
    let refused = kit.ask("DELETE", "/a", "");
    assert_eq!(
        (refused.field("Allow"), &refused.body[..]),
        (Some("GET, HEAD"), "page")
    );
    let beyond = kit.ask("GET", "/a", "Range: bytes=99-\r\n");
    assert_eq!((beyond.status, &beyond.body[..]), (416, "page"));
    assert_eq!(beyond.field("Content-Range"), Some("bytes */10"));
}

#[test]
fn pages_of_pages_only_when_recursive() {
    let kit = testing::server(
        "location /flat/ { error_page 404 /flat/404; }
         location /first/ { error_page 404 = /second/; }
         location /second/ { error_page 404 @last; recursive_error_pages on; }
         location /deep/ { error_page 404 = /second/; recursive_error_pages on; }
         location @last { return 410; }",
    );
    for (target, expected) in [
        ("/flat/", 404),
        ("/first/", 404),
        ("/deep/", 410),
        ("/second/", 410),
    ] {
        assert_eq!(kit.get(target).status, expected, "{target}");
    }
}

#[test]
fn cycles_end() {
    let kit = testing::server(
        "root /r;
         location /try/ { try_files /none /try/x; }
         location /page/ { error_page 404 /page/x; recursive_error_pages on; }
         location /named/ { error_page 404 @again; recursive_error_pages on; }
         location @again { error_page 404 @again; recursive_error_pages on; return 404; }
",
    );
    for target in ["/try/", "/page/", "/named/"] {
        assert_eq!(kit.get(target).status, 500, "{target}");
        let line = kit.logged("error.log");
        assert!(
            line.contains("[error]") && line.contains("redirection cycle while"),
            "{line}"
        );
        assert!(
            line.contains("client: 192.0.2.1, server: , request: \"GET /"),
            "{line}"
        );
    }
}

#[test]
fn internal_locations_are_reached_from_within_alone() {
    let kit = testing::server(
        "root /r; error_page 404 /int/404;
         location /int/ { internal; }
         location /try/ { try_files $uri /int/a; }
         location /index/ { index none /int/a; }
         location /page/ { error_page 404 = /int/a; }",
    )
    .files(&["/r/int/a", "/r/int/404", "/r/index/x"]);
    for (target, expected) in [
        ("/int/a", "404 /r/int/404"),
        ("/try/x", "200 /r/int/a"),
        ("/index/", "200 /r/int/a"),
        ("/page/x", "200 /r/int/a"),
        ("/x", "404 /r/int/404"),
    ] {
        assert_eq!(kit.get(target).brief(), expected, "{target}");
    }
}

#[test]
fn bodies_are_dropped_within_their_limit() {
    let kit = testing::server(
        "root /r; client_max_body_size 5; error_page 413 /e.html;
         location /ok { return 200 ok; }
         location /any { client_max_body_size 0; return 200 any; }",
    )
    .file("/r/e.html", "page");
    let counted = |path: &str, n: usize| {
        let body = "x".repeat(n);
        kit.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{body}"
        ))
    };
    let chunked = |path: &str, n: usize| {
        let body = "x".repeat(n);
        kit.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{n:x}\r\n{body}\r\n0\r\n\r\n"
        ))
    };
    for (path, length, expected) in [
        ("/ok", 5, "200 ok"),
        ("/ok", 6, "413 page"),
        ("/any", 600, "200 any"),
        ("/e.html", 5, "405"),
    ] {
        assert_eq!(counted(path, length).brief(), expected, "{path} {length}");
        assert_eq!(chunked(path, length).brief(), expected, "{path} {length}");
    }
    assert_eq!(counted("/ok", 6).field("Connection"), Some("close"));
    assert_eq!(counted("/ok", 5).field("Connection"), Some("keep-alive"));
}

#[test]
fn values_of_error_page_that_are_none() {
    for wrong in [
        "200 /a",
        "600 /a",
        "499 /a",
        "x /a",
        "404 =x /a",
        "404 =101 /a",
        "=200 /a",
    ] {
        let said = testing::said(&format!("error_page {wrong};"));
        assert!(
            said.len() == 1 && said[0].starts_with("error: "),
            "{wrong}: {said:?}"
        );
    }
}

#[test]
fn levels_of_error_log() {
    for fine in [
        "stderr",
        "stderr warn",
        "stderr debug_http",
        "stderr debug_core debug_http",
    ] {
        assert_eq!(
            testing::said(&format!("error_log {fine};")),
            [""; 0],
            "{fine}"
        );
    }
    for wrong in [
        "stderr WARN",
        "stderr warn info",
        "stderr info json",
        "syslog:server=a",
    ] {
        assert_eq!(
            testing::said(&format!("error_log {wrong};")).len(),
            1,
            "{wrong}"
        );
    }
}

#[test]
fn a_server_as_a_whole_has_no_options() {
    let ask = |text: &str| testing::server(text).ask("OPTIONS", "*", "");
    let answer = ask("root /r; try_files $uri /a; location / { return 200 here; }");
    assert_eq!(
        (answer.status, answer.field("Allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(ask("return 403;").status, 403);
    assert_eq!(ask("return 200 $uri;").body, "*");
}

#[test]
fn a_refused_path_leaves_nothing_behind() {
    let kit = testing::site(
        "log_format mine '$uri|$request_filename'; access_log log mine;
         server { listen 80; root /r; }",
    );
    for target in [
        "/secret/%zz",
        "/secret/%00",
        "/../secret",
        "/secret/../../x",
    ] {
        assert_eq!(kit.get(target).status, 400, "{target}");
        assert_eq!(kit.logged("log"), "|/r", "{target}");
    }
}
