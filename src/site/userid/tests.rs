use crate::site::testing::{Kit, said, server};

/// 16 bytes, as a client gets them.
const COOKIE: &str = "AQIDBAUGBwgJCgsMDQ4PEA";

fn site(text: &str) -> Kit {
    server(&format!(
        "{text} location / {{ add_header Got $uid_got; add_header Set $uid_set; return 200 x; }}"
    ))
}

fn with_cookie(kit: &Kit, cookie: &str) -> (Option<String>, Option<String>) {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b; {cookie}\r\n\r\n");
    let answer = kit.once(&request);
    let field = |name| answer.field(name).map(str::to_owned);
    (field("Got"), field("Set-Cookie"))
}

#[test]
fn a_client_without_a_cookie_gets_one_of_its_own() {
    let kit = site("userid on; userid_service 1;");
    let get = || kit.once("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (one, other) = (get(), get());
    let (one, other) = (
        one.field("Set-Cookie").unwrap(),
        other.field("Set-Cookie").unwrap(),
    );
    assert_ne!(one, other);
    let (name, rest) = one.split_once('=').unwrap();
    assert_eq!((name, &rest[24..]), ("uid", "; path=/"));
    assert!(
        rest.starts_with("AAAA") && rest[..24].ends_with("=="),
        "{one}"
    );
    let (cookie, _) = one.split_once(';').unwrap();
    let (got, set) = with_cookie(&kit, cookie);
    assert!(got.unwrap().starts_with("uid=01000000") && set.is_none());
}

#[test]
fn a_cookie_is_read_and_kept() {
    let kit = site("userid on;");
    let got = "uid=0403020108070605".to_owned() + "0C0B0A09100F0E0D";
    let cookie = format!("UID = {COOKIE}==");
    assert_eq!(with_cookie(&kit, &cookie), (Some(got.clone()), None));
    let log = site("userid log;");
    assert_eq!(
        with_cookie(&log, &format!("uid={COOKIE}")),
        (Some(got), None)
    );
    assert_eq!(with_cookie(&log, "b=c"), (None, None));
    let off = site("userid off;");
    assert_eq!(with_cookie(&off, &cookie), (None, None));
}

#[test]
fn a_bad_cookie_is_told_and_replaced() {
    let kit = site("userid on;");
    for (cookie, what) in [
        ("uid=short", "too short"),
        ("uid=!!!!!!!!!!!!!!!!!!!!!!", "invalid"),
    ] {
        let (got, set) = with_cookie(&kit, cookie);
        assert!(got.is_none() && set.is_some());
        let logged = kit.logged("error.log");
        let expected = format!("client sent {what} userid cookie \"a=b; {cookie}\"");
        assert!(logged.contains(&expected), "{logged}");
    }
    let zeros = with_cookie(&kit, "uid=AAAAAAAAAAAAAAAAAAAAAA");
    assert!(zeros.0.is_none() && zeros.1.is_some());
}

#[test]
fn attributes_stand_in_nginxs_order() {
    let kit = site(
        "userid v1; userid_name id; userid_domain a.b; userid_path /p; userid_expires max;
         userid_flags samesite=lax secure httponly; userid_p3p 'policyref=\"/x\"'; userid_mark Z;",
    );
    let answer = kit.once("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let cookie = answer.field("Set-Cookie").unwrap();
    let rest = "Z=; expires=Thu, 31-Dec-37 23:55:55 GMT; domain=a.b; path=/p; secure; httponly; \
                samesite=lax";
    assert_eq!(&cookie["id=".len() + 22..], rest);
    assert_eq!(answer.field("P3P"), Some("policyref=\"/x\""));
    let set = answer.field("Set").unwrap();
    assert!(
        set.starts_with("id=00000000") && set.len() == "id=".len() + 32,
        "{set}"
    );
}

#[test]
fn a_cookie_without_the_mark_is_marked() {
    let kit = site("userid on; userid_mark Z;");
    let (got, set) = with_cookie(&kit, &format!("uid={COOKIE}=="));
    assert!(got.is_some());
    assert_eq!(set.unwrap(), format!("uid={COOKIE}Z=; path=/"));
    assert_eq!(with_cookie(&kit, &format!("uid={COOKIE}Z=")).1, None);
}

#[test]
fn a_cookie_can_be_reset() {
    for (reset, is_new) in [("", false), ("0", false), ("1", true), ("log", true)] {
        let kit = site(&format!("userid on; set $uid_reset '{reset}';"));
        let (_, set) = with_cookie(&kit, &format!("uid={COOKIE}"));
        assert_eq!(set.is_some(), is_new, "{reset}");
        let logged = kit.logged("error.log");
        assert_eq!(logged.contains("was reset"), reset == "log", "{logged}");
    }
}

#[test]
fn what_is_wrong_is_told_in_nginxs_words() {
    for (directive, expected) in [
        ("userid yes", "error: invalid value \"yes\""),
        (
            "userid_service x",
            "error: \"userid_service\" directive invalid number",
        ),
        (
            "userid_expires soon",
            "error: \"userid_expires\" directive invalid value",
        ),
        ("userid_flags secret", "error: invalid value \"secret\""),
        (
            "userid_flags secure secure",
            "warning: duplicate value \"secure\"",
        ),
        (
            "userid_mark ab",
            "error: \"userid_mark\" directive value must be \"off\" or a single letter, digit or \"=\"",
        ),
    ] {
        assert_eq!(
            said(&format!("server {{ listen 80; {directive}; }}")),
            [expected]
        );
    }
}
