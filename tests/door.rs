//! The door: a reload that waits for its outcome, and clients that mean no good.

mod common;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{self, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::thread;

use common::{
    LIMIT, Lease, Setup, TestServer, binary, is_forkful, listener, possible, printed_status, run,
    signal, wait_until,
};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

const MAIN: &str = "worker_processes 1; reload_probation 100ms;";
const RETURNS_ONE: &str = "server { listen %LISTEN%; return 200 \"one\"; }";
/// More than are let in at a time.
const CROWD: usize = 40;

fn site() -> TestServer {
    Setup::with_main(MAIN, RETURNS_ONE).start()
}

/// nginx has no door.
fn has_door() -> bool {
    is_forkful()
}

fn is_root() -> bool {
    possible(geteuid().is_root(), "only root may")
}

fn reload(server: &TestServer) -> Output {
    run(&mut server.operator(&["-s", "reload"]))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn name(pid: u32) -> net::SocketAddr {
    net::SocketAddr::from_abstract_name(format!("forkful/{pid}")).unwrap()
}

fn visitor(server: &TestServer) -> UnixStream {
    let stream = UnixStream::connect_addr(&name(server.pid())).expect("there is a door");
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}

/// What the master itself answers.
fn ask(server: &TestServer, question: &str) -> String {
    let mut stream = visitor(server);
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("an answer, then the end");
    answer
}

#[test]
fn a_reload_ends_when_the_new_configuration_serves() {
    if !has_door() {
        return;
    }
    let server = site();
    for number in 0..3 {
        let (old, new) = (format!("\"{number}\""), format!("\"{}\"", number + 1));
        server.edit_config(if number == 0 { "\"one\"" } else { &old }, &new);
        let output = reload(&server);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!((stderr(&output).as_str(), output.stdout.len()), ("", 0));
        assert_eq!(server.get("/").text(), new.trim_matches('"'));
    }
    assert_eq!(
        printed_status(&server)["last_reload"]["outcome"].text(),
        "done"
    );
}

/// A way to break a configuration: a text of it, what takes its place, and the reason that is given.
type Breakage = (&'static str, String, &'static str);

fn breakages(server: &TestServer, taken: SocketAddr) -> Vec<Breakage> {
    let prefix = server.path("");
    let prefix = prefix.to_str().unwrap().trim_end_matches('/');
    mkfifo(&server.path("fifo"), Mode::S_IRWXU).unwrap();
    let port = listener().local_addr().unwrap().port();
    let both = format!("listen 127.0.0.1:{port} bind; listen {port} bind; return");
    let mut all: Vec<Breakage> = vec![
        ("return", "} } } #".into(), "unexpected \"}\""),
        ("return", "retrun".into(), "unknown directive \"retrun\""),
        (
            "return",
            "listen 127.0.0.1:99999; return".into(),
            "invalid port",
        ),
        (
            "return",
            "include none; return".into(),
            "none\" failed (2: No such file",
        ),
        ("events {}", String::new(), "no \"events\" section"),
        (
            "return",
            format!("listen {taken}; return"),
            "failed (98: Address already in use)",
        ),
        ("return", both, "listen() to 0.0.0.0"),
        (
            "return",
            format!("listen unix:{prefix}/none/x; return"),
            "/none/x failed (2: No such",
        ),
        (
            "return",
            format!("access_log {prefix}/none/x; return"),
            "/none/x\" failed (2: No such",
        ),
        (
            "return",
            format!("access_log {prefix}/fifo; return"),
            "/fifo\" failed (6: No such",
        ),
        (
            "events {}",
            "working_directory /none; events {}".into(),
            "chdir(\"/none\") failed (2: No such file or directory)",
        ),
    ];
    if geteuid().is_root() {
        let unknown = "getpwnam(\"nosuchuser\") failed";
        all.push(("user nobody nogroup", "user nosuchuser".into(), unknown));
    }
    all
}

#[test]
fn a_broken_reload_fails_with_its_reason() {
    if !has_door() {
        return;
    }
    let mut server = site();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let whole = fs::read_to_string(server.path("server.conf")).unwrap();
    let breakages = breakages(&server, taken.local_addr().unwrap());
    assert!(breakages.len() >= 10);
    for (from, to, reason) in &breakages {
        server.edit_config(from, to);
        let output = reload(&server);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{to}: {said}");
        assert!(said.contains(reason), "{to}: {said}");
        let answer = ask(&server, "reload\n");
        assert!(answer.starts_with("wait\nfailed "), "{to}: {answer}");
        assert!(answer.contains(reason), "{to}: {answer}");
        assert_eq!(server.get("/").text(), "one", "{to}");
        let last = &printed_status(&server)["last_reload"];
        assert_eq!(last["outcome"].text(), "failed");
        assert!(last["reason"].text().contains(reason), "{to}: {last:?}");
        assert!(server.log().contains(reason), "{to}: {}", server.log());
        fs::write(server.path("server.conf"), &whole).unwrap();
    }
    server.expect_log("[emerg]");
    server.edit_config("\"one\"", "\"two\"");
    let output = reload(&server);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(server.get("/").text(), "two");
}

#[test]
fn a_configuration_that_hangs_ends_the_operators_patience() {
    let server = site();
    server.write("held.conf", "");
    server.edit_config("events {}", "events {} include held.conf;");
    let lease = Lease::take(&server.path("held.conf"));
    if !has_door() || !possible(lease.is_some(), "no perl, or no leases on this file system") {
        return;
    }
    let mut client = server.operator(&["-s", "reload"]).spawn().unwrap();
    // The master's own judgement does not depend on who asks; it takes as long.
    let answer = ask(&server, "reload\n");
    assert!(answer.contains("reload_timeout"), "{answer}");
    let status = common::within(LIMIT * 3, || client.try_wait().unwrap());
    assert_eq!(status.expect("it ends").code(), Some(1));
    assert_eq!(server.get("/").text(), "one");
}

#[test]
fn those_who_ask_at_once_are_all_answered() {
    if !has_door() {
        return;
    }
    let server = site();
    server.edit_config("\"one\"", "\"two\"");
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| reload(&server))).collect();
        server.signal(Signal::SIGHUP);
        for client in clients {
            let output = client.join().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        }
    });
    assert_eq!(server.get("/").text(), "two");
}

