//! While threads of a worker are stuck or have heavy work, its other requests are answered as fast
//! as before: times are taken in turns, with and without that work.
//!
//! Full size: `FORKFUL_TEST_SCALE=1 cargo test --release --test heavy_jobs -- --nocapture`.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, Setup, SlowDisk, TestServer, is_forkful, possible, scaled_count, wait_until};

/// How often both are measured, in turns.
const ROUNDS: usize = 6;
/// How many times longer the median may be on a machine that does other things as well, and what is
/// too short to be told apart. If the loop waited for a job, it would be a hundred times longer.
const MARGIN: f64 = 4.0;
const SLACK: Duration = Duration::from_millis(1);
/// Requests that have work for threads at the same time.
const BUSY: usize = 4;

fn server() -> TestServer {
    let http = "compressed_cache off;
        server { listen %LISTEN%; root %PREFIX%/html; access_log off;
        keepalive_requests 1000000;
        client_max_body_size 100m; client_body_temp_path %PREFIX%/body;
        location /tree/ { root %PREFIX%/dav; dav_methods PUT COPY DELETE; create_full_put_path on; }
        location /zip/ { gzip on; gzip_comp_level 9; gzip_types *; }
        location /closed/ { auth_basic closed; auth_basic_user_file %PREFIX%/users; } }";
    // Of cost 10; nobody knows the password.
    let users = "user:$2y$10$8LcQ2RrsKJpOTiZnDYHc1eyGUWxgGWIYlNqVGVvVvDzQR6GVpPVVu\n";
    Setup::http(http)
        .file("html/f.txt", "content")
        .file("html/closed/f.txt", "closed")
        .file("users", users)
        .folder("dav", 0o777)
        .start()
}

/// The times that some requests for a small file take.
fn times(client: &mut Client, times: &mut Vec<Duration>) {
    for _ in 0..scaled_count(5000, 200) {
        let start = Instant::now();
        assert_eq!(client.get("/f.txt").text(), "content");
        times.push(start.elapsed());
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Takes times in turns, without and with what `begin` begins and the other ends.
fn compare<W>(server: &TestServer, what: &str, begin: impl Fn() -> W, end: impl Fn(W)) {
    let mut client = server.connect();
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    times(&mut client, &mut Vec::new());
    for _ in 0..ROUNDS {
        times(&mut client, &mut quiet);
        let work = begin();
        times(&mut client, &mut busy);
        end(work);
    }
    let (quiet, busy) = (median(quiet), median(busy));
    println!("{what}: median {quiet:?} without, {busy:?} with it");
    let most = quiet.mul_f64(MARGIN) + SLACK;
    assert!(busy < most, "{what}: {busy:?} instead of {quiet:?}");
}

/// Threads that send a request again and again.
struct Work {
    over: std::sync::Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Work {
    fn begin(server: &TestServer, request: &str, status: u16) -> Work {
        let over = std::sync::Arc::new(AtomicBool::new(false));
        let done = std::sync::Arc::new(AtomicUsize::new(0));
        let threads = (0..BUSY).map(|number| {
            let (over, done) = (over.clone(), done.clone());
            let request = request.replace("%N%", &number.to_string());
            let address = server.address();
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut client = Client::connect(address);
                    client.send(&request);
                    done.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(client.response().status, status);
                }
            })
        });
        let threads = threads.collect();
        wait_until("all are at work", || {
            (done.load(Ordering::Relaxed) >= BUSY).then_some(())
        });
        Work { over, threads }
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|it| it.join().unwrap());
    }
}

#[test]
fn a_disk_that_is_stuck_delays_nobody_else() {
    if !possible(
        SlowDisk::is_possible() && is_forkful(),
        "needs root and /dev/fuse",
    ) {
        return;
    }
    let server = server();
    let names: Vec<String> = (0..ROUNDS * BUSY)
        .map(|number| number.to_string())
        .collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"late"[..])).collect();
    let disk = SlowDisk::mount(&server.path("html/disk"), &files);
    let next = AtomicUsize::new(0);
    let begin = || {
        disk.hold();
        let ask = |_| {
            let mut client = server.connect();
            let number = next.fetch_add(1, Ordering::Relaxed);
            client.send_get(&format!("/disk/{number}"));
            client
        };
        let clients: Vec<Client> = (0..BUSY).map(ask).collect();
        wait_until("the disk is asked", || disk.is_asked().then_some(()));
        clients
    };
    compare(&server, "a stuck disk", begin, |clients| {
        disk.release();
        for mut client in clients {
            assert_eq!(client.response().text(), "late");
        }
    });
}

#[test]
fn passwords_that_are_hashed_delay_nobody_else() {
    if !is_forkful() {
        return; // nginx hashes in its loop
    }
    let server = server();
    let request = "GET /closed/f.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        Authorization: Basic dXNlcjp3cm9uZw==\r\n\r\n";
    let begin = || Work::begin(&server, request, 401);
    compare(&server, "bcrypt", begin, Work::end);
}

#[test]
fn what_is_compressed_delays_nobody_else() {
    if !is_forkful() {
        return; // nginx compresses in its loop
    }
    let server = server();
    let text: String = (0..scaled_count(500_000, 20_000))
        .map(|it| format!("{it}, "))
        .collect();
    server.write("html/zip/f.txt", text);
    let request = "GET /zip/f.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\
        Connection: close\r\n\r\n";
    let begin = || Work::begin(&server, request, 200);
    compare(&server, "gzip", begin, Work::end);
}

#[test]
fn a_tree_that_is_copied_delays_nobody_else() {
    if !is_forkful() {
        return; // nginx copies in its loop
    }
    let server = server();
    let content = vec![b'x'; scaled_count(16 << 20, 1 << 20)];
    for number in 0..8 {
        let mut client = server.connect();
        let length = content.len();
        client.send(format!(
            "PUT /tree/from/{number} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        client.send(&content);
        assert_eq!(client.response().status, 201);
    }
    let request = "COPY /tree/from/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        Destination: /tree/to%N%/\r\n\r\n";
    let begin = || Work::begin(&server, request, 201);
    compare(&server, "COPY", begin, Work::end);
}
