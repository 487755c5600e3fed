//! Who may see it, by which method.

use crate::site::testing;

#[test]
fn the_first_rule_that_matches_decides() {
    for (rules, client, expected) in [
        ("", "192.0.2.1", 200),
        ("deny all;", "192.0.2.1", 403),
        ("allow 192.0.2.0/24; deny all;", "192.0.2.9", 200),
        ("allow 192.0.2.0/24; deny all;", "192.0.3.9", 403),
        ("deny 192.0.2.1; allow all;", "192.0.2.1", 403),
        ("deny 192.0.2.1;", "192.0.2.2", 200),
        ("allow all; deny all;", "192.0.2.1", 200),
        ("allow 2001:db8::/32; deny all;", "2001:db8::1", 200),
        ("allow 2001:db8::/32; deny all;", "2001:db9::1", 403),
        ("allow 192.0.2.0/24; deny all;", "::ffff:192.0.2.1", 200),
        ("allow unix:; deny all;", "unix:", 200),
        ("allow unix:; deny all;", "192.0.2.1", 403),
        ("deny unix:;", "unix:", 403),
        ("satisfy any; deny all;", "192.0.2.1", 403),
        ("satisfy all; allow all;", "192.0.2.1", 200),
    ] {
        let kit = testing::server(&format!("{rules} location / {{ root /r; }}"));
        let kit = kit.files(&["/r/a"]).from(client);
        assert_eq!(kit.get("/a").status, expected, "{rules} {client}");
    }
}

#[test]
fn rules_are_inherited_whole_or_not_at_all() {
    let kit = testing::server(
        "deny all; root /r;
         location /in/ { }
         location /own/ { allow 192.0.2.1; }
         location /page/ { error_page 403 /open; }
         location /open { allow all; return 200 page; }
         location /early/ { return 200 early; }",
    )
    .files(&["/r/in/a", "/r/own/a"]);
    for (target, expected) in [
        ("/in/a", "403"),
        ("/own/a", "200 /r/own/a"),
        ("/page/", "403 page"),
        ("/early/", "200 early"),
    ] {
        assert_eq!(kit.get(target).brief(), expected, "{target}");
    }
}

#[test]
fn methods_that_are_limited() {
    let kit = testing::server(
        "root /r;
         location /get/ { limit_except GET { deny all; } }
         location /post/ { limit_except POST { deny all; } }
         location /more/ { limit_except get head POST { allow 192.0.2.2; deny all; } }
         location /open/ { deny all; limit_except GET { allow all; } }",
    )
    .files(&["/r/get/a", "/r/post/a", "/r/more/a", "/r/open/a"]);
    for (path, get, head, post, put) in [
        ("/get/a", 200, 200, 403, 403),
        ("/post/a", 403, 403, 405, 403),
        ("/more/a", 200, 200, 405, 403),
        ("/open/a", 403, 403, 405, 405),
    ] {
        let status = |method: &str| kit.ask(method, path, "").status;
        let found = (status("GET"), status("HEAD"), status("POST"), status("PUT"));
        assert_eq!(found, (get, head, post, put), "{path}");
    }
}

#[test]
fn rules_that_are_none() {
    for (rule, expected) in [
        ("10.0.0.1/33", "error: invalid parameter \"10.0.0.1/33\""),
        ("10.0.0", "error: invalid parameter \"10.0.0\""),
        ("host.test", "error: invalid parameter \"host.test\""),
        (
            "10.0.0.0/255.0.255.0",
            "error: invalid parameter \"10.0.0.0/255.0.255.0\"",
        ),
        (
            "10.0.0.1/8",
            "warning: low address bits of 10.0.0.1/8 are meaningless",
        ),
    ] {
        let said = testing::said(&format!("allow {rule};"));
        assert!(
            said.len() == 1 && said[0].starts_with(expected),
            "{rule}: {said:?}"
        );
    }
}
