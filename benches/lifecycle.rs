//! How soon a server is there, there again, new, and gone. The rounds are interleaved, each with a
//! server of its own; medians are shown, as a table and as JSON.
//!
//! `cargo bench --bench lifecycle`; compares with nginx where it is. `FORKFUL_TEST_SCALE` shortens
//! it.

#[path = "../tests/common/mod.rs"]
mod common;
mod peers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{LIMIT, children, scaled_count, signal, wait_until};
use nix::sys::signal::Signal;
use peers::{Peer, Running};

/// What is timed, in the order of the columns of a [`round`].
const TIMES: [&str; 5] = [
    "start to first answer",
    "death of the only worker to next answer",
    "death of one of two workers to next answer",
    "HUP to first answer of the new configuration",
    "TERM to gone",
];

const SITE: &str =
    "location = /worker { return 200 $pid; } location = /version { return 200 old; }";
/// More than any process of this.
const NOBODY: &str = "0";

fn main() {
    let mut peers = peers::all();
    peers.retain(|peer| !peer.name.contains("tuned"));
    let mut rounds = vec![Vec::new(); peers.len()];
    for _ in 0..scaled_count(51, 9) {
        for (peer, times) in peers.iter().zip(&mut rounds) {
            times.push(round(peer));
        }
    }
    let medians: Vec<_> = rounds.iter().map(|times| median(times)).collect();
    print_table(&peers, &medians);
    print_json(&peers, &medians);
}

fn round(peer: &Peer) -> [Duration; TIMES.len()] {
    let one = launch(peer, 1);
    let start = one.started.elapsed();
    let death = time_of_death(&one);
    let term = one.terminate();
    let two = launch(peer, 2);
    let death_of_two = time_of_death(&two);
    two.terminate();
    let changed = launch(peer, 1);
    let reload = time_of_reload(&changed);
    changed.terminate();
    [start, death, death_of_two, reload, term]
}

/// A server with so many workers that has just answered for the first time.
fn launch(peer: &Peer, workers: usize) -> Running {
    let main = format!("worker_processes {workers};");
    let server = peer.launch(&[], &main, SITE);
    answer(&server, "/worker", |pid| pid != NOBODY);
    server
}

/// Asks on a new connection, again and again, until this is what is answered.
fn answer(server: &Running, target: &str, wanted: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !ask(server, target).is_some_and(|answer| wanted(&answer)) {
        assert!(Instant::now() < deadline, "no such answer to {target}");
    }
}

/// The content of an answer; none where there is no connection, or its worker has died.
fn ask(server: &Running, target: &str) -> Option<String> {
    let mut stream = TcpStream::connect(server.address).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    let request = format!("GET {target} HTTP/1.0\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, content) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ")
        .then(|| content.to_owned())
}

/// The next answer to a new connection that was not made by the worker that was killed.
fn time_of_death(server: &Running) -> Duration {
    let master = server.pid().expect("it runs");
    let victim = wait_until("there is a worker", || children(master).first().copied());
    let killed = Instant::now();
    signal(victim, Signal::SIGKILL);
    let victim = victim.to_string();
    answer(server, "/worker", |pid| pid != victim);
    killed.elapsed()
}

fn time_of_reload(server: &Running) -> Duration {
    server.edit_config("return 200 old", "return 200 new");
    let told = Instant::now();
    signal(server.pid().expect("it runs"), Signal::SIGHUP);
    answer(server, "/version", |version| version == "new");
    told.elapsed()
}

fn median(rounds: &[[Duration; TIMES.len()]]) -> [Duration; TIMES.len()] {
    std::array::from_fn(|time| {
        let mut sorted: Vec<Duration> = rounds.iter().map(|times| times[time]).collect();
        sorted.sort();
        sorted[sorted.len() / 2]
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn print_table(peers: &[Peer], medians: &[[Duration; TIMES.len()]]) {
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    println!(
        "| ms | {} |\n|---|{}",
        names.join(" | "),
        "---:|".repeat(names.len())
    );
    for (place, what) in TIMES.iter().enumerate() {
        let times = medians
            .iter()
            .map(|times| format!("{:.2}", millis(times[place])));
        println!("| {what} | {} |", times.collect::<Vec<_>>().join(" | "));
    }
}

fn print_json(peers: &[Peer], medians: &[[Duration; TIMES.len()]]) {
    let of_peer = |(peer, times): (&Peer, &[Duration; TIMES.len()])| {
        let times = TIMES.iter().zip(times);
        let times = times.map(|(what, &time)| format!("\"{what}\":{:.3}", millis(time)));
        format!(
            "\"{}\":{{{}}}",
            peer.name,
            times.collect::<Vec<_>>().join(",")
        )
    };
    let all: Vec<_> = peers.iter().zip(medians).map(of_peer).collect();
    println!("{{\"unit\":\"ms\",{}}}", all.join(","));
}
