//! Access and error logs: what stands in them, whole lines only, and rotation without a loss.

mod common;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{
    Load, Reuse, SITE, Setup, TestServer, Wrk, is_forkful, possible, scaled, scaled_count,
    wait_until,
};
use fancy_regex::Regex;
use nix::libc::{self, linger};
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};

fn site(http: &str) -> TestServer {
    Setup::http(http).file("html/f.txt", "content").start()
}

/// The lines of a log, as Latin-1.
fn lines(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap_or_default();
    assert!(
        bytes.is_empty() || bytes.ends_with(b"\n"),
        "{} ends within a line",
        path.display()
    );
    let text: String = bytes.into_iter().map(char::from).collect();
    text.lines().map(str::to_owned).collect()
}

/// Requests with a byte in one place each: path, query, user agent, referrer, user name.
fn with_byte(byte: u8) -> [Vec<u8>; 5] {
    let user = STANDARD.encode([b"<", &[byte][..], b">:secret"].concat());
    let place = |before: &str, byte: &[u8], after: &str| {
        [before.as_bytes(), byte, after.as_bytes(), b"\r\n\r\n"].concat()
    };
    let byte = &[byte][..];
    let head = "GET /f.txt HTTP/1.1\r\nHost: a\r\n";
    [
        place("GET /<", byte, "> HTTP/1.1\r\nHost: a"),
        place("GET /f.txt?<", byte, "> HTTP/1.1\r\nHost: a"),
        place(&format!("{head}User-Agent: <"), byte, ">"),
        place(&format!("{head}Referer: <"), byte, ">"),
        place(&format!("{head}Authorization: Basic "), user.as_bytes(), ""),
    ]
}

/// Asks with every byte in every place; returns the number of requests, well-formed or not.
fn ask_with_every_byte(server: &TestServer) -> usize {
    let requests = (0..=255).flat_map(with_byte);
    let ask = |request: Vec<u8>| {
        let mut client = server.connect();
        client.send(request);
        client.finish_sending();
        client.response()
    };
    requests.map(ask).count()
}

fn all_match(lines: &[String], pattern: &str) {
    let pattern = Regex::new(pattern).unwrap();
    for line in lines {
        assert!(pattern.is_match(line).unwrap(), "{line:?}");
    }
}

