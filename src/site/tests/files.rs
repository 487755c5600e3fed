//! From paths to files: root, alias, index, try_files, directories, listings.

use crate::site::testing::{self, Kit};

#[track_caller]
fn check(kit: &Kit, cases: &[(&str, &str)]) {
    for (target, expected) in cases {
        assert_eq!(kit.get(target).brief(), *expected, "{target}");
    }
}

#[test]
fn a_file_and_what_is_none() {
    let kit = testing::server("root /r;")
        .file("/r/a.html", "hello")
        .files(&["/r/d/index.html", "/r/e/x"])
        .special("/r/fifo")
        .closed("/r/closed");
    check(
        &kit,
        &[
            ("/a.html", "200 hello"),
            ("/a.html?q", "200 hello"),
            ("/none", "404"),
            ("/none/", "404"),
            ("/a.html/", "404"),
            ("/a.html/x", "404"),
            ("/d", "301 http://a/d/"),
            ("/d?q=1", "301 http://a/d/?q=1"),
            ("/d/", "200 /r/d/index.html"),
            ("/e/", "403"),
            ("/fifo", "404"),
            ("/closed", "403"),
            ("/closed/", "403"),
            ("/closed/x", "403"),
        ],
    );
    assert!(
        kit.logged("error.log")
            .contains("\"/r/closed/x\" failed (13: Permission denied)")
    );
}

#[test]
fn the_head_of_a_file() {
    let kit = testing::server("root /r; types { text/html html; }").file("/r/a.html", "hello");
    let answer = kit.get("/a.html");
    let expected = "HTTP/1.1 200 OK|Server: forkful/0.1.0|Date: Wed, 16 Nov 1994 08:49:37 GMT|\
                    Content-Type: text/html|Content-Length: 5|\
                    Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT|Connection: keep-alive|\
                    ETag: \"2ebc98a1-5\"|Accept-Ranges: bytes";
    assert_eq!(answer.head.replace("\r\n", "|"), expected);
    let head = kit.ask("HEAD", "/a.html", "");
    assert_eq!((head.head, &head.body[..]), (answer.head, ""));
}

#[test]
fn methods_on_files_and_directories() {
    let kit = testing::server("root /r;").files(&["/r/a", "/r/d/index.html", "/r/e/x"]);
    for (target, post, put) in [
        ("/a", "405", "405"),
        ("/d", "301 http://a/d/", "405"),
        ("/d/", "405", "405"),
        ("/e/", "403", "405"),
        ("/none", "404", "405"),
        ("/none/", "404", "405"),
    ] {
        assert_eq!(kit.ask("POST", target, "").brief(), post, "{target}");
        assert_eq!(kit.ask("PUT", target, "").brief(), put, "{target}");
    }
    assert_eq!(kit.ask("PUT", "/a", "").field("Allow"), Some("GET, HEAD"));
}

#[test]
fn alias_replaces_what_the_location_covers() {
    let kit = testing::server(
        "root /r;
         location /p/ { alias /x/; }
         location /q { alias /x; }
         location = /one { alias /x/a; }
         location ~ ^/re/(.*)$ { alias /x/$1; }
         location ~ \\.fixed$ { alias /x/a; }
         location /outer/ { alias /x/; location /outer/in/ { } }
         location /v/ { alias /$arg_d/; }",
    )
    .files(&["/x/a", "/x/d/index.html", "/r/p/never"]);
    check(
        &kit,
        &[
            ("/p/a", "200 /x/a"),
            ("/p/never", "404"),
            ("/p/d", "301 http://a/p/d/"),
            ("/p/d/", "200 /x/d/index.html"),
            ("/q/a", "200 /x/a"),
            ("/one", "200 /x/a"),
            ("/re/a", "200 /x/a"),
            ("/re/d/", "200 /x/d/index.html"),
            ("/any.fixed", "200 /x/a"),
            ("/v/a?d=x", "200 /x/a"),
            ("/v/a?d=none", "404"),
        ],
    );
}

#[test]
fn no_path_leaves_an_alias() {
    let kit = testing::server("location /p { alias /x/d/; }").files(&["/x/d/a", "/x/secret"]);
    check(
        &kit,
        &[
            ("/p/a", "200 /x/d/a"),
            ("/pa", "200 /x/d/a"),
            ("/p../secret", "404"),
            ("/p..", "404"),
        ],
    );
}

#[test]
fn alias_and_root_exclude_each_other() {
    let twice = |text: &str| testing::said(&format!("server {{ location /a {{ {text} }} }}"));
    assert_eq!(twice("root /a; alias /b;").len(), 1);
    assert_eq!(twice("alias /a; root /b;").len(), 1);
    assert_eq!(twice("alias /a; location /a/b { root /c; }"), [""; 0]);
    assert_eq!(
        testing::said("server { location @a { alias /b; } }").len(),
        1
    );
}

#[test]
fn a_root_is_not_made_of_itself() {
    for text in [
        "root $document_root/a",
        "root /$realpath_root",
        "root ${request_filename}",
        "root $Document_Root/y",
        "root ${DOCUMENT_ROOT}",
        "alias ${Request_Filename}",
        "alias $realpath_roOT",
    ] {
        let said = testing::said(&format!("server {{ location /a {{ {text}; }} }}"));
        assert!(
            said[0].contains("variable cannot be used in the"),
            "{text}: {said:?}"
        );
    }
}

