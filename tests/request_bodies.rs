//! Bodies of requests that are kept: in memory, in files, and what is left of them in the end.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Client, Setup, TestServer, is_forkful, run, signal, skip, wait_until};
use nix::sys::signal::Signal;

/// A server that reads all bodies first and tells what they were; Debian's nginx cannot.
fn echo(directives: &str) -> Setup {
    Setup::http(&format!(
        "client_body_early_read 1; client_body_temp_path %PREFIX%/body;
         client_body_buffer_size 100; client_max_body_size 100k; {directives}
         server {{ listen %LISTEN%; root %PREFIX%/html;
             location / {{ return 200 \"$request_body|$request_body_file\"; }}
             location /less {{ client_max_body_size 10; return 200 \"$request_body\"; }}
             location /more {{ client_max_body_size 0; return 200 \"$request_body\"; }}
             location /rewrite {{ rewrite ^ /other last; }}
             location /length {{ return 200 $request_length; }} }}"
    ))
}

fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn answer(server: &TestServer, request: &str) -> (u16, String) {
    let mut client = server.connect();
    client.send(request);
    let response = client.response();
    (response.status, response.text())
}

/// All files beneath a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().path());
    let below = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    entries.flat_map(below).collect()
}

#[test]
fn what_is_small_is_a_variable() {
    if !is_forkful() {
        return;
    }
    let server = echo("").start();
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let large = "x".repeat(124);
    for (request, expected) in [
        (post("/", "hello"), (200, "hello|".to_owned())),
        (post("/", ""), (200, "|".to_owned())),
        (chunked.to_owned(), (200, "abcde|".to_owned())),
        (post("/rewrite", "hello"), (200, "hello|".to_owned())),
        (post("/", &large), (200, format!("{large}|"))),
        (post("/less", "0123456789"), (200, "0123456789".to_owned())),
    ] {
        assert_eq!(answer(&server, &request), expected, "{request}");
    }
    let head = post("/length", "").len();
    let (_, length) = answer(&server, &post("/length", "12345"));
    assert_eq!(length, (head + 5).to_string());
    for (target, length) in [("/less", 11), ("/", 102_401), ("/more", 102_401)] {
        let request = post(target, &"x".repeat(length));
        let mut client = server.connect();
        let _ = client.try_send(request);
        assert_eq!(client.response().status, 413, "{target}");
    }
    let (first, second) = (post("/", "one"), post("/", &"2".repeat(110)));
    let mut client = server.connect();
    client.send(first + &second);
    assert_eq!(client.response().text(), "one|");
    assert_eq!(client.response().text(), format!("{}|", "2".repeat(110)));
    assert!(files(&server.path("body")).is_empty());
}

#[test]
fn only_a_condition_that_holds_has_a_body_read() {
    if !is_forkful() {
        return;
    }
    let server = Setup::http(
        "client_body_early_read $arg_a $arg_b; server { listen %LISTEN%;
            return 200 \"<$request_body>\"; }",
    )
    .start();
    for (target, expected) in [
        ("/", "<>"),
        ("/?a=0&b=", "<>"),
        ("/?a=0&b=1", "<text>"),
        ("/?a=00", "<text>"),
    ] {
        let (_, text) = answer(&server, &post(target, "text"));
        assert_eq!(text, expected, "{target}");
    }
}

#[test]
fn leave_is_given_to_send_what_is_wanted() {
    if !is_forkful() {
        return;
    }
    let server = echo("").start();
    let ask = |length: usize| {
        let mut client = server.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        ));
        client
    };
    let mut client = ask(5);
    assert_eq!(client.response().status, 100);
    client.send("hello");
    assert_eq!(client.response().text(), "hello|");
    assert_eq!(ask(200_000).response().status, 413);
}

#[test]
fn what_is_large_is_in_a_file_for_as_long_as_it_was_said() {
    if !is_forkful() {
        return;
    }
    for (mode, length, kept) in [
        ("off", 125, false),
        ("off", 100_000, false),
        ("clean", 5, false),
        ("clean", 100_000, false),
        ("on", 0, false),
        ("on", 5, true),
        ("on", 100_000, true),
    ] {
        let server = echo(&format!("client_body_in_file_only {mode};")).start();
        let directory = server.path("body");
        let body = "0123456789".repeat(10_000)[..length].to_owned();
        let (status, text) = answer(&server, &post("/", &body));
        assert_eq!(status, 200);
        let path = text.strip_prefix('|').expect("no variable holds it");
        assert_eq!(
            path.starts_with(directory.to_str().unwrap()),
            length > 0,
            "{text}"
        );
        if kept {
            assert_eq!(fs::read_to_string(path).unwrap(), body, "{mode}");
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        } else {
            wait_until("nothing is left", || {
                files(&directory).is_empty().then_some(())
            });
        }
        let told = server.finish();
        let what = "a client request body is buffered to a temporary file";
        assert_eq!(told.contains(what), length > 0, "{mode}: {told}");
    }
}

#[test]
fn the_directory_is_made_for_the_workers_and_so_are_its_levels() {
    if !is_forkful() {
        return;
    }
    let server = Setup::http(
        "client_body_early_read 1; client_body_in_file_only on;
         client_body_temp_path %PREFIX%/body 1 2;
         server { listen %LISTEN%; return 200 $request_body_file; }",
    )
    .start();
    let meta = fs::metadata(server.path("body")).unwrap();
    assert_eq!(meta.mode() & 0o777, 0o700);
    let is_root = nix::unistd::geteuid().is_root();
    assert!(!is_root || meta.uid() != 0);
    let (_, path) = answer(&server, &post("/", "text"));
    let name = path.rsplit('/').next().unwrap();
    let (rest, last) = name.split_at(name.len() - 1);
    let middle = &rest[rest.len() - 2..];
    let expected = server.path(&format!("body/{last}/{middle}/{name}"));
    assert_eq!(Path::new(&path), expected);
    assert_eq!(fs::read(path).unwrap(), b"text");
}

/// A request whose body is half sent, and the file that it is in.
fn half(server: &TestServer) -> (Client, PathBuf) {
    let mut client = server.connect();
    let whole = post("/", &"x".repeat(50_000));
    client.send(&whole[..whole.len() / 2]);
    let directory = server.path("body");
    let file = wait_until("a part is in a file", || {
        let mut files = files(&directory).into_iter();
        files.find(|file| fs::metadata(file).is_ok_and(|meta| meta.len() > 10_000))
    });
    (client, file)
}

#[test]
fn a_client_that_goes_leaves_no_file() {
    if !is_forkful() {
        return;
    }
    let server = echo("client_body_in_file_only clean;").start();
    let (client, file) = half(&server);
    drop(client);
    wait_until("the file is gone", || (!file.exists()).then_some(()));
}

#[test]
fn what_a_dead_worker_left_is_removed_by_the_next() {
    if !is_forkful() {
        return;
    }
    let mut server = echo("client_body_in_file_only clean;").start();
    server.expect_log("signal 9");
    let (_client, file) = half(&server);
    fs::write(server.path("body/0000000001"), "of somebody else").unwrap();
    signal(server.workers()[0], Signal::SIGKILL);
    wait_until("the file is gone", || (!file.exists()).then_some(()));
    assert!(server.path("body/0000000001").exists());
    wait_until("a worker runs", || {
        (server.workers().len() == 1).then_some(())
    });
    // One that is in use stays when another worker starts.
    let (mut client, file) = half(&server);
    let left = server.path("body/0000000002.part");
    fs::write(&left, "").unwrap();
    server.signal(Signal::SIGHUP);
    wait_until("what was left is gone", || (!left.exists()).then_some(()));
    assert!(file.exists());
    client.send("x".repeat(30_000));
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    if !is_forkful() {
        return;
    }
    let server = echo("client_body_timeout 100ms;").start();
    let mut client = server.connect();
    let whole = post("/", "hello");
    client.send(&whole[..whole.len() - 1]);
    assert_eq!(client.response().status, 408);
    client.expect_closed();
}

#[test]
fn a_full_disk_costs_the_request_that_filled_it() {
    if !is_forkful() {
        return;
    }
    let mut setup = echo("").folder("body", 0o700);
    let place = setup.prefix().join("body");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs"]);
    if !run(mount.arg(&place)).status.success() {
        return skip("no file system can be mounted here");
    }
    setup = setup.file("html/f.txt", "content");
    let mut server = setup.start();
    server.expect_log("request body cannot be written to");
    let mut client = server.connect();
    let _ = client.try_send(post("/", &"x".repeat(99_000)));
    assert_eq!(client.response().status, 500);
    server.wait_for_log("(28: No space left on device)");
    wait_until("there is room again", || {
        let (status, _) = answer(&server, &post("/", &"x".repeat(40_000)));
        (status == 200).then_some(())
    });
    run(Command::new("umount").arg("-l").arg(&place));
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_of_the_start() {
    if !is_forkful() {
        return;
    }
    let text = "client_body_early_read 1; client_body_temp_path %PREFIX%/none/body;
        server { listen %LISTEN%; }";
    let mut server = Setup::http(text).spawn();
    server.expect_log("/none/body\" failed (2: No such file or directory)");
    assert_eq!(server.wait(), 1);
    let log = server.finish();
    assert!(log.contains("mkdir() \"/"), "{log}");
    // Where nobody wants a body there is none.
    let text = "client_body_temp_path %PREFIX%/none/body; server { listen %LISTEN%; }";
    let server = Setup::http(text).start();
    assert!(!server.path("none").exists());
    let mode = fs::metadata(server.path("")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}
