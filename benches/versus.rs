//! Servers beside each other under wrk: requests per second, and processor time per request. One
//! worker has one CPU and wrk another; the rounds are interleaved, and medians are shown.
//!
//! `cargo bench --bench versus`; needs wrk, taskset and two CPUs, and compares with nginx where it
//! is. `FORKFUL_TEST_SCALE` shortens the rounds.

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

/// What wrk asks for.
const LOADS: [(&str, &str, Reuse); 4] = [
    ("1 KB", "/small", Reuse::KeepAlive),
    ("1 KB, a connection each", "/small", Reuse::Never),
    ("100 KB", "/large", Reuse::KeepAlive),
    ("404", "/missing", Reuse::KeepAlive),
];

/// One round: requests per second, microseconds of processor time per request.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    cost: f64,
}

fn main() {
    let peers = peers::all();
    let start =
        |peer: &peers::Peer| peer.start(&["taskset", "-c", SERVER_CPU], "worker_processes 1;");
    let servers: Vec<Running> = peers.iter().map(start).collect();
    println!(
        "| load | server | requests/s | CPU µs/request | requests/s to nginx's | CPU to nginx's |"
    );
    println!("|---|---|---:|---:|---:|---:|");
    for (load, target, reuse) in LOADS {
        let mut rounds = vec![Vec::new(); servers.len()];
        for _ in 0..ROUNDS {
            for (server, figures) in servers.iter().zip(&mut rounds) {
                figures.push(round(server, target, reuse));
            }
        }
        let medians: Vec<Figures> = rounds.iter().map(|figures| median(figures)).collect();
        for (place, (peer, figures)) in peers.iter().zip(&medians).enumerate() {
            let other = peers
                .iter()
                .position(|other| peer.name.replace("forkful", "nginx") == other.name);
            let ratios = match other.filter(|other| *other != place) {
                Some(other) => format!(
                    "{:.2} | {:.2}",
                    figures.rate / medians[other].rate,
                    figures.cost / medians[other].cost
                ),
                None => " | ".into(),
            };
            println!(
                "| {load} | {} | {:.0} | {:.2} | {ratios} |",
                peer.name, figures.rate, figures.cost
            );
        }
    }
    servers.into_iter().for_each(|server| drop(server.stop()));
}

fn round(server: &Running, target: &str, reuse: Reuse) -> Figures {
    let time = || {
        server
            .processes()
            .into_iter()
            .map(processor_time)
            .sum::<Duration>()
    };
    let before = time();
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", CLIENT_CPU, "wrk"]);
    let duration = scaled(Duration::from_secs(60), Duration::from_secs(1));
    let report = Wrk::start_by(&mut wrk, server.address, target, duration, reuse).finish();
    assert_eq!((report.refused, report.broken), (0, 0), "{report:?}");
    let cost = (time() - before).as_secs_f64() * 1e6 / report.requests as f64;
    Figures {
        rate: report.rate,
        cost,
    }
}

fn median(figures: &[Figures]) -> Figures {
    let middle = |figure: fn(&Figures) -> f64| {
        let mut sorted: Vec<f64> = figures.iter().map(figure).collect();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    Figures {
        rate: middle(|it| it.rate),
        cost: middle(|it| it.cost),
    }
}
