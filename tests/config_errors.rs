//! Configurations that must be refused: exit code 1, one clear reason, file and line; and never a crash.

mod common;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{LIMIT, binary, is_forkful, run, scaled, scaled_count, stop, within};
use tempfile::TempDir;

fn test(files: &[(&str, &[u8])]) -> Output {
    let place = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(place.path().join(name), content).unwrap();
    }
    let mut command = Command::new(binary());
    command
        .arg("-t")
        .arg("-p")
        .arg(place.path())
        .arg("-c")
        .arg(place.path().join("server.conf"));
    run(command.arg("-e").arg(place.path().join("error.log")))
}

/// Requires a refusal with these words, at this line of `server.conf`.
fn refused(config: impl AsRef<[u8]>, line: usize, words: &str) {
    let config = config.as_ref();
    let output = test(&[("server.conf", config)]);
    let text = String::from_utf8_lossy(&output.stderr);
    let start = String::from_utf8_lossy(&config[..config.len().min(200)]);
    assert_eq!(output.status.code(), Some(1), "{start}\n{text}");
    assert!(
        text.contains(words),
        "{words:?} expected for\n{start}\n{text}"
    );
    if !is_forkful() && !text.contains("server.conf:") {
        return; // nginx does not know the place of every error
    }
    assert!(
        text.contains(&format!("server.conf:{line}")),
        "line {line} expected for\n{start}\n{text}"
    );
}

fn in_server(line: &str) -> String {
    format!("events {{}}\nhttp {{ server {{\n{line}\n}} }}\n")
}

#[test]
fn syntax() {
    refused(
        "events {}\nhttp {\n",
        3,
        "unexpected end of file, expecting \"}\"",
    );
    refused("events {}\n}\n", 2, "unexpected \"}\"");
    refused(
        "events {}\nuser nobody\n",
        3,
        "unexpected end of file, expecting \";\" or \"}\"",
    );
    let open_quote = if is_forkful() { 2 } else { 3 };
    refused(
        "events {}\nuser \"nobody;\n",
        open_quote,
        "unexpected end of file",
    );
    refused("events {}\n;\n", 2, "unexpected \";\"");
    refused("events {}\n{\n}\n", 2, "unexpected \"{\"");
    refused(
        "events {}\nworker_processes \"1\"2;\n",
        2,
        "unexpected \"2\"",
    );
    refused(
        "events {}\nhttp { server { listen 80 }\n}\n",
        2,
        "unexpected \"}\"",
    );
}

#[test]
fn bytes_that_do_not_belong() {
    for config in [
        &b"events {}\nuser nob\0dy;\n"[..],
        b"events {}\n\0\n",
        b"events {}\n\xff\xfe;\n",
    ] {
        let output = test(&[("server.conf", config)]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{:?}: {output:?}",
            config.escape_ascii()
        );
    }
    let crlf = b"events {}\r\nhttp {\r\n}\r\n";
    assert!(test(&[("server.conf", crlf)]).status.success());
    let bom = test(&[("server.conf", b"\xef\xbb\xbfevents {}\nhttp {}\n")]);
    assert_eq!(
        bom.status.success(),
        is_forkful(),
        "a byte order mark: {bom:?}"
    );
}

#[test]
fn directives() {
    refused(
        "events {}\nworker_process 1;\n",
        2,
        "unknown directive \"worker_process\"",
    );
    refused(
        "events {}\nroot /x;\n",
        2,
        "\"root\" directive is not allowed here",
    );
    refused(
        "events {}\nhttp { user x; }\n",
        2,
        "\"user\" directive is not allowed here",
    );
    refused(
        "events {}\nworker_processes 1 2;\n",
        2,
        "invalid number of arguments in \"worker_processes\" directive",
    );
    refused(
        "events {}\nworker_processes 1;\nworker_processes 2;\n",
        3,
        "\"worker_processes\" directive is duplicate",
    );
    refused(
        "events {}\nhttp;\n",
        2,
        "directive \"http\" has no opening \"{\"",
    );
    refused(
        "events {}\nworker_processes 1 {}\n",
        2,
        "directive \"worker_processes\" is not terminated by \";\"",
    );
    refused(
        in_server("root /x;\nroot /y;"),
        4,
        "\"root\" directive is duplicate",
    );
    refused(
        in_server("root /x; alias /y;"),
        3,
        "\"alias\" directive is not allowed here",
    );
    refused(
        in_server("location / { root /x; alias /y; }"),
        3,
        "directive is duplicate",
    );
}

