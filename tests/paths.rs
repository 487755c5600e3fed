//! What the file system can do to a server: odd kinds of files, links, and changes while they are sent.

mod common;

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use common::{Client, SITE, Setup, TestServer, is_forkful};
use nix::sys::stat::Mode;

const BIG: usize = 20 << 20;

fn site() -> TestServer {
    Setup::http(SITE)
        .file("html/f.txt", "content")
        .file("html/big", vec![b'x'; BIG])
        .start()
}

/// A download under way, of which little has been read.
fn download(server: &TestServer) -> Client {
    let mut client = server.connect();
    client.send_get("/big");
    client.fill().unwrap();
    client
}

#[test]
fn fifos_and_sockets_are_refused_at_once() {
    let mut server = site();
    server.tolerate_of_nginx("is not a regular file");
    server.tolerate_of_nginx("failed (6: No such device or address)");
    nix::unistd::mkfifo(&server.path("html/fifo"), Mode::from_bits_truncate(0o666)).unwrap();
    let _socket = UnixListener::bind(server.path("html/socket")).unwrap();
    symlink("/dev/zero", server.path("html/device")).unwrap();
    for name in ["/fifo", "/socket", "/device"] {
        let status = server.get(name).status;
        let refused = matches!(status, 403 | 404) || !is_forkful() && status == 500;
        assert!(refused, "{name}: {status}");
    }
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn what_may_not_be_read_is_forbidden() {
    let server = site();
    server.write("html/private", "secret");
    server.write("html/closed/f.txt", "secret");
    let none = Permissions::from_mode(0o0);
    fs::set_permissions(server.path("html/private"), none.clone()).unwrap();
    fs::set_permissions(server.path("html/closed"), none).unwrap();
    for name in ["/private", "/closed/f.txt", "/closed/"] {
        let response = server.get(name);
        assert_eq!(response.status, 403, "{name}");
        let shown = response.text();
        assert!(
            !shown.contains(server.path("").to_str().unwrap()),
            "it shows a path: {shown}"
        );
    }
    fs::set_permissions(server.path("html/closed"), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn links_that_lead_nowhere_are_no_server_error() {
    let mut server = site();
    server.tolerate_of_nginx("Too many levels of symbolic links");
    symlink("loop", server.path("html/loop")).unwrap();
    symlink("none", server.path("html/dangling")).unwrap();
    let status = server.get("/loop").status;
    assert!(matches!(status, 403 | 404) || !is_forkful(), "{status}");
    assert_eq!(server.get("/dangling").status, 404);
}

#[test]
fn links_are_followed() {
    let server = site();
    symlink("f.txt", server.path("html/link")).unwrap();
    symlink(server.path("html"), server.path("html/again")).unwrap();
    assert_eq!(server.get("/link").text(), "content");
    assert_eq!(server.get("/again/again/f.txt").text(), "content");
}

#[test]
fn a_switched_link_is_seen_without_a_reload() {
    let server = Setup::http("server { listen %LISTEN%; root %PREFIX%/current; }")
        .file("v1/f.txt", "one")
        .file("v2/f.txt", "two")
        .start();
    symlink("v1", server.path("current")).unwrap();
    let mut client = server.connect();
    assert_eq!(client.get("/f.txt").text(), "one");
    symlink("v2", server.path("next")).unwrap();
    fs::rename(server.path("next"), server.path("current")).unwrap();
    common::wait_until("the new version is served", || {
        (client.get("/f.txt").text() == "two").then_some(())
    });
}

#[test]
fn a_rebuilt_directory_is_seen_without_a_reload() {
    let server = site();
    assert_eq!(server.get("/f.txt").text(), "content");
    fs::remove_dir_all(server.path("html")).unwrap();
    server.write("html/f.txt", "rebuilt");
    server.write("html/new.txt", "new");
    common::wait_until("the new content is served", || {
        (server.get("/f.txt").text() == "rebuilt").then_some(())
    });
    assert_eq!(server.get("/new.txt").text(), "new");
}

#[test]
fn a_removed_file_is_gone() {
    let server = site();
    assert_eq!(server.get("/f.txt").status, 200);
    fs::remove_file(server.path("html/f.txt")).unwrap();
    common::wait_until("it is not found", || {
        (server.get("/f.txt").status == 404).then_some(())
    });
}

#[test]
fn what_was_opened_is_what_is_sent() {
    let server = site();
    let (short, long) = ("s".repeat(10), "l".repeat(100_000));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for content in [&short, &long].into_iter().cycle() {
                fs::write(server.path("html/next"), content).unwrap();
                fs::rename(server.path("html/next"), server.path("html/f.txt")).unwrap();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let mut client = server.connect();
        for _ in 0..900 {
            let response = client.get("/f.txt");
            let text = response.text();
            assert!(
                [&short, &long, "content"].contains(&text.as_str()),
                "{} bytes",
                text.len()
            );
            let size = format!("-{:x}\"", text.len());
            assert!(
                response.header("ETag").unwrap().ends_with(&size),
                "{:?}",
                response.headers
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_file_truncated_while_it_is_sent_ends_the_connection() {
    let mut server = site();
    server.tolerate_of_nginx("pread() read only");
    let mut client = download(&server);
    File::options()
        .write(true)
        .open(server.path("html/big"))
        .unwrap()
        .set_len(0)
        .unwrap();
    assert!(
        client.try_response(false).is_err(),
        "a whole body of a truncated file"
    );
    assert!(client.has_ended(), "the connection hangs");
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn a_file_written_to_while_it_is_sent_ends_the_connection() {
    if !is_forkful() {
        return; // nginx sends a mixture
    }
    let server = site();
    let mut client = download(&server);
    let mut file = File::options()
        .write(true)
        .open(server.path("html/big"))
        .unwrap();
    file.write_all(&vec![b'y'; BIG]).unwrap();
    assert!(
        client.try_response(false).is_err(),
        "a whole body of a changed file"
    );
    assert!(client.has_ended(), "the connection hangs");
}

#[test]
fn a_file_that_grows_while_it_is_sent_ends_where_it_was_promised() {
    let server = site();
    let mut client = download(&server);
    let mut file = File::options()
        .append(true)
        .open(server.path("html/big"))
        .unwrap();
    file.write_all(&[b'y'; 100_000]).unwrap();
    let response = client.response();
    assert_eq!(response.body.len(), BIG);
    assert!(response.body.iter().all(|&byte| byte == b'x'));
    assert_eq!(client.get("/f.txt").text(), "content");
}

#[test]
fn a_file_replaced_or_removed_while_it_is_sent_is_finished() {
    let server = site();
    let mut first = download(&server);
    server.write("html/next", "replaced");
    fs::rename(server.path("html/next"), server.path("html/big")).unwrap();
    assert_eq!(first.response().body.len(), BIG);
    let mut second = server.connect();
    assert_eq!(second.get("/big").text(), "replaced");
}

#[test]
fn files_larger_than_four_gigabytes() {
    const SIZE: u64 = 5 << 30;
    let server = site();
    File::create(server.path("html/huge"))
        .unwrap()
        .set_len(SIZE)
        .unwrap();
    let mut client = server.connect();
    client.send("HEAD /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        client.head_response().header("Content-Length"),
        Some("5368709120")
    );
    for range in ["4294967294-4294967297", "5368709116-", "-4"] {
        client.send(format!(
            "GET /huge HTTP/1.1\r\nHost: a\r\nRange: bytes={range}\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(
            (response.status, response.body),
            (206, vec![0; 4]),
            "{range}"
        );
    }
}

#[test]
fn times_of_all_ages_are_dates() {
    let server = site();
    let file = File::options()
        .write(true)
        .open(server.path("html/f.txt"))
        .unwrap();
    let age = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(86_400);
    let times = [
        (age(0), "Thu, 01 Jan 1970 00:00:00 GMT"),
        (age(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT"),
        (age(4_294_967_296), "Sun, 07 Feb 2106 06:28:16 GMT"),
        (before, "Wed, 31 Dec 1969 00:00:00 GMT"),
    ];
    for (time, date) in times {
        file.set_modified(time).unwrap();
        let response = server.get("/f.txt");
        assert_eq!(response.text(), "content");
        let said = response.header("Last-Modified").expect("a date");
        let at_latest_the_epoch = time < SystemTime::UNIX_EPOCH && said == times[0].1;
        assert!(said == date || at_latest_the_epoch, "{date}: {said}");
    }
}

/// Whether a link of a listing is neither the parent's nor the page's own.
fn is_entry(link: &str) -> bool {
    !link.starts_with('.') && !link.starts_with("data:") && link != "/"
}

#[test]
fn listings_escape_names() {
    let names = [
        "<img src=x onerror=alert(1)>",
        "\"quoted\"",
        "line\nfeed",
        "a&b",
        "50%",
        "q?x#y",
    ];
    let mut setup = Setup::http("server { listen %LISTEN%; root %PREFIX%/html; autoindex on; }");
    for name in names {
        setup = setup.file(&format!("html/{name}"), "x");
    }
    let server = setup.file("html/.hidden", "x").start();
    let listing = server.get("/").text();
    assert!(!listing.contains("<img"), "{listing}");
    assert!(!listing.contains(".hidden"), "{listing}");
    let links: Vec<&str> = listing
        .split("href=\"")
        .skip(1)
        .filter_map(|it| it.split('"').next())
        .collect();
    let found = links.iter().filter(|link| is_entry(link)).count();
    assert_eq!(found, names.len(), "{links:?}");
    for link in links.iter().filter(|link| is_entry(link)) {
        let target = link.replace("&amp;", "&");
        assert_eq!(
            server
                .get(&format!("/{}", target.trim_start_matches('/')))
                .text(),
            "x",
            "{link}"
        );
    }
}

#[test]
fn a_directory_redirect_never_names_another_host() {
    let server = Setup::http(
        "server { listen %LISTEN%; root %PREFIX%/html; merge_slashes off; absolute_redirect off; }",
    )
    .file("html/evil.com/index.html", "x")
    .start();
    for target in [
        "//evil.com",
        "///evil.com",
        "//evil.com/..//evil.com",
        "/.//evil.com",
    ] {
        let response = server.get(target);
        let location = response.header("Location").unwrap_or("/");
        let leaves = location.starts_with("//") || location.starts_with("/\\");
        assert!(!leaves || !is_forkful(), "{target}: {location}");
    }
}

#[test]
fn a_path_cannot_split_a_header() {
    if !is_forkful() {
        return; // nginx sends the bytes as they are
    }
    let server = Setup::http(
        "server { listen %LISTEN%; root %PREFIX%/html; add_header X-Uri $uri always;
             location /return { return 302 /x$uri; }
             location ~ ^/capture/(?<rest>.*)$ { add_header X-Rest $rest; return 302 /x/$1; }
             location /page { error_page 404 =301 http://a$uri; } }",
    )
    .file("html/directory\r\nX-Injected: yes/index.html", "x")
    .start();
    for target in ["/return", "/capture/", "/page", "/directory", "/none"] {
        for end in ["%0d%0a", "%0a", "%0d", "%0D%0A%0D%0A"] {
            let target = format!("{target}{end}X-Injected:%20yes");
            let response = server.get(&target);
            assert_eq!(
                response.header("X-Injected"),
                None,
                "{target}: {response:?}"
            );
            let values = response.headers.iter().map(|(_, value)| value);
            let controls = values.filter(|value| value.contains(char::is_control));
            assert_eq!(controls.count(), 0, "{target}: {response:?}");
        }
    }
    let redirect = server.get("/directory%0d%0aX-Injected:%20yes");
    assert_eq!(redirect.status, 301, "{redirect:?}");
}

#[test]
fn an_alias_does_not_leak_what_is_beside_it() {
    if !is_forkful() {
        return; // nginx does
    }
    let server = Setup::http("server { listen %LISTEN%; location /i { alias %PREFIX%/html/; } }")
        .file("html/f.txt", "content")
        .file("secret", "secret")
        .start();
    assert_eq!(server.get("/i/f.txt").text(), "content");
    for target in ["/i../secret", "/i.%2e/secret", "/i..%2fsecret"] {
        assert!(matches!(server.get(target).status, 403 | 404), "{target}");
    }
}
