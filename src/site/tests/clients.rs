//! Whose request it is: behind proxies, and what a proxy's header says.

use crate::site::testing::{said, server};

const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14\xc0\x00\x02\x01\xc0\x00\x02\x02\x0f\xa0\x00\x50\
    \x02\x00\x05a.com";

#[test]
fn extensions_of_a_header_are_variables() {
    let kit = server(
        "location /name { return 200 $proxy_protocol_tlv_authority; }
         location /number { return 200 $proxy_protocol_tlv_0x02; }
         location /none { return 200 [$proxy_protocol_tlv_alpn$proxy_protocol_tlv_ssl_cn]; }
         location /unknown { return 200 [$proxy_protocol_tlv_no]; }
         location / { return 200 \"$proxy_protocol_addr $remote_addr\"; }",
    );
    assert_eq!(kit.get("/name").body, "");
    let kit = kit.through(V2);
    assert_eq!(kit.get("/name").body, "a.com");
    assert_eq!(kit.get("/number").body, "a.com");
    assert_eq!(kit.get("/none").body, "[]");
    assert_eq!(kit.get("/unknown").body, "[]");
    let logged = kit.logged("error.log");
    assert!(
        logged.contains("unknown PROXY protocol TLV \"no\", client: 192.0.2.1,"),
        "{logged}"
    );
    assert_eq!(kit.get("/").body, "192.0.2.1 192.0.2.1");
}

#[test]
fn a_client_is_believed_to_be_another_by_trusted_proxies_alone() {
    let text = "set_real_ip_from 192.0.2.1; real_ip_header X-Client;
                location /forbidden { deny 10.1.1.1; try_files /f =200; }
                location / { return 200 $remote_addr; }";
    let named = "X-Client: 10.1.1.1\r\n";
    let kit = server(text);
    assert_eq!(kit.ask("GET", "/", named).body, "10.1.1.1");
    assert_eq!(kit.ask("GET", "/forbidden", named).status, 403);
    let logged = kit.logged("error.log");
    assert!(
        logged.contains("access forbidden by rule, client: 10.1.1.1, server:"),
        "{logged}"
    );
    let kit = server(text).from("192.0.2.2");
    assert_eq!(kit.ask("GET", "/", named).body, "192.0.2.2");
    let kit = server(&text.replace("192.0.2.1", "unix:")).from("unix:");
    assert_eq!(kit.ask("GET", "/", named).body, "10.1.1.1");
}

#[test]
fn one_server_says_what_is_spoken_on_an_address() {
    let two = |one: &str, other: &str| {
        said(&format!(
            "server {{ listen 80 {one}; server_name a; }} server {{ listen 80 {other}; }}"
        ))
    };
    let redefined = ["warning: protocol options redefined for 0.0.0.0:80"];
    assert!(two("proxy_protocol", "").is_empty());
    assert!(two("", "proxy_protocol").is_empty());
    assert!(two("proxy_protocol backlog=9", "").is_empty());
    assert_eq!(two("backlog=9", "proxy_protocol"), redefined);
    assert_eq!(two("proxy_protocol", "backlog=9"), redefined);
}
