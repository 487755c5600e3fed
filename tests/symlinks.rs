//! `disable_symlinks`: links in every position, and links that are exchanged while they are asked for.

mod common;

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Setup, TestServer, scaled_count};
use nix::unistd::geteuid;

fn site(directives: &str) -> TestServer {
    let server = format!("server {{ listen %LISTEN%; root %PREFIX%/html; {directives} }}");
    Setup::http(&server)
        .file("html/f.txt", "file")
        .file("html/dir/f.txt", "deep")
        .file("secret/f.txt", "secret")
        .link("html/link", "f.txt")
        .link("html/out", "../secret/f.txt")
        .link("html/folder", "dir")
        .link("html/elsewhere", "../secret")
        .start()
}

#[test]
fn a_link_in_any_position_is_forbidden() {
    let server = site("disable_symlinks on;");
    for (target, status) in [
        ("/f.txt", 200),
        ("/dir/f.txt", 200),
        ("/link", 403),
        ("/out", 403),
        ("/folder", 403),
        ("/folder/", 403),
        ("/folder/f.txt", 403),
        ("/elsewhere/f.txt", 403),
        ("/dir/none", 404),
    ] {
        assert_eq!(server.get(target).status, status, "{target}");
    }
}

#[test]
fn a_link_of_another_owner_is_forbidden() {
    if !common::possible(geteuid().is_root(), "needs root to give files away") {
        return;
    }
    let server = site("disable_symlinks if_not_owner;");
    let nobody = Some(65534);
    for path in ["html/f.txt", "html/dir"] {
        chown(server.path(path), nobody, None).unwrap();
    }
    for (target, status) in [
        ("/f.txt", 200),
        ("/link", 200),
        ("/folder/f.txt", 200),
        ("/out", 403),
        ("/elsewhere/f.txt", 403),
    ] {
        assert_eq!(server.get(target).status, status, "{target}");
    }
}

#[test]
fn what_is_tried_is_not_found_behind_a_link() {
    let mut server = site("disable_symlinks on; try_files $uri $uri/f.txt =404;");
    server.expect_log("failed (40: Too many levels of symbolic links)");
    for (target, status) in [
        ("/f.txt", 200),
        ("/dir", 200),
        ("/link", 404),
        ("/folder", 404),
    ] {
        assert_eq!(server.get(target).status, status, "{target}");
    }
}

/// Exchanges names for links to a secret and back, over and over, while they are asked for.
fn never_shows_the_secret(directives: &str) {
    let server = site(directives);
    if geteuid().is_root() {
        chown(server.path("secret"), Some(1), None).unwrap();
        chown(server.path("secret/f.txt"), Some(1), None).unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let new = server.path("html/new");
            let place = |name: &str| fs::rename(&new, server.path(name)).unwrap();
            while !done.load(Ordering::Relaxed) {
                for (target, name) in [("../secret", "html/x"), ("dir", "html/x")] {
                    symlink(target, &new).unwrap();
                    place(name);
                }
                symlink("../secret/f.txt", &new).unwrap();
                place("html/y");
                fs::write(&new, "plain").unwrap();
                place("html/y");
            }
        });
        let mut client = server.connect();
        for round in 0..scaled_count(100_000, 3_000) {
            let response = client.get(["/x/f.txt", "/y"][round % 2]);
            assert!(!response.text().contains("secret"), "{}", response.text());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_link_exchanged_at_any_moment_shows_no_secret() {
    never_shows_the_secret("keepalive_requests 1000000; disable_symlinks on;");
}

#[test]
fn a_link_of_another_owner_exchanged_at_any_moment_shows_no_secret() {
    if common::possible(geteuid().is_root(), "needs root to give files away") {
        never_shows_the_secret("keepalive_requests 1000000; disable_symlinks if_not_owner;");
    }
}
