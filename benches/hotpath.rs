//! Exact counts for each kind of request: system calls, user instructions, allocations. Each is the
//! difference of two runs, of which one serves twice as many requests. No time is measured.
//!
//! `cargo bench --bench hotpath`; needs strace and valgrind, and compares with nginx where it is.

#[path = "../tests/common/mod.rs"]
mod common;
mod peers;

use std::collections::BTreeMap;
use std::fs;

use peers::{Peer, Running};

/// One process that serves; what is counted is its work alone.
const SINGLE: &str = "master_process off; worker_processes 1;";
/// Requests of the shorter run.
const REQUESTS: usize = 500;

/// A kind of request, and its answer's status.
struct Kind {
    name: &'static str,
    request: &'static str,
    status: u16,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "small file",
        request: "GET /small HTTP/1.1\r\nHost: a\r\n\r\n",
        status: 200,
    },
    Kind {
        name: "not modified",
        request: "GET /small HTTP/1.1\r\nHost: a\r\n\
                  If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n",
        status: 304,
    },
    Kind {
        name: "not found",
        request: "GET /missing HTTP/1.1\r\nHost: a\r\n\r\n",
        status: 404,
    },
    Kind {
        name: "range",
        request: "GET /small HTTP/1.1\r\nHost: a\r\nRange: bytes=100-199\r\n\r\n",
        status: 206,
    },
    Kind {
        name: "small file, a connection each",
        request: "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        status: 200,
    },
];

fn main() {
    println!("| request | server | system calls | with epoll_wait | instructions | allocations |");
    println!("|---|---|---:|---:|---:|---:|");
    let mut calls = Vec::new();
    for kind in &KINDS {
        for peer in peers::all() {
            let called = system_calls(&peer, kind);
            let all: f64 = called.values().sum();
            let waits = called.get("epoll_wait").copied().unwrap_or_default();
            let instructions = instructions(&peer, kind);
            let allocations = allocations(&peer, kind);
            println!(
                "| {} | {} | {:.2} | {all:.2} | {instructions:.0} | {allocations:.2} |",
                kind.name,
                peer.name,
                all - waits,
            );
            calls.push((kind.name, peer.name, called));
        }
    }
    if valgrind_lacks_openat2() {
        println!("\nThis valgrind has no openat2(2): of forkful, instructions and allocations are");
        println!("those of the way it takes on kernels before 5.12, system calls the usual ones.");
    }
    println!("\n| request | server | each system call |\n|---|---|---|");
    for (kind, peer, called) in calls {
        let list: Vec<_> = called
            .iter()
            .map(|(name, count)| format!("{name} {count:.2}"))
            .collect();
        println!("| {kind} | {peer} | {} |", list.join(", "));
    }
}

/// Whether valgrind refuses the call by which files are opened: the same number everywhere.
fn valgrind_lacks_openat2() -> bool {
    let wrapper = ["valgrind", "--tool=none"];
    run(&peers::all()[0], &wrapper, &KINDS[0], 1).contains(" syscall: 437")
}

/// The system calls of one request.
fn system_calls(peer: &Peer, kind: &Kind) -> BTreeMap<String, f64> {
    let count = |requests| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        run(peer, &["strace", "-f", "-c", "-o", path], kind, requests);
        let table = fs::read_to_string(path).unwrap();
        table
            .lines()
            .filter_map(counted_call)
            .collect::<BTreeMap<_, _>>()
    };
    let (once, mut twice) = (count(REQUESTS), count(2 * REQUESTS));
    for (name, count) in &mut twice {
        *count = (*count - once.get(name).unwrap_or(&0.0)) / REQUESTS as f64;
    }
    // A call or two of the start may differ from run to run.
    twice.retain(|_, count| *count >= 0.01);
    twice
}

/// A row of strace's table: share of time, seconds, microseconds a call, calls, perhaps errors, name.
fn counted_call(line: &str) -> Option<(String, f64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.first()?.parse::<f64>().ok()?;
    let name = words.last().filter(|name| **name != "total")?;
    Some((name.to_string(), words.get(3)?.parse().ok()?))
}

/// The instructions of one request in user space.
fn instructions(peer: &Peer, kind: &Kind) -> f64 {
    per_request(|requests| {
        let wrapper = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
        ];
        let text = run(peer, &wrapper, kind, requests);
        number_after(&text, "Collected :")
    })
}

/// The allocations of one request.
fn allocations(peer: &Peer, kind: &Kind) -> f64 {
    per_request(|requests| {
        let wrapper = [
            "valgrind",
            "--tool=memcheck",
            "--leak-check=no",
            "--undef-value-errors=no",
        ];
        let text = run(peer, &wrapper, kind, requests);
        number_after(&text, "total heap usage:")
    })
}

fn per_request(count: impl Fn(usize) -> f64) -> f64 {
    (count(2 * REQUESTS) - count(REQUESTS)) / REQUESTS as f64
}

fn number_after(text: &str, what: &str) -> f64 {
    let rest = text
        .split(what)
        .nth(1)
        .unwrap_or_else(|| panic!("no {what:?} in {text}"));
    let number = rest.split_whitespace().next().unwrap();
    number.replace(',', "").parse().unwrap()
}

/// Runs the server under a tool while it answers so many requests; returns what they wrote.
fn run(peer: &Peer, wrapper: &[&str], kind: &Kind, requests: usize) -> String {
    let running = peer.start(wrapper, SINGLE);
    ask(&running, kind, requests);
    running.stop()
}

fn ask(running: &Running, kind: &Kind, requests: usize) {
    let mut client = running.connect();
    for _ in 0..requests {
        client.send(kind.request);
        let response = client.response();
        assert_eq!(response.status, kind.status, "{}", kind.name);
        if response.header("Connection") == Some("close") {
            client.expect_closed();
            client = running.connect();
        }
    }
}