#[test]
fn hostile_bytes_are_escaped() {
    let mut server = site(SITE);
    let asked = ask_with_every_byte(&server);
    server.signal(Signal::SIGQUIT);
    server.wait();
    let lines = lines(&server.path("access.log"));
    assert_eq!(lines.len(), asked);
    let text = r#"(?:[^\x00-\x1f"\\\x7f-\xff]|\\x[0-9A-F]{2})*"#;
    all_match(
        &lines,
        &format!(r#"^127\.0\.0\.1 - {text} \[[^]]+\] "{text}" \d{{3}} \d+ "{text}" "{text}"$"#),
    );
}

#[test]
fn json_stays_json() {
    let mut server = site(
        "log_format j escape=json '{\"request\":\"$request\",\"uri\":\"$uri\",'
             '\"agent\":\"$http_user_agent\",\"referer\":\"$http_referer\",\"user\":\"$remote_user\"}';
        server { listen %LISTEN%; root %PREFIX%/html; access_log %PREFIX%/json.log j; }",
    );
    let asked = ask_with_every_byte(&server);
    server.signal(Signal::SIGQUIT);
    server.wait();
    let lines = lines(&server.path("json.log"));
    assert_eq!(lines.len(), asked);
    let string = r#""(?:[^\x00-\x1f"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*""#;
    let member = format!(r#""[a-z]+":{string}"#);
    all_match(&lines, &format!(r#"^\{{{member}(?:,{member}){{4}}\}}$"#));
    let bytes = fs::read(server.path("json.log")).unwrap();
    assert!(
        !is_forkful() || String::from_utf8(bytes).is_ok(),
        "not UTF-8"
    );
}

#[test]
fn the_error_log_has_one_line_for_each_event() {
    let server = site(SITE);
    for target in ["/%0a%0dforged", "/%1b[31m", "/%7f", "/%ff", "/\"quote\""] {
        server.get(target);
    }
    ask_with_every_byte(&server);
    let log = server.finish();
    if is_forkful() {
        let lines: Vec<String> = log.lines().map(str::to_owned).collect();
        all_match(
            &lines,
            r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] \d+#\d+: [ -~]*$",
        );
    }
    assert!(
        log.contains("failed (2: No such file or directory)"),
        "{log}"
    );
    assert!(log.contains("request: \"GET /%ff HTTP/1.1\""), "{log}");
}

#[test]
fn a_bad_request_is_a_line_at_info() {
    let server = site(SITE);
    let bad = [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nContent-Length: 3\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
    ];
    for request in bad {
        let mut client = server.connect();
        client.send(request);
        let status = client.response().status;
        assert!(matches!(status, 400 | 501), "{status}: {request:?}");
    }
    let log = server.finish();
    let of_clients = log
        .lines()
        .filter(|line| line.contains("client: 127.0.0.1"));
    let levels: Vec<bool> = of_clients.map(|line| line.contains("[info]")).collect();
    assert_eq!(levels, [true; 5], "{log}");
    assert!(!log.contains("[error]"), "{log}");
}

#[test]
fn logs_are_appended_to_and_others_read_them() {
    let server = site(SITE);
    assert_eq!(server.get("/f.txt").text(), "content");
    for name in ["access.log", "error.log"] {
        let path = server.path(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644, "{name}");
        for pid in [vec![server.pid()], server.workers()].concat() {
            let flags: Vec<u32> = flags_of(pid, &path);
            let appends = |flags: &u32| flags & libc::O_APPEND.cast_unsigned() != 0;
            assert!(
                !flags.is_empty() && flags.iter().all(appends),
                "{name} of {pid}: {flags:?}"
            );
        }
    }
}

/// The flags of the descriptors that a process has of a file.
fn flags_of(pid: u32, path: &Path) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let flags = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        fs::read_link(entry.path()).ok().filter(|it| it == path)?;
        let number = entry.file_name().into_string().unwrap();
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:\t"))?;
        u32::from_str_radix(flags, 8).ok()
    };
    entries.filter_map(flags).collect()
}

#[test]
fn a_request_that_breaks_off_is_a_line() {
    let server = site(SITE);
    for reset in [false, true] {
        let mut client = server.connect();
        client.get("/f.txt");
        client.send("GET /half HTTP");
        if reset {
            let at_once = linger {
                l_onoff: 1,
                l_linger: 0,
            };
            setsockopt(client.stream(), sockopt::Linger, &at_once).unwrap();
        }
    }
    wait_until("both are logged", || {
        let lines = lines(&server.path("access.log"));
        let broken = |line: &&String| line.contains("\"GET /half HTTP\" 400 ");
        (lines.iter().filter(broken).count() == 2).then_some(())
    });
}

#[test]
fn the_level_of_the_error_log_is_kept() {
    let server = Setup::config(
        "daemon off; worker_processes 1; pid %PREFIX%/pid; error_log %PREFIX%/quiet.log crit; events {}
        http { access_log off; server { listen %LISTEN%; root %PREFIX%/html; } }",
    )
    .start();
    assert!(matches!(server.get("/none").status, 403 | 404));
    assert_eq!(fs::read_to_string(server.path("quiet.log")).unwrap(), "");
}

/// Rotates a log again and again while `more` says so; returns all pieces, the last one first.
fn rotate(server: &TestServer, name: &str, mut more: impl FnMut(usize) -> bool) -> Vec<PathBuf> {
    let mut pieces: Vec<PathBuf> = vec![server.path(name)];
    while more(pieces.len() - 1) {
        let piece = server.path(&format!("{name}.{}", pieces.len()));
        fs::rename(server.path(name), &piece).unwrap();
        pieces.push(piece);
        server.signal(Signal::SIGUSR1);
        wait_until("there is a new log", || {
            server.path(name).exists().then_some(())
        });
    }
    pieces
}

/// Rotates the access log under load, and counts the lines of all pieces.
#[test]
fn rotation_loses_no_line() {
    let mut server = Setup::with_main("worker_processes 2;", SITE)
        .file("html/f.txt", "content")
        .start();
    let load = Load::start(server.address(), 4, Reuse::KeepAlive, "content");
    let rotations = scaled_count(1200, 10);
    let pieces = rotate(&server, "access.log", |done| {
        load.wait_for_more();
        done < rotations
    });
    let (answered, failures) = load.finish();
    assert!(failures.is_empty(), "{failures:?}");
    server.signal(Signal::SIGQUIT);
    server.wait();
    let all: Vec<String> = pieces.iter().flat_map(|piece| lines(piece)).collect();
    all_match(&all, r#""GET /f\.txt HTTP/1\.1" 200 7 "-" "-"$"#);
    assert_eq!(all.len(), answered);
}

/// The same as fast as the server can, with buffers and without.
#[test]
fn rotation_at_saturation_loses_no_line() {
    if !possible(Wrk::is_installed(), "wrk is not installed") {
        return;
    }
    let filling = "x".repeat(100);
    let config = |parameters: &str| {
        format!(
            "log_format numbered '$connection $connection_requests {filling} end';
            server {{ listen %LISTEN%; root %PREFIX%/html; keepalive_requests 1000000;
            access_log %PREFIX%/wrk.log numbered {parameters}; }}"
        )
    };
    for parameters in ["", "buffer=64k flush=1s"] {
        let mut server = Setup::with_main("worker_processes 2;", &config(parameters))
            .file("html/f.txt", "content")
            .start();
        let duration = scaled(Duration::from_secs(60), Duration::from_secs(2));
        let mut wrk = Wrk::start(server.address(), duration, Reuse::KeepAlive);
        let pieces = rotate(&server, "wrk.log", |_| {
            let size = || fs::metadata(server.path("wrk.log")).map_or(0, |meta| meta.len());
            wait_until("the log grows", || {
                (size() > 0 || !wrk.runs()).then_some(())
            });
            wrk.runs()
        });
        let report = wrk.finish();
        server.signal(Signal::SIGQUIT);
        server.wait();
        assert!(report.is_clean(), "{report:?}");
        assert!(pieces.len() > 3, "{} pieces", pieces.len());
        let all: Vec<String> = pieces.iter().flat_map(|piece| lines(piece)).collect();
        let whole = |line: &String| line.len() > 100 && line.ends_with("x end");
        assert!(all.iter().all(whole), "a line in pieces");
        every_request_of_a_connection_is_there(&all);
        // Those under way when wrk has ended are lines, but not in its report.
        let expected = report.requests as usize..=report.requests as usize + 64;
        assert!(
            expected.contains(&all.len()),
            "{} lines: {report:?}",
            all.len()
        );
    }
}

/// Lines begin with the number of a connection, and of the request on it, from 1.
fn every_request_of_a_connection_is_there(lines: &[String]) {
    let mut connections: HashMap<&str, Vec<usize>> = HashMap::new();
    for line in lines {
        let mut words = line.split(' ');
        let connection = words.next().unwrap();
        let request = words.next().unwrap().parse().unwrap();
        connections.entry(connection).or_default().push(request);
    }
    for (connection, mut requests) in connections {
        requests.sort();
        assert!(
            requests.iter().copied().eq(1..=requests.len()),
            "{connection}: {requests:?}"
        );
    }
}

#[test]
fn a_rotated_log_is_not_held_open() {
    let server = site(SITE);
    fs::rename(server.path("access.log"), server.path("old.log")).unwrap();
    server.signal(Signal::SIGUSR1);
    let processes = [vec![server.pid()], server.workers()].concat();
    wait_until("nobody holds the old log", || {
        let held = |pid: &u32| common::descriptors(*pid).contains(&server.path("old.log"));
        (!processes.iter().any(held)).then_some(())
    });
}

const BUFFERED: &str = "access_log %PREFIX%/buffered.log combined buffer=64k flush=1s;
    server { listen %LISTEN%; root %PREFIX%/html; }";

#[test]
fn a_buffer_is_written_in_time() {
    let server = site(BUFFERED);
    server.get("/f.txt");
    wait_until("the line is written", || {
        (lines(&server.path("buffered.log")).len() == 1).then_some(())
    });
}

#[test]
fn a_buffer_is_written_at_every_end() {
    for signal in [Signal::SIGQUIT, Signal::SIGTERM] {
        let mut server = site(&BUFFERED.replace("flush=1s", "flush=1h"));
        server.get("/f.txt");
        assert_eq!(
            lines(&server.path("buffered.log")).len(),
            0,
            "it was not buffered"
        );
        server.signal(signal);
        server.wait();
        assert_eq!(
            lines(&server.path("buffered.log")).len(),
            1,
            "after {signal}"
        );
    }
}

#[test]
fn a_buffer_is_written_before_the_log_is_reopened() {
    let server = site(&BUFFERED.replace("flush=1s", "flush=1h"));
    server.get("/f.txt");
    fs::rename(server.path("buffered.log"), server.path("old.log")).unwrap();
    server.signal(Signal::SIGUSR1);
    wait_until("the line is in the old log", || {
        (lines(&server.path("old.log")).len() == 1).then_some(())
    });
}

#[test]
fn long_lines_of_many_workers_stay_whole() {
    let mut server = Setup::with_main("worker_processes 4;", SITE).start();
    let address = server.address();
    let ask = move |letter: char| {
        let target = format!("/?{}", letter.to_string().repeat(6000));
        for _ in 0..50 {
            common::Client::connect(address).get(&target);
        }
    };
    let threads: Vec<_> = ('a'..='h')
        .map(|letter| std::thread::spawn(move || ask(letter)))
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    server.signal(Signal::SIGQUIT);
    server.wait();
    let lines = lines(&server.path("access.log"));
    assert_eq!(lines.len(), 8 * 50);
    all_match(
        &lines,
        r#""GET /\?(?:a{6000}|b{6000}|c{6000}|d{6000}|e{6000}|f{6000}|g{6000}|h{6000}) HTTP/1\.1""#,
    );
}
