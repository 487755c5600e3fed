//! Files that requests change: whole or not at all, and nothing but what was named.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Client, Load, Response, Reuse, Setup, TestServer, is_forkful, run, skip, wait_until};

/// A server with a directory that everything may be done in.
fn site(location: &str) -> Setup {
    Setup::http(&format!(
        "client_body_temp_path %PREFIX%/body; client_max_body_size 10m;
         server {{ listen %LISTEN%; root %PREFIX%/html; absolute_redirect off;
             location /new/ {{ dav_methods PUT DELETE MKCOL COPY MOVE; {location} }} }}"
    ))
    .folder("html/new", 0o777)
}

fn send(server: &TestServer, request: &str, body: &[u8]) -> Response {
    let mut client = server.connect();
    let length = body.len();
    client.send(format!(
        "{request} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    client.send(body);
    client.response()
}

fn put(server: &TestServer, target: &str, body: impl AsRef<[u8]>) -> u16 {
    send(server, &format!("PUT {target}"), body.as_ref()).status
}

fn to(server: &TestServer, method: &str, from: &str, to: &str) -> u16 {
    let mut client = server.connect();
    let head = format!("{method} {from} HTTP/1.1\r\nHost: a\r\nDestination: {to}\r\n\r\n");
    client.send(head);
    client.response().status
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

#[test]
fn whoever_reads_sees_the_one_file_or_the_other() {
    let server = site("").start();
    let bodies = [vec![b'a'; 300_000], vec![b'b'; 300_000]];
    assert_eq!(put(&server, "/new/f", &bodies[0]), 201);
    let (over, address) = (AtomicBool::new(false), server.address());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !over.load(Ordering::Relaxed) {
                    let body = client.get("/new/f").body;
                    assert!(bodies.contains(&body), "{} bytes of a mixture", body.len());
                }
            });
        }
        for round in 1..20 {
            assert_eq!(put(&server, "/new/f", &bodies[round % 2]), 204);
            assert_eq!(to(&server, "COPY", "/new/f", "/new/g"), 204);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&server.path("html/new")), ["f", "g"]);
    assert!(names(&server.path("body")).is_empty());
}

#[test]
fn names_are_bytes() {
    let server = site("").start();
    for name in [
        "%20",
        "%C3%A4",
        "%FF%01%7F",
        "a%0D%0Ab",
        "%25zz",
        "'%22$(x)`",
        "...",
        "-rf",
    ] {
        let target = format!("/new/{name}");
        let created = send(&server, &format!("PUT {target}"), b"text");
        assert_eq!(created.status, 201, "{name}");
        let location = created.header("location").unwrap().to_owned();
        assert_eq!(server.get(&location).text(), "text", "{name}");
        assert_eq!(to(&server, "MOVE", &location, "/new/%0A"), 204, "{name}");
        assert_eq!(names(&server.path("html/new")), ["\n"]);
        assert_eq!(send(&server, "DELETE /new/%0a", b"").status, 204);
    }
    for target in ["/new/%00", "/new/../../x", "/new/%2e%2e/%2e%2e/x"] {
        assert_eq!(put(&server, target, "text"), 400, "{target}");
    }
    let too_long = put(&server, &format!("/new/{}", "x".repeat(256)), "");
    assert!(matches!(too_long, 409 | 500), "{too_long}");
    assert!(names(&server.path("html/new")).is_empty());
}

