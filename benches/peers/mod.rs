//! The servers that are measured beside each other, on the same configurations.
#![allow(dead_code)] // every benchmark uses its part of it

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::common::{
    Client, MTIME, children, listener, signal, tool_is_installed, wait_until, within,
};

const CONFIG: &str = "server.conf";
const NGINX: &str = "/usr/sbin/nginx";
/// A text of 20 KB, as pages are.
const PAGE: &[u8] = include_bytes!("../../README.md");
/// What one switches on who wants speed.
const TUNED: &str = "sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000000; \
                     open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;";

/// A server with a configuration.
#[derive(Clone, Copy)]
pub struct Peer {
    /// What the tables call it.
    pub name: &'static str,
    program: &'static str,
    http: &'static str,
}

/// All that are installed, in pairs on the same configuration: ours first.
pub fn all() -> Vec<Peer> {
    let peer = |name, program, http| Peer {
        name,
        program,
        http,
    };
    let ours = env!("CARGO_BIN_EXE_forkful");
    let mut peers = vec![
        peer("forkful", ours, ""),
        peer("nginx", NGINX, ""),
        peer("forkful tuned", ours, TUNED),
        peer("nginx tuned", NGINX, TUNED),
    ];
    peers.retain(|peer| tool_is_installed(peer.program));
    peers
}

/// The same with content codings, of which nginx has one.
pub fn coding() -> Vec<Peer> {
    let mut peers = all();
    for peer in &mut peers {
        let codings = match peer.program == NGINX {
            true => "gzip on;",
            false => "gzip on; brotli on; zstd on;",
        };
        let types = "types { text/html html; }";
        peer.http = format!("{} {types} {codings}", peer.http).leak();
    }
    peers
}

/// A server that runs, on a site of `/small` (1 KB), `/large` (100 KB) and
/// `/page.html` (20 KB).
pub struct Running {
    child: Child,
    prefix: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
    /// When its program was called.
    pub started: Instant,
}

impl Peer {
    /// Starts it with directives of the main context, by a command that may wrap it: what follows
    /// its own arguments is the server's command line.
    pub fn start(&self, wrapper: &[&str], main: &str) -> Running {
        let running = self.launch(wrapper, main, "");
        let address = running.address;
        wait_until("the server is up", || TcpStream::connect(address).ok());
        running
    }

    /// The same, with more in its `server` block, and without waiting for anything.
    pub fn launch(&self, wrapper: &[&str], main: &str, server: &str) -> Running {
        let prefix = TempDir::new().unwrap();
        fs::set_permissions(prefix.path(), Permissions::from_mode(0o755)).unwrap();
        write(&prefix.path().join("html/small"), &[b's'; 1 << 10]);
        write(&prefix.path().join("html/large"), &[b'l'; 100 << 10]);
        write(&prefix.path().join("html/page.html"), PAGE);
        fs::create_dir(prefix.path().join("logs")).unwrap();
        // nginx cannot inherit a socket without a master: another program might take the port first.
        let address = listener().local_addr().unwrap();
        let root = prefix.path().display();
        let config = format!(
            "daemon off; pid {root}/pid; error_log {root}/error.log; {main}\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log {root}/logs/access.log; {}\n\
             server {{ listen {address}; root {root}/html; {server} }} }}\n",
            self.http
        );
        let path = prefix.path().join(CONFIG);
        write(&path, config.as_bytes());
        let mut words = wrapper.iter().copied().chain([self.program]);
        let mut command = Command::new(words.next().expect("at least the program"));
        command.args(words).arg("-p").arg(prefix.path());
        command.arg("-c").arg(&path);
        let output = File::create(prefix.path().join("output")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let started = Instant::now();
        let child = command.spawn().expect("the server starts");
        Running {
            child,
            prefix,
            address,
            started,
        }
    }
}

impl Running {
    /// A file of its own to write to.
    pub fn path(&self, name: &str) -> PathBuf {
        self.prefix.path().join(name)
    }

    /// The first process of the server itself, wrapped or not.
    pub fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.path("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// All its processes.
    pub fn processes(&self) -> Vec<u32> {
        let first = self.pid().expect("it runs");
        [vec![first], children(first)].concat()
    }

    /// A connection to it.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Replaces text of its configuration.
    pub fn edit_config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(CONFIG)).unwrap();
        fs::write(self.path(CONFIG), text.replace(from, to)).unwrap();
    }

    /// Ends it at once; returns how long that took.
    pub fn terminate(mut self) -> Duration {
        let (pid, told) = (self.pid().expect("it runs"), Instant::now());
        signal(pid, Signal::SIGTERM);
        self.child.wait().unwrap();
        told.elapsed()
    }

    /// Ends it in order; returns what it and its wrapper wrote.
    pub fn stop(mut self) -> String {
        signal(self.pid().expect("it runs"), Signal::SIGTERM);
        let patience = Duration::from_millis(500);
        if within(patience, || self.child.try_wait().unwrap()).is_none() {
            // nginx without a master misses a signal just before it waits, until something happens.
            drop(TcpStream::connect(self.address));
        }
        wait_until("the server has ended", || self.child.try_wait().unwrap());
        fs::read_to_string(self.path("output")).unwrap()
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    let file = File::open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + MTIME).unwrap();
}
