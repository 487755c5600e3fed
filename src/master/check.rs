//! The checker of a new configuration: a forked child that loads it whole. One that hangs, crashes
//! or takes all memory costs that child; what it has read is what the master loads.
//!
//! - `examination`: what the child does
//! - `findings`: what it hands over

mod examination;
mod findings;

use std::io::Read;

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};

use super::children::{self, failed};
use super::load;
use super::loaded::Loaded;
use crate::conf::outside::Outside;
use crate::log;
use crate::sys::OsError;
use crate::sys::process::{self, Exit, ExitStatus, Fork, Pid};
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
    Parent(Pid),
    /// All signals are blocked here.
    Child(Box<Examination>),
}

/// The checkers that live, and what the last one found.
#[derive(Default)]
pub(super) struct Checks {
    running: Vec<Checker>,
    /// The number of a generation and what its checker read, until it is loaded.
    sound: Option<(u64, Outside)>,
}

/// A checker as the master knows it.
struct Checker {
    /// The number of the generation that it is for.
    generation: u64,
    pid: Pid,
    /// Bytes of memory that it may take, and that its findings may.
    memory: u64,
    findings: Receiver,
    received: Vec<u8>,
    words: Receiver,
}

impl Checks {
    /// Forks a checker of what is to follow `current`, as the generation of this number.
    ///
    /// # Errors
    /// In nginx's words.
    pub fn start(
        &mut self,
        registry: &Registry,
        generation: u64,
        current: &Loaded,
    ) -> Result<Birth, String> {
        self.sound = None;
        let memory = current.settings.reload_memory;
        let pipe = || pipe::new().map_err(|error| failed("pipe()", NAME, &error));
        let ((to_findings, findings), (to_words, words)) = (pipe()?, pipe()?);
        let master = process::pid();
        let Fork::Parent(pid) = children::fork_quietly(NAME)? else {
            return Ok(Birth::Child(Box::new(Examination {
                master,
                request: current.request.clone(),
                memory,
                findings: to_findings,
                words: to_words,
            })));
        };
        let mut checker = Checker {
            generation,
            pid,
            memory,
            findings,
            received: Vec::new(),
            words,
        };
        checker.register(registry);
        self.running.push(checker);
        Ok(Birth::Parent(pid))
    }

    /// Takes what this process has said so far, if it is a checker.
    pub fn hear(&mut self, pid: Pid) {
        if let Some(checker) = self.running.iter_mut().find(|checker| checker.pid == pid) {
            checker.hear();
        }
    }

    /// What a checker that has ended found: the generation it is for, and why that is refused. All
    /// else that there is to say about it is logged.
    pub fn reaped(&mut self, exit: Exit) -> Option<(u64, Result<(), String>)> {
        let ended = self
            .running
            .extract_if(.., |checker| checker.pid == exit.pid);
        let checker = ended.last()?;
        let generation = checker.generation;
        let verdict = match checker.conclude(exit.status) {
            Ok(outside) => {
                self.keep(generation, outside);
                Ok(())
            }
            Err(Refusal { why, lines }) => {
                load::write(&lines);
                Err(why)
            }
        };
        Some((generation, verdict))
    }

    /// A checker that was given up may end after a later one.
    fn keep(&mut self, generation: u64, outside: Outside) {
        if self.sound.as_ref().is_none_or(|it| it.0 < generation) {
            self.sound = Some((generation, outside));
        }
    }

    /// What the checker of this generation read, if it found it sound.
    pub fn take(&mut self, generation: u64) -> Option<Outside> {
        let (number, outside) = self.sound.take()?;
        (number == generation).then_some(outside)
    }
}

impl Checker {
    /// Listens to it from now on; its token is its number.
    fn register(&mut self, registry: &Registry) {
        let token = Token(self.pid.number() as usize);
        let registered = registry.register(&mut self.findings, token, Interest::READABLE);
        if let Err(error) = registered {
            // One that has much to say waits for its deadline then.
            let (pid, error) = (self.pid, OsError(&error));
            log::alert!("epoll_ctl() for {NAME} {pid} failed {error}");
        }
    }

    /// Takes what it has said so far, and ends it if that is more than it may say.
    fn hear(&mut self) {
        let before = self.is_excessive();
        self.receive();
        if self.is_excessive() && !before {
            children::kill(self.pid, Signal::Kill);
        }
    }

    /// Never more than one byte beyond what is allowed.
    fn receive(&mut self) {
        let room = self.memory.saturating_add(1) - self.received.len() as u64;
        // A part is taken even where an error, as that there is no more yet, follows.
        let _ = (&self.findings).take(room).read_to_end(&mut self.received);
    }

    fn is_excessive(&self) -> bool {
        self.received.len() as u64 > self.memory
    }

    /// What it found, once it has ended so.
    fn conclude(mut self, status: ExitStatus) -> Result<Outside, Refusal> {
        self.receive();
        let whole = status == ExitStatus::Code(0) && !self.is_excessive();
        let received = whole.then(|| std::mem::take(&mut self.received));
        let sound = match received.and_then(Findings::unpack) {
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