#[test]
fn relative_roots_start_from_the_prefix() {
    let kit = testing::site(
        "server { listen 80; location / { return 200 $document_root; }
          location /r { root sub/dir/; return 200 $document_root; }
          location /v { root $arg_x; return 200 $request_filename; } }",
    );
    assert!(kit.get("/").body.ends_with("/html"));
    assert!(kit.get("/r").body.ends_with("/sub/dir"));
    assert_eq!(kit.get("/v?x=/any").body, "/any/v");
}

#[test]
fn index_files_are_reached_by_an_internal_redirect() {
    let kit = testing::server(
        "root /r; index nothing.html index.php index.html /fallback;
         location ~ \\.php$ { return 200 php:$uri?$args; }
         location = /fallback { return 200 fallback:$args; }
         location /v/ { index $arg_i; }
         location /s/ { index sub; }",
    )
    .files(&[
        "/r/a/index.php",
        "/r/a/index.html",
        "/r/b/index.html",
        "/r/c/x",
        "/r/v/one",
        "/r/s/sub/x",
    ]);
    check(
        &kit,
        &[
            ("/a/?q", "200 php:/a/index.php?q"),
            ("/b/", "200 /r/b/index.html"),
            ("/c/?q", "200 fallback:q"),
            ("/none/", "404"),
            ("/v/?i=one", "200 /r/v/one"),
            ("/v/?i=two", "403"),
            ("/v/?i=/fallback", "200 fallback:i=/fallback"),
            ("/s/", "301 http://a/s/sub/"),
        ],
    );
    let warned = testing::said("index /a b;");
    assert_eq!(
        warned,
        ["warning: only the last index in \"index\" directive should be absolute: \"/a\""]
    );
}

#[test]
fn try_files_takes_the_first_that_is_there() {
    let kit = testing::server(
        "root /r;
         location / { try_files $uri $uri/ /fallback?from=$uri; }
         location = /fallback { return 200 fallback:$args; }
         location /code/ { try_files $uri =410; }
         location /named/ { try_files $uri @named; }
         location /missing/ { try_files $uri @nowhere; }
         location /dir/ { try_files /d =404; }
         location /slash/ { try_files /d/ =404; }
         location /html/ { try_files $uri.html $uri/index.txt =404; }
         location /drop/ { try_files $uri =444; }
         location @named { return 200 named:$uri?$args; }",
    )
    .files(&[
        "/r/a",
        "/r/d/index.html",
        "/r/code/x",
        "/r/html/a.html",
        "/r/html/b/index.txt",
    ]);
    check(
        &kit,
        &[
            ("/a", "200 /r/a"),
            ("/d", "301 http://a/d/"),
            ("/d/", "200 /r/d/index.html"),
            ("/none?q", "200 fallback:from=/none"),
            ("/code/x", "200 /r/code/x"),
            ("/code/y", "410"),
            ("/named/x?q", "200 named:/named/x?q"),
            ("/missing/x", "500"),
            ("/dir/", "404"),
            ("/slash/", "301 http://a/d/"),
            ("/html/a", "200 /r/html/a.html"),
            ("/html/b", "200 /r/html/b/index.txt"),
            ("/drop/x", "0"),
        ],
    );
    assert_eq!(kit.ask("POST", "/code/y", "").status, 410);
}

#[test]
fn try_files_under_an_alias() {
    let kit = testing::server(
        "location /p/ { alias /x/; try_files $uri $uri/ =404; }
         location /bare/ { alias /x/; try_files a =404; }
         location ~ ^/re/(.*)$ { alias /x/$1; try_files '' =404; }
         location ~ ^/name/(.*)$ { alias /x/; try_files $1 =404; }",
    )
    .files(&["/x/a", "/x/d/index.html"]);
    check(
        &kit,
        &[
            ("/p/a", "200 /x/a"),
            ("/p/d", "301 http://a/p/d/"),
            ("/p/d/", "200 /x/d/index.html"),
            ("/p/none", "404"),
            ("/bare/x", "200 /x/a"),
            ("/re/a", "200 /x/a"),
            ("/re/none", "404"),
            ("/name/a", "200 /x/a"),
            ("/name/b", "404"),
        ],
    );
}

#[test]
fn listings() {
    let kit = testing::server("root /r; location /l/ { autoindex on; }")
        .files(&[
            "/r/l/b.txt",
            "/r/l/a&b.txt",
            "/r/l/.hidden",
            "/r/l/sub/x",
            "/r/m/x",
        ])
        .closed("/r/l/closed");
    let page = kit.get("/l/").body;
    let at = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("no {text} in {page}"))
    };
    assert!(at("sub/") < at("a&amp;b.txt") && at("a&amp;b.txt") < at("\"b.txt\""));
    assert!(!page.contains(".hidden") && page.contains("06-Nov-1994 08:49"));
    check(
        &kit,
        &[("/l/none/", "404"), ("/l/closed/", "403"), ("/m/", "403")],
    );
    assert_eq!(kit.ask("HEAD", "/l/", "").status, 200);
    assert_eq!(kit.ask("POST", "/l/", "").status, 403);
}
