use crate::site::testing::{Kit, said, site};

fn refused(http: &str) -> String {
    let said = said(http);
    assert!(said.len() <= 1, "{said:?}");
    said.into_iter().next().unwrap_or_default()
}

#[test]
fn what_is_wrong_with_a_zone() {
    for (text, expected) in [
        ("zone=one:1m rate=5", ""),
        ("zone=one:32k rate=1r/m", ""),
        ("zone=a:1m zone=b:1m", ""),
        ("zone=one:1m rate=0r/s", "invalid rate \"rate=0r/s\""),
        ("zone=one:1m rate=r/s", "invalid rate \"rate=r/s\""),
        ("zone=one:1m rate=-1r/s", "invalid rate \"rate=-1r/s\""),
        (
            "zone=one:31k rate=1r/s",
            "zone \"zone=one:31k\" is too small",
        ),
        ("zone=one rate=1r/s", "invalid zone size \"zone=one\""),
        ("zone=one:x rate=1r/s", "invalid zone size \"zone=one:x\""),
        (
            "zone=:1m rate=1r/s",
            "\"limit_req_zone\" must have \"zone\" parameter",
        ),
        ("zone=one:1m foo", "invalid parameter \"foo\""),
        (
            "rate=1r/s rate=2r/s",
            "\"limit_req_zone\" must have \"zone\" parameter",
        ),
    ] {
        let said = refused(&format!("limit_req_zone $uri {text};"));
        let expected = match expected {
            "" => String::new(),
            expected => format!("error: {expected}"),
        };
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn zones_are_declared_once_for_one_use() {
    let declare = "limit_req_zone $uri zone=one:1m rate=1r/s;";
    for (text, expected) in [
        (
            "limit_req_zone $host zone=one:1m rate=1r/s;",
            "limit_req_zone \"one\" is already bound to key \"$uri\"",
        ),
        (
            "limit_req_zone $host zone=one:2m rate=1r/s;",
            "the size 2097152 of shared memory zone \"one\" conflicts with already declared size \
             1048576",
        ),
        (
            "limit_conn_zone $host zone=one:1m;",
            "the shared memory zone \"one\" is already declared for a different use",
        ),
        (
            "limit_conn one 3;",
            "the shared memory zone \"one\" is already declared for a different use",
        ),
        (
            "limit_req zone=two;",
            "zero size shared memory zone \"two\"",
        ),
        (
            "limit_req zone=one burst=0;",
            "invalid burst value \"burst=0\"",
        ),
        (
            "limit_req zone=one delay=x;",
            "invalid delay value \"delay=x\"",
        ),
        ("limit_req zone=one foo;", "invalid parameter \"foo\""),
        (
            "limit_req burst=3;",
            "\"limit_req\" must have \"zone\" parameter",
        ),
        (
            "limit_req zone=one; limit_req zone=one;",
            "\"limit_req\" directive is duplicate",
        ),
        ("limit_req_status 399;", "value must be between 400 and 599"),
        (
            "limit_req_status x;",
            "\"limit_req_status\" directive invalid number",
        ),
        ("limit_req_log_level debug;", "invalid value \"debug\""),
    ] {
        let said = refused(&format!("{declare} {text}"));
        assert_eq!(said, format!("error: {expected}"), "{text}");
    }
    assert_eq!(
        refused(&format!("limit_req zone=one nodelay delay=3; {declare}")),
        ""
    );
}

fn limited(text: &str) -> Kit {
    site(&format!(
        "limit_req_zone $arg_a zone=one:1m rate=1r/m; limit_req_zone $arg_b zone=two:1m rate=1r/m; \
         log_format status $limit_req_status; access_log access.log status; \
         server {{ listen 80; root /www; {text} }}"
    ))
    .file("/www/f", "content")
}

/// What comes of some requests for `/f`, and what `$limit_req_status` says of each.
fn asked(text: &str, queries: &[&str]) -> Vec<String> {
    let kit = limited(text);
    let one = |query: &&str| {
        let answer = kit.once(&format!("GET /f?{query} HTTP/1.1\r\nHost: a\r\n\r\n"));
        format!("{} {}", answer.status, kit.logged("access.log"))
    };
    queries.iter().map(one).collect()
}

#[test]
fn requests_are_limited_by_key() {
    let queries = ["a=1", "a=1", "a=2", "", "", "b=1"];
    let expected = [
        "200 PASSED",
        "503 REJECTED",
        "200 PASSED",
        "200 -",
        "200 -",
        "200 -",
    ];
    assert_eq!(asked("limit_req zone=one;", &queries), expected);
}

#[test]
fn a_burst_is_delayed_or_not() {
    let queries = ["a=1"; 4];
    // The second waits a minute, on the clock of its own connection.
    for (text, expected) in [
        ("burst=2", ["PASSED", "DELAYED", "DELAYED", "REJECTED"]),
        (
            "burst=2 nodelay",
            ["PASSED", "PASSED", "PASSED", "REJECTED"],
        ),
        (
            "burst=2 delay=1",
            ["PASSED", "PASSED", "DELAYED", "REJECTED"],
        ),
        (
            "burst=2; limit_req_dry_run on",
            [
                "PASSED",
                "DELAYED_DRY_RUN",
                "DELAYED_DRY_RUN",
                "REJECTED_DRY_RUN",
            ],
        ),
    ] {
        let said = asked(&format!("limit_req zone=one {text};"), &queries);
        let status = |text: &&str| match *text {
            "REJECTED" => format!("503 {text}"),
            text => format!("200 {text}"),
        };
        assert_eq!(
            said,
            expected.iter().map(status).collect::<Vec<_>>(),
            "{text}"
        );
    }
}

#[test]
fn who_is_refused_by_one_limit_counts_for_none() {
    let text = "limit_req zone=one burst=1 nodelay; limit_req zone=two;";
    let queries = ["b=1", "a=1&b=1", "a=1&b=2", "a=1&b=3", "a=1", "a=2"];
    let expected = [
        "200 PASSED",
        "503 REJECTED",
        "200 PASSED",
        "200 PASSED",
        "503 REJECTED",
        "200 PASSED",
    ];
    assert_eq!(asked(text, &queries), expected);
}

#[test]
fn what_is_inherited_what_is_replaced_and_other_statuses() {
    let text = "limit_req zone=one; limit_req_status 429; location /f { limit_req zone=two; }";
    assert_eq!(
        asked(text, &["a=1", "a=1", "b=1", "b=1"]),
        ["200 -", "200 -", "200 PASSED", "429 REJECTED"]
    );
    let text = "limit_req zone=one; error_page 503 =418 /f; location /f { limit_req zone=two; }";
    assert_eq!(
        asked(text, &["b=1", "b=1"]),
        ["200 PASSED", "418 REJECTED"],
        "judged once"
    );
}
