//! A configuration that passes `-t` and whose workers cannot start: what becomes of the site.

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::process::{Command, Output};
use std::time::Duration;

use common::{Setup, TestServer, binary, is_forkful, possible, run, tool_is_installed, wait_until};

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
