//! Workers killed under full load: what it costs, and how soon and how often they are replaced.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test load_death -- --nocapture
//! --test-threads=1`.

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    Client, LIMIT, Reuse, Setup, TestServer, Wrk, is_forkful, processor_time, scaled, scaled_count,
    signal, skip, wait_until,
};
use nix::sys::signal::Signal;

/// Deadlines are met on a quiet machine; a loaded one is given so many times as long.
const MARGIN: u32 = 5;
/// Connections that wrk has open at any time.
const WRK_CONNECTIONS: u64 = 64;
/// The back-off's first and longest delay.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

const KILLED: &str = "exited on signal 9";
const FAULT: &str = "exited on signal 11";

fn site(workers: usize, death: &'static str) -> TestServer {
    let config = "access_log off; keepalive_requests 1000000000; server { listen %LISTEN%; \
                  root %PREFIX%/html; location /pid { return 200 \"$pid\"; } }";
    let mut server = Setup::with_main(&format!("worker_processes {workers};"), config)
        .file("html/f.txt", "content")
        .start();
    wait_until("all workers are there", || {
        (server.workers().len() == workers).then_some(())
    });
    server.expect_log(death);
    server
}

fn worker_of(client: &mut Client) -> u32 {
    client.get("/pid").text().parse().unwrap()
}

#[test]
fn only_the_connections_of_the_killed_worker_are_lost() {
    if !Wrk::is_installed() {
        return skip("wrk is not installed");
    }
    let server = site(2, KILLED);
    let duration = scaled(Duration::from_secs(5), Duration::from_secs(1));
    let mut wrk = Wrk::start(server.address(), duration, Reuse::Never);
    let (mut clients, mut holders) = (Vec::new(), Vec::new());
    let victim = server.workers()[0];
    wait_until("each worker has idle connections", || {
        let mut client = server.connect();
        holders.push(worker_of(&mut client));
        clients.push(client);
        let of_victim = holders.iter().filter(|pid| **pid == victim).count();
        (of_victim >= 8 && holders.len() - of_victim >= 8).then_some(())
    });
    signal(victim, Signal::SIGKILL);
    let mut lost = 0;
    for (client, holder) in clients.iter_mut().zip(&holders) {
        if *holder == victim {
            assert!(
                client.fill().is_ok() && client.has_ended(),
                "its connections end"
            );
            lost += 1;
        } else {
            assert_eq!(worker_of(client), *holder, "the others go on");
        }
    }
    assert!(wrk.runs(), "all that happened under load");
    let report = wrk.finish();
    println!(
        "one of 2 workers killed: {lost} of {} idle connections lost; {report:?}",
        clients.len()
    );
    assert_eq!((report.refused, report.unwanted), (0, 0), "{report:?}");
    assert!(report.broken <= WRK_CONNECTIONS, "{report:?}");
}

fn wait_for_answers(server: &TestServer) {
    for _ in 0..100 {
        server.get("/f.txt");
    }
}

#[test]
fn the_replacement_serves_what_was_queued() {
    if !Wrk::is_installed() {
        return skip("wrk is not installed");
    }
    for load in [false, true] {
        let count = scaled_count(20, 3);
        let mut times: Vec<_> = (0..count).map(|_| time_of_replacement(load)).collect();
        times.sort();
        let (least, median) = (times[0], times[count / 2]);
        let beside = if load { "under load" } else { "idle" };
        println!(
            "the only worker killed, {beside}: served again after {median:?} (least {least:?}, {count} times)"
        );
    }
}

