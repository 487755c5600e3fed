//! Exchanges that run beside connections: what a request leaves to be done, and nobody waits for.

use std::time::Instant;

use slab::Slab;

use super::deadlines::{Deadline, Deadlines};
use super::disk::{Asked, Asker, Disk, Employed, Outcome, Ticket};
use super::in_hand::InHand;
use crate::files::Query;
use crate::log::Level;
use crate::site::env::{Need, Wake};
use crate::site::exchange::Exchange;
use crate::site::post_action;
use crate::site::run::{Step, run};

/// The first of their places; those below are of connections.
pub const BESIDE: usize = usize::MAX / 2;

/// How many there may be: clients make more of them than they could wait for.
const MOST: usize = 4096;

/// Exchanges that run beside connections.
#[derive(Default)]
pub struct Beside {
    running: Slab<Running>,
    deadlines: Deadlines,
}

struct Running {
    x: Box<Exchange>,
    on: On,
    deadline: Deadline,
}

/// What it waits for, and when it has waited for long enough.
enum On {
    Nothing,
    Answer(Ticket, Query),
    Job(Employed),
    Time,
}

impl Beside {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// When to look again.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Runs one.
    pub fn begin(&mut self, x: Box<Exchange>, disk: &Disk) {
        if self.running.len() >= MOST {
            let what = format_args!("{MOST} requests run beside others, this one does not");
            return x.log(Level::Error, what);
        }
        let key = self.running.insert(Running {
            x,
            on: On::Nothing,
            deadline: Deadline::default(),
        });
        self.go_on(key, Wake::Start, disk);
    }

    fn go_on(&mut self, key: usize, mut why: Wake, disk: &Disk) {
        let running = &mut self.running[key];
        loop {
            match run(&mut running.x, &mut &*disk, why) {
                Step::Answer(response) => running.x.answered(response.head, response.length),
                Step::Drop => running.x.sent.status = 444,
                Step::Wait(need) => match wait(key, &running.x, need, disk) {
                    Err(answer) => {
                        why = answer;
                        continue;
                    }
                    Ok((on, due)) => {
                        running.on = on;
                        return self.deadlines.set(&mut running.deadline, key, Some(due));
                    }
                },
            }
            break;
        }
        let mut running = self.running.remove(key);
        self.deadlines.remove(&mut running.deadline, key);
        if let Err(again) = post_action::end(running.x) {
            self.begin(again, disk);
        }
    }

    /// A thread has done something, perhaps for one of them.
    pub fn told(&mut self, ticket: Ticket, outcome: Outcome, disk: &Disk) {
        let key = ticket.key - BESIDE;
        let on = self.running.get(key).map(|running| &running.on);
        let why = match (on, outcome) {
            (Some(On::Answer(ours, _)), Outcome::Found(found)) if *ours == ticket => {
                Wake::Found(found)
            }
            (Some(On::Job(ours)), Outcome::Done(product)) if ours.ticket == ticket => {
                Wake::Done(product)
            }
            (_, outcome) => return disk.forget(outcome),
        };
        self.go_on(key, why, disk);
    }

    /// Goes on with those that have waited for long enough.
    pub fn pass_time(&mut self, now: Instant, disk: &Disk) {
        while let Some(key) = self.deadlines.pop(now) {
            let Some(running) = self.running.get_mut(key) else {
                continue;
            };
            if !self.deadlines.met(&mut running.deadline, key, now) {
                continue;
            }
            let why = match std::mem::replace(&mut running.on, On::Nothing) {
                On::Time => Wake::Time,
                On::Answer(ticket, query) => {
                    disk.leave(&query, ticket);
                    Wake::Refused
                }
                On::Job(_) | On::Nothing => Wake::Refused,
            };
            self.go_on(key, why, disk);
        }
    }
}

/// Has one wait; or what it waited for, if that is at hand or will never be.
fn wait(key: usize, x: &Exchange, need: Need, disk: &Disk) -> Result<(On, Instant), Wake> {
    let pool = x.location.values.transport.aio.pool();
    let due = x.clock().now() + x.location.values.transport.send_timeout;
    let asker = Asker {
        key: BESIDE + key,
        request: InHand::new(x.head.raw(), x.link.peer),
    };
    match need {
        Need::Lookup(query) => match disk.ask(&query, pool, asker) {
            Asked::Found(found) => Err(Wake::Found(found)),
            Asked::Refused => Err(Wake::Refused),
            Asked::Later(ticket, _) => Ok((On::Answer(ticket, query), due)),
        },
        Need::Job(job) => match disk.employ(job, pool, asker) {
            None => Err(Wake::Refused),
            Some(employed) => Ok((On::Job(employed), due)),
        },
        Need::Until(time) => Ok((On::Time, time)),
        // It has what there is of the body.
        Need::Body(_) | Need::RequestBody(_) => Err(Wake::Body(Ok(()))),
    }
}
