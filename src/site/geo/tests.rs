use crate::site::testing::{said, site};

/// The values of a `geo` block for addresses in an argument of the request.
fn values(block: &str, addresses: &[&str]) -> Vec<String> {
    let kit = site(&format!(
        "geo $arg_ip $v {{ {block} }} server {{ listen 80; location / {{ return 200 [$v]; }} }}"
    ));
    let value = |ip: &&str| kit.get(&format!("/?ip={ip}")).body;
    addresses.iter().map(value).collect()
}

fn warnings(block: &str) -> Vec<String> {
    said(&format!("geo $v {{ {block} }} server {{ listen 80; }}"))
}

#[test]
fn the_smallest_network_counts() {
    let block = "default d; 10.0.0.0/8 a; 10.1.0.0/16 b; 10.1.2.3 c; 10.1.255.255 e; 0.0.0.0/1 f;
                 2001:db8::/32 g; 2001:db8::1 h; ::/127 i;";
    for (ip, value) in [
        ("10.0.0.1", "a"),
        ("10.1.0.0", "b"),
        ("10.1.2.3", "c"),
        ("10.1.2.4", "b"),
        ("10.1.255.255", "e"),
        ("10.2.0.0", "a"),
        ("11.0.0.0", "f"),
        ("128.0.0.0", "d"),
        ("255.255.255.255", "d"),
        ("2001:db8::2", "g"),
        ("2001:db8::1", "h"),
        ("2001:db9::", "d"),
        ("::1", "i"),
        ("::2", "d"),
        ("::ffff:10.1.2.3", "c"),
        ("nothing", "d"),
        ("", "d"),
    ] {
        assert_eq!(values(block, &[ip]), [format!("[{value}]")], "{ip}");
    }
    assert_eq!(values("10.0.0.0/8 a;", &["1.1.1.1", "::1"]), ["[]", "[]"]);
    let last = "default d; 255.255.255.255 last; ffff::/16 f;";
    assert_eq!(
        values(last, &["255.255.255.255", "nothing", "ffff::1"]),
        ["[last]", "[last]", "[f]"]
    );
}

#[test]
fn ranges_stand_within_ranges() {
    let block = "ranges; default d; 10.0.0.0-10.2.255.255 a; 10.1.0.5-10.1.0.9 b;
                 10.1.0.7-10.1.0.7 c; 10.2.255.255-10.2.255.255 e; 1.0.0.0-1.0.0.9 x;
                 delete 1.0.0.0-1.0.0.9; 255.255.255.0-255.255.255.255 z;";
    for (ip, value) in [
        ("9.255.255.255", "d"),
        ("10.0.0.0", "a"),
        ("10.1.0.4", "a"),
        ("10.1.0.5", "b"),
        ("10.1.0.7", "c"),
        ("10.1.0.8", "b"),
        ("10.1.0.10", "a"),
        ("10.2.255.255", "e"),
        ("10.3.0.0", "d"),
        ("1.0.0.5", "d"),
        ("255.255.255.255", "z"),
        ("::1", "z"),
    ] {
        assert_eq!(values(block, &[ip]), [format!("[{value}]")], "{ip}");
    }
}

#[test]
fn what_is_odd_is_told() {
    for (block, expected) in [
        (
            "1.0.0.0/8 a; 1.0.0.0/8 b;",
            "warning: duplicate network \"1.0.0.0/8\", value: \"b\", old value: \"a\"",
        ),
        (
            "default a; default b;",
            "warning: duplicate network \"default\", value: \"b\", old value: \"a\"",
        ),
        (
            "delete 1.0.0.0/8;",
            "warning: no network \"1.0.0.0/8\" to delete",
        ),
        (
            "1.2.3.4/8 a;",
            "warning: low address bits of 1.2.3.4/8 are meaningless",
        ),
        ("host a;", "error: invalid network \"host\""),
        ("proxy unix:;", "error: invalid network \"unix:\""),
        ("a b c;", "error: invalid number of the geo parameters"),
        ("1.1.1.1;", "error: invalid number of the geo parameters"),
        (
            "1.1.1.1 a; ranges;",
            "error: the \"ranges\" directive must be the first directive inside \"geo\" block",
        ),
        ("ranges; 1.1.1.1 a;", "error: invalid range \"1.1.1.1\""),
        (
            "ranges; 1.1.1.2-1.1.1.1 a;",
            "error: invalid range \"1.1.1.2-1.1.1.1\"",
        ),
        (
            "ranges; 1.1.1.1-1.1.1.1 a; 1.1.1.1-1.1.1.1 b;",
            "warning: duplicate range \"1.1.1.1-1.1.1.1\", value: \"b\", old value: \"a\"",
        ),
        (
            "ranges; 1.1.1.1-1.1.1.9 a; 1.1.1.5-1.1.1.10 b;",
            "error: range \"1.1.1.5-1.1.1.10\" overlaps \"1.1.1.1-1.1.1.9\"",
        ),
        (
            "ranges; 1.1.1.5-1.1.1.9 a; 1.1.1.1-1.1.1.10 b;",
            "error: range \"1.1.1.1-1.1.1.10\" overlaps \"1.1.1.5-1.1.1.9\"",
        ),
        (
            "ranges; default a; default b;",
            "warning: duplicate default geo range value: \"b\", old value: \"a\"",
        ),
        (
            "ranges; delete 1.1.1.1-1.1.1.9;",
            "warning: no address range \"1.1.1.1-1.1.1.9\" to delete",
        ),
    ] {
        assert_eq!(warnings(block), [expected], "{block}");
    }
    for (geo, expected) in [
        ("geo v {}", "error: invalid variable name \"v\""),
        ("geo $a v {}", "error: invalid variable name \"v\""),
        ("geo $uri {}", "error: the duplicate \"uri\" variable"),
    ] {
        assert_eq!(said(&format!("{geo} server {{ listen 80; }}"))[0], expected);
    }
}

#[test]
fn proxies_tell_the_client() {
    let server = "server { listen 80; location / { return 200 [$v]; } }";
    let ask = |block: &str, field: &str| {
        let kit = site(&format!("geo $v {{ {block} }} {server}"));
        kit.ask("GET", "/", field).body
    };
    let block = "192.0.2.1 self; 10.0.0.0/8 net; 1.2.3.4 client;";
    let field = "X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n";
    assert_eq!(ask(block, field), "[self]");
    assert_eq!(ask(&format!("{block} proxy 192.0.2.0/24;"), field), "[net]");
    let recursive = format!("{block} proxy 192.0.2.0/24; proxy 10.0.0.0/8; proxy_recursive;");
    assert_eq!(ask(&recursive, field), "[client]");
    assert_eq!(ask(&recursive, ""), "[self]");
}