#[test]
fn an_alias_is_not_left() {
    if !is_forkful() {
        return; // the one beside us is older than CVE-2026-27654
    }
    let server = Setup::http(
        "client_body_temp_path %PREFIX%/body; server { listen %LISTEN%;
         location /uploads/ { alias %PREFIX%/data/files/; dav_methods PUT COPY MOVE DELETE; }
         location /open { alias %PREFIX%/data/open/; dav_methods PUT COPY MOVE; }
         location ~ ^/one/ { alias %PREFIX%/data/files/one; dav_methods PUT COPY; } }",
    )
    .folder("data/files", 0o777)
    .folder("data/open", 0o777)
    .folder("data", 0o777)
    .start();
    assert_eq!(put(&server, "/uploads/f", "text"), 201);
    assert_eq!(put(&server, "/open/f", "text"), 201);
    for destination in [
        "/x",
        "/f",
        "/upload",
        "/uploads",
        "/uploadsx",
        "/other/file",
        "/Uploads/g",
        "/uploads/../x",
        "/uploads/%2e%2e/x",
        "/uploads/..%2fx",
        "http://a/x",
    ] {
        for method in ["COPY", "MOVE"] {
            let status = to(&server, method, "/uploads/f", destination);
            assert_eq!(status, 400, "{destination}");
        }
    }
    for destination in ["/open../x", "/open..", "/open/../x"] {
        assert_eq!(
            to(&server, "COPY", "/open/f", destination),
            400,
            "{destination}"
        );
    }
    assert_eq!(to(&server, "COPY", "/open/f", "/open/x/../../y"), 400);
    assert_eq!(put(&server, "/open../x", "text"), 404);
    // It replaces all of the path: source and target are the same.
    assert_eq!(put(&server, "/one/f", "text"), 201);
    assert_eq!(to(&server, "COPY", "/one/f", "/one/g"), 403);
    assert_eq!(names(&server.path("data")), ["files", "open"]);
    assert_eq!(names(&server.path("data/files")), ["f", "one"]);
    assert_eq!(to(&server, "COPY", "/uploads/f", "/uploads/g"), 204);
}

#[test]
fn one_in_the_other_and_the_same_are_refused() {
    if !is_forkful() {
        return; // 1.31 refuses these
    }
    let server = site("create_full_put_path on;").start();
    put(&server, "/new/d/f", "text");
    symlink("d", server.path("html/new/link")).unwrap();
    for method in ["COPY", "MOVE"] {
        for (from, into) in [
            ("/new/d/f", "/new/d/f"),
            ("/new/d/f", "/new/d//f"),
            ("/new/d/", "/new/d/"),
            ("/new/d/", "/new/d/e/"),
            ("/new/d/", "/new/"),
            ("/new/d/", "/"),
        ] {
            assert_eq!(
                to(&server, method, from, into),
                403,
                "{method} {from} {into}"
            );
        }
    }
    // A link hides that; the walk does not go round in it.
    assert_eq!(to(&server, "COPY", "/new/d/", "/new/link/e/"), 403);
    assert_eq!(to(&server, "MOVE", "/new/d/", "/new/link/e/"), 403);
    assert_eq!(server.get("/new/d/f").text(), "text");
    let copied = names(&server.path("html/new/d"));
    assert!(
        !copied.iter().any(|name| name.ends_with(".part")),
        "{copied:?}"
    );
}

#[test]
fn nothing_is_changed_through_links() {
    let server = site("").file("kept/f", "kept").start();
    let new = server.path("html/new");
    fs::set_permissions(server.path("kept"), PermissionsExt::from_mode(0o777)).unwrap();
    send(&server, "MKCOL /new/d/", b"");
    symlink("../../../kept", new.join("d/up")).unwrap();
    symlink("../../kept/f", new.join("file")).unwrap();
    assert_eq!(put(&server, "/new/file", "text"), 204);
    if is_forkful() {
        // A sandbox ends where the root does.
        let status = to(&server, "COPY", "/new/file", "/new/d/up/g");
        assert!(
            status == 403 || server.log().contains("no landlock"),
            "{status}"
        );
    }
    symlink("../../kept/f", new.join("again")).unwrap();
    if is_forkful() {
        // nginx follows it.
        assert_eq!(to(&server, "COPY", "/new/file", "/new/again"), 204);
        assert_eq!(fs::read(new.join("again")).unwrap(), b"text");
        assert_eq!(send(&server, "DELETE /new/d/up/", b"").status, 409);
    }
    let removed = send(&server, "DELETE /new/d/", b"").status;
    assert!(removed == 204 || !is_forkful(), "{removed}");
    assert_eq!(fs::read(server.path("kept/f")).unwrap(), b"kept");
    assert!(names(&server.path("kept")).contains(&"f".to_owned()));
}

