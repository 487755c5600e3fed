//! The door: a unix socket at which an operator asks the master, and is answered. Not what the
//! answers are.
//!
//! Its name is abstract, and made of the master's number and of the namespace of that number: it
//! needs no place in the file system, ends with the process, and is no other master's, also where
//! containers share a network. Nothing here waits for a client: what one does not say or read in
//! time, it does without.

mod ask;
mod client;
mod question;

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::time::Instant;

use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Registry, Token};
use slab::Slab;

use crate::log;
use crate::sys::OsError;
use crate::sys::process::{self, Pid};
pub use ask::{Unanswered, ask};
use client::{Client, Step};
pub use question::{Answer, Form, Question};

/// The most clients at a time; each waits for a reload, or is about to ask or to read.
const MOST: usize = 32;
/// The most that are let in before the master looks at something else.
const AT_ONCE: usize = 16;
/// The tokens of the door; a worker's token, its number, is positive in 32 bits.
const TOKENS: usize = 1 << 31;
const LISTENER: Token = Token(TOKENS | MOST);

/// The master's end: the socket and who came by it.
pub(super) struct Door {
    /// `None` where the name could not be had; the master does without.
    listener: Option<UnixListener>,
    clients: Slab<Client>,
    /// The number of the last client; unlike a place in the slab it names one client only.
    last: u64,
}

/// Where the master of this number is asked.
fn address(master: Pid) -> io::Result<SocketAddr> {
    let namespace = process::namespace().unwrap_or_default();
    SocketAddr::from_abstract_name(format!("forkful/{namespace}/{master}"))
}

impl Door {
    /// Opens it for this process, in this poll.
    pub fn open(registry: &Registry) -> Door {
        let listener = listen(registry).map_err(|error| {
            let error = OsError(&error);
            log::warn!("`-s reload` cannot wait and `status` cannot ask: bind() failed {error}");
        });
        Door {
            listener: listener.ok(),
            clients: Slab::new(),
            last: 0,
        }
    }

    /// Lets in who is there, hears who speaks, sends to who reads, and lets go of who is too slow:
    /// what was asked, each with the number of the client who is to be answered.
    pub fn serve(
        &mut self,
        registry: &Registry,
        ready: &Events,
        now: Instant,
    ) -> Vec<(u64, Question)> {
        let mut asked = Vec::new();
        for Token(token) in ready.iter().map(|event| event.token()) {
            if token == LISTENER.0 {
                self.let_in(registry, now);
            } else if token & TOKENS != 0 {
                asked.extend(self.hear(token & !TOKENS, now));
            }
        }
        self.clients.retain(|_, client| !client.is_late(now));
        asked
    }

    /// When [`Door::serve`] is due though nothing is ready.
    pub fn deadline(&self) -> Option<Instant> {
        self.clients
            .iter()
            .filter_map(|(_, client)| client.until)
            .min()
    }

    /// Answers a client; one that is gone needs no answer.
    pub fn answer(&mut self, client: u64, answer: &Answer, now: Instant) {
        let mut clients = self.clients.iter_mut();
        let found = clients.find(|(_, other)| other.number == client);
        if let Some((place, client)) = found
            && client.answer(answer, now) == Step::Over
        {
            self.clients.remove(place);
        }
    }

    fn let_in(&mut self, registry: &Registry, now: Instant) {
        let Some(listener) = &mut self.listener else {
            return;
        };
        let mut streams = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            streams.push(stream);
            if streams.len() == AT_ONCE {
                // There may be more, and they are no news to the poll: armed anew, it says so.
                let _ = registry.reregister(listener, LISTENER, Interest::READABLE);
                break;
            }
        }
        for stream in streams {
            self.admit(registry, stream, now);
        }
    }

    /// An error of the stream is the end of a client, who sees it.
    fn admit(&mut self, registry: &Registry, stream: UnixStream, now: Instant) {
        self.last += 1;
        let mut client = Client::new(self.last, stream, now);
        if let Err(why) = client.check(self.clients.len() < MOST) {
            client.answer(&Answer::Failed(why), now);
            return;
        }
        let place = self.clients.vacant_entry();
        let token = Token(TOKENS | place.key());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if registry
            .register(&mut client.stream, token, interest)
            .is_ok()
        {
            place.insert(client);
        }
    }

    fn hear(&mut self, place: usize, now: Instant) -> Option<(u64, Question)> {
        let client = self.clients.get_mut(place)?;
        let (number, step) = (client.number, client.go_on(now));
        match step {
            Step::Wait => None,
            Step::Asked(question) => Some((number, question)),
            Step::Over => {
                self.clients.remove(place);
                None
            }
        }
    }
}

fn listen(registry: &Registry) -> io::Result<UnixListener> {
    let mut listener = UnixListener::bind_addr(&address(process::pid())?)?;
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    Ok(listener)
}

#[cfg(test)]
mod tests;
