//! A page in content codings, under wrk: bytes, and processor time per request. One worker has one
//! CPU and wrk another; the rounds are interleaved, and medians are shown.
//!
//! `cargo bench --bench compression`; needs wrk, taskset and two CPUs, and compares with nginx where
//! it is. `FORKFUL_TEST_SCALE` shortens the rounds.

#[path = "../tests/common/mod.rs"]
mod common;
mod peers;

use std::process::Command;
use std::time::Duration;

use common::{Reuse, Wrk, processor_time, scaled};
use peers::Running;

const ROUNDS: usize = 5;
const SERVER_CPU: &str = "0";
const CLIENT_CPU: &str = "1";
const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// A server's answers in one coding.
struct Row {
    name: String,
    server: usize,
    coding: &'static str,
    bytes: usize,
    /// Microseconds of processor time per request, of each round.
    costs: Vec<f64>,
}

fn main() {
    let peers = peers::coding();
    let start =
        |peer: &peers::Peer| peer.start(&["taskset", "-c", SERVER_CPU], "worker_processes 1;");
    let servers: Vec<Running> = peers.iter().map(start).collect();
    let mut rows = Vec::new();
    for (server, (peer, running)) in peers.iter().zip(&servers).enumerate() {
        for coding in CODINGS {
            if let Some(bytes) = bytes(running, coding) {
                rows.push(Row {
                    name: format!("{} {coding}", peer.name),
                    server,
                    coding,
                    bytes,
                    costs: Vec::new(),
                });
            }
        }
    }
    for _ in 0..ROUNDS {
        for row in &mut rows {
            row.costs.push(round(&servers[row.server], row.coding));
        }
    }
    show(&mut rows);
    servers.into_iter().for_each(|server| drop(server.stop()));
}

fn show(rows: &mut [Row]) {
    rows.iter_mut()
        .for_each(|row| row.costs.sort_by(f64::total_cmp));
    let cost = |row: &Row| row.costs[ROUNDS / 2];
    let named = |name: &str| rows.iter().find(|row| row.name == name).map(cost);
    let nginx = |row: &Row| {
        let (server, _) = row.name.rsplit_once(' ').expect("server and coding");
        named(&format!("{} gzip", server.replace("forkful", "nginx")))
    };
    println!("| server and coding | bytes | CPU µs/request | CPU to nginx's gzip |");
    println!("|---|---:|---:|---:|");
    for row in rows.iter() {
        let ratio = nginx(row).map_or(String::new(), |it| format!("{:.3}", cost(row) / it));
        println!(
            "| {} | {} | {:.2} | {ratio} |",
            row.name,
            row.bytes,
            cost(row)
        );
    }
}

/// Bytes of the page in a coding, unless the server does not have it.
fn bytes(server: &Running, coding: &str) -> Option<usize> {
    let mut client = server.connect();
    client.send(format!(
        "GET /page.html HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"
    ));
    let response = client.response();
    let chosen = response.header("Content-Encoding");
    (chosen == Some(coding)).then_some(response.body.len())
}

fn round(server: &Running, coding: &str) -> f64 {
    let time = || {
        let processes = server.processes().into_iter();
        processes.map(processor_time).sum::<Duration>()
    };
    let before = time();
    let mut wrk = Command::new("taskset");
    let accept = format!("Accept-Encoding: {coding}");
    wrk.args(["-c", CLIENT_CPU, "wrk", "-H", &accept]);
    let duration = scaled(Duration::from_secs(60), Duration::from_secs(1));
    let target = "/page.html";
    let wrk = Wrk::start_by(&mut wrk, server.address, target, duration, Reuse::KeepAlive);
    let report = wrk.finish();
    assert!(report.is_clean(), "{report:?}");
    (time() - before).as_secs_f64() * 1e6 / report.requests as f64
}
