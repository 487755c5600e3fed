//! What a connection does while threads work for it: a request waits for the answer of a file
//! system, or an answer for a part of its file. When it is over, whatever comes is for nobody.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::client::Client;
use super::disk::{Asked, Asker, Outcome, Part, Ticket};
use super::in_hand::InHand;
use crate::files::Query;
use crate::http::Id;
use crate::log::{Legible, Level};
use crate::site::env::Wake;
use crate::site::transport::Transport;

/// Bytes that a thread reads of a file in one go.
const PART: u64 = 128 << 10;

/// A request that waits for the answer of a file system.
pub struct Waiting {
    id: Id,
    ticket: Ticket,
    query: Query,
    since: Instant,
    /// When an old answer will do.
    patience: Option<Instant>,
}

impl Waiting {
    /// When it has waited for long enough: as long as a client may stay silent.
    pub fn due(&self, transport: &Transport) -> Instant {
        self.patience.unwrap_or(self.since + transport.send_timeout)
    }
}

/// A part of a file that a thread reads.
#[derive(Default)]
pub enum Loading {
    /// None.
    #[default]
    Idle,
    /// It is being read.
    Out(Ticket),
    /// Here it is. Most connections never have one.
    Here(Box<Part>),
    /// It cannot be had.
    Failed(io::Error),
}

impl Client {
    /// Asks a file system for what was not at hand. Nothing comes of it for now if it has to wait.
    pub(super) fn ask(&mut self, id: Id, query: Query, pool: usize) -> Option<Wake> {
        match self.disk.ask(&query, pool, self.asker()) {
            Asked::Found(found) => Some(Wake::Found(found)),
            Asked::Refused => Some(Wake::Refused),
            Asked::Later(ticket, patience) => {
                let since = self.link.clock.now();
                self.waiting = Some(Box::new(Waiting {
                    id,
                    ticket,
                    query,
                    since,
                    patience,
                }));
                None
            }
        }
    }

    fn asker(&self) -> Asker {
        let raw = self.sending().map_or(&[][..], |x| x.head.raw());
        Asker {
            key: self.key,
            request: InHand::new(raw, self.link.peer),
        }
    }

    /// A thread has done something, perhaps for this connection.
    pub fn told(&mut self, ticket: Ticket, outcome: Outcome) {
        match outcome {
            Outcome::Found(found) => {
                let is_ours = |waiting: &mut Box<Waiting>| waiting.ticket == ticket;
                if let Some(waiting) = self.waiting.take_if(is_ours) {
                    self.run(waiting.id, Wake::Found(found));
                }
            }
            Outcome::Part(part) if matches!(self.loading, Loading::Out(ours) if ours == ticket) => {
                self.loading =
                    part.map_or_else(Loading::Failed, |part| Loading::Here(Box::new(part)));
            }
            Outcome::Part(_) => {}
        }
    }

    /// Has a part of a file read; whether that is under way.
    pub fn load(&mut self, file: &Arc<std::fs::File>, range: Range<u64>) -> bool {
        if let Loading::Out(_) = self.loading {
            return true;
        }
        let range = range.start..range.end.min(range.start + PART);
        let (pool, device) = (self.transport.aio.pool(), self.source.device());
        let asker = self.asker();
        match self.disk.read(file, range, (pool, device), asker) {
            Some(ticket) => self.loading = Loading::Out(ticket),
            None => return false,
        }
        true
    }

    /// A request that has waited for long enough gets an old answer, or none; whether that is so.
    pub(super) fn waited_enough(&mut self) -> bool {
        let (now, transport) = (self.link.clock.now(), self.transport);
        let is_due = |waiting: &mut Box<Waiting>| waiting.due(transport) <= now;
        let Some(waiting) = self.waiting.take_if(is_due) else {
            return false;
        };
        self.disk.leave(&waiting.query, waiting.ticket);
        let old = waiting
            .patience
            .and_then(|_| self.disk.old_answer(&waiting.query));
        if old.is_none()
            && let Some(x) = self.sending()
        {
            let path = Legible(waiting.query.path());
            let what = format_args!("\"{path}\" could not be had in time");
            x.log(Level::Error, what);
        }
        self.run(waiting.id, old.map_or(Wake::Refused, Wake::Found));
        true
    }

    /// Whether threads work for somebody who is gone. One who only ends what it sends still
    /// listens.
    pub fn waits_in_vain(&self) -> bool {
        let waits = self.waiting.is_some() || matches!(self.loading, Loading::Out(_));
        self.hung_up && waits
    }

    /// The exchange is over.
    pub(super) fn wait_no_more(&mut self, id: Id) {
        self.loading = Loading::Idle;
        if let Some(waiting) = self.waiting.take_if(|waiting| waiting.id == id) {
            self.disk.leave(&waiting.query, waiting.ticket);
        }
    }
}