/// The time from the death of the only worker to an answer by the next one.
fn time_of_replacement(load: bool) -> Duration {
    let server = site(1, KILLED);
    let second = Duration::from_secs(1);
    let wrk = load.then(|| Wrk::start(server.address(), second, Reuse::KeepAlive));
    wait_for_answers(&server);
    let old = server.workers()[0];
    let killed = Instant::now();
    signal(old, Signal::SIGKILL);
    // The first connections may still have been taken by the one that dies.
    let new = wait_until("the next worker answers", || {
        let mut client = Client::connect(server.address());
        client
            .try_send("GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
            .ok()?;
        let pid = client
            .try_response(false)
            .ok()?
            .text()
            .parse::<u32>()
            .ok()?;
        (pid != old).then_some(pid)
    });
    let time = killed.elapsed();
    assert_eq!(server.workers(), [new]);
    if let Some(report) = wrk.map(Wrk::finish) {
        assert_eq!((report.refused, report.unwanted), (0, 0), "{report:?}");
        assert!(report.broken <= WRK_CONNECTIONS, "{report:?}");
    }
    time
}

#[test]
fn a_slot_killed_again_and_again_harms_nobody() {
    let server = site(2, FAULT);
    let spared = server.workers()[1];
    let duration = scaled(Duration::from_secs(10), Duration::from_secs(1));
    let (start, processor) = (Instant::now(), processor_time(server.pid()));
    let over = AtomicBool::new(false);
    let (killed, outcomes) = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| ask_anew(server.address(), &over)))
            .collect();
        let mut killed = BTreeSet::new();
        while start.elapsed() < duration {
            for pid in server.workers().into_iter().filter(|pid| *pid != spared) {
                signal(pid, Signal::SIGSEGV);
                killed.insert(pid);
            }
            thread::yield_now();
        }
        over.store(true, Ordering::Relaxed);
        let outcomes: Vec<_> = clients.into_iter().map(|it| it.join().unwrap()).collect();
        (killed, outcomes)
    });
    let share =
        (processor_time(server.pid()) - processor).as_secs_f64() / start.elapsed().as_secs_f64();
    let answered: usize = outcomes.iter().map(|it| it.answered).sum();
    let lost: usize = outcomes.iter().map(|it| it.lost).sum();
    let slowest = outcomes.iter().map(|it| it.slowest).max().unwrap();
    let deaths = killed.len();
    println!(
        "one slot of 2 killed for {duration:?}: {deaths} deaths, master {:.2} % of a processor; \
         {answered} connections answered, {lost} lost with their worker, slowest answer {slowest:?}",
        share * 100.0,
    );
    assert!(deaths <= most_deaths(duration), "{deaths} deaths");
    assert!(
        share < 0.02 * f64::from(MARGIN),
        "the master took {share} of a processor"
    );
    assert!(
        lost <= deaths * 4,
        "{lost} of {answered} lost by {deaths} deaths"
    );
    assert!(
        slowest < Duration::from_secs(1) * MARGIN,
        "slowest answer {slowest:?}"
    );
    killed
        .iter()
        .for_each(|pid| is_reported_once(&server, *pid));
}

/// Waits for the one line about this death, which came from outside and so blames no request.
fn is_reported_once(server: &TestServer, pid: u32) {
    let end = format!("worker process {pid} {FAULT}");
    server.wait_for_log(&end);
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&end)).collect();
    let [line] = lines[..] else {
        panic!("one line, not {lines:?}")
    };
    assert!(
        !line.contains("request:") && (line.contains("SI_USER sent by") || !is_forkful()),
        "{line}"
    );
}

/// What became of many connections of one request each.
#[derive(Default)]
struct Outcome {
    answered: usize,
    /// Ended without an answer, as happens when the process dies that accepted.
    lost: usize,
    slowest: Duration,
}

fn ask_anew(address: SocketAddr, over: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    while !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        let mut client = Client::connect(address); // panics if it is refused
        let request = "GET /f.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let sent = client.try_send(request).map_err(|error| error.to_string());
        match sent.and_then(|()| client.try_response(false)) {
            Ok(response) => {
                assert_eq!(
                    (response.status, &response.body[..]),
                    (200, &b"content"[..])
                );
                outcome.answered += 1;
                outcome.slowest = outcome.slowest.max(start.elapsed());
            }
            Err(error) => {
                assert!(client.has_ended() || start.elapsed() < LIMIT, "{error}");
                outcome.lost += 1;
            }
        }
    }
    outcome
}

/// The first death is replaced at once, the next ones after delays that double.
fn most_deaths(duration: Duration) -> usize {
    let (mut deaths, mut time, mut delay) = (2, Duration::ZERO, SHORTEST);
    while time + delay <= duration {
        time += delay;
        deaths += 1;
        delay = (delay * 2).min(LONGEST);
    }
    deaths
}
