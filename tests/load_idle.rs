//! Ten thousand idle connections on one worker: all live on, fresh ones are as fast, memory is small.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test load_idle -- --nocapture`.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::{
    Client, Setup, TestServer, holds_for, private_memory, scaled, scaled_count, wait_until,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Names the address and the count to a process that holds connections.
const HOLD: &str = "FORKFUL_TEST_HOLD";
/// Processes that share the connections, so that none needs many descriptors.
const HOLDERS: usize = 4;
/// Bytes for each connection; the aim is a fifth of it.
const MOST_MEMORY: u64 = 5 << 10;
const OPEN: &str = "all are open";
const ALIVE: &str = "all are alive";

#[test]
fn idle_connections_live_and_cost_little() {
    let count = scaled_count(10_000, 200);
    let server = site();
    let worker = server.workers()[0];
    let before = median_latency(server.address());
    let memory = private_memory(worker);

    let mut holders: Vec<_> = (0..HOLDERS)
        .map(|_| Holder::start(server.address(), count / HOLDERS))
        .collect();
    holders.iter_mut().for_each(|holder| holder.expect(OPEN));
    let each = private_memory(worker).saturating_sub(memory) / count as u64;
    let with = median_latency(server.address());
    let idle = scaled(Duration::from_secs(60), Duration::from_millis(500));
    holds_for(idle, "the worker lives", || server.workers() == [worker]);
    let still = median_latency(server.address());
    for holder in &mut holders {
        holder.ask();
        holder.expect(ALIVE);
    }
    holders.into_iter().for_each(Holder::finish);
    wait_until("the server knows that they are gone", || {
        (sockets(worker) < 10).then_some(())
    });
    let after = median_latency(server.address());
    println!(
        "{count} idle connections for {idle:?}: all alive, {each} bytes of private memory each; \
         median latency of a fresh request {before:?} before, {with:?} and {still:?} with them, \
         {after:?} after"
    );
    assert!(
        each < MOST_MEMORY,
        "{each} bytes of memory for each connection"
    );
}

fn site() -> TestServer {
    let main = "worker_processes 1; events { worker_connections 12000; }";
    let config = "access_log off; keepalive_timeout 1h; server { listen %LISTEN%; \
                  root %PREFIX%/html; }";
    Setup::with_main(main, config)
        .file("html/f.txt", "content")
        .start()
}

/// The median time from before connecting to the last byte of an answer.
fn median_latency(address: SocketAddr) -> Duration {
    let time = |_| {
        let start = Instant::now();
        let response = Client::connect(address).get("/f.txt");
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "content")
        );
        start.elapsed()
    };
    let mut times: Vec<_> = (0..scaled_count(4000, 400)).map(time).collect();
    times.sort();
    times[times.len() / 2]
}

fn sockets(pid: u32) -> usize {
    let descriptors = common::descriptors(pid);
    let is_socket = |path: &&std::path::PathBuf| path.to_string_lossy().starts_with("socket:");
    descriptors.iter().filter(is_socket).count()
}

/// A process that holds idle connections: this very program, started anew.
struct Holder {
    child: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Holder {
    fn start(address: SocketAddr, count: usize) -> Holder {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "hold_connections", "--nocapture"])
            .env(HOLD, format!("{address} {count}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the holder starts");
        let says = BufReader::new(child.stdout.take().unwrap());
        let hears = child.stdin.take().unwrap();
        Holder { child, says, hears }
    }

    fn expect(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            let count = self.says.read_line(&mut line).unwrap();
            assert!(count > 0, "the holder ended before it said that {what}");
        }
    }

    fn ask(&mut self) {
        self.hears.write_all(b"\n").unwrap();
    }

    fn finish(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

/// Holds connections where it is asked to: opens them, asks once on each, and once more when told.
#[test]
fn hold_connections() {
    let Ok(what) = std::env::var(HOLD) else {
        return;
    };
    let (address, count) = what.split_once(' ').unwrap();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let address = address.parse().unwrap();
    let connect = |_| Client::connect(address);
    let mut clients: Vec<_> = (0..count.parse().unwrap()).map(connect).collect();
    let mut ask_all = || {
        for client in &mut clients {
            let response = client.get("/f.txt");
            assert_eq!(
                (response.status, response.text().as_str()),
                (200, "content")
            );
            assert_eq!(response.header("Connection"), Some("keep-alive"));
        }
    };
    ask_all();
    println!("{OPEN}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    ask_all();
    println!("{ALIVE}");
}
