use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::site::testing::{self, Kit};

const USERS: &str = "plain:{PLAIN}open sesame\nsha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n\
                     slow:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A server whose users are in a file, which vanishes with the directory.
fn server(text: &str) -> (tempfile::TempDir, Kit) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    fs::write(&path, USERS).unwrap();
    let kit = testing::server(&format!(
        "root /r; auth_basic_user_file {}; {text}",
        path.display()
    ));
    (folder, kit.file("/r/a", "content").file("/r/page", "page"))
}

fn ask(kit: &Kit, target: &str, credentials: &str) -> testing::Answer {
    let encoded = STANDARD.encode(credentials);
    kit.ask(
        "GET",
        target,
        &format!("Authorization: Basic {encoded}\r\n"),
    )
}

#[test]
fn passwords_let_in() {
    let (_folder, kit) = server("auth_basic closed;");
    for (credentials, status) in [
        ("plain:open sesame", 200),
        ("plain:open", 401),
        ("sha:secret", 200),
        ("sha:Secret", 401),
        ("slow:secret", 200),
        ("slow:Secret", 401),
        ("slow:", 401),
        ("nobody:secret", 401),
        (":secret", 401),
        ("slow", 401),
    ] {
        let answer = ask(&kit, "/a", credentials);
        assert_eq!(answer.status, status, "{credentials}");
        let challenge = (status == 401).then_some("Basic realm=\"closed\"");
        assert_eq!(answer.field("WWW-Authenticate"), challenge);
    }
    assert_eq!(
        kit.get("/a").fields("WWW-Authenticate"),
        ["Basic realm=\"closed\""]
    );
}

#[test]
fn a_changed_file_holds_at_once() {
    let (folder, kit) = server("auth_basic closed;");
    let path = folder.path().join("users");
    for (users, status) in [
        (USERS, 200),
        ("", 401),
        (USERS, 200),
        (
            "slow:$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i",
            401,
        ),
        ("#slow:{PLAIN}secret\nslow:{PLAIN}secret", 200),
    ] {
        fs::write(&path, users).unwrap();
        assert_eq!(ask(&kit, "/a", "slow:secret").status, status, "{users}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(ask(&kit, "/a", "slow:secret").status, 403);
    fs::create_dir(&path).unwrap();
    assert_eq!(ask(&kit, "/a", "slow:secret").status, 500);
}

#[test]
fn realms_and_files_with_variables() {
    let (_folder, kit) = server(
        "location /a { auth_basic $arg_realm; }
         location /off { auth_basic off; return 200 off; }
         location /page { auth_basic closed; auth_basic_user_file /none/$arg_file; }",
    );
    let challenge = kit
        .get("/a?realm=x")
        .field("WWW-Authenticate")
        .map(str::to_owned);
    assert_eq!(challenge.as_deref(), Some("Basic realm=\"x\""));
    assert_eq!(kit.get("/a?realm=off").brief(), "200 content");
    assert_eq!(kit.get("/off").brief(), "200 off");
    assert_eq!(ask(&kit, "/page?file=x", "slow:secret").status, 403);
    assert_eq!(kit.get("/page?file=x").status, 401);
}

#[test]
fn checks_go_together() {
    for (rules, anonymous, known) in [
        ("satisfy all; deny all;", 403, 403),
        ("satisfy all; allow all;", 401, 200),
        ("satisfy any; deny all;", 401, 200),
        ("satisfy any; allow all;", 200, 200),
        ("satisfy any;", 401, 200),
        ("", 401, 200),
        ("auth_delay 1s;", 401, 200),
        ("satisfy any; deny all; auth_delay 1s;", 401, 200),
    ] {
        let (_folder, kit) = server(&format!("auth_basic closed; {rules}"));
        assert_eq!(kit.get("/a").status, anonymous, "{rules}");
        let answer = ask(&kit, "/a", "slow:secret");
        assert_eq!(answer.status, known, "{rules}");
        assert_eq!(answer.field("WWW-Authenticate"), None, "{rules}");
    }
}

#[test]
fn an_error_page_still_asks_for_a_password() {
    let (_folder, kit) = server(
        "location /a { auth_basic closed; error_page 401 /page; }
         location /login { auth_basic closed; error_page 401 = /page; }",
    );
    for (target, status) in [("/a", 401), ("/login", 200)] {
        let answer = kit.get(target);
        assert_eq!((answer.status, &*answer.body), (status, "page"));
        assert_eq!(
            answer.field("WWW-Authenticate"),
            Some("Basic realm=\"closed\"")
        );
    }
}
