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
