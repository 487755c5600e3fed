//! What a killed master leaves, and that the next one takes it over: addresses, files, downloads.

mod common;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use common::{Client, binary, children, is_forkful, signal, stop, wait_until};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A configuration that is started again and again; nothing is handed over.
struct Place {
    directory: TempDir,
    tcp: SocketAddr,
    reuseport: SocketAddr,
}

impl Place {
    fn new() -> Place {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let (tcp, reuseport) = (own_address(), own_address());
        let config = format!(
            "daemon off; pid {0}/pid; error_log {0}/error.log notice; worker_processes 2;
             events {{}} http {{ access_log off; server {{ root {0};
             listen {tcp}; listen {reuseport} reuseport; listen unix:{0}/socket; }} }}",
            directory.path().display()
        );
        fs::write(directory.path().join("server.conf"), config).unwrap();
        fs::write(directory.path().join("small"), "content").unwrap();
        fs::write(directory.path().join("big"), vec![b'x'; 20 << 20]).unwrap();
        Place {
            directory,
            tcp,
            reuseport,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new(binary());
        command.arg("-p").arg(self.directory.path());
        command.arg("-c").arg(self.path("server.conf"));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn owner(&self) -> Option<u32> {
        fs::read_to_string(self.path("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// A master that serves.
    fn start(&self) -> Child {
        let child = self.spawn();
        wait_until("it serves", || {
            let all = children(child.id()).len() == 2;
            (all && self.owner() == Some(child.id())).then_some(())
        });
        child
    }

    /// Asks at each address.
    fn check(&self) {
        for address in [self.tcp, self.reuseport] {
            assert_eq!(Client::connect(address).get("/small").text(), "content");
        }
        let mut unix = UnixStream::connect(self.path("socket")).unwrap();
        unix.write_all(b"GET /small HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        unix.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("content"), "{answer}");
    }
}

/// An address that no other test of this machine uses.
fn own_address() -> SocketAddr {
    static LAST: AtomicU8 = AtomicU8::new(0);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let last = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let host = Ipv4Addr::new(127, 64 | high >> 2, low, last);
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn the_next_master_starts_on_the_same_addresses() {
    let place = Place::new();
    let mut killed = place.start();
    let mut download = Client::connect(place.tcp);
    download.send_get("/big");
    download.fill().unwrap();
    let workers = children(killed.id());
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(place.path("pid").exists() && place.path("socket").exists());

    let mut next = place.start();
    place.check();
    assert_eq!(download.response().body.len(), 20 << 20);
    wait_until("the old workers have left", || {
        let gone = |pid: &u32| !fs::exists(format!("/proc/{pid}/fd/0")).unwrap_or(false);
        workers.iter().all(gone).then_some(())
    });
    place.check();
    assert!(stop(&mut next));
    for name in ["pid", "socket"] {
        assert!(!place.path(name).exists(), "{name} is left");
    }
}

#[test]
fn what_waits_to_be_accepted_is_served_before_the_workers_leave() {
    if !is_forkful() {
        return;
    }
    let place = Place::new();
    let mut killed = place.start();
    let workers = children(killed.id());
    workers.iter().for_each(|pid| signal(*pid, Signal::SIGSTOP));
    let connect = |address: &SocketAddr| Client::connect(*address);
    let addresses = [place.tcp, place.reuseport].repeat(20);
    let mut clients: Vec<Client> = addresses.iter().map(connect).collect();
    clients.iter_mut().for_each(|it| it.send_get("/small"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    workers.iter().for_each(|pid| signal(*pid, Signal::SIGCONT));
    for client in &mut clients {
        assert_eq!(client.response().text(), "content");
    }
}

#[test]
fn of_masters_that_race_for_what_a_killed_one_left_one_wins() {
    let place = Place::new();
    // Nothing but the unix socket keeps them apart.
    let text = fs::read_to_string(place.path("server.conf")).unwrap();
    let tcp = format!(
        "listen {}; listen {} reuseport;",
        place.tcp, place.reuseport
    );
    fs::write(place.path("server.conf"), text.replace(&tcp, "")).unwrap();
    let mut killed = place.start();
    killed.kill().unwrap();
    killed.wait().unwrap();

    let mut racers: Vec<Child> = (0..4).map(|_| place.spawn()).collect();
    let mut losers = 0;
    wait_until("one is left", || {
        racers.retain_mut(|racer| match racer.try_wait().unwrap() {
            Some(status) => {
                assert_eq!(status.code(), Some(1));
                losers += 1;
                false
            }
            None => true,
        });
        (losers == 3).then_some(())
    });
    assert_eq!(place.owner(), Some(racers[0].id()));
    UnixStream::connect(place.path("socket")).expect("the winner's");
    let log = fs::read_to_string(place.path("error.log")).unwrap();
    assert!(
        log.contains("/socket failed (98: Address already in use)"),
        "{log}"
    );
    assert!(stop(&mut racers[0]));
    assert!(!place.path("socket").exists());
}
