//! Accepting connections, and what to do when there is no room for them.

use std::cell::{Cell, OnceCell};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::Token;

use super::client::Client;
use super::command::Slots;
use super::event_loop::{LISTENERS, Worker};
use super::scoreboard::State;
use super::setup::Socket;
use crate::log;
use crate::site::exchange::Link;
use crate::sys::socket::{Listener, PeerAddress, Stream, is_of_the_connection};
use crate::sys::{OsError, poll};

/// Time that accepting rests when the process or the system has no descriptors left; nginx's.
const REST: Duration = Duration::from_millis(500);
/// Time between two lines about the same shortage.
const SILENCE: Duration = Duration::from_secs(10);
/// Idle connections that are closed at once to make room.
const RECLAIMED: usize = 32;
/// Connections that can wait at a listener, at the most.
const MOST_QUEUED: usize = 65_535;

/// What a worker is to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Nothing.
    Nothing,
    /// What comes to endpoints that it was told to keep.
    Kept,
    /// What comes to shared sockets and to those of these slots.
    Of(Slots),
}

/// Where accepting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// What is to be accepted is watched.
    On,
    /// It will be, then: there were no descriptors left.
    Resting(Instant),
}

/// A socket, and whether it is watched.
pub struct Watch {
    socket: Socket,
    watched: bool,
}

impl Watch {
    /// Not watched yet.
    pub fn new(socket: Socket) -> Watch {
        let watched = false;
        Watch { socket, watched }
    }
}

/// Lines about a shortage, at a bounded rate.
#[derive(Default)]
pub struct Shortage {
    told: Option<Instant>,
    untold: u64,
}

impl Shortage {
    /// Writes a line, unless there was one lately.
    pub fn tell(&mut self, now: Instant, what: std::fmt::Arguments<'_>) {
        if self.told.is_some_and(|told| now < told + SILENCE) {
            self.untold += 1;
            return;
        }
        match self.untold {
            0 => log::alert!("{what}"),
            more => log::alert!("{what}, and {more} times since the last such line"),
        }
        self.told = Some(now);
        self.untold = 0;
    }
}

impl Worker {
    /// Accepts for these slots from now on.
    pub fn admit(&mut self, slots: Slots) {
        self.kept.clear();
        self.share = Share::Of(slots);
        self.watch();
        self.tally.state(State::Serving);
    }

    /// Goes on accepting for the endpoints that no other worker accepts for, in any slot.
    pub fn pause(&mut self) {
        self.share = Share::Kept;
        self.watch();
        self.tally.state(State::Paused);
    }

    /// Watches what is to be accepted and nothing else. To do so anew shows connections whose
    /// wake-up went to a worker that died; who only hands sockets back need not.
    pub fn watch(&mut self) {
        self.accepting = Accepting::On;
        let wanted: Vec<bool> = self.sockets.iter().map(|it| self.is_wanted(it)).collect();
        let pairs = || self.sockets.iter().zip(&wanted);
        let hands_back = pairs().any(|(watch, wanted)| watch.watched && !wanted);
        for (index, wanted) in wanted.into_iter().enumerate() {
            if !(wanted && hands_back) {
                self.unwatch(index);
            }
            if wanted && !self.sockets[index].watched {
                self.add(index);
            }
        }
    }

    /// Adds sockets, numbered from `first`, to those of an endpoint.
    pub fn take_sockets(&mut self, endpoint: usize, first: usize, descriptors: Vec<OwnedFd>) {
        for (number, descriptor) in (first..).zip(descriptors) {
            let slot = Some(number % self.workers);
            match Listener::received(descriptor).map(Rc::new) {
                Ok(listener) => self.sockets.push(Watch::new(Socket {
                    listener,
                    endpoint,
                    slot,
                })),
                Err(error) => log::alert!("getsockname() failed {}", OsError(&error)),
            }
        }
    }

    fn is_wanted(&self, Watch { socket, .. }: &Watch) -> bool {
        match self.share {
            Share::Nothing => false,
            Share::Kept => self.kept.contains(&socket.endpoint),
            Share::Of(slots) => socket
                .slot
                .is_none_or(|slot| slots.contain(slot, self.workers)),
        }
    }

