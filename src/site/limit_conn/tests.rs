use crate::site::testing::{said, site};

#[test]
fn what_is_wrong() {
    let declare = "limit_conn_zone $uri zone=one:1m;";
    for (text, expected) in [
        ("limit_conn one 65535;", None),
        (
            "limit_conn one 0;",
            Some("invalid number of connections \"0\""),
        ),
        (
            "limit_conn one x;",
            Some("invalid number of connections \"x\""),
        ),
        (
            "limit_conn one 65536;",
            Some("connection limit must be less 65536"),
        ),
        (
            "limit_conn two 5;",
            Some("zero size shared memory zone \"two\""),
        ),
        (
            "limit_conn one 5; limit_conn one 6;",
            Some("\"limit_conn\" directive is duplicate"),
        ),
        (
            "limit_conn_zone $uri zone=one:1m;",
            Some("limit_conn_zone \"one\" is already bound to key \"$uri\""),
        ),
        (
            "limit_req zone=one;",
            Some("the shared memory zone \"one\" is already declared for a different use"),
        ),
        (
            "limit_conn_zone $uri foo;",
            Some("invalid parameter \"foo\""),
        ),
        (
            "limit_conn_zone $uri zone=:1m;",
            Some("\"limit_conn_zone\" must have \"zone\" parameter"),
        ),
        (
            "limit_conn_zone $uri zone=two:0;",
            Some("zone \"zone=two:0\" is too small"),
        ),
        (
            "limit_conn_zone $uri zone=two:-1;",
            Some("invalid zone size \"zone=two:-1\""),
        ),
        (
            "limit_conn_status 600;",
            Some("value must be between 400 and 599"),
        ),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|what| format!("error: {what}"))
            .collect();
        assert_eq!(said(&format!("{declare} {text}")), expected, "{text}");
    }
}

#[test]
fn what_a_request_holds_is_given_back() {
    let kit = site(
        "limit_conn_zone $arg_a zone=one:1m; log_format status $limit_conn_status; \
         access_log access.log status; \
         server { listen 80; root /www; limit_conn one 1; error_page 404 /f; }",
    )
    .file("/www/f", "content");
    for (target, expected) in [
        ("/f?a=1", "200 PASSED"),
        ("/f?a=1", "200 PASSED"),
        ("/f", "200 -"),
        // Limits are asked once, whatever becomes of the request.
        ("/none?a=1", "404 PASSED"),
    ] {
        let status = kit.get(target).status;
        assert_eq!(
            format!("{status} {}", kit.logged("access.log")),
            expected,
            "{target}"
        );
    }
}
