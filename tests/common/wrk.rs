//! wrk, a load generator: started beside a test, and what it reports. It checks no bodies.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::load::Reuse;

/// A wrk that runs: one thread, 64 connections.
pub struct Wrk(Child);

/// What it saw.
#[derive(Debug)]
pub struct WrkReport {
    /// Requests answered.
    pub requests: u64,
    /// Requests answered per second.
    pub rate: f64,
    /// The time in which 99 of 100 requests were answered.
    pub p99: Duration,
    /// Connections that could not be made.
    pub refused: u64,
    /// Failures of connections after they were made, and answers that took too long.
    pub broken: u64,
    /// Answers other than 2xx and 3xx.
    pub unwanted: u64,
}

impl Wrk {
    /// Whether it is installed.
    pub fn is_installed() -> bool {
        let mut command = Command::new("wrk");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.arg("-v").status().is_ok()
    }

    /// Asks for `/f.txt` for so long, in whole seconds.
    pub fn start(address: SocketAddr, duration: Duration, reuse: Reuse) -> Wrk {
        Wrk::start_by(&mut Command::new("wrk"), address, "/f.txt", duration, reuse)
    }

    /// The same, of a target, by a command that may have arguments of its own before wrk's.
    pub fn start_by(
        command: &mut Command,
        address: SocketAddr,
        target: &str,
        duration: Duration,
        reuse: Reuse,
    ) -> Wrk {
        let seconds = duration.as_secs_f64().ceil();
        command.args(["-t1", "-c64", "--latency", &format!("-d{seconds}s")]);
        if reuse == Reuse::Never {
            command.args(["-H", "Connection: close"]);
        }
        command.arg(format!("http://{address}{target}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Wrk(command.spawn().expect("wrk starts"))
    }

    /// Whether it still asks.
    pub fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for its end, which comes by itself.
    pub fn finish(self) -> WrkReport {
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "wrk failed: {text}");
        WrkReport::read(&text).unwrap_or_else(|| panic!("wrk says: {text}"))
    }
}

impl WrkReport {
    /// Whether not one request failed.
    pub fn is_clean(&self) -> bool {
        self.requests > 0 && self.refused + self.broken + self.unwanted == 0
    }

    fn read(text: &str) -> Option<WrkReport> {
        let line = |start: &str| {
            text.lines()
                .find_map(|line| line.trim().strip_prefix(start))
        };
        let mut errors = [0; 4];
        if let Some(list) = line("Socket errors:") {
            for (error, item) in errors.iter_mut().zip(list.split(',')) {
                *error = item.split_whitespace().nth(1)?.parse().ok()?;
            }
        }
        let unwanted = match line("Non-2xx or 3xx responses:") {
            Some(count) => count.trim().parse().ok()?,
            None => 0,
        };
        let requests = text.lines().find(|line| line.contains(" requests in "))?;
        Some(WrkReport {
            requests: requests.split_whitespace().next()?.parse().ok()?,
            rate: line("Requests/sec:")?.trim().parse().ok()?,
            p99: duration(line("99%")?.trim())?,
            refused: errors[0],
            broken: errors[1..].iter().sum(),
            unwanted,
        })
    }
}

/// What wrk prints: `1.23ms`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|byte: char| byte.is_alphabetic())?;
    let number: f64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number * seconds))
}
