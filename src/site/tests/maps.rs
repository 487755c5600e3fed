//! Variables that are made of others: `map`, `split_clients`, `$invalid_referer`.

use crate::site::testing::{said, site};

#[test]
fn a_map_is_asked_once_unless_it_is_volatile() {
    let kit = site(
        "map $uri $kept { default $uri; } map $uri $fresh { volatile; default $uri; }
         server { listen 80; location /a { set $x $kept$fresh; rewrite ^ /b last; }
                  location /b { return 200 \"$x $kept $fresh\"; } }",
    );
    assert_eq!(kit.get("/a").brief(), "200 /a/a /a /b");
}

#[test]
fn a_variable_that_rests_on_itself_has_no_value() {
    let kit = site(
        "map $b $a { default \"a$b\"; } map $a $b { default \"b$a\"; } map $uri $c { volatile; default \"c$c\"; }
         server { listen 80; location /a { return 200 $a; } location /c { return 200 $c; }
                  location /root { root $r; return 200 $document_root; } }
         map $document_root $r { default /r$document_root; }",
    );
    for (target, expected, name) in [
        ("/a", "200 ab", "a"),
        ("/c", "200 c", "c"),
        ("/root", "200 /r", "r"),
    ] {
        assert_eq!(kit.get(target).brief(), expected, "{target}");
        let line = kit.logged("error.log");
        let what = format!("cycle while evaluating variable \"{name}\", client: ");
        assert!(line.contains("[error]") && line.contains(&what), "{line}");
    }
}

#[test]
fn captures_of_a_map_are_its_own() {
    let kit = site(
        "map $arg_a $swapped { ~^(.)(.)$ \"$2$1\"; ~(?<rest>x.*) r; plain \"$1\"; }
         server { listen 80;
                  location ~ ^/(\\w)(\\w) { return 200 \"$1 $swapped $1$2 $rest\"; } }",
    );
    for (target, expected) in [
        ("/ab?a=cd", "200 a dc ab "),
        ("/ab?a=plain", "200 a a ab "),
        ("/ab?a=nonexyz", "200 a r ab xyz"),
        ("/ab", "200 a  ab "),
    ] {
        assert_eq!(kit.get(target).brief(), expected, "{target}");
    }
}

#[test]
fn a_pattern_of_a_map_that_takes_too_long_is_an_error() {
    let kit = site(
        "regex_match_limit 10; map $arg_x $m { ~(?=(a+)+b)x 1; default 2; }
         server { listen 80; location /a { return 200 $m; }
                  location /b { add_header X-M $m always; return 204; }
                  location /c { error_page 500 /d$m; return 200 $m; }
                  location /d { return 200 x; } }",
    );
    for target in ["/a", "/b", "/c"] {
        let target = format!("{target}?x=aaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_eq!(kit.get(&target).status, 500, "{target}");
    }
    assert_eq!(kit.get("/a?x=b").brief(), "200 2");
}

#[test]
fn wrong_blocks_are_refused_in_the_words_of_nginx() {
    for (text, expected) in [
        ("map $uri x { }", "invalid variable name \"x\""),
        ("map $uri $ { a 1; }", "invalid variable name \"$\""),
        ("map $uri $x { a; }", "invalid number of the map parameters"),
        (
            "map $uri $x { a b c; }",
            "invalid number of the map parameters",
        ),
        (
            "map $uri $x { default a; default b; }",
            "duplicate default map parameter",
        ),
        ("map $uri $x { a 1; A 2; }", "conflicting parameter \"a\""),
        ("map $uri $uri { a 1; }", "the duplicate \"uri\" variable"),
        (
            "map $uri $http_host { a 1; }",
            "the duplicate \"http_host\" variable",
        ),
        ("map $nope $x { a 1; }", "unknown \"nope\" variable"),
        ("map $uri $x { a $nope; }", "unknown \"nope\" variable"),
        (
            "map $uri $x { hostnames; *.a.com 1; .a.com 2; }",
            "conflicting parameter \".a.com\"",
        ),
        (
            "map $uri $x { hostnames; a*b 1; }",
            "invalid hostname or wildcard \"a*b\"",
        ),
        ("map $uri $x { a 1 { } }", "unexpected \"{\""),
        ("map $uri $x { a { } }", "unexpected \"{\""),
        ("map $uri $x { a $; }", "invalid variable name"),
        (
            "map_hash_max_size a;",
            "\"map_hash_max_size\" directive invalid number",
        ),
        ("split_clients $uri x { }", "invalid variable name \"x\""),
        (
            "split_clients $uri $x { 50% a; 60% b; }",
            "percent total is greater than 100%",
        ),
        (
            "split_clients $uri $x { * a; 10% b; }",
            "percent total is greater than 100%",
        ),
        (
            "split_clients $uri $x { 50 a; }",
            "invalid percent value \"50\"",
        ),
        (
            "split_clients $uri $uri { 1% a; }",
            "the duplicate \"uri\" variable",
        ),
        ("server { valid_referers \"\"; }", "invalid referer \"\""),
        ("server { valid_referers ~; }", "empty regex in \"~\""),
        (
            "server { valid_referers a; valid_referers A; }",
            "conflicting parameter \"a\"",
        ),
        (
            "server { valid_referers a*b/x; }",
            "invalid hostname or wildcard \"a*b\"",
        ),
        (
            "server { valid_referers none ~a; location /x { } }",
            "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive \
             without any valid referer",
        ),
    ] {
        assert_eq!(said(text), [format!("error: {expected}")], "{text}");
    }
    for text in [
        "map $uri $args { a 1; } map \"\" $x { default $x; }",
        "map $uri $x { hostnames 1; volatile 2; hostnames; volatile; . 1; }",
        "map $uri $x { a 1; } map $uri $x { a 2; } server { set $x 3; }",
        "split_clients $uri $x { 100% $nope; * b c; * d; } split_clients $uri $y { }",
        "server { valid_referers none; valid_referers a; location / { valid_referers /x; } }",
        "server { set $invalid_referer 1; valid_referers none server_names http://x; }",
    ] {
        assert_eq!(said(text), [""; 0], "{text}");
    }
}