#[test]
fn a_reload_during_a_reload_has_its_own_outcome() {
    if !has_door() {
        return;
    }
    let mut server = site();
    server.edit_config("100ms", "1s");
    assert!(
        reload(&server).status.success(),
        "from now on probation takes a while"
    );
    let mut first = visitor(&server);
    first.write_all(b"reload\n").unwrap();
    wait_until("the first one is on probation", || {
        let generations = printed_status(&server)["generations"].items().to_vec();
        generations
            .iter()
            .any(|it| it["state"].text() == "probation")
            .then_some(())
    });
    server.edit_config("return 200", "listen unix:/none/x; return 200");
    server.expect_log("[emerg]");
    let second = ask(&server, "reload\n");
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "wait\ndone 0\n");
    assert!(
        second.contains("failed") && second.contains("bind() to unix:/none/x"),
        "{second}"
    );
}

#[test]
fn an_end_during_a_reload_is_told() {
    if !has_door() {
        return;
    }
    let mut server = site();
    server.edit_config("100ms", "60s");
    let mut client = visitor(&server);
    client.write_all(b"reload\n").unwrap();
    let old = server.workers();
    wait_until("the new worker is there", || {
        (server.workers() != old).then_some(())
    });
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("wait\nfailed "), "{answer}");
}

