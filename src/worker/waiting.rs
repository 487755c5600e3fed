//! What a connection does while threads work for it: a request waits for the answer of a file
//! system or for a job, or for some time; an answer for a part of its file. When it is over,
//! whatever comes is for nobody.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::client::Client;
use super::disk::{Asked, Asker, Employed, Outcome, Part, Ticket};
use super::in_hand::InHand;
use super::receive::Receiving;
use crate::files::Query;
use crate::http::Id;
use crate::log::{Legible, Level};
use crate::site::env::{Job, Need, Product, Wake};
use crate::site::transport::Transport;

/// Bytes that a thread reads of a file in one go.
const PART: u64 = 128 << 10;

/// A request that waits.
pub struct Waiting {
    pub(super) id: Id,
    pub(super) on: On,
    since: Instant,
}

/// What it waits for.
pub(super) enum On {
    /// The answer of a file system.
    Answer {
        ticket: Ticket,
        query: Query,
        /// When an old answer will do.
        patience: Option<Instant>,
    },
    /// A job.
    Job {
        employed: Employed,
        what: &'static str,
        /// Whether it may take as long as it takes.
        patient: bool,
    },
    /// Its body, which is kept.
    Body(Receiving),
    /// A point in time.
    Time(Instant),
}

impl Waiting {
    /// When it has waited for long enough: as long as a client may stay silent.
    pub fn due(&self, transport: &Transport) -> Option<Instant> {
        let limit = self.since + transport.send_timeout;
        match &self.on {
            On::Answer { patience, .. } => Some(patience.unwrap_or(limit)),
            On::Job { patient, .. } => (!patient).then_some(limit),
            On::Body(body) => body.asked().map(|asked| asked + transport.send_timeout),
            On::Time(time) => Some(*time),
        }
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
    /// Has an exchange wait for what it needs. Nothing comes of it for now if it has to.
    pub(super) fn wait(&mut self, id: Id, need: Need, pool: usize) -> Option<Wake> {
        let on = match need {
            Need::Lookup(query) => match self.disk.ask(&query, pool, self.asker()) {
                Asked::Found(found) => return Some(Wake::Found(found)),
                Asked::Refused => return Some(Wake::Refused),
                Asked::Later(ticket, patience) => On::Answer {
                    ticket,
                    query,
                    patience,
                },
            },
            Need::Job(job) => {
                let (what, patient) = (job.what, job.patient);
                match self.disk.employ(job, pool, self.asker()) {
                    None => return Some(Wake::Refused),
                    Some(employed) => On::Job {
                        employed,
                        what,
                        patient,
                    },
                }
            }
            Need::RequestBody(keep) => {
                self.http.body_limit(id, keep.limit);
                self.http.accept_body(id);
                On::Body(Receiving::new(*keep, self.link.clock.now()))
            }
            Need::Until(time) => On::Time(time),
            Need::Body(limit) => {
                self.http.body_limit(id, limit);
                self.http.discard_body(id);
                return None;
            }
        };
        let since = self.link.clock.now();
        self.waiting = Some(Box::new(Waiting { id, on, since }));
        None
    }

    /// Has a job done for a request; none if there is too much to do.
    pub(super) fn employ(&mut self, id: Id, job: Job) -> Option<Ticket> {
        let x = self.exchange(id)?;
        let pool = x.location.values.transport.aio.pool();
        let employed = self.disk.employ(job, pool, self.asker())?;
        Some(employed.ticket)
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
                let is_ours = |on: &On| matches!(on, On::Answer { ticket: t, .. } if *t == ticket);
                self.met(is_ours, Wake::Found(found));
            }
            Outcome::Done(product) => self.done(ticket, product),
            Outcome::Part(part) if matches!(self.loading, Loading::Out(ours) if ours == ticket) => {
                self.loading =
                    part.map_or_else(Loading::Failed, |part| Loading::Here(Box::new(part)));
            }
            Outcome::Part(_) => {}
        }
    }

    fn done(&mut self, ticket: Ticket, product: Product) {
        match self.waiting.as_ref().map(|waiting| &waiting.on) {
            Some(On::Job { employed, .. }) if employed.ticket == ticket => {
                self.met(|_| true, Wake::Done(product));
            }
            Some(On::Body(body)) if body.expects(ticket) => {
                if let Ok(written) = product.downcast() {
                    self.body_written(*written);
                }
            }
            _ => self.disk.drop_elsewhere(product),
        }
    }

    fn met(&mut self, is_ours: impl Fn(&On) -> bool, why: Wake) {
        if let Some(waiting) = self.waiting.take_if(|waiting| is_ours(&waiting.on)) {
            self.resume(waiting.id, why);
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

    /// What a request waited for has not come in time, or it is the time that it waited for;
    /// whether that is so.
    pub(super) fn waited_enough(&mut self) -> bool {
        let (now, transport) = (self.link.clock.now(), self.transport);
        let is_due =
            |waiting: &mut Box<Waiting>| waiting.due(transport).is_some_and(|due| due <= now);
        let Some(waiting) = self.waiting.take_if(is_due) else {
            return false;
        };
        let why = match waiting.on {
            On::Time(_) => Wake::Time,
            On::Body(_) => self.body_late(),
            On::Job { employed, what, .. } => {
                self.disk.dismiss(&employed);
                self.late(format_args!("{what} was not done in time"));
                Wake::Refused
            }
            On::Answer {
                ticket,
                query,
                patience,
            } => self.old_answer(&query, ticket, patience.is_some()),
        };
        self.resume(waiting.id, why);
        true
    }

    fn old_answer(&mut self, query: &Query, ticket: Ticket, will_do: bool) -> Wake {
        self.disk.leave(query, ticket);
        let old = will_do.then(|| self.disk.old_answer(query)).flatten();
        if old.is_none() {
            let path = Legible(query.path());
            self.late(format_args!("\"{path}\" could not be had in time"));
        }
        old.map_or(Wake::Refused, Wake::Found)
    }

    pub(super) fn late(&self, what: fmt::Arguments<'_>) {
        if let Some(x) = self.sending() {
            x.log(Level::Error, what);
        }
    }

    /// Whether it waits for somebody who is gone. One who only ends what it sends still listens;
    /// but who is kept waiting on purpose and does so is gone, as in nginx, and so is who would have
    /// to wait for the passwords of others.
    pub fn waits_in_vain(&self) -> bool {
        let waits = self.waiting.is_some() || matches!(self.loading, Loading::Out(_));
        let is_pause = |waiting: &Waiting| match &waiting.on {
            On::Time(_) => true,
            On::Job { employed, .. } => employed.is_far_back,
            On::Answer { .. } | On::Body(_) => false,
        };
        let paused = self.waiting.as_deref().is_some_and(is_pause) || self.rests();
        (self.hung_up && waits) || (self.end_announced && paused)
    }

    /// The exchange is over. What it asked to have changed is changed nevertheless, as in nginx;
    /// what only its answer needs is not done for nobody.
    pub(super) fn wait_no_more(&mut self, id: Id) {
        self.loading = Loading::Idle;
        let waiting = self.waiting.take_if(|waiting| waiting.id == id);
        match waiting.as_ref().map(|waiting| &waiting.on) {
            Some(On::Answer { ticket, query, .. }) => self.disk.leave(query, *ticket),
            Some(On::Job {
                employed,
                patient: false,
                ..
            }) => self.disk.dismiss(employed),
            _ => {}
        }
    }
}
