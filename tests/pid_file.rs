//! The pid file: when it appears, what it holds, who removes it, and what it never damages.

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};
use std::os::unix::net::UnixStream;

use common::{Setup, is_forkful, wait_until};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

const SITE: &str = "server { listen unix:%PREFIX%/socket; return 200; }";

#[test]
fn it_names_the_process_that_was_started() {
    let server = Setup::http(SITE).start();
    let text = fs::read_to_string(server.path("pid")).unwrap();
    assert_eq!(text, format!("{}\n", server.pid()));
}

#[test]
fn the_sockets_listen_before_it_appears() {
    let server = Setup::http(SITE).spawn();
    wait_until("there is a pid file", || {
        server.path("pid").exists().then_some(())
    });
    UnixStream::connect(server.path("socket")).expect("the socket listens");
    wait_until("there is a worker", || server.workers().pop());
}

#[test]
fn it_is_removed_at_the_end_with_the_sockets() {
    let mut server = Setup::http(SITE).start();
    server.signal(nix::sys::signal::Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    assert!(!server.path("pid").exists(), "the pid file is left");
    assert!(!server.path("socket").exists(), "the socket is left");
}

#[test]
fn a_stale_one_stops_no_start() {
    let server = Setup::http(SITE).file("pid", "4194304\n").spawn();
    wait_until("the pid file is ours", || {
        let text = fs::read_to_string(server.path("pid")).unwrap_or_default();
        (text == format!("{}\n", server.pid())).then_some(())
    });
    wait_until("there is a worker", || server.workers().pop());
}

#[test]
fn one_that_was_taken_over_is_not_removed() {
    if !is_forkful() {
        return; // nginx removes whatever is there
    }
    let mut server = Setup::http(SITE).start();
    fs::write(server.path("pid"), "1\n").unwrap();
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert_eq!(fs::read_to_string(server.path("pid")).unwrap(), "1\n");
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    if !is_forkful() {
        return; // nginx writes through the link
    }
    let setup = Setup::http(SITE).file("victim", "precious");
    symlink(setup.prefix().join("victim"), setup.prefix().join("pid")).unwrap();
    let server = setup.spawn();
    wait_until("there is a worker", || server.workers().pop());
    assert_eq!(
        fs::read_to_string(server.path("victim")).unwrap(),
        "precious"
    );
}

#[test]
fn what_is_no_regular_file_is_written_in_place() {
    if !is_forkful() {
        return; // nginx removes it at its end
    }
    let setup = Setup::http(SITE);
    let path = setup.prefix().join("pid");
    nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    let mut reading = fs::File::options();
    reading
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits());
    let mut fifo = reading.open(&path).unwrap();
    let mut server = setup.spawn();
    let text = wait_until("it is written", || {
        let mut text = [0; 20];
        let length = fifo.read(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text[..length]).into_owned())
    });
    assert_eq!(text, format!("{}\n", server.pid()));
    wait_until("there is a worker", || server.workers().pop());
    server.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert!(
        fs::metadata(&path).unwrap().file_type().is_fifo(),
        "the fifo is gone"
    );
}

#[test]
fn a_reload_can_move_it() {
    let server = Setup::http(SITE).start();
    server.edit_config("/pid;", "/other-pid;");
    server.reload();
    wait_until("it has moved", || {
        (server.path("other-pid").exists() && !server.path("pid").exists()).then_some(())
    });
}
