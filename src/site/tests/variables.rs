//! Variables, and what access logs make of them.

use crate::site::testing::{self, Kit};

/// A site that answers with the value of a text.
fn says(text: &str) -> Kit {
    testing::site(&format!(
        "server {{ listen 80; server_name first second; root /r; location / {{ return 200 '{text}'; }} }}"
    ))
}

#[test]
fn variables_of_the_request() {
    let request = "POST /d/../a%20b?A=1&b=&a=2&c HTTP/1.1\r\nHost: Second:99\r\nX-Own: one\r\nX-Own: two\r\n\
                   Cookie: c=1; d=\"2\"\r\nCookie: E=3,f=4\r\nContent-Type: t/x\r\nContent-Length: 2\r\n\r\nab";
    for (text, expected) in [
        ("$uri $document_uri", "/a b /a b"),
        ("$request_uri", "/d/../a%20b?A=1&b=&a=2&c"),
        ("$args $query_string", "A=1&b=&a=2&c A=1&b=&a=2&c"),
        ("$is_args", "?"),
        ("$arg_a|$arg_b|$arg_c|$arg_none", "1|||"),
        ("$http_x_own|$http_none", "one, two|"),
        ("$http_cookie", "c=1; d=\"2\"; E=3,f=4"),
        (
            "$cookie_c|$cookie_d|$cookie_e|$cookie_f|$cookie_x",
            "1|\"2\"|3,f=4|4|",
        ),
        ("$content_type $content_length", "t/x 2"),
        ("$host $http_host $server_name", "second Second:99 first"),
        (
            "$request_method $server_protocol $scheme",
            "POST HTTP/1.1 http",
        ),
        ("$request", "POST /d/../a%20b?A=1&b=&a=2&c HTTP/1.1"),
        ("$document_root $request_filename", "/r /r/a b"),
        ("$remote_addr $remote_port", "192.0.2.1 40000"),
        ("$server_port", "80"),
        ("$connection_requests $pipe", "1 ."),
        ("$https|$remote_user|$request_completion", "||"),
        ("${uri}x $msec", "/a bx 784975777.000"),
        ("$hostname", "machine"),
        ("$limit_rate $fastcgi_script_name", "0 /a b"),
        ("$proxy_add_x_forwarded_for", "192.0.2.1"),
        ("$ssl_protocol|$upstream_addr|$gzip_ratio", "||"),
    ] {
        assert_eq!(says(text).send(request).body, expected, "{text}");
    }
}

#[test]
fn variables_without_a_host_or_a_query() {
    let kit = says("$host|$is_args|$args|$http_host|$server_protocol");
    assert_eq!(
        kit.send("GET /? HTTP/1.0\r\n\r\n").body,
        "first||||HTTP/1.0"
    );
}

#[test]
fn the_way_that_a_request_came_ends_with_its_client() {
    let fields = "X-Forwarded-For: a, b\r\nX-Forwarded-For: c\r\n";
    let answer = says("$proxy_add_x_forwarded_for").ask("GET", "/", fields);
    assert_eq!(answer.body, "a, b, c, 192.0.2.1");
}

#[test]
fn who_signed_in() {
    for (field, expected) in [
        ("Basic dXNlcjpwYXNz", "user"),
        ("basic dXNlcjo=", "user"),
        ("Basic dXNlcg==", ""),
        ("Basic OnBhc3M=", ""),
        ("Basic !", ""),
        ("Bearer dXNlcjpwYXNz", ""),
    ] {
        let answer = says("$remote_user").ask("GET", "/", &format!("Authorization: {field}\r\n"));
        assert_eq!(answer.body, expected, "{field}");
    }
}

#[test]
fn clients_of_all_kinds() {
    for (client, expected) in [
        ("192.0.2.7", "192.0.2.7 40000 4"),
        ("2001:db8::7", "2001:db8::7 40000 16"),
        ("unix:", "unix:  5"),
    ] {
        let kit = says("$remote_addr $remote_port").from(client);
        let (shown, length) = expected.rsplit_once(' ').expect("two parts");
        assert_eq!(kit.get("/").body, shown, "{client}");
        let kit =
            testing::server("add_header Length $binary_remote_addr; return 200 x;").from(client);
        assert!(kit.get("/").head.len() > length.len());
    }
}

#[test]
fn unknown_variables_are_found_at_once() {
    let said = testing::said("server { location / { return 200 $urii; } }");
    assert_eq!(said, ["error: unknown \"urii\" variable"]);
    let said = testing::said("server { location ~ (?<uri>x) { } }");
    assert_eq!(said, ["error: the duplicate \"uri\" variable"]);
    assert_eq!(
        testing::said("server { location / { return 200 $1$arg_x; } }"),
        [""; 0]
    );
}

#[test]
fn a_variable_of_a_refused_directive_is_not_reported_as_well() {
    let uses = "server { location / { return 200 $defined$Own; } }";
    for refused in [
        "map $uri $defined { a b c; }",
        "geo $defined { x a; }",
        "split_clients $uri $Defined { x a; }",
        "geoip2 x.mmdb { $defined source=$remote_addr country; }",
        "server { listen 81; if ($host is x) { set $defined 1; } }",
        "unheard_of $defined;",
    ] {
        let said = testing::said(&format!("{refused} {uses}"));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("unknown \"own\" variable"), "{said:?}");
    }
}

