//! Limits that all workers keep together, under full load, while workers are killed and
//! configurations reloaded.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test load_limits -- --nocapture
//! --test-threads=1`.

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, Reuse, Setup, TestServer, Wrk, scaled, signal, skip, wait_until};
use nix::sys::signal::Signal;

const WORKERS: usize = 4;
const KILLED: &str = "exited on signal 9";

/// Between one disturbance and the next.
const PERIOD: Duration = Duration::from_millis(400);

fn site(http: &str) -> TestServer {
    let main = format!("worker_processes {WORKERS}; reload_probation 100ms;");
    // Each refusal has a line otherwise.
    let quiet = "access_log off; error_log %PREFIX%/error.log crit; keepalive_requests 1000000000;";
    let mut server = Setup::with_main(&main, &format!("{quiet} {http}"))
        .file("html/f.txt", "content")
        .file("html/large", vec![b'x'; 64 << 20])
        .start();
    server.expect_log(KILLED);
    server
}

/// Kills a worker, or reloads, in turn, until it is over; how often each.
fn disturb(server: &TestServer, mut over: impl FnMut() -> bool) -> (usize, usize) {
    let (mut kills, mut reloads, mut due) = (0, 0, Instant::now() + PERIOD);
    while !over() {
        if Instant::now() < due {
            thread::yield_now();
            continue;
        }
        due += PERIOD;
        if kills > 2 * reloads {
            server.signal(Signal::SIGHUP);
            reloads += 1;
        } else if let Some(worker) = server.workers().first() {
            signal(*worker, Signal::SIGKILL);
            kills += 1;
        }
    }
    (kills, reloads)
}

#[test]
fn as_many_requests_are_accepted_as_may() {
    const RATE: f64 = 500.0;
    const BURST: f64 = 500.0;
    if !Wrk::is_installed() {
        return skip("wrk is not installed");
    }
    let server = site(
        "limit_req_zone $server_addr zone=one:1m rate=500r/s; \
         server { listen %LISTEN%; root %PREFIX%/html; limit_req zone=one burst=500 nodelay; }",
    );
    let duration = scaled(Duration::from_secs(60), Duration::from_secs(4));
    let start = Instant::now();
    let mut wrk = Wrk::start(server.address(), duration, Reuse::KeepAlive);
    let (kills, reloads) = disturb(&server, || !wrk.runs());
    let elapsed = start.elapsed().as_secs_f64();
    let report = wrk.finish();
    let accepted = (report.requests - report.unwanted) as f64;
    let (most, under_load) = (
        RATE * elapsed + BURST + 1.0,
        report.requests as f64 / report.rate,
    );
    let expected = RATE * under_load + BURST + 1.0;
    println!(
        "{accepted} of {} requests accepted in {under_load:.2} s, {:.4} of what may be, with {kills} \
         workers killed and {reloads} reloads",
        report.requests,
        accepted / expected
    );
    assert!(kills > 1 && reloads > 0, "{kills} {reloads}");
    assert!(accepted <= most, "{accepted} of at most {most}");
    assert!(
        accepted >= 0.98 * expected,
        "{accepted} of about {expected}"
    );
}

/// Answers that are being received, by the process that sends them.
#[derive(Default)]
struct Holders(Mutex<HashMap<usize, u32>>);

impl Holders {
    /// One more; how many there are whose process is not gone.
    fn add(&self, number: usize, process: u32) -> usize {
        let mut all = self.0.lock().unwrap();
        all.insert(number, process);
        let lives = |process: &&u32| Path::new(&format!("/proc/{process}")).exists();
        all.values().filter(lives).count()
    }

    fn remove(&self, number: usize) {
        self.0.lock().unwrap().remove(&number);
    }
}

const MOST: usize = 5;

fn ask(server: &TestServer) -> (Client, Option<u32>) {
    let mut client = server.connect();
    let asked = client.try_send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = asked.ok().and_then(|()| head(&mut client));
    let process = head.and_then(|head| {
        let (_, value) = head.split_once("X-Pid: ")?;
        head.starts_with("HTTP/1.1 200")
            .then(|| value.lines().next()?.trim().parse().ok())?
    });
    (client, process)
}

/// The head of an answer whose body is not awaited.
fn head(client: &mut Client) -> Option<String> {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while !text.windows(4).any(|it| it == b"\r\n\r\n") {
        match std::io::Read::read(&mut client.stream(), &mut chunk) {
            Ok(count) if count > 0 => text.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Asks, receives a part of the answer, leaves, and asks again.
fn come_and_go(server: &TestServer, holders: &Holders, numbers: &AtomicUsize, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let (mut client, process) = ask(server);
        let Some(process) = process else { continue };
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let count = holders.add(number, process);
        assert!(count <= MOST, "{count} at the same time");
        for _ in 0..3 {
            if client.has_ended() || client.fill().is_err() {
                break;
            }
        }
        holders.remove(number);
    }
}

#[test]
fn there_are_never_too_many_at_the_same_time_and_none_at_the_end() {
    let server = site(
        "limit_conn_zone $server_addr zone=one:1m; add_header X-Pid $pid; \
         server { listen %LISTEN%; root %PREFIX%/html; limit_conn one 5; limit_rate 2m; }",
    );
    let duration = scaled(Duration::from_secs(60), Duration::from_secs(4));
    let (holders, numbers) = (Holders::default(), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let (kills, reloads) = thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| come_and_go(&server, &holders, &numbers, &over));
        }
        let disturbed = disturb(&server, || start.elapsed() >= duration);
        over.store(true, Ordering::Relaxed);
        disturbed
    });
    let count = numbers.into_inner();
    println!("{count} answers, {kills} workers killed and {reloads} reloads");
    assert!(
        count > MOST && kills > 1 && reloads > 0,
        "{count} {kills} {reloads}"
    );
    wait_until("as many are let in as may, and no more", || {
        let clients: Vec<_> = (0..=MOST).map(|_| ask(&server)).collect();
        let let_in = clients.iter().filter(|(_, process)| process.is_some());
        let let_in = let_in.count();
        assert!(let_in <= MOST, "{let_in} at the same time");
        (let_in == MOST).then_some(())
    });
}
