//! The processes of the loop: forks of workers and checkers, and what each of the two sides has
//! then.

use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use super::{End, Event, Leave, Loop, Recruit, Stage};
use crate::log;
use crate::master::check;
use crate::master::children::{self, Birth};
use crate::master::scoreboard::Place;
use crate::master::state::Seat;
use crate::sys::OsError;
use crate::sys::channel::Channel;
use crate::worker::scoreboard::Tally;

impl Loop {
    pub(super) fn check(&mut self, generation: u64) -> ControlFlow<Leave> {
        let registry = self.poll.registry();
        let event = match self
            .checks
            .start(registry, generation, &self.current.loaded)
        {
            Ok(check::Birth::Child(examination)) => {
                return ControlFlow::Break(Leave::Checker(examination));
            }
            Ok(check::Birth::Parent(pid)) => Event::CheckStarted { generation, pid },
            Err(why) => Event::Checked {
                generation,
                verdict: Err(why),
            },
        };
        self.events.push_back(event);
        ControlFlow::Continue(())
    }

    pub(super) fn spawn(&mut self, seat: Seat) -> ControlFlow<Leave> {
        let place = self.claim(seat);
        let tally = place.as_ref().map(Place::tally);
        match children::fork() {
            Ok(Birth::Child(channel)) => {
                let tally = tally.unwrap_or(self.scoreboard.nobodys());
                return ControlFlow::Break(Leave::Child(seat, channel, tally));
            }
            Ok(Birth::Parent(pid, channel)) => {
                place.iter().for_each(|place| place.born(pid));
                let loaded = &self.stage_of(seat).loaded;
                let belongings = (loaded.log_table(), loaded.site.zones.clone());
                let registry = self.poll.registry();
                let generation = seat.generation;
                self.children
                    .add(registry, pid, generation, channel, belongings, place);
                self.events.push_back(Event::Spawned { seat, pid });
            }
            Err(error) => {
                place.into_iter().for_each(|it| self.scoreboard.release(it));
                self.events.push_back(Event::SpawnFailed { seat, error });
            }
        }
        ControlFlow::Continue(())
    }

    /// A worker without a place serves as well; only nobody sees how.
    fn claim(&mut self, seat: Seat) -> Option<Place> {
        let place = self.scoreboard.claim(seat, Instant::now());
        let unseen = |error: &io::Error| {
            log::alert!("mmap() failed {}, a worker goes unseen", OsError(error));
        };
        place.inspect_err(unseen).ok()
    }

    fn stage_of(&self, seat: Seat) -> &Stage {
        let next = self
            .next
            .as_ref()
            .filter(|stage| stage.number == seat.generation);
        next.unwrap_or(&self.current)
    }

    /// In a new worker: keeps what is the worker's and drops all that is the master's.
    pub(super) fn into_worker(self, seat: Seat, channel: Channel, tally: Tally) -> End {
        let board = self.scoreboard.board();
        let next = self.next.filter(|stage| stage.number == seat.generation);
        let Stage {
            loaded, listeners, ..
        } = next.unwrap_or(self.current);
        End::Worker(Box::new(Recruit {
            slot: seat.slot,
            channel: Some(channel),
            tally,
            board,
            loaded,
            listeners,
        }))
    }
}