/// A site that logs in this format to `log`.
fn logs(format: &str, parameters: &str) -> Kit {
    testing::site(&format!(
        "log_format mine {format}; server {{ listen 80; root /r; access_log log mine {parameters}; }}"
    ))
    .file("/r/a.html", "hello")
}

#[test]
fn lines_of_access_logs() {
    for (format, request, expected) in [
        (
            "'$uri' ' $status'",
            "GET /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "/a.html 200",
        ),
        (
            "'$body_bytes_sent $request_completion'",
            "GET /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "5 OK",
        ),
        (
            "'$body_bytes_sent'",
            "HEAD /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "0",
        ),
        (
            "'$sent_http_content_type $sent_http_content_length'",
            "GET /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "text/html 5",
        ),
        (
            "'$sent_http_connection|$sent_http_none'",
            "GET /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "keep-alive|-",
        ),
        (
            "'$sent_http_etag'",
            "GET /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "\\x222ebc98a1-5\\x22",
        ),
        (
            "'$sent_http_last_modified'",
            "GET /a.html HTTP/1.1\r\nHost: a\r\n\r\n",
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ),
        (
            "'$sent_http_location'",
            "GET /d HTTP/1.1\r\nHost: a\r\n\r\n",
            "-",
        ),
        (
            "'$request_length $request_time'",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "27 0.000",
        ),
        (
            "'$http_x'",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \"\\\u{e9}\r\n\r\n",
            "\\x22\\x5C\\xC3\\xA9",
        ),
        (
            "escape=json '{\"x\":\"$http_x\"}'",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \"\\\u{e9}\r\n\r\n",
            "{\"x\":\"\\\"\\\\\u{e9}\"}",
        ),
        (
            "escape=none '$http_x|$http_none'",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \"\\\r\n\r\n",
            "\"\\|",
        ),
        (
            "'$remote_user $http_referer'",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "- -",
        ),
        (
            "'$status $request'",
            "GET / HTTP/1.1\r\n\r\n",
            "400 GET / HTTP/1.1",
        ),
        ("'$status $request'", "GET / HT", "400 GET / HT"),
        (
            "'$status $uri $request'",
            "GET / HTTP/1.1\r\nHos",
            "400  GET / HTTP/1.1",
        ),
        ("'$status'", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("'$args'", "GET /x? HTTP/1.1\r\nHost: a\r\n\r\n", "-"),
        (
            "'$sent_http_connection'",
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "close",
        ),
        (
            "'${uri}$is_args'",
            "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n",
            "/x?",
        ),
    ] {
        let kit = logs(format, "");
        kit.send(request);
        assert_eq!(kit.logged("log"), expected, "{format}");
    }
}

#[test]
fn the_combined_format() {
    let kit = testing::site("server { listen 80; access_log log; return 200 hello; }");
    kit.ask("GET", "/x", "User-Agent: me\r\nReferer: there\r\n");
    let line = kit.logged("log");
    let (before, after) = (line.split('[').next(), line.split(']').nth(1));
    assert_eq!(before, Some("192.0.2.1 - - "));
    assert_eq!(after, Some(" \"GET /x HTTP/1.1\" 200 5 \"there\" \"me\""));
    assert!(line.contains("/Nov/1994:"), "{line}");
}

#[test]
fn logs_with_conditions_and_buffers() {
    let kit = logs("'$uri'", "if=$arg_log");
    for target in ["/1?log=1", "/2?log=0", "/3", "/4?log="] {
        kit.get(target);
    }
    assert_eq!(kit.logged("log"), "/1");
    let kit = logs("'$uri'", "buffer=1k flush=1m");
    kit.get("/buffered");
    assert_eq!(kit.logged("log"), "/buffered");
    for (wrong, expected) in [
        ("access_log x buffer=1k", "unknown log format \"buffer=1k\""),
        ("access_log x none", "unknown log format \"none\""),
        (
            "access_log x combined flush=1s",
            "no buffer is defined for access_log",
        ),
        (
            "access_log x combined buffer=x",
            "invalid buffer size \"buffer=x\"",
        ),
        (
            "access_log x combined what=1",
            "invalid parameter \"what=1\"",
        ),
        ("access_log off x", "invalid parameter \"x\""),
        (
            "log_format combined x",
            "duplicate \"log_format\" name \"combined\"",
        ),
        (
            "log_format a escape=x b",
            "unknown log format escaping \"x\"",
        ),
    ] {
        let said = testing::said(&format!("{wrong};"));
        assert!(
            said.len() == 1 && said[0].contains(expected),
            "{wrong}: {said:?}"
        );
    }
}

#[test]
fn the_number_of_a_request_is_random_and_stays() {
    let kit = testing::server("return 200 $request_id;");
    let connection = |kit: &Kit| kit.once("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body;
    let (one, two) = (connection(&kit), connection(&kit));
    assert_eq!((one.len(), two.len()), (32, 32));
    assert!(
        one.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    );
    assert_ne!(one, two);
}