#[test]
fn permissions_are_those_that_were_asked_for() {
    let server = site("create_full_put_path on; dav_access group:rw all:r;").start();
    assert_eq!(put(&server, "/new/a/f", "text"), 201);
    assert_eq!(put(&server, "/new/a/g", "x".repeat(100_000)), 201);
    assert_eq!(send(&server, "MKCOL /new/b/", b"").status, 201);
    let mode = |path| fs::metadata(server.path(path)).unwrap().mode() & 0o777;
    assert_eq!([mode("html/new/a/f"), mode("html/new/a/g")], [0o664; 2]);
    if is_forkful() {
        // nginx leaves those of directories to the umask that it was started with.
        assert_eq!([mode("html/new/a"), mode("html/new/b")], [0o775; 2]);
    }
    let server = site("").start();
    put(&server, "/new/f", "text");
    let meta = fs::metadata(server.path("html/new/f")).unwrap();
    assert_eq!(meta.mode() & 0o777, 0o600);
}

#[test]
fn what_is_forbidden_and_what_is_full_changes_nothing() {
    if !is_forkful() {
        return;
    }
    let setup = site("").folder("html/new/full", 0o777);
    let place = setup.prefix().join("html/new/full");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs"]);
    if !run(mount.arg(&place)).status.success() {
        return skip("no file system can be mounted here");
    }
    let mut server = setup.folder("html/new/closed", 0o755).start();
    server.expect_log("(28: No space left on device)");
    for (status, body) in [
        (201, "old"),
        (507, &"x".repeat(100_000)),
        (507, &"x".repeat(10_000_000)),
    ] {
        assert_eq!(put(&server, "/new/full/f", body), status);
        assert_eq!(server.get("/new/full/f").text(), "old");
    }
    put(&server, "/new/large", "x".repeat(100_000));
    for method in ["COPY", "MOVE"] {
        assert_eq!(to(&server, method, "/new/large", "/new/full/f"), 507);
    }
    send(&server, "MKCOL /new/d/", b"");
    assert_eq!(to(&server, "MOVE", "/new/large", "/new/d/large"), 204);
    for method in ["COPY", "MOVE"] {
        assert_eq!(to(&server, method, "/new/d/", "/new/full/d/"), 507);
    }
    assert_eq!(names(&place), ["f"]);
    assert_eq!(names(&server.path("html/new/d")), ["large"]);
    assert_eq!(put(&server, "/new/closed/f", "text"), 403);
    assert_eq!(send(&server, "MKCOL /new/closed/d/", b"").status, 403);
    assert!(names(&server.path("body")).is_empty());
    // To the other file system and back.
    assert_eq!(put(&server, "/new/small", "small"), 201);
    assert_eq!(to(&server, "MOVE", "/new/small", "/new/full/small"), 204);
    assert_eq!(server.get("/new/full/small").text(), "small");
    assert_eq!(server.get("/new/small").status, 404);
    run(Command::new("umount").arg("-l").arg(&place));
}

#[test]
fn uploads_go_on_through_a_reload() {
    let server = site("").file("html/f.txt", "content").start();
    let body = "0123456789".repeat(100_000);
    let mut client = server.connect();
    let length = body.len();
    client.send(format!(
        "PUT /new/f HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    client.send(&body[..length / 2]);
    let load = Load::start(server.address(), 2, Reuse::Never, "content");
    server.signal(nix::sys::signal::Signal::SIGHUP);
    wait_until("another worker runs", || {
        (server.workers().len() >= 2).then_some(())
    });
    load.wait_for_more();
    client.send(&body[length / 2..]);
    assert_eq!(client.response().status, 201);
    assert_eq!(server.get("/new/f").text(), body);
    let (_, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
}
