//! The checker of a new configuration: a forked child that loads it whole. One that hangs, crashes or
//! takes all memory costs that child; what it has read is what the master loads.
//!
//! - `examination`: what the child does
//! - `findings`: what it hands over

mod examination;
mod findings;

use std::io::Read;

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};

use super::children::{self, failed};
use super::load::Request;
use crate::conf::outside::Outside;
use crate::log;
use crate::sys::OsError;
use crate::sys::process::{ExitStatus, Fork, Pid};
use crate::sys::signal::{self, Signal};
pub(super) use examination::Examination;
use findings::{Findings, Refusal};

const NAME: &str = "checker process";
/// As much of a crashed checker's last words is logged.
const LAST_WORDS: u64 = 1000;
/// What Rust's runtime says before it aborts a process that gets no memory.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// Which side of the fork this is.
pub(super) enum Birth {
    Parent(Checker),
    /// All signals are blocked here.
    Child(Examination),
}

/// A checker as the master knows it.
pub(super) struct Checker {
    /// The number of the generation that it is for.
    pub generation: u64,
    pub pid: Pid,
    /// Bytes of memory that it may take, and that its findings may.
    memory: u64,
    findings: Receiver,
    received: Vec<u8>,
    words: Receiver,
}

/// Forks a checker of what is to be the generation of this number.
///
/// # Errors
/// In nginx's words.
pub(super) fn fork(generation: u64, request: &Request, memory: u64) -> Result<Birth, String> {
    let pipe = || pipe::new().map_err(|error| failed("pipe()", NAME, &error));
    let ((to_findings, findings), (to_words, words)) = (pipe()?, pipe()?);
    Ok(match children::fork_quietly(NAME)? {
        Fork::Parent(pid) => Birth::Parent(Checker {
            generation,
            pid,
            memory,
            findings,
            received: Vec::new(),
            words,
        }),
        Fork::Child => Birth::Child(Examination {
            request: request.clone(),
            memory,
            findings: to_findings,
            words: to_words,
        }),
    })
}

impl Checker {
    /// Listens to it from now on; its token is its number.
    pub fn register(&mut self, registry: &Registry) {
        let token = Token(self.pid.number() as usize);
        let registered = registry.register(&mut self.findings, token, Interest::READABLE);
        if let Err(error) = registered {
            // One that has much to say waits for its deadline then.
            let (pid, error) = (self.pid, OsError(&error));
            log::alert!("epoll_ctl() for {NAME} {pid} failed {error}");
        }
    }

    /// Takes what it has said so far, and ends it if that is more than it may say.
    pub fn hear(&mut self) {
        if self.is_excessive() {
            return;
        }
        let room = self.memory + 1 - self.received.len() as u64;
        // A part is taken even where an error, as that there is no more yet, follows.
        let _ = (&self.findings).take(room).read_to_end(&mut self.received);
        if self.is_excessive() {
            children::kill(self.pid, Signal::Kill);
        }
    }

    fn is_excessive(&self) -> bool {
        self.received.len() as u64 > self.memory
    }

    /// What it found, once it has ended so.
    pub fn conclude(mut self, status: ExitStatus) -> Result<Outside, Refusal> {
        self.hear();
        let whole = status == ExitStatus::Code(0) && !self.is_excessive();
        let sound = match Findings::unpack(&self.received).filter(|_| whole) {
            Some(Findings::Refused(refusal)) => return Err(refusal),
            Some(Findings::Sound(transcript)) => Outside::replay(&transcript),
            None => None,
        };
        sound.ok_or_else(|| Refusal::new(format!("{NAME} {} {}", self.pid, self.cause(status))))
    }

    /// Why it ended without findings.
    fn cause(&self, status: ExitStatus) -> String {
        let mut words = Vec::new();
        let _ = (&self.words).take(LAST_WORDS).read_to_end(&mut words);
        let words = words.trim_ascii().escape_ascii().to_string();
        let limit = format!("reload_memory is {} bytes", self.memory);
        if self.is_excessive() {
            return format!("read more than it may hand over, {limit}");
        }
        if words.starts_with(OUT_OF_MEMORY) {
            return format!("is out of memory, {limit}");
        }
        let name = match status {
            ExitStatus::Signal { number, .. } => format!(" ({})", signal::name(number)),
            ExitStatus::Code(_) => String::new(),
        };
        let colon = if words.is_empty() { "" } else { ": " };
        format!("{status}{name}{colon}{words}")
    }
}

#[cfg(test)]
mod tests;