#[test]
fn a_master_that_stands_still_is_waited_for_in_vain_but_not_for_ever() {
    if !has_door() {
        return;
    }
    let server = site();
    server.signal(Signal::SIGSTOP);
    let mut client = server.operator(&["-s", "reload"]).spawn().unwrap();
    let status = common::within(LIMIT * 3, || client.try_wait().unwrap());
    server.signal(Signal::SIGCONT);
    assert_eq!(status.expect("it ends").code(), Some(1));
    assert_eq!(server.get("/").text(), "one");
}

#[test]
fn clients_that_mean_no_good_harm_nobody() {
    if !has_door() {
        return;
    }
    let server = site();
    let before = common::descriptors(server.pid()).len();
    let mut deaf: Vec<_> = (0..5).map(|_| visitor(&server)).collect();
    deaf.iter_mut()
        .for_each(|it| it.write_all(b"status json\n").unwrap());
    for garbage in [
        &b"\0\xff\xfe\n"[..],
        b"GET / HTTP/1.0\r\n\r\n",
        &[b'x'; 4096],
        b"reload",
    ] {
        let mut client = visitor(&server);
        // It may have been shown the door already.
        let _ = client.write_all(garbage);
    }
    for garbage in ["hello\n", "\n", "reload\nreload\nreload\n", "status xml\n"] {
        let answer = ask(&server, garbage);
        assert!(
            answer.ends_with("no such question") || answer.is_empty(),
            "{answer}"
        );
    }
    let crowd: Vec<_> = (0..CROWD).map(|_| visitor(&server)).collect();
    wait_until("there is no room left", || {
        let output = run(&mut server.operator(&["status"]));
        stderr(&output)
            .contains("too many ask at once")
            .then_some(())
    });
    assert_eq!(server.get("/").text(), "one");
    wait_until("they are let go", || {
        run(&mut server.operator(&["status"]))
            .status
            .success()
            .then_some(())
    });
    assert!(reload(&server).status.success());
    drop((crowd, deaf));
    wait_until("no descriptor is left of them", || {
        (common::descriptors(server.pid()).len() <= before).then_some(())
    });
}

#[test]
fn a_flood_of_clients_delays_no_worker() {
    if !has_door() {
        return;
    }
    let mut server = site();
    server.expect_log("signal 9");
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    // Refused connections are what is wanted.
                    let _ = UnixStream::connect_addr(&name(server.pid()));
                }
            });
        }
        signal(server.workers()[0], Signal::SIGKILL);
        let answer = server.get("/").text();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(answer, "one");
    });
}

#[test]
fn another_user_is_refused() {
    if !has_door() || !is_root() {
        return;
    }
    let server = site();
    let copy = server.path("forkful");
    fs::copy(binary(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    for words in [&["status"][..], &["-s", "reload"]] {
        let mut stranger = Command::new(&copy);
        stranger
            .args(server.operator(words).get_args())
            .uid(65534)
            .gid(65534);
        let output = run(&mut stranger);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("only root and the user of the master process may ask"),
            "{said}"
        );
    }
}

/// A server whose start waits until the fifo `gate` is written to; its number is known before.
fn gated() -> TestServer {
    let script = format!(
        "#!/bin/sh\nread -r line <\"${{0%/*}}/gate\"\nexec '{}' \"$@\"\n",
        binary().display()
    );
    let setup = Setup::with_main(MAIN, RETURNS_ONE).file("start", script);
    let start = setup.prefix().join("start");
    fs::set_permissions(&start, Permissions::from_mode(0o755)).unwrap();
    mkfifo(&setup.prefix().join("gate"), Mode::S_IRWXU).unwrap();
    setup.program(start.to_str().unwrap()).spawn()
}

#[test]
fn a_name_that_another_has_taken_is_not_trusted() {
    if !has_door() {
        return;
    }
    let server = gated();
    let squatter = UnixListener::bind_addr(&name(server.pid())).unwrap();
    fs::write(server.path("gate"), "\n").unwrap();
    wait_until("the server is up", || {
        (server.path("pid").exists() && !server.workers().is_empty()).then_some(())
    });
    server.wait_for_log("bind() failed (98: Address already in use)");
    for words in [&["status"][..], &["-s", "reload"]] {
        let output = run(&mut server.operator(words));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let holder = format!("held by another process, {} of user", std::process::id());
        assert!(said.contains(&holder), "{said}");
    }
    drop(squatter);
    server.edit_config("\"one\"", "\"two\"");
    server.reload();
    assert_eq!(server.get("/").text(), "two");
}

#[test]
fn without_a_door_the_signal_is_sent() {
    if !has_door() || !is_root() {
        return;
    }
    let server = site();
    server.edit_config("\"one\"", "\"two\"");
    let elsewhere = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .arg("--net")
            .arg(binary())
            .args(server.operator(words).get_args());
        run(&mut command)
    };
    let output = elsewhere(&["-s", "reload"]);
    let said = stderr(&output);
    if !possible(
        !said.starts_with("unshare: "),
        "no other network namespace can be made",
    ) {
        return;
    }
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("[notice] signal 1 (SIGHUP) was sent"),
        "{said}"
    );
    wait_until("the new configuration serves", || {
        (server.get("/").text() == "two").then_some(())
    });
    let output = elsewhere(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("cannot be asked"),
        "{}",
        stderr(&output)
    );
}

