//! nginx's command line: options, wording, exit codes.

mod common;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Client, SITE, Setup, TestServer, binary, is_forkful, run, wait_until};
use tempfile::TempDir;

const GOOD: &str = "events {}\nhttp { server { listen unix:%PREFIX%/socket; } }\n";

/// A directory with a configuration, and the program run in it with arguments.
struct Place(TempDir);

impl Place {
    fn new(config: &str) -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.path().join("logs")).unwrap();
        let config = config.replace("%PREFIX%", place.path().to_str().unwrap());
        fs::write(place.path().join("server.conf"), config).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command
            .arg("-p")
            .arg(self.path())
            .arg("-c")
            .arg(self.path().join("server.conf"));
        run(command
            .arg("-e")
            .arg(self.path().join("error.log"))
            .args(arguments))
    }
}

fn bare(arguments: &[&str]) -> Output {
    run(Command::new(binary()).args(arguments))
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs `-s` against a running server.
fn send(server: &TestServer, signal: &str) -> Output {
    let mut command = Command::new(binary());
    command
        .arg("-p")
        .arg(server.path(""))
        .arg("-c")
        .arg(server.path("server.conf"));
    run(command
        .arg("-e")
        .arg(server.path("error.log"))
        .args(["-s", signal]))
}

#[test]
fn versions_and_help() {
    for (option, words) in [("-v", "version: "), ("-V", "version: "), ("-h", "Usage: ")] {
        let output = bare(&[option]);
        let text = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains(words),
            "{option}: {output:?}"
        );
    }
    let help = bare(&["-?"]);
    assert!(help.status.success(), "{help:?}");
}

#[test]
fn help_names_every_option() {
    let output = bare(&["-h"]);
    let text = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
    for option in ["-v", "-V", "-t", "-T", "-q", "-s", "-p", "-e", "-c", "-g"] {
        assert!(text.contains(option), "{option} is not in {text}");
    }
}

#[test]
fn a_good_configuration_is_tested_without_effects() {
    let place = Place::new(&format!("pid {}/pid;\n{GOOD}", "%PREFIX%"));
    fs::write(place.path().join("access.log"), "kept\n").unwrap();
    let output = place.run(&["-t"]);
    let text = stderr(&output);
    assert!(output.status.success(), "{output:?}");
    let file = place.path().join("server.conf");
    assert!(
        text.contains(&format!(
            "the configuration file {} syntax is ok",
            file.display()
        )),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "configuration file {} test is successful",
            file.display()
        )),
        "{text}"
    );
    assert!(
        !place.path().join("socket").exists(),
        "it has bound a socket"
    );
    assert!(
        !place.path().join("pid").exists() || !is_forkful(),
        "it has written a pid file"
    );
    assert_eq!(
        fs::read_to_string(place.path().join("access.log")).unwrap(),
        "kept\n"
    );
}

#[test]
fn a_bad_configuration_is_named_with_its_place() {
    let place = Place::new("events {}\nhttp {\n    severname a;\n}\n");
    let output = place.run(&["-t"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("unknown directive \"severname\""), "{text}");
    assert!(text.contains("server.conf:3"), "{text}");
    assert!(text.contains("test failed"), "{text}");
}

#[test]
fn a_running_server_does_not_disturb_the_test_of_its_configuration() {
    let server = TestServer::http(SITE);
    let mut command = Command::new(binary());
    command
        .arg("-t")
        .arg("-p")
        .arg(server.path(""))
        .arg("-c")
        .arg(server.path("server.conf"));
    let output = run(command.arg("-e").arg(server.path("error.log")));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        fs::read_to_string(server.path("pid")).unwrap(),
        format!("{}\n", server.pid())
    );
}

#[test]
fn quiet_is_silent_when_all_is_well() {
    let output = Place::new(GOOD).run(&["-t", "-q"]);
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}

