//! Which sockets there are, and which server answers on them.

use std::path::Path;

use crate::site::testing;

#[test]
fn names_have_a_precedence() {
    let mut text = String::new();
    for names in [
        "first.test",
        "www.example.com",
        "*.example.com",
        "*.deep.example.com",
        "www.example.*",
        "www.*",
        "~^www\\d+\\.example\\.com$",
        "~^(?<sub>[a-z]+)\\.pattern\\.test$",
        "~\\.pattern\\.test$",
        ".dot.test",
        "Mixed.Test",
    ] {
        text += &format!(
            "server {{ listen 80; server_name {names}; return 200 \"{} $sub\"; }}",
            names.replace('$', "")
        );
    }
    let kit = testing::site(&text);
    for (host, expected) in [
        ("first.test", "first.test "),
        ("unknown.test", "first.test "),
        ("www.example.com", "www.example.com "),
        ("WWW.Example.Com:8080", "www.example.com "),
        ("www.example.com.", "www.example.com "),
        ("a.example.com", "*.example.com "),
        ("a.b.example.com", "*.example.com "),
        ("a.deep.example.com", "*.deep.example.com "),
        ("example.com", "first.test "),
        ("www.example.org", "www.example.* "),
        ("www.other.org", "www.* "),
        ("www1.example.com", "*.example.com "),
        ("abc.pattern.test", "~^(?<sub>[a-z]+)\\.pattern\\.test abc"),
        ("1.pattern.test", "~\\.pattern\\.test "),
        ("dot.test", ".dot.test "),
        ("a.b.dot.test", ".dot.test "),
        ("mixed.test", "Mixed.Test "),
    ] {
        assert_eq!(kit.get_from(host, "/").body, expected, "{host}");
    }
    let nameless = kit.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(nameless.body, "first.test ");
    let absolute = kit.send("GET http://a.dot.test/ HTTP/1.1\r\nHost: first.test\r\n\r\n");
    assert_eq!(absolute.body, ".dot.test ");
}

#[test]
fn an_empty_name_is_for_requests_without_a_host() {
    let kit = testing::site(
        "server { listen 80; server_name a; return 200 a; }
         server { listen 80; server_name ''; return 200 nameless; }",
    );
    assert_eq!(kit.send("GET / HTTP/1.0\r\n\r\n").body, "nameless");
    assert_eq!(kit.get_from("b", "/").body, "a");
}

#[test]
fn names_that_are_none() {
    for name in ["*", "a.*.b", "*.*", "a*", "*a", "~", "*.", "**.a"] {
        let said = testing::said(&format!("server {{ server_name {name}; }}"));
        assert!(
            said.len() == 1 && said[0].starts_with("error: "),
            "{name}: {said:?}"
        );
    }
    assert_eq!(
        testing::said("server { server_name http://a; }"),
        ["warning: server name \"http://a\" has suspicious symbols"]
    );
    let twice = "server { server_name a; } server { server_name a; }";
    assert_eq!(
        testing::said(twice),
        ["warning: conflicting server name \"a\" on 0.0.0.0:80, ignored"]
    );
}

#[test]
fn the_first_name_is_the_servers_own() {
    for (names, expected) in [
        ("a b", "a"),
        ("Mixed.Test", "mixed.test"),
        ("*.wild.test x", "*.wild.test"),
        ("www.*", "www.*"),
        (".dot.test", "dot.test"),
        ("~^A\\.b$", "~^A\\.b$"),
        ("$hostname", "machine"),
        ("''", ""),
    ] {
        let kit = testing::server(&format!("server_name {names}; return 200 $server_name;"));
        assert_eq!(kit.get("/").body, expected, "{names}");
    }
}

#[test]
fn the_default_server_is_the_first_or_the_one_that_says_so() {
    let servers = |second: &str| {
        format!(
            "server {{ listen 80; server_name a; return 200 a; }}
             server {{ listen 80 {second}; server_name b; return 200 b; }}"
        )
    };
    assert_eq!(testing::site(&servers("")).get_from("x", "/").body, "a");
    let kit = testing::site(&servers("default_server"));
    assert_eq!(kit.get_from("x", "/").body, "b");
    assert_eq!(kit.get_from("a", "/").body, "a");
}

