//! One client of the door, as the master has it: about to ask, waiting, or being answered.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::net::UnixStream;

use super::question::{Answer, LONGEST, Question, WAIT};
use crate::sys::socket::Peer;

/// How long a client may take to ask, and to read its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client and how far it is.
pub(super) struct Client {
    pub number: u64,
    pub stream: UnixStream,
    /// When the client is given up, unless it waits for us.
    pub until: Option<Instant>,
    phase: Phase,
}

enum Phase {
    /// It has said so much.
    Asking(Vec<u8>),
    /// It has asked, and says nothing more.
    Waiting,
    /// This is left to be sent.
    Answered(Vec<u8>),
}

/// What comes of a client's turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait,
    Asked(Question),
    /// It is done with, or gone.
    Over,
}

impl Client {
    pub fn new(number: u64, stream: UnixStream, now: Instant) -> Client {
        Client {
            number,
            stream,
            until: Some(now + PATIENCE),
            phase: Phase::Asking(Vec::new()),
        }
    }

    /// Whether it may ask at all; where there is no `room` for it, later.
    ///
    /// # Errors
    /// Why not, for the client.
    pub fn check(&self, room: bool) -> Result<(), String> {
        match Peer::of(&self.stream) {
            Ok(peer) if peer.is_trusted() && room => Ok(()),
            Ok(peer) if peer.is_trusted() => Err("too many ask at once".into()),
            _ => Err("only root and the user of the master process may ask it".into()),
        }
    }

    /// Does what the stream allows now.
    pub fn go_on(&mut self, now: Instant) -> Step {
        match &mut self.phase {
            Phase::Asking(_) => self.hear(now),
            Phase::Waiting => self.look(),
            Phase::Answered(_) => self.send(),
        }
    }

    /// Begins to answer.
    pub fn answer(&mut self, answer: &Answer, now: Instant) -> Step {
        self.until = Some(now + PATIENCE);
        self.phase = Phase::Answered(answer.message());
        self.send()
    }

    pub fn is_late(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn hear(&mut self, now: Instant) -> Step {
        let Phase::Asking(said) = &mut self.phase else {
            return Step::Wait;
        };
        let mut room = [0; LONGEST];
        while said.len() < LONGEST && !said.ends_with(b"\n") {
            match self.stream.read(&mut room[said.len()..]) {
                Ok(length) if length > 0 => {
                    let end = said.len() + length;
                    said.extend_from_slice(&room[said.len()..end]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
                _ => return Step::Over,
            }
        }
        match Question::read(said) {
            Some(question) => self.take(question),
            None => self.answer(&Answer::Failed("no such question".into()), now),
        }
    }

    /// From now on the master takes its time. So few bytes fit into any socket's buffer.
    fn take(&mut self, question: Question) -> Step {
        (self.phase, self.until) = (Phase::Waiting, None);
        match self.stream.write_all(WAIT.as_bytes()) {
            Ok(()) => Step::Asked(question),
            Err(_) => Step::Over,
        }
    }

    /// Whether it still waits: it has nothing more to say.
    fn look(&mut self) -> Step {
        match self.stream.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Step::Wait,
            _ => Step::Over,
        }
    }

    fn send(&mut self) -> Step {
        let Phase::Answered(rest) = &mut self.phase else {
            return Step::Wait;
        };
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(length) => drop(rest.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Wait,
                Err(_) => return Step::Over,
            }
        }
        Step::Over
    }
}
