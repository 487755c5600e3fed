//! Clients that ask again and again, and check every answer, while something happens to the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, spawn};

use super::client::Client;
use super::wait::wait_until;

/// Whether connections are used for one request or for many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    Never,
    KeepAlive,
}

/// Running clients.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Starts `clients` of them; each asks for `/f.txt` and wants `body`.
    pub fn start(address: SocketAddr, clients: usize, reuse: Reuse, body: &'static str) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let client = |_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            spawn(move || ask(address, reuse, body, &stop, &answered))
        };
        let threads = (0..clients).map(client).collect();
        let load = Self {
            stop,
            answered,
            threads,
        };
        load.wait_for_more();
        load
    }

    /// Waits until every client may have been answered once more.
    pub fn wait_for_more(&self) {
        let enough = self.answered() + 2 * self.threads.len();
        wait_until("the clients are answered", || {
            (self.answered() >= enough).then_some(())
        });
    }

    /// Requests answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the clients; returns the number of requests answered and what went wrong.
    pub fn finish(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self
            .threads
            .into_iter()
            .flat_map(|it| it.join().unwrap())
            .collect();
        (self.answered.load(Ordering::Relaxed), failures)
    }
}

fn ask(
    address: SocketAddr,
    reuse: Reuse,
    body: &str,
    stop: &AtomicBool,
    answered: &AtomicUsize,
) -> Vec<String> {
    let close = if reuse == Reuse::Never {
        "Connection: close\r\n"
    } else {
        ""
    };
    let request = format!("GET /f.txt HTTP/1.1\r\nHost: a\r\n{close}\r\n");
    let mut failures = Vec::new();
    let mut client = None;
    while !stop.load(Ordering::Relaxed) {
        let mut current = client.take().unwrap_or_else(|| Client::connect(address));
        let sent = current
            .try_send(&request)
            .map_err(|error| error.to_string());
        match sent.and_then(|()| current.try_response(false)) {
            Ok(response) if response.status == 200 && response.body == body.as_bytes() => {
                answered.fetch_add(1, Ordering::Relaxed);
                let closes = response.header("Connection") == Some("close");
                client = (!closes).then_some(current);
            }
            Ok(response) => failures.push(format!("{response:?}")),
            Err(error) => failures.push(error),
        }
    }
    failures
}