#[test]
fn dump_prints_every_file() {
    let place = Place::new("events {}\nhttp { include more.conf; }\n");
    fs::write(place.path().join("more.conf"), "# the second file\n").unwrap();
    let output = place.run(&["-T"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{output:?}");
    for name in ["server.conf", "more.conf"] {
        let line = format!(
            "# configuration file {}:\n",
            place.path().join(name).display()
        );
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    assert!(text.contains("http { include more.conf; }") && text.contains("# the second file"));
}

#[test]
fn directives_can_come_from_the_command_line() {
    let place = Place::new(GOOD);
    assert!(
        place
            .run(&["-t", "-g", "worker_processes 2;"])
            .status
            .success()
    );
    let output = place.run(&["-t", "-g", "worker_porcesses 2;"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("command line"), "{output:?}");
}

#[test]
fn wrong_options_are_refused() {
    let cases: [(&[&str], &str); 6] = [
        (&["-z"], "invalid option: \"z\""),
        (&["-s", "foo"], "invalid option: \"-s foo\""),
        (&["-s"], "option \"-s\" requires parameter"),
        (&["-c"], "option \"-c\" requires file name"),
        (&["-g"], "option \"-g\" requires parameter"),
        (&["-p"], "option \"-p\" requires directory name"),
    ];
    for (arguments, words) in cases {
        let output = bare(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_missing_configuration_is_an_error() {
    let output = bare(&["-t", "-c", "/nonexistent/server.conf"]);
    assert_eq!(output.status.code(), Some(1));
    let words = "open() \"/nonexistent/server.conf\" failed (2: No such file or directory)";
    assert!(stderr(&output).contains(words), "{output:?}");
}

#[test]
fn stop_and_quit_end_a_running_server() {
    for word in ["stop", "quit"] {
        let mut server = TestServer::http(SITE);
        let output = send(&server, word);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(server.wait(), 0);
    }
}

#[test]
fn what_cannot_be_opened_fails_the_test() {
    let access_log = "http { access_log /nowhere/x; server { listen unix:%PREFIX%/socket; } }";
    for config in [
        format!("events {{}} {access_log}"),
        format!("error_log /nowhere/x; {GOOD}"),
        format!("pid /nowhere/x; {GOOD}"),
    ] {
        let output = Place::new(&config).run(&["-t"]);
        assert_eq!(output.status.code(), Some(1), "{config}");
        let text = stderr(&output);
        assert!(text.contains("syntax is ok"), "{text}");
        let reason = "[emerg] open() \"/nowhere/x\" failed (2: No such file or directory)";
        assert!(text.contains(reason), "{text}");
        assert!(text.trim_end().ends_with("test failed"), "{text}");
    }
}

#[test]
fn reload_replaces_the_workers() {
    let server = TestServer::http(SITE);
    let old = server.workers();
    assert!(send(&server, "reload").status.success());
    wait_until("the worker is new", || {
        let now = server.workers();
        (now.len() == 1 && now != old).then_some(())
    });
}

#[test]
fn a_server_that_goes_by_another_name_is_signalled() {
    let directory = TempDir::new().unwrap();
    let name = directory.path().join("other");
    std::os::unix::fs::symlink(binary(), &name).unwrap();
    let mut server = Setup::http(SITE).program(name.to_str().unwrap()).start();
    let output = send(&server, "stop");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.wait(), 0);
}

#[test]
fn reopen_opens_the_logs_again() {
    let server = TestServer::http(SITE);
    fs::rename(server.path("access.log"), server.path("moved.log")).unwrap();
    assert!(send(&server, "reopen").status.success());
    wait_until("there is a new log", || {
        server.path("access.log").exists().then_some(())
    });
}

#[test]
fn a_signal_needs_a_pid_file() {
    let output = Place::new(&format!("pid %PREFIX%/pid; {GOOD}")).run(&["-s", "stop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("failed (2: No such file or directory)"),
        "{output:?}"
    );
}

#[test]
fn a_signal_to_a_process_that_is_gone_fails() {
    let place = Place::new(&format!("pid %PREFIX%/pid; {GOOD}"));
    fs::write(place.path().join("pid"), "4194304\n").unwrap();
    let output = place.run(&["-s", "stop"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("failed (3: No such process)"),
        "{output:?}"
    );
}

#[test]
fn a_signal_to_a_process_of_another_program_is_refused() {
    if !is_forkful() {
        return; // nginx sends it
    }
    let place = Place::new(&format!("pid %PREFIX%/pid; {GOOD}"));
    let mut innocent = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    wait_until("it runs", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", innocent.id())).ok()?;
        (name == "cat\n").then_some(())
    });
    fs::write(place.path().join("pid"), innocent.id().to_string()).unwrap();
    for signal in ["stop", "quit", "reload", "reopen"] {
        let output = place.run(&["-s", signal]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("is \"cat\""), "{output:?}");
    }
    drop(innocent.stdin.take());
    assert!(innocent.wait().unwrap().success(), "a signal reached it");
}

#[test]
fn relative_paths_are_below_the_prefix() {
    let server = Setup::http("server { listen %LISTEN%; root html; }")
        .file("html/f.txt", "content")
        .start();
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn a_daemon_leaves_its_parent_and_can_be_stopped() {
    let place = Place::new(&format!(
        "daemon on; pid %PREFIX%/pid; error_log %PREFIX%/error.log;\n{GOOD}"
    ));
    let started = place.run(&[]);
    assert!(started.status.success(), "{started:?}");
    // The parent may leave before the pid file is written, as nginx's does.
    let pid: i32 = wait_until("there is a pid file", || {
        fs::read_to_string(place.path().join("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    });
    let pid = nix::unistd::Pid::from_raw(pid);
    let session = nix::unistd::getsid(Some(pid));
    let streams = [0, 1, 2].map(|number| fs::read_link(format!("/proc/{pid}/fd/{number}")));
    assert!(place.run(&["-s", "quit"]).status.success());
    wait_until("the daemon ends", || {
        nix::sys::signal::kill(pid, None).err()
    });
    assert_eq!(session, Ok(pid), "it leads no session");
    let [stdin, stdout, stderr] = streams.map(Result::unwrap);
    assert_eq!([&stdin, &stdout], [Path::new("/dev/null"); 2]);
    // nginx writes its log there
    assert!(
        stderr == Path::new("/dev/null") || !is_forkful(),
        "{stderr:?}"
    );
}

#[test]
fn a_daemon_listens_before_its_parent_leaves() {
    if !is_forkful() {
        return; // nginx binds before it forks, and writes the pid file after
    }
    let place = Place::new(&format!("daemon on; pid %PREFIX%/pid; {GOOD}"));
    assert!(place.run(&[]).status.success());
    let connected = UnixStream::connect(place.path().join("socket"));
    let stopped = place.run(&["-s", "stop"]);
    connected.expect("it listens");
    assert!(stopped.status.success(), "{stopped:?}");
}

#[test]
fn a_daemon_that_cannot_start_says_so() {
    let config = GOOD.replace("%PREFIX%/socket", "/nowhere/socket");
    let place = Place::new(&format!("daemon on; pid %PREFIX%/pid; {config}"));
    let output = place.run(&[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = stderr(&output);
    assert!(
        said.contains("failed (2: No such file or directory)"),
        "{said}"
    );
    assert!(!place.path().join("pid").exists());
}

#[test]
fn serve_needs_no_configuration() {
    if !is_forkful() {
        return;
    }
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("f.txt"), "content").unwrap();
    let listener = common::listener();
    let address = listener.local_addr().unwrap();
    let mut command = Command::new(binary());
    command
        .arg("serve")
        .arg(directory.path())
        .args(["--listen", &address.to_string()]);
    let mut child = common::spawn_with(&mut command, &[listener]);
    let body = wait_until("it serves", || {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::net::TcpStream::connect(address).ok()?;
        Some(Client::connect(address).get("/f.txt").text())
    });
    assert!(common::stop(&mut child), "it does not stop");
    assert_eq!(body, "content");
}

#[test]
fn the_reference_is_printed() {
    if !is_forkful() {
        return;
    }
    let all = bare(&["directives"]);
    assert!(all.status.success() && String::from_utf8_lossy(&all.stdout).contains("try_files"));
    let one = bare(&["directives", "max_ranges"]);
    assert!(one.status.success() && String::from_utf8_lossy(&one.stdout).contains("max_ranges"));
    assert_eq!(
        bare(&["directives", "no_such_directive"]).status.code(),
        Some(1)
    );
}

#[test]
fn a_file_of_conf_d_is_tested_and_served_as_it_is() {
    if !is_forkful() {
        return;
    }
    let directory = TempDir::new().unwrap();
    let root = directory.path().display();
    fs::create_dir(directory.path().join("logs")).unwrap();
    fs::write(directory.path().join("a.css"), "content").unwrap();
    let listener = common::listener();
    let address = listener.local_addr().unwrap();
    let file = directory.path().join("site.conf");
    let text = format!("server {{\n    listen {address};\n    root {root};\n}}\n");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();

    let tested = bare(&["-p", &root.to_string(), "-t", file]);
    let said = stderr(&tested);
    assert!(tested.status.success(), "{said}");
    let notice = format!(
        "this file has no \"http\" block: it is read as if one stood around it in {file}:1:1"
    );
    assert!(said.contains(&notice), "{said}");

    let mut command = Command::new(binary());
    let arguments = ["-p", &root.to_string(), "-c", file, "-g", "daemon off;"];
    let mut child = common::spawn_with(command.args(arguments), &[listener]);
    let answer = wait_until("it serves", || {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::net::TcpStream::connect(address).ok()?;
        Some(Client::connect(address).get("/a.css"))
    });
    assert!(common::stop(&mut child), "it does not stop");
    assert_eq!(answer.header("content-type"), Some("text/css"));
    assert_eq!(answer.text(), "content");
}
