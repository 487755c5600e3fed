//! Access logs that requests name: which file a line goes to, and which files are kept open.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use common::{Client, Setup, TestServer, descriptors, wait_until};
use nix::sys::signal::Signal;

/// Sites `a` and `b` with a log for each host.
fn sites(directives: &str) -> TestServer {
    let setup = Setup::http(&format!(
        "log_format host $host:$uri; {directives}
        server {{
            listen %LISTEN%; root %PREFIX%/$host;
            access_log %PREFIX%/named/$host.log host;
            location /args {{ access_log %PREFIX%/named/$arg_name.log host; }}
        }}"
    ))
    .file("a/f", "content")
    .file("b/f", "content")
    .file("named/x", "");
    let named = setup.prefix().join("named");
    fs::set_permissions(named, Permissions::from_mode(0o777)).unwrap();
    setup.start()
}

fn ask(server: &TestServer, host: &str, target: &str) {
    let mut client = Client::connect(server.address());
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    client.response();
}

fn log(server: &TestServer, host: &str) -> String {
    fs::read_to_string(server.path(&format!("named/{host}.log"))).unwrap_or_default()
}

fn open_logs(server: &TestServer) -> Vec<PathBuf> {
    let open = server.workers().into_iter().flat_map(descriptors);
    open.filter(|path| path.starts_with(server.path("named")))
        .collect()
}

#[test]
fn each_request_is_logged_where_it_belongs() {
    let mut server = sites("");
    server.expect_log("is no path of a log");
    for (host, target) in [("a", "/f"), ("b", "/f"), ("none", "/f"), ("a", "/f?2")] {
        ask(&server, host, target);
    }
    ask(&server, "a", "/args?name=../../a/out");
    ask(&server, "a", "/args?name=last");
    wait_until("the last line is there", || {
        (log(&server, "last") == "a:/args\n").then_some(())
    });
    assert_eq!(log(&server, "a"), "a:/f\na:/f\n");
    assert_eq!(log(&server, "b"), "b:/f\n");
    // A host that has no site cannot make files.
    assert!(!server.path("named/none.log").exists());
    assert!(!server.path("a/out.log").exists());
    assert_eq!(open_logs(&server), [""; 0].map(PathBuf::from));
}

#[test]
fn logs_are_kept_open_and_opened_again_when_told() {
    let server = sites("open_log_file_cache max=1 inactive=1h min_uses=2 valid=1h;");
    ask(&server, "a", "/f");
    ask(&server, "a", "/f");
    let path = server.path("named/a.log");
    wait_until("it is kept open", || {
        (open_logs(&server) == [path.clone()]).then_some(())
    });
    fs::rename(&path, server.path("named/a.old")).unwrap();
    server.signal(Signal::SIGUSR1);
    wait_until("it is let go", || {
        open_logs(&server).is_empty().then_some(())
    });
    ask(&server, "a", "/f");
    wait_until("it is made again", || {
        (log(&server, "a") == "a:/f\n").then_some(())
    });
    for _ in 0..2 {
        ask(&server, "b", "/f");
    }
    wait_until("there is room for one", || {
        (open_logs(&server) == [server.path("named/b.log")]).then_some(())
    });
}

#[test]
fn the_parameters_are_those_of_nginx() {
    for (directives, said) in [
        (
            "open_log_file_cache inactive=1s;",
            "\"open_log_file_cache\" must have \"max\" parameter",
        ),
        (
            "open_log_file_cache max=x;",
            "invalid \"open_log_file_cache\" parameter \"max=x\"",
        ),
        (
            "access_log named/$host.log combined buffer=4k;",
            "buffered logs cannot have variables in name",
        ),
    ] {
        let text = format!("events {{}} http {{ {directives} server {{ listen 127.0.0.1:1; }} }}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.conf");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(common::binary());
        command.arg("-p").arg(folder.path()).arg("-t").arg("-c");
        let output = command.arg(file).output().unwrap();
        let all = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && all.contains(said), "{all}");
    }
}