#[test]
fn values() {
    refused(
        in_server("sendfile maybe;"),
        3,
        "invalid value \"maybe\" in \"sendfile\" directive",
    );
    refused(
        in_server("client_max_body_size 99999999999999999999g;"),
        3,
        "\"client_max_body_size\" directive invalid value",
    );
    refused(
        in_server("client_max_body_size -1;"),
        3,
        "\"client_max_body_size\" directive invalid value",
    );
    refused(
        in_server("send_timeout 5x;"),
        3,
        "\"send_timeout\" directive invalid value",
    );
    refused(
        in_server("send_timeout 99999999999999999999;"),
        3,
        "\"send_timeout\" directive invalid value",
    );
    refused(in_server("max_ranges many;"), 3, "invalid number");
    refused(
        in_server("listen 127.0.0.1:99999;"),
        3,
        "invalid port in \"127.0.0.1:99999\" of the \"listen\" directive",
    );
    refused(
        in_server("listen 80 nonsense;"),
        3,
        "invalid parameter \"nonsense\"",
    );
    refused(
        in_server("return 99999;"),
        3,
        "invalid return code \"99999\"",
    );
    refused(
        in_server("error_page 200 /x;"),
        3,
        "value \"200\" must be between 300 and 599",
    );
    refused(
        in_server("allow 1.2.3.4.5;"),
        3,
        "invalid parameter \"1.2.3.4.5\"",
    );
    refused(in_server("expires never;"), 3, "invalid value");
    refused(
        in_server("return 200 $no_such_variable;"),
        3,
        "unknown \"no_such_variable\" variable",
    );
    refused("worker_processes 0x10;\nevents {}\n", 1, "invalid");
    refused(
        "error_log /dev/null loud;\nevents {}\n",
        1,
        "invalid log level \"loud\"",
    );
}

#[test]
fn servers_and_locations() {
    refused(
        in_server("location / {}\nlocation / {}"),
        4,
        "duplicate location \"/\"",
    );
    refused(
        in_server("location /a/ { location /b/ {} }"),
        3,
        "location \"/b/\" is outside location \"/a/\"",
    );
    refused(in_server("location ~ (unclosed {}"), 3, "");
    refused(in_server("server_name ~(;"), 3, "");
    refused(
        in_server("try_files $uri;"),
        3,
        "invalid number of arguments in \"try_files\" directive",
    );
    let twice =
        "listen 127.0.0.1:8 default_server;\n} server {\nlisten 127.0.0.1:8 default_server;";
    refused(
        in_server(twice),
        5,
        "a duplicate default server for 127.0.0.1:8",
    );
    refused(
        in_server("listen 127.0.0.1:8;\nlisten 127.0.0.1:8;"),
        4,
        "a duplicate listen 127.0.0.1:8",
    );
}

#[test]
fn what_changes_who_may_see_a_site_is_refused_while_it_is_not_built() {
    if !is_forkful() {
        return;
    }
    for line in [
        "listen 443 ssl;",
        "auth_jwt \"private\";",
        "location / { proxy_pass http://x; }",
    ] {
        refused(in_server(line), 3, "");
    }
}

#[test]
fn every_error_is_reported() {
    if !is_forkful() {
        return; // nginx stops at the first
    }
    let output = test(&[(
        "server.conf",
        b"events {}\nusr x;\nhttp {\n  sendfil on;\n  etag maybe;\n}\n",
    )]);
    let text = String::from_utf8_lossy(&output.stderr);
    for words in [
        "\"usr\"",
        "\"sendfil\"",
        "\"maybe\"",
        "server.conf:2:",
        "server.conf:4:",
        "server.conf:5:",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}

#[test]
fn includes() {
    let including: &[u8] = b"events {}\ninclude more.conf;\n";
    let missing = test(&[("server.conf", including)]);
    let text = String::from_utf8_lossy(&missing.stderr);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text.contains("more.conf\" failed (2: No such file or directory)"),
        "{text}"
    );
    assert!(text.contains("server.conf:2"), "{text}");
    let glob = b"events {}\ninclude none/*.conf;\n";
    assert!(
        test(&[("server.conf", glob)]).status.success(),
        "a glob may match nothing"
    );
    let inner = test(&[
        ("server.conf", including),
        ("more.conf", b"\n\nnonsense;\n"),
    ]);
    assert!(
        String::from_utf8_lossy(&inner.stderr).contains("more.conf:3"),
        "{inner:?}"
    );
}

#[test]
fn include_loops_end() {
    if !is_forkful() {
        return; // nginx ends when it is out of descriptors
    }
    let itself = test(&[("server.conf", b"events {}\ninclude server.conf;\n")]);
    assert_eq!(itself.status.code(), Some(1), "{itself:?}");
    let each_other = test(&[
        ("server.conf", b"events {}\ninclude b.conf;\n"),
        ("b.conf", b"include server.conf;\n"),
    ]);
    assert_eq!(each_other.status.code(), Some(1), "{each_other:?}");
}

