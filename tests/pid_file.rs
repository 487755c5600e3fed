//! The pid file: when it appears, what it holds, who removes it, and what it never damages.

mod common;

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

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
    let text = fs::read_to_string(server.path("pid")).unwrap();
    UnixStream::connect(server.path("socket")).expect("the socket listens");
    assert!(
        text == format!("{}\n", server.pid()) || !is_forkful(),
        "it appears whole, not {text:?}"
    );
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

/// An address that no other test of this machine uses.
fn own_address() -> SocketAddr {
    let number = std::process::id();
    let host = Ipv4Addr::new(127, 99, (number >> 8) as u8, number as u8);
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

/// Two masters that start at the same moment, with the same configuration and prefix.
#[test]
fn of_two_starts_one_wins() {
    let address = own_address();
    let place = tempfile::TempDir::new().unwrap();
    let config = place.path().join("server.conf");
    let text = format!(
        "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; events {{}}
         http {{ access_log off; server {{ listen {address}; return 200; }} }}",
        place.path().display()
    );
    fs::write(&config, text).unwrap();
    let start = |_| {
        let mut command = Command::new(common::binary());
        command.arg("-p").arg(place.path()).arg("-c").arg(&config);
        command.arg("-e").arg(place.path().join("error.log"));
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    let mut both: Vec<Child> = (0..2).map(start).collect();
    let loser = wait_until("one gives up", || {
        let mut ended = both.iter_mut().map(|it| it.try_wait().unwrap());
        ended.position(|status| status.is_some())
    });
    let code = both.remove(loser).wait().unwrap().code();
    let mut winner = both.remove(0);
    let pid = fs::read_to_string(place.path().join("pid")).unwrap();
    let answer = common::Client::connect(address).get("/").status;
    let in_order = common::stop(&mut winner);
    let log = fs::read_to_string(place.path().join("error.log")).unwrap();
    assert_eq!((code, answer, in_order), (Some(1), 200, true), "{log}");
    assert_eq!(pid, format!("{}\n", winner.id()), "{log}");
    assert!(log.contains("failed (98: Address already in use)"), "{log}");
    assert!(!place.path().join("pid").exists(), "the pid file is left");
}
