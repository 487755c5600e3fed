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
        ("zone=one:31k rate=1r/s", "zone \"zone=one:31k\" is too small"),
        ("zone=one rate=1r/s", "invalid zone size \"zone=one\""),
        ("zone=one:x rate=1r/s", "invalid zone size \"zone=one:x\""),
        ("zone=:1m rate=1r/s", "\"limit_req_zone\" must have \"zone\" parameter"),
        ("zone=one:1m foo", "invalid parameter \"foo\""),
        ("rate=1r/s rate=2r/s", "\"limit_req_zone\" must have \"zone\" parameter"),
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
        ("limit_req zone=two;", "zero size shared memory zone \"two\""),
        ("limit_req zone=one burst=0;", "invalid burst value \"burst=0\""),
        ("limit_req zone=one delay=x;", "invalid delay value \"delay=x\""),
        ("limit_req zone=one foo;", "invalid parameter \"foo\""),
        ("limit_req burst=3;", "\"limit_req\" must have \"zone\" parameter"),
        ("limit_req zone=one; limit_req zone=one;", "\"limit_req\" directive is duplicate"),
        ("limit_req_status 399;", "value must be between 400 and 599"),
        ("limit_req_status x;", "\"limit_req_status\" directive invalid number"),
        ("limit_req_log_level debug;", "invalid value \"debug\""),
    ] {
        let said = refused(&format!("{declare} {text}"));
        assert_eq!(said, format!("error: {expected}"), "{text}");
    }
    assert_eq!(refused(&format!("limit_req zone=one nodelay delay=3; {declare}")), "");
}

fn limited(text: &str) -> Kit {
    site(&format!(
        "limit_req_zone $arg_a zone=one:1m rate=1r/m; limit_req_zone $arg_b zone=two:1m rate=1r/m; \
         log_format status $limit_req_status; server {{ listen 80; location / {{ {text} \
         access_log access.log status; return 204; }} }}"
    ))
    .file("html/f", "content")
}

/// The status of some requests, and what `$limit_req_status` said of each.
fn asked(kit: &Kit, targets: &[&str]) -> Vec<String> {
    let one = |target: &&str| {
        let status = kit.once(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).status;
        format!("{status} {}", kit.logged("access.log"))
    };
    targets.iter().map(one).collect()
}

#[test]
fn requests_are_limited_by_key() {
    let kit = limited("limit_req zone=one; try_files /f =404;");
    let statuses = asked(&kit, &["/?a=1", "/?a=1", "/?a=2", "/", "/", "/?b=1"]);
    assert_eq!(statuses, ["204 PASSED", "503 REJECTED", "204 PASSED", "204 -", "204 -", "204 -"]);
}