#[test]
fn includes_of_what_is_no_file_end() {
    if !is_forkful() {
        return; // nginx waits for somebody to write into the fifo
    }
    let place = TempDir::new().unwrap();
    let fifo = place.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    for path in [fifo.as_path(), place.path()] {
        refused(format!("events {{}}\ninclude {};\n", path.display()), 2, "");
    }
}

#[test]
fn sizes_are_bounded_and_handled_in_time() {
    let start = Instant::now();
    let deep = test(&[("server.conf", "http { ".repeat(100_000).as_bytes())]);
    assert_eq!(deep.status.code(), Some(1), "nesting");
    let token = format!("events {{}}\nuser {};\n", "x".repeat(10 << 20));
    assert_eq!(
        test(&[("server.conf", token.as_bytes())]).status.code(),
        Some(1),
        "a token of 10 MB"
    );
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
}

#[test]
fn many_servers_are_handled_in_time() {
    let server = |n| format!("server {{ listen 127.0.0.1:8; server_name s{n}.example; }}\n");
    let count = scaled_count(100_000, 1000);
    is_good_in_time(&(0..count).map(server).collect::<String>());
}

#[test]
fn many_addresses_are_handled_in_time() {
    let server = |n| format!("server {{ listen 127.0.{}.{}:8; }}\n", n / 250, n % 250 + 1);
    let count = scaled_count(50_000, 1000);
    is_good_in_time(&(0..count).map(server).collect::<String>());
}

#[test]
fn many_locations_are_handled_in_time() {
    let location = |n| format!("location /{n}/ {{ return 204; }}\n");
    let locations: String = (0..scaled_count(100_000, 1000)).map(location).collect();
    is_good_in_time(&format!("server {{ listen 127.0.0.1:8; {locations} }}"));
}

#[test]
fn many_directives_are_handled_in_time() {
    let field = |n| format!("add_header X-{n} {n};\n");
    let fields: String = (0..scaled_count(1_000_000, 1000)).map(field).collect();
    is_good_in_time(&format!("server {{ listen 127.0.0.1:8; {fields} }}"));
}

/// Time in proportion to the size is enough; the square of it would never do.
fn is_good_in_time(http: &str) {
    let place = TempDir::new().unwrap();
    let path = place.path().join("server.conf");
    let text = format!("events {{}}\nhttp {{ server_names_hash_max_size 100000;\n{http}\n}}\n");
    fs::write(&path, text).unwrap();
    let mut command = Command::new(binary());
    command
        .arg("-t")
        .arg("-p")
        .arg(place.path())
        .arg("-c")
        .arg(path);
    command.arg("-e").arg(place.path().join("error.log"));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let limit = scaled(Duration::from_secs(60), LIMIT);
    let status = within(limit, || child.try_wait().unwrap()).unwrap_or_else(|| {
        stop(&mut child);
        panic!("it takes more than {limit:?}")
    });
    assert!(status.success(), "{status}");
}

#[test]
fn errors_stand_in_the_order_of_the_file() {
    if !is_forkful() {
        return; // nginx stops at the first
    }
    let config = "events {}\nhttp { server { nope; } }\nworker_processes x;\nhttp;\n";
    let output = test(&[("server.conf", config.as_bytes())]);
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = [2, 3, 4].map(|line| text.find(&format!("server.conf:{line}:")));
    assert!(
        lines.iter().all(Option::is_some) && lines.is_sorted(),
        "{text}"
    );
}

#[test]
fn an_unknown_variable_of_a_log_has_a_place() {
    refused(
        "events {}\nhttp {\n log_format x \"$nope\";\n}\n",
        3,
        "unknown \"nope\" variable",
    );
}

#[test]
fn pools_of_threads() {
    let in_http = |line: &str| format!("events {{}}\nhttp {{\n{line}\n}}\n");
    refused(
        in_http("aio threads=missing;"),
        3,
        "unknown thread pool \"missing\"",
    );
    for (line, words) in [
        (
            "thread_pool a threads=0;",
            "invalid threads value \"threads=0\"",
        ),
        (
            "thread_pool a max_queue=1;",
            "\"thread_pool\" must have \"threads\" parameter",
        ),
        (
            "thread_pool a threads=1 max_queue=x;",
            "invalid max_queue value \"max_queue=x\"",
        ),
    ] {
        refused(format!("{line}\nevents {{}}\n"), 1, words);
    }
    if is_forkful() {
        for line in [
            "file_cache max=0;",
            "file_cache size=1x;",
            "file_cache age=1s;",
        ] {
            refused(format!("{line}\nevents {{}}\n"), 1, "invalid parameter");
        }
        refused(in_http("aio threads=$host;"), 3, "are not supported");
    }
    let good = "events {}\nhttp { aio threads=later; }\nthread_pool later threads=2;\n";
    let output = test(&[("server.conf", good.as_bytes())]);
    assert!(output.status.success(), "{output:?}");
}
