//! The event loop: waits, lets everybody who can do something do it, and waits again.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::accept::{Accepting, Share, Shortage, Watch};
use super::beside::{BESIDE, Beside};
use super::client::Client;
use super::command::{Report, Slots};
use super::deadlines::Deadlines;
use super::disk::Disk;
use super::drive::{Wants, drive};
use super::leave::Stage;
use super::missed::Missed;
use super::scoreboard::Tally;
use super::setup::{Setup, Socket};
use crate::conf::network::Network;
use crate::http::Pool;
use crate::log::{self, LogFiles};
use crate::site::clock::Clock;
use crate::site::draft::Site;
use crate::site::open_files;
use crate::sys::OsError;
use crate::sys::channel::Channel;
use crate::sys::signal::Signals;

/// Events that are taken in one turn.
const EVENTS: usize = 512;
/// Bytes that are received, or read of a file, by one call.
const BUFFER: usize = 64 << 10;

const SIGNALS: Token = Token(usize::MAX - 1);
const CHANNEL: Token = Token(usize::MAX - 2);
const RESULTS: Token = Token(usize::MAX - 3);
const MOUNTS: Token = Token(usize::MAX - 4);
/// The token of the first listener. Those below are connections.
pub(super) const LISTENERS: usize = usize::MAX / 2;

/// One process's event loop and all it serves.
pub struct Worker {
    pub(super) poll: Poll,
    pub(super) site: &'static Site,
    pub(super) sockets: Vec<Watch>,
    pub(super) share: Share,
    /// Endpoints that no other generation accepts for.
    pub(super) kept: Vec<usize>,
    pub(super) workers: usize,
    pub(super) logs: LogFiles,
    pub(super) signals: Signals,
    pub(super) channel: Option<Channel>,
    pub(super) clock: Rc<Clock>,
    pub(super) pool: Rc<Pool>,
    pub(super) disk: Rc<Disk>,
    pub(super) clients: Slab<Client>,
    pub(super) max_clients: usize,
    pub(super) multi_accept: bool,
    /// Clients of which everything is logged.
    pub(super) debugged: Vec<Network>,
    pub(super) shutdown_timeout: Option<Duration>,
    pub(super) accepting: Accepting,
    pub(super) shortage: Shortage,
    pub(super) missed: Missed,
    pub(super) tally: Tally,
    pub(super) stage: Stage,
    /// The number of the latest connection, and how far the next one's is from it: workers count
    /// in step, so that no two connections have the same number.
    pub(super) accepted: u64,
    pub(super) stride: u64,
    /// Connections between requests: they can make room for others.
    pub(super) idle: BTreeSet<usize>,
    /// Where the search among them goes on.
    pub(super) reclaim_at: usize,
    /// What runs beside the connections.
    pub(super) beside: Beside,
    deadlines: Deadlines,
    /// Connections that have work left.
    ready: VecDeque<usize>,
    buffer: Box<[u8]>,
    /// Access logs that are flushed by time.
    timed_logs: Vec<usize>,
}

