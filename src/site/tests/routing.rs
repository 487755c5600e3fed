//! Which server and which location answer.

use crate::site::testing;

/// The location that answers each path.
#[track_caller]
fn check(text: &str, cases: &[(&str, &str)]) {
    let kit = testing::server(text);
    for (target, expected) in cases {
        assert_eq!(
            kit.get(target).brief(),
            format!("200 {expected}"),
            "{target}"
        );
    }
}

#[test]
fn exact_names_come_first_then_the_longest_prefix_then_patterns_in_order() {
    check(
        "location = / { return 200 exact; }
         location / { return 200 root; }
         location /documents/ { return 200 documents; }
         location ^~ /images/ { return 200 images; }
         location ~* \\.(gif|jpg)$ { return 200 picture; }
         location ~ \\.gif$ { return 200 never; }
         location /images/deep/ { return 200 deep; }",
        &[
            ("/", "exact"),
            ("/?a", "exact"),
            ("/index.html", "root"),
            ("/documents/a.html", "documents"),
            ("/documents", "root"),
            ("/documents/a.GIF", "picture"),
            ("/images/a.gif", "images"),
            ("/images/deep/a.gif", "picture"),
            ("/images/deep/a", "deep"),
            ("/x.gif", "picture"),
        ],
    );
}

#[test]
fn nested_locations_are_searched_within_their_prefix() {
    check(
        "location / { return 200 root; }
         location /a/ {
             return 200 a;
             location /a/b/ { return 200 ab; }
             location = /a/x { return 200 exact; }
             location ~ \\.n$ { return 200 inner; location ~ ^/a/z { return 200 innermost; } }
             location ^~ /a/quiet/ { return 200 quiet; }
         }
         location ~ \\.n$ { return 200 outer; }
         location ~ \\.o$ { return 200 other; }",
        &[
            ("/a/", "a"),
            ("/a/b/c", "ab"),
            ("/a/x", "exact"),
            ("/a/1.n", "inner"),
            ("/a/z.n", "innermost"),
            ("/a/b/1.n", "inner"),
            ("/a/1.o", "other"),
            ("/a/quiet/1", "quiet"),
            ("/1.n", "outer"),
        ],
    );
}

#[test]
fn prefixes_are_compared_by_bytes_whatever_their_order() {
    check(
        "location /a/bc { return 200 abc; }
         location /a { return 200 a; }
         location / { return 200 root; }
         location /a/b { return 200 ab; }
         location /a/bb { return 200 abb; }
         location /ab { return 200 a-b; }",
        &[
            ("/a/bcd", "abc"),
            ("/a/bd", "ab"),
            ("/a/bba", "abb"),
            ("/a/c", "a"),
            ("/a/", "a"),
            ("/abc", "a-b"),
            ("/b", "root"),
        ],
    );
}

#[test]
fn paths_are_decoded_and_normalised_before_they_are_matched() {
    check(
        "location / { return 200 root; }
         location /a/ { return 200 a; }
         location '/a b' { return 200 space; }",
        &[
            ("/x/../a/", "a"),
            ("/%61/", "a"),
            ("//a//b", "a"),
            ("/a/./../a/x", "a"),
            ("/a/..", "root"),
            ("/a%20b", "space"),
            ("http://a/a/?x", "a"),
        ],
    );
}

#[test]
fn modifiers_may_stand_without_a_space() {
    check(
        "location =/e { return 200 exact; }
         location ^~/p/ { return 200 prefix; }
         location ~^/r { return 200 pattern; }
         location ~*\\.x$ { return 200 loose; }",
        &[
            ("/e", "exact"),
            ("/p/a.x", "prefix"),
            ("/r.x", "pattern"),
            ("/a.X", "loose"),
        ],
    );
}

#[test]
fn a_pattern_that_takes_too_long_is_an_error_and_no_miss() {
    let kit = testing::site(
        "regex_match_limit 1000; server { listen 80;
           location ~ ^/(a|\\1a|aa)+$ { return 200 never; } location / { return 200 root; } }",
    );
    assert_eq!(kit.get("/b").brief(), "200 root");
    assert_eq!(kit.get(&format!("/{}b", "a".repeat(40))).brief(), "500");
    assert!(
        kit.logged("error.log")
            .contains("exceeded regex_match_limit")
    );
}

#[test]
fn captures_named_and_numbered() {
    let kit = testing::server(
        "location ~ ^/(?<one>\\w+)/(\\w+)(/(?P<three>x))?$ { return 200 $one|$1|$2|$3|$three|$4; }
         location ~* ^/CAP\\.(?!png)(.*)$ { return 200 not-png:$1; }
         location ~ ^/nocap { return 200 [$1]; }
         location / { return 200 -$one-; }",
    );
    for (target, expected) in [
        ("/a/b", "a|a|b|||"),
        ("/a/b/x", "a|a|b|/x|x|x"),
        ("/cap.gif", "not-png:gif"),
        ("/cap.png", "--"),
        ("/nocap", "[]"),
        ("/z", "--"),
    ] {
        assert_eq!(kit.get(target).body, expected, "{target}");
    }
}

#[test]
fn locations_that_cannot_stand_there() {
    for (text, expected) in [
        ("location /a {} location /a {}", "duplicate location \"/a\""),
        (
            "location = /a {} location = /a {}",
            "duplicate location \"/a\"",
        ),
        (
            "location /a {} location ^~ /a {}",
            "duplicate location \"/a\"",
        ),
        ("location @a {} location @a {}", "duplicate location \"@a\""),
        (
            "location = /a { location /a/b {} }",
            "location \"/a/b\" cannot be inside the exact location \"/a\"",
        ),
        (
            "location @a { location /a {} }",
            "location \"/a\" cannot be inside the named location \"@a\"",
        ),
        (
            "location /a { location @b {} }",
            "named location \"@b\" can be on the server level only",
        ),
        (
            "location /a { location /b {} }",
            "location \"/b\" is outside location \"/a\"",
        ),
        (
            "location ~ a { location /b {} }",
            "location \"/b\" is outside location \"a\"",
        ),
        ("location !~ /a {}", "invalid location modifier \"!~\""),
    ] {
        let said = testing::said(&format!("server {{ {text} }}"));
        assert_eq!(said, [format!("error: {expected}")], "{text}");
    }
    let fine = "location /a {} location = /a {} location ~ a {} location ~ a {}";
    assert_eq!(testing::said(&format!("server {{ {fine} }}")), [""; 0]);
}