#[test]
fn a_single_address_has_servers_of_its_own() {
    let kit = testing::site(
        "server { listen 80; return 200 any; }
         server { listen 127.0.0.1:80; server_name one; return 200 one; }
         server { listen 127.0.0.1:80; server_name two; return 200 two; }",
    );
    assert_eq!(kit.get_from("two", "/").body, "any");
    let kit = kit.to("127.0.0.1:80");
    assert_eq!(kit.get_from("two", "/").body, "two");
    assert_eq!(kit.get_from("x", "/").body, "one");
}

/// The sockets that a configuration asks for.
fn sockets(text: &str) -> Vec<String> {
    let draft = testing::draft(Path::new("/prefix"), text);
    assert!(
        !draft.diagnostics.errors(),
        "{text}: {:?}",
        draft.diagnostics
    );
    let show =
        |need: &crate::site::draft::ListenerNeed| format!("{} {}", need.address, need.backlog);
    draft.needs.listeners.iter().map(show).collect()
}

#[test]
fn one_socket_for_each_address() {
    for (text, expected) in [
        ("server {}", vec!["0.0.0.0:80 511"]),
        ("server {} server { listen 80; }", vec!["0.0.0.0:80 511"]),
        (
            "server { listen 80; listen 81 backlog=9; }",
            vec!["0.0.0.0:80 511", "0.0.0.0:81 9"],
        ),
        (
            "server { listen 80; } server { listen 80 backlog=7; }",
            vec!["0.0.0.0:80 7"],
        ),
        (
            "server { listen 127.0.0.1:80; } server { listen 80; }",
            vec!["0.0.0.0:80 511"],
        ),
        (
            "server { listen 127.0.0.1:80 bind; } server { listen 80; }",
            vec!["127.0.0.1:80 511", "0.0.0.0:80 511"],
        ),
        (
            "server { listen [::1]:80; listen 80; }",
            vec!["[::1]:80 511", "0.0.0.0:80 511"],
        ),
        (
            "server { listen [::1]:80; listen [::]:80; }",
            vec!["[::]:80 511"],
        ),
        (
            "server { listen 127.0.0.1:81; listen 80; }",
            vec!["127.0.0.1:81 511", "0.0.0.0:80 511"],
        ),
        (
            "server { listen 8080-8081; }",
            vec!["0.0.0.0:8080 511", "0.0.0.0:8081 511"],
        ),
        (
            "server { listen unix:/s; listen 80; }",
            vec!["unix:/s 511", "0.0.0.0:80 511"],
        ),
    ] {
        assert_eq!(sockets(text), expected, "{text}");
    }
}

#[test]
fn servers_that_disagree_on_an_address() {
    for (text, expected) in [
        (
            "server { listen 80; listen 80; }",
            "a duplicate listen 0.0.0.0:80",
        ),
        (
            "server { listen 80; listen *:80; }",
            "a duplicate listen 0.0.0.0:80",
        ),
        (
            "server { listen 80 default_server; } server { listen 80 default_server; }",
            "a duplicate default server for 0.0.0.0:80",
        ),
        (
            "server { listen 80 backlog=1; } server { listen 80 backlog=1; }",
            "duplicate listen options for 0.0.0.0:80",
        ),
        (
            "server { listen 80 bind; } server { listen 80 rcvbuf=1k; }",
            "duplicate listen options for 0.0.0.0:80",
        ),
    ] {
        assert_eq!(
            testing::said(text).first(),
            Some(&format!("error: {expected}")),
            "{text}"
        );
    }
}

#[test]
fn options_of_listen() {
    let options = "backlog=5 rcvbuf=8k sndbuf=1m reuseport deferred fastopen=3 so_keepalive=30m::10 \
         proxy_protocol";
    assert_eq!(
        testing::said(&format!("server {{ listen 80 {options}; }}")),
        [""; 0]
    );
    for wrong in [
        "backlog=0",
        "backlog=x",
        "rcvbuf=0",
        "fastopen=-1",
        "ipv6only=maybe",
        "setfib=1",
        "so_keepalive=x",
        "so_keepalive=::",
        "nonsense",
        "reuseport=1",
        "ssl",
        "http2",
        "quic",
        "accept_filter=x",
    ] {
        let said = testing::said(&format!("server {{ listen 80 {wrong}; }}"));
        assert!(
            said.len() == 1 && said[0].starts_with("error: "),
            "{wrong}: {said:?}"
        );
    }
}
