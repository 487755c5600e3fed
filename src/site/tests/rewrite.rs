//! Instructions: what they change, what they say, and how they are refused.

use crate::site::testing::{said, server};

#[test]
fn instructions_are_followed_in_their_order() {
    let kit = server(
        "root /r;
         if ($arg_a) { set $x a; rewrite ^/a/(.*)$ /$1 last; return 200 never; }
         set $x \"${x}b\";
         location / { return 200 \"$uri $x $is_args$args\"; }
         location /f { if (-f $document_root/f) { return 200 here; } return 200 gone; }
         location /deep { if (!-e /r/none) { rewrite ^/deep /f last; } }",
    )
    .files(&["/r/f"]);
    for (target, expected) in [
        ("/a/b", "200 /a/b b "),
        ("/a/b?a=1", "200 /b a ?a=1"),
        ("/f", "200 here"),
        ("/deep", "200 here"),
    ] {
        assert_eq!(kit.get(target).brief(), expected, "{target}");
    }
}

#[test]
fn a_body_of_unknown_length_is_read_behind_a_server_that_rewrites() {
    let kit = server("rewrite ^ /x; location /x { return 200 $uri; }");
    let chunked = "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
    assert_eq!(kit.ask("POST", "/", chunked).brief(), "200 /x");
    let broken = "Transfer-Encoding: chunked\r\n\r\nx\r\n";
    assert_eq!(kit.ask("POST", "/", broken).status, 400);
}

#[test]
fn patterns_are_logged_if_wanted() {
    let kit = server(
        "rewrite_log on; location /m { rewrite ^/m/(.*) /to/$1?q; }
         location /n { rewrite ^/x /y; return 204; } location /r { rewrite ^ /to redirect; }
         location /to { rewrite_log off; rewrite ^/x /y; return 204; }",
    );
    for (target, expected) in [
        ("/m/a", "rewritten data: \"/to/a\", args: \"q\", "),
        ("/n", "\"^/x\" does not match \"/n\", "),
        ("/r", "rewritten redirect: \"/to\", "),
    ] {
        kit.get(target);
        let line = kit.logged("error.log");
        assert!(line.contains("[notice]"), "{line}");
        let expected = format!(": *1 {expected}client: 192.0.2.1, server: , request: \"GET");
        assert!(line.contains(&expected), "{line}");
    }
}

#[test]
fn what_was_never_set_is_empty_and_warned_of_once() {
    let kit = server(
        "location /a { return 200 \"[$x$x]\"; } location /b { set $x 1; return 200 $x; }
         location /c { uninitialized_variable_warn off; return 200 \"[$x]\"; }",
    );
    assert_eq!(kit.get("/c").brief(), "200 []");
    assert_eq!(kit.get("/b").brief(), "200 1");
    assert_eq!(kit.logged("error.log"), "");
    assert_eq!(kit.get("/a").brief(), "200 []");
    let line = kit.logged("error.log");
    assert!(line.contains("[warn]"), "{line}");
    assert!(
        line.contains("using uninitialized \"x\" variable, client: "),
        "{line}"
    );
}

#[test]
fn ten_changes_of_the_path_are_enough() {
    let kit = server(
        "location ~ ^/a { rewrite \"^/a(x{0,9})$\" /a${x}x last; return 200 $uri; }
         location /b { rewrite ^(.*)$ $1x last; }"
            .replace("${x}x", "$1x")
            .as_str(),
    );
    assert_eq!(kit.get("/a").brief(), "200 /axxxxxxxxxx");
    assert_eq!(kit.get("/b").brief(), "500");
    let line = kit.logged("error.log");
    let what = "rewrite or internal redirection cycle while processing \"/bxxxxxxxxxxx\"";
    assert!(line.contains(what), "{line}");
}

#[test]
fn a_pattern_that_takes_too_long_is_an_error() {
    let kit = crate::site::testing::site(
        "regex_match_limit 10; server { listen 80;
         location /if { if ($uri ~ (?=(a+)+b)x) { return 200 1; } return 200 2; }
         location /rewrite { rewrite (?=(a+)+b)x /never; return 200 2; } }",
    );
    for target in [
        "/if/aaaaaaaaaaaaaaaaaaaaaaaa",
        "/rewrite/aaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        assert_eq!(kit.get(target).brief(), "500", "{target}");
        assert!(
            kit.logged("error.log")
                .contains("exceeded regex_match_limit")
        );
    }
}

#[test]
fn a_header_is_not_split_by_what_a_path_brings_along() {
    let kit = server(
        "rewrite (?s)^/a(.*)$ /x$1 redirect; location /b { return 302 /x$uri; }
         location /c { rewrite ^ http://h$uri; }",
    );
    for target in ["/a%0d%0aX-In: 1", "/b%0d%0aX-In:%201", "/c%0d%0aX-In:%201"] {
        let answer = kit.get(&target.replace(' ', "%20"));
        assert_eq!(answer.status, 302, "{target}");
        assert_eq!(answer.field("X-In"), None, "{}", answer.head);
    }
}

#[test]
fn wrong_instructions_are_refused_in_the_words_of_nginx() {
    for (text, expected) in [
        ("set x 1;", "invalid variable name \"x\""),
        ("set $ 1;", "invalid variable name \"$\""),
        ("set $uri 1;", "the duplicate \"uri\" variable"),
        ("set $http_host 1;", "the duplicate \"http_host\" variable"),
        (
            "set $sent_http_location 1;",
            "the duplicate \"sent_http_location\" variable",
        ),
        ("set $a $b;", "unknown \"b\" variable"),
        ("rewrite a /x foo;", "invalid parameter \"foo\""),
        ("rewrite a \"\";", "empty replacement"),
        ("rewrite a $;", "invalid variable name"),
        (
            "rewrite a ${x;",
            "the closing bracket in \"x\" variable is missing",
        ),
        ("rewrite a /$nope;", "unknown \"nope\" variable"),
        ("rewrite (?<uri>.*) /x;", "the duplicate \"uri\" variable"),
        ("return x;", "invalid return code \"x\""),
        ("return 1000;", "invalid return code \"1000\""),
        ("return http://x y;", "invalid return code \"http://x\""),
        ("return -1;", "invalid return code \"-1\""),
        ("return 101 x;", "interim return code \"101\""),
        ("if ( ) { }", "invalid condition \")\""),
        ("if () { }", "invalid condition \")\""),
        ("if x { }", "invalid condition \"x\""),
        ("if ($a { }", "invalid condition \"$a\""),
        ("if ($a) { }", "unknown \"a\" variable"),
        ("if ($uri = ) { }", "invalid condition \"$uri\""),
        ("if ($uri == a) { }", "unexpected \"==\" in condition"),
        ("if ($uri = a b) { }", "invalid condition \"$uri\""),
        ("if ($uri ! a) { }", "unexpected \"!\" in condition"),
        ("if (-f) { }", "invalid condition \"-f\""),
        ("if (-z a) { }", "invalid condition \"-z\""),
        ("if (!-z a) { }", "invalid condition \"!-z\""),
        ("if (-f a b) { }", "invalid condition \"-f\""),
        ("if (a = b) { }", "invalid condition \"a\""),
        ("if (!$uri) { }", "invalid condition \"!$uri\""),
        ("if ($ = a) { }", "invalid condition \"$\""),
        ("if ($a$b = a) { }", "unknown \"a$b\" variable"),
        (
            "if ($uri) { root /x; }",
            "\"root\" directive is not allowed here",
        ),
        (
            "if ($uri) { if ($uri) { } }",
            "\"if\" directive is not allowed here",
        ),
    ] {
        let said = said(&format!("server {{ {text} }}"));
        assert_eq!(said, [format!("error: {expected}")], "{text}");
    }
    for text in [
        "set $args 1; set $http_mine 1; set $a-b 1; set $arg_x 1;",
        "rewrite a \"?\"; rewrite \"\" /x; rewrite (?<args>.*) /$args;",
        "if ( $uri = \"a\" ) { } if ($uri ~ \"^(a|b)$\") { } if (-f \"\") { }",
        "if ($uri = \")\") { } if ($uri = \"\") { } if ($uri ~ (a) ) { break; }",
    ] {
        assert_eq!(said(&format!("server {{ {text} }}")), [""; 0], "{text}");
    }
}

#[test]
fn what_a_refused_directive_would_have_set_is_not_unknown_as_well() {
    for text in [
        "if ($uri ~ ^(?<a>.)[) { return 200 $a; } return 200 $a;",
        "rewrite ^(?<a>.)[ /$a; return 200 $a;",
        "set $a ${; return 200 $a;",
    ] {
        let said = said(&format!("server {{ {text} }}"));
        assert_eq!(said.len(), 1, "{said:?}");
    }
}
