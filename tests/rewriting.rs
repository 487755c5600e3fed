//! Instructions withstand what requests bring along: no head is split, no path is changed forever,
//! and no capture is taken for another.

mod common;

use common::Setup;

const CONFIG: &str = r#"
    map $arg_m $mapped { ~^(?<first>.)(.*)$ "$2$1"; default none; }
    server { listen %LISTEN%;
        location /loop { rewrite ^(.*)$ $1x last; }
        location /ping { rewrite ^ /pong last; }
        location /pong { rewrite ^ /ping last; }
        location ~ (?s)^/return(.*)$ { add_header X-Path "$uri"; return 302 "http://h$1"; }
        location /rewrite { rewrite (?s)^/rewrite(.*)$ /to$1 redirect; }
        location ~ ^/args/(.*)$ { rewrite ^/args/(.*)$ /show?$1&$1&$mapped; }
        location ~ ^/map/(.)(.*)$ { return 200 "$1 $mapped $2 $first"; }
        location /show { return 200 "$args"; }
    }"#;

#[test]
fn a_path_splits_no_head() {
    let server = Setup::http(CONFIG).start();
    for target in ["/return", "/rewrite"] {
        let target = format!("{target}/%0d%0aX-In:%201%0d%0a%0d%0abody");
        let response = server.get(&target);
        assert_eq!(response.status, 302, "{target}");
        assert_eq!(response.header("X-In"), None, "{target}");
        assert!(
            response
                .header("Location")
                .is_some_and(|to| to.ends_with("body"))
        );
    }
}

#[test]
fn a_path_is_changed_ten_times_at_most() {
    let server = Setup::http(CONFIG).start();
    for target in ["/loop", "/ping"] {
        assert_eq!(server.get(target).status, 500, "{target}");
        server.wait_for_log("rewrite or internal redirection cycle while processing");
    }
}

#[test]
fn captures_are_escaped_in_full_and_never_mixed_up() {
    let server = Setup::http(CONFIG).start();
    let odd = "%25&+;=\"%20".repeat(200);
    let escaped = "%25%26%2B%3B=%22%20".repeat(200);
    let shown = server.get(&format!("/args/{odd}?m=ab")).text();
    assert_eq!(shown, format!("{escaped}&{escaped}&ba&m=ab"));
    assert_eq!(server.get("/map/xyz?m=abc").text(), "x bca yz a");
}