impl Worker {
    /// # Errors
    /// EMFILE and its kin.
    pub fn new(setup: Setup, signals: Signals) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(
            &mut SourceFd(&signals.as_raw_fd()),
            SIGNALS,
            Interest::READABLE,
        )?;
        if let Some(channel) = &setup.channel {
            let fd = channel.as_raw_fd();
            registry.register(&mut SourceFd(&fd), CHANNEL, Interest::READABLE)?;
        }
        let site = setup.site;
        let clock: Rc<Clock> = Rc::default();
        let tokens = (RESULTS, MOUNTS);
        let disk = Disk::new(
            &setup.settings.disks,
            site,
            registry,
            tokens,
            clock.clone(),
            setup.tally,
        )?;
        let own = |socket: &&Socket| socket.slot.is_none_or(|slot| slot == setup.slot);
        let own = setup.sockets.iter().filter(own).count();
        let fixed = own + usize::from(setup.channel.is_some());
        Ok(Worker {
            poll,
            site,
            sockets: setup.sockets.into_iter().map(Watch::new).collect(),
            share: Share::Nothing,
            kept: Vec::new(),
            workers: setup.workers.max(1),
            logs: setup.logs,
            signals,
            channel: setup.channel,
            clock,
            pool: Pool::new(),
            disk: Rc::new(disk),
            clients: Slab::new(),
            max_clients: (setup.settings.events.connections as usize)
                .saturating_sub(fixed)
                .max(1),
            multi_accept: setup.settings.events.multi_accept,
            debugged: setup.settings.events.debugged.clone(),
            shutdown_timeout: setup.settings.process.shutdown_timeout,
            accepting: Accepting::On,
            shortage: Shortage::default(),
            missed: Missed::default(),
            tally: setup.tally,
            stage: Stage::Serving,
            accepted: setup.slot as u64 + 1,
            stride: setup.workers.max(1) as u64,
            idle: BTreeSet::new(),
            reclaim_at: 0,
            beside: Beside::default(),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            buffer: vec![0; BUFFER].into(),
            timed_logs: site.timed_logs(),
        })
    }

    /// Serves until it is time to leave.
    pub fn run(mut self) -> i32 {
        match self.channel {
            Some(_) => self.say(Report::Ready),
            None => self.admit(Slots::ALL),
        }
        self.disk.sweep(&self.site.temp_dirs);
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_done() {
            self.turn(&mut events);
        }
        self.flush_all();
        log::finish(self.patience_with_logs());
        self.let_go();
        0
    }

    /// Tells the master something.
    pub(super) fn say(&self, report: Report) {
        let sent = self
            .channel
            .as_ref()
            .map(|it| it.send(&report.message(), &[]));
        // A master that has gone is seen as the end of the channel.
        if let Some(Err(error)) = sent
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            log::alert!("the master cannot be told: {}", OsError(&error));
        }
    }

    fn turn(&mut self, events: &mut Events) {
        let timeout = self.timeout();
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                log::alert!("epoll_wait() failed {}", OsError(&error));
            }
            _ => {}
        }
        self.clock.tick();
        for event in events.iter() {
            match event.token() {
                SIGNALS => self.take_signals(),
                CHANNEL => self.take_commands(),
                RESULTS => self.take_results(),
                MOUNTS => self.disk.read_mounts(),
                Token(token) if token >= LISTENERS => self.accept(token - LISTENERS),
                Token(key) => {
                    let Some(client) = self.clients.get_mut(key) else {
                        continue;
                    };
                    client.readable |= event.is_readable();
                    client.writable |= event.is_writable();
                    client.end_announced |= event.is_read_closed() || event.is_error();
                    client.hung_up |= event.is_write_closed();
                    self.drive(key);
                }
            }
        }
        for _ in 0..self.ready.len() {
            if let Some(key) = self.ready.pop_front() {
                if let Some(client) = self.clients.get_mut(key) {
                    client.queued = false;
                }
                self.drive(key);
            }
        }
        self.pass_time();
        self.begin_beside();
    }

    /// Runs what requests have left to be done beside them.
    fn begin_beside(&mut self) {
        for x in self.disk.begun() {
            self.beside.begin(x, &self.disk);
        }
    }

    /// Hands what threads have done to those who waited for it, if they still do.
    fn take_results(&mut self) {
        for (ticket, outcome) in self.disk.take() {
            if ticket.key >= BESIDE {
                self.beside.told(ticket, outcome, &self.disk);
                continue;
            }
            match self.clients.get_mut(ticket.key) {
                Some(client) => {
                    client.told(ticket, outcome);
                    self.drive(ticket.key);
                }
                None => self.disk.forget(outcome),
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let resting = match self.accepting {
            Accepting::Resting(until) => Some(until),
            _ => None,
        };
        let due = [
            self.deadlines.next(),
            resting,
            self.stage.deadline(),
            self.next_flush(),
            self.disk.deadline(),
            self.beside.deadline(),
            open_files::deadline(self.site),
            self.missed.deadline(),
        ];
        let now = Instant::now();
        due.into_iter()
            .flatten()
            .min()
            .map(|due| due.saturating_duration_since(now))
    }

    fn pass_time(&mut self) {
        let now = self.clock.now();
        // It is counted where there is no tally.
        self.tally.log_lines_lost(log::lost());
        while let Some(key) = self.deadlines.pop(now) {
            let Some(client) = self.clients.get_mut(key) else {
                continue;
            };
            if self.deadlines.met(&mut client.deadline, key, now) {
                client.timed_out();
                self.drive(key);
            }
        }
        if matches!(self.accepting, Accepting::Resting(until) if until <= now) {
            self.watch();
        }
        if self.missed.deadline().is_some_and(|due| due <= now) {
            self.ask_for_missed();
        }
        if self.stage.deadline().is_some_and(|due| due <= now) {
            self.cut("worker_shutdown_timeout is over");
        }
        self.beside.pass_time(now, &self.disk);
        if self.disk.deadline().is_some_and(|due| due <= now) {
            self.disk.tidy();
        }
        open_files::expire(self.site, now);
        for &log in &self.timed_logs {
            let mut writer = self.site.access_logs[log].borrow_mut();
            if writer.deadline().is_some_and(|due| due <= now) {
                writer.flush();
            }
        }
    }

    fn next_flush(&self) -> Option<Instant> {
        let writer = |log: &usize| self.site.access_logs[*log].borrow().deadline();
        self.timed_logs.iter().filter_map(writer).min()
    }

    /// Hands on all that waits in buffers of logs.
    pub(super) fn flush_all(&self) {
        for writer in &self.site.access_logs {
            writer.borrow_mut().flush();
        }
    }

    /// Drives a connection, and sees to it that it is driven again.
    pub(super) fn drive(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        match drive(client, &mut self.buffer) {
            Wants::Nothing => return drop(self.remove(key)),
            Wants::Turn => {
                if !client.queued {
                    client.queued = true;
                    self.ready.push_back(key);
                }
            }
            Wants::Socket => {
                if !client.registered && !self.register(key) {
                    return self.close(key);
                }
            }
        }
        let leaving = self.stage.leave();
        let client = &mut self.clients[key];
        client.settle();
        let due = client.due(leaving);
        self.deadlines.set(&mut client.deadline, key, due);
        self.list(key);
    }

    /// Lists a connection among the idle ones if it is one.
    fn list(&mut self, key: usize) {
        let client = &mut self.clients[key];
        let idle = client.http.is_idle();
        if std::mem::replace(&mut client.idle, idle) != idle {
            match idle {
                true => self.idle.insert(key),
                false => self.idle.remove(&key),
            };
        }
    }

    /// Watches a socket: for good, and for edges only. Many connections are over before this.
    fn register(&mut self, key: usize) -> bool {
        let client = &mut self.clients[key];
        let interest = Interest::READABLE | Interest::WRITABLE;
        let fd = client.link.stream.as_raw_fd();
        let registered = self
            .poll
            .registry()
            .register(&mut SourceFd(&fd), Token(key), interest);
        client.registered = registered.is_ok();
        if let Err(error) = registered {
            log::alert!("epoll_ctl() failed {}", OsError(&error));
        }
        client.registered
    }

    /// Ends a connection at once.
    pub(super) fn close(&mut self, key: usize) {
        if let Some(mut client) = self.remove(key) {
            client.close();
        }
    }

    fn remove(&mut self, key: usize) -> Option<Client> {
        let mut client = self.clients.try_remove(key)?;
        client.vanish();
        self.deadlines.remove(&mut client.deadline, key);
        if client.idle {
            self.idle.remove(&key);
        }
        self.tally.connections(self.clients.len());
        if client.is_left_behind() {
            let fd = client.link.stream.as_raw_fd();
            // Its place may be another's before its socket is closed.
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            // A client that is gone needs no end of the stream.
            let _ = client.link.stream.shutdown_write();
        }
        Some(client)
    }
}