    fn add(&mut self, index: usize) {
        let Watch { socket, watched } = &mut self.sockets[index];
        let fd = socket.listener.as_fd();
        match poll::add_exclusive(&self.poll, fd, Token(LISTENERS + index)) {
            Ok(()) => *watched = true,
            Err(error) => log::alert!("epoll_ctl() failed {}", OsError(&error)),
        }
    }

    /// Closing would not do: others hold it, too.
    fn unwatch(&mut self, index: usize) {
        let Watch { socket, watched } = &mut self.sockets[index];
        if std::mem::take(watched) {
            // It was added; if the kernel knows better, it is not watched, as wanted.
            let _ = poll::remove(&self.poll, socket.listener.as_fd());
        }
    }

    pub(super) fn unwatch_all(&mut self) {
        (0..self.sockets.len()).for_each(|index| self.unwatch(index));
    }

    /// Gives up all sockets, after taking what waits where no other worker would.
    pub fn drop_sockets(&mut self) {
        for index in 0..self.sockets.len() {
            if self.kept.contains(&self.sockets[index].socket.endpoint) {
                // A bound, since others may connect as fast as this takes their connections.
                let _ = (0..MOST_QUEUED).try_for_each(|_| self.accept_one(index));
            }
        }
        self.share = Share::Nothing;
        self.unwatch_all();
        self.sockets.clear();
    }

    /// Accepts from a listener that has connections waiting.
    pub fn accept(&mut self, index: usize) {
        while self.sockets.get(index).is_some_and(|it| it.watched) {
            if self.accept_one(index).is_break() || !self.multi_accept {
                return;
            }
        }
    }

    fn accept_one(&mut self, index: usize) -> ControlFlow<()> {
        let Socket {
            listener, endpoint, ..
        } = self.sockets[index].socket.clone();
        match listener.accept() {
            Ok((stream, peer)) => self.take(endpoint, stream, peer),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return ControlFlow::Break(());
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                self.rest(&error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, endpoint: usize, stream: Stream, peer: PeerAddress) {
        if self.clients.len() >= self.max_clients && !self.reclaim() {
            let now = self.clock.now();
            let max = self.max_clients;
            self.shortage
                .tell(now, format_args!("{max} worker_connections are not enough"));
            self.tally.turned_away();
            return;
        }
        let endpoint = &self.site.endpoints[endpoint];
        let local = OnceCell::new();
        let hosts = endpoint.hosts(|| {
            let address = local.get_or_init(|| {
                stream
                    .local_address()
                    .unwrap_or_else(|_| endpoint.address.clone())
            });
            address.ip().map(|address| address.ip().to_canonical())
        });
        let debugged = self.debugged.iter().any(|it| it.contains(peer.ip()));
        self.accepted += self.stride;
        let link = Rc::new(Link {
            number: self.accepted,
            peer,
            endpoint,
            hosts,
            accepted: self.clock.now(),
            requests: Cell::new(0),
            clock: self.clock.clone(),
            local,
            proxy: OnceCell::new(),
            debugged,
            stream,
        });
        let place = self.clients.vacant_entry();
        let key = place.key();
        let (pool, disk) = (self.pool.clone(), self.disk.clone());
        place.insert(Client::new(key, link, self.site, pool, disk, self.tally));
        self.tally.accepted();
        self.tally.connections(self.clients.len());
        if self.is_leaving() {
            self.clients[key].http.quit();
        }
        self.drive(key);
    }

    /// Closes idle connections to make room, starting where the last time ended; whether any were.
    pub(super) fn reclaim(&mut self) -> bool {
        let behind = self.idle.range(self.reclaim_at..);
        let before = self.idle.range(..self.reclaim_at);
        let keys: Vec<usize> = behind.chain(before).take(RECLAIMED).copied().collect();
        self.reclaim_at = keys.last().map_or(0, |last| last + 1);
        keys.iter().for_each(|key| self.close(*key));
        !keys.is_empty()
    }

    /// Rests until there may be descriptors again.
    fn rest(&mut self, error: &io::Error) {
        let now = self.clock.now();
        self.shortage
            .tell(now, format_args!("accept4() failed {}", OsError(error)));
        self.unwatch_all();
        self.accepting = Accepting::Resting(now + REST);
    }
}
