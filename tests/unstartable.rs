//! A configuration that passes `-t` and whose workers cannot start: what becomes of the site.

mod common;

use std::fs::{self, Permissions};
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{
    Setup, TestServer, binary, holds_for, is_forkful, possible, processor_time, run, signal,
    tool_is_installed, wait_until,
};
use nix::sys::signal::Signal;

const NGINX: &str = "/usr/sbin/nginx";
const MAIN: &str = "worker_processes 2;";
/// Nothing is wrong with it but that no worker can go there.
const BROKEN: &str = "worker_processes 2; working_directory %PREFIX%/nowhere;";

/// A server whose configuration has just become one that cannot be started.
fn broken(program: &str) -> TestServer {
    let http = "server { listen %LISTEN%; return 200 one; }";
    let server = Setup::with_main(MAIN, http).program(program).start();
    assert_eq!(server.get("/").text(), "one");
    let prefix = server.path("").display().to_string();
    server.edit_config(MAIN, &BROKEN.replace("%PREFIX%/", &prefix));
    server
}

fn call(program: &str, server: &TestServer, words: &[&str]) -> Output {
    run(Command::new(program).args(server.operator(words).get_args()))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr)
        .trim_end()
        .replace('\n', "\n    ")
}

#[test]
fn the_site_stays_up_and_the_reload_says_why_not() {
    if !is_forkful() {
        return; // see below
    }
    let program = binary().display().to_string();
    let mut server = broken(&program);
    let workers = server.workers();
    let test = call(&program, &server, &["-t"]);
    assert!(test.status.success(), "{}", said(&test));
    let reload = call(&program, &server, &["-s", "reload"]);
    println!(
        "forkful: `-s reload` exits with {:?}:\n    {}",
        reload.status.code(),
        said(&reload)
    );
    assert_eq!(reload.status.code(), Some(1));
    assert!(said(&reload).contains("nowhere\") failed (2: No such file or directory)"));
    server.expect_log("nowhere\") failed (2: No such file or directory)");
    assert_eq!(server.get("/").text(), "one");
    wait_until("the old workers are left, and no others", || {
        (server.workers() == workers).then_some(())
    });
    assert_eq!(server.get("/").text(), "one");
}

/// A site that served until its workers could start no more: its working directory cannot be
/// entered any more, and its only worker is gone.
fn homeless() -> TestServer {
    let main = "worker_processes 1; working_directory %PREFIX%/place;";
    let http = "server { listen %LISTEN%; return 200 one; }";
    let setup = Setup::with_main(main, http).file("place/seed", "");
    let mut server = setup.by_nobody().start();
    server.expect_log("/place\") failed (13: Permission denied)");
    server.expect_log("exited on signal 9");
    permit(&server, 0);
    signal(server.workers()[0], Signal::SIGKILL);
    server.wait_for_log("/place\") failed (13: Permission denied)");
    server
}

/// What may be done in its working directory.
fn permit(server: &TestServer, mode: u32) {
    fs::set_permissions(server.path("place"), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn workers_that_can_start_no_more_are_tried_now_and_then() {
    if !is_forkful() {
        return; // nginx gives them up
    }
    let server = homeless();
    let forks = || server.log().matches("start worker process").count();
    let (start, before) = (Instant::now(), (forks(), processor_time(server.pid())));
    holds_for(Duration::from_secs(2), "the master ended", || {
        Path::new(&format!("/proc/{}/fd/0", server.pid())).exists()
    });
    let used = processor_time(server.pid()) - before.1;
    let (forks, time) = (forks() - before.0, start.elapsed());
    assert!(
        forks <= 1 + time.as_millis() as usize / 100,
        "{forks} forks in {time:?}"
    );
    assert!(used < time / 10, "the master used {used:?} of {time:?}");
    permit(&server, 0o755);
    assert_eq!(server.get("/").text(), "one");
}

#[test]
fn a_master_whose_workers_do_not_start_can_be_ended() {
    if !is_forkful() {
        return;
    }
    let mut server = homeless();
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
}

/// For comparison; what is printed is the result.
#[test]
fn what_nginx_does() {
    if !possible(tool_is_installed(NGINX), "nginx is not installed") {
        return;
    }
    let mut server = broken(NGINX);
    server.expect_log("chdir(");
    server.expect_log("fatal code 2 and cannot be respawned");
    let test = call(NGINX, &server, &["-t"]);
    let reload = call(NGINX, &server, &["-s", "reload"]);
    let (test, reload) = (test.status.code(), reload.status.code());
    println!("nginx: `-t` exits with {test:?}, `-s reload` with {reload:?}");
    wait_until("its new workers have given up", || {
        let gone = server.log().matches("cannot be respawned").count() >= 2;
        (gone && server.workers().is_empty()).then_some(())
    });
    println!("nginx: {} workers are left", server.workers().len());
    let mut stream = TcpStream::connect(server.address()).expect("the kernel accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let answer = stream.read(&mut [0; 100]);
    println!("nginx: a new connection is accepted by the kernel, its request gets {answer:?}");
}