/// Makes the root read-only but for a directory, then becomes the command that follows.
const READ_ONLY: &str = "#!/bin/sh
here=\"${0%/*}\"
exec unshare --mount sh -c '
    mount --make-rprivate / && mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro / &&
    exec \"$@\"' \"$here/run\" PROGRAM \"$@\"
";

#[test]
fn a_read_only_root_has_a_door() {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "mount", "--make-rprivate", "/"]);
    if !has_door()
        || !possible(
            run(&mut unshare).status.success(),
            "no namespace can be made",
        )
    {
        return;
    }
    let script = READ_ONLY.replace("PROGRAM", &binary().display().to_string());
    let config = "daemon off; pid %PREFIX%/run/pid; error_log %PREFIX%/run/error.log;
        worker_processes 1; reload_probation 100ms; events {}
        http { access_log off; server { listen %LISTEN%; return 200 \"one\"; } }";
    let setup = Setup::config(config)
        .file("start", script)
        .file("run/x", "");
    let start = setup.prefix().join("start");
    fs::set_permissions(&start, Permissions::from_mode(0o755)).unwrap();
    let server = setup.program(start.to_str().unwrap()).spawn();
    wait_until("the server is up", || {
        (server.path("run/pid").exists() && !server.workers().is_empty()).then_some(())
    });
    server.edit_config("\"one\"", "\"two\"");
    let output = reload(&server);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(server.get("/").text(), "two");
    assert_eq!(
        printed_status(&server)["pid"].number(),
        f64::from(server.pid())
    );
}

#[test]
fn workers_have_no_part_of_the_door() {
    if !has_door() {
        return;
    }
    let server = site();
    let _waiting = visitor(&server);
    ask(&server, "status\n");
    assert!(reload(&server).status.success());
    let sockets = |pid| {
        let all = common::descriptors(pid).into_iter();
        all.filter(|it| it.to_string_lossy().starts_with("socket:"))
            .collect::<Vec<_>>()
    };
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let door = format!("@forkful/{}", server.pid());
    let inodes: Vec<_> = table
        .lines()
        .filter(|line| line.ends_with(&door))
        .filter_map(|line| line.split_whitespace().nth(6))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    assert!(!inodes.is_empty(), "{table}");
    let of_door = |path: &std::path::PathBuf| inodes.iter().any(|it| it == &path.to_string_lossy());
    assert!(sockets(server.pid()).iter().any(of_door));
    for worker in server.workers() {
        assert!(!sockets(worker).iter().any(of_door), "worker {worker}");
    }
}
