//! Accepting connections, and what to do when there is no room for them.

use std::cell::{Cell, OnceCell};
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::Token;

use super::client::Client;
use super::event_loop::{LISTENERS, Worker};
use super::setup::Socket;
use crate::log;
use crate::site::exchange::Link;
use crate::sys::socket::{PeerAddress, Stream, is_of_the_connection};
use crate::sys::{OsError, poll};

/// Time that accepting rests when the process or the system has no descriptors left; nginx's.
const REST: Duration = Duration::from_millis(500);
/// Time between two lines about the same shortage.
const SILENCE: Duration = Duration::from_secs(10);
/// Idle connections that are closed at once to make room.
const RECLAIMED: usize = 32;

/// Where accepting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepting {
    /// The listeners are not watched.
    Off,
    /// They are.
    On,
    /// They will be, then: there were no descriptors left.
    Resting(Instant),
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
    /// Starts to watch the listeners. Doing so anew shows connections whose wake-up went to a
    /// worker that died.
    pub fn admit(&mut self) {
        self.pause();
        for (index, socket) in self.sockets.iter().enumerate() {
            let fd = socket.listener.as_fd();
            if let Err(error) = poll::add_exclusive(&self.poll, fd, Token(LISTENERS + index)) {
                log::alert!("epoll_ctl() failed {}", OsError(&error));
            }
        }
        self.accepting = Accepting::On;
    }

    /// Stops watching the listeners. Closing them would not do: others hold them, too.
    pub fn pause(&mut self) {
        if self.accepting == Accepting::On {
            for socket in &self.sockets {
                // It was added; if the kernel knows better, it is not watched, as wanted.
                let _ = poll::remove(&self.poll, socket.listener.as_fd());
            }
        }
        self.accepting = Accepting::Off;
    }

    /// Accepts from a listener that has connections waiting.
    pub fn accept(&mut self, index: usize) {
        while self.accepting == Accepting::On {
            let Socket { listener, endpoint } = self.sockets[index].clone();
            match listener.accept() {
                Ok((stream, peer)) => self.take(endpoint, stream, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => return self.rest(&error),
            }
            if !self.multi_accept {
                return;
            }
        }
    }

    fn take(&mut self, endpoint: usize, stream: Stream, peer: PeerAddress) {
        if self.clients.len() >= self.max_clients && !self.reclaim() {
            let now = self.clock.now();
            let max = self.max_clients;
            self.shortage
                .tell(now, format_args!("{max} worker_connections are not enough"));
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
            stream,
        });
        let place = self.clients.vacant_entry();
        let key = place.key();
        let (pool, disk) = (self.pool.clone(), self.disk.clone());
        place.insert(Client::new(key, link, self.site, pool, disk));
        if self.is_leaving() {
            self.clients[key].http.quit();
        }
        self.drive(key);
    }

    /// Closes idle connections to make room, starting where the last time ended; whether any were.
    fn reclaim(&mut self) -> bool {
        let all = self.clients.capacity().max(1);
        let mut closed = 0;
        for _ in 0..all {
            self.reclaim_at = (self.reclaim_at + 1) % all;
            let idle = self
                .clients
                .get(self.reclaim_at)
                .is_some_and(|client| client.http.is_idle());
            if idle {
                self.close(self.reclaim_at);
                closed += 1;
            }
            if closed == RECLAIMED {
                break;
            }
        }
        closed > 0
    }

    /// Rests until there may be descriptors again.
    fn rest(&mut self, error: &io::Error) {
        let now = self.clock.now();
        self.shortage
            .tell(now, format_args!("accept4() failed {}", OsError(error)));
        self.pause();
        self.accepting = Accepting::Resting(now + REST);
    }
}
