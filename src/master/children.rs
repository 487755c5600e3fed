//! The master's ends of the channels to its workers, and the fork that makes one. Which workers
//! there are to be is decided elsewhere.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::rc::Rc;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::scoreboard::Place;
use super::state::Event;
use crate::log;
use crate::site::zones::Zone;
use crate::sys::OsError;
use crate::sys::channel::{self, Channel, MAX_DESCRIPTORS};
use crate::sys::process::{self, Fork, Pid};
use crate::sys::signal::{self, Signal};
use crate::sys::socket::Listener;
use crate::worker::command::{Command, LONGEST, Report};

/// The paths of a generation's logs, in the order of its log table.
pub(super) type LogTable = Rc<[PathBuf]>;

/// Which side of the fork this is.
pub(super) enum Birth {
    Parent(Pid, Channel),
    /// All signals are blocked here, until the worker can take them.
    Child(Channel),
}

/// Forks a worker.
///
/// # Errors
/// In nginx's words.
pub(super) fn fork() -> Result<Birth, String> {
    const NAME: &str = "worker process";
    let (ours, theirs) = channel::pair().map_err(|error| failed("socketpair()", NAME, &error))?;
    Ok(match fork_quietly(NAME)? {
        Fork::Parent(pid) => Birth::Parent(pid, ours),
        Fork::Child => Birth::Child(theirs),
    })
}

/// Forks a process of this name; in it all signals are blocked.
///
/// # Errors
/// In nginx's words.
pub(super) fn fork_quietly(name: &str) -> Result<Fork, String> {
    let mask = signal::block_all().map_err(|error| failed("sigprocmask()", name, &error))?;
    let forked = process::fork();
    if !matches!(forked, Ok(Fork::Child)) {
        signal::restore(&mask).map_err(|error| failed("sigprocmask()", name, &error))?;
    }
    forked.map_err(|error| failed("fork()", name, &error))
}

/// What a call says that failed on the way to a new process.
pub(super) fn failed(call: &str, name: &str, error: &io::Error) -> String {
    let error = OsError(error);
    format!("{call} failed while spawning \"{name}\" {error}")
}

/// What a worker has said.
pub(super) enum Heard {
    Event(Event),
    /// It had no room for what came with this command.
    Missed(Command),
}

struct Child {
    /// None if there was none left.
    place: Option<Place>,
    /// `None` once the worker's end is closed.
    channel: Option<Channel>,
    generation: u64,
    logs: LogTable,
    zones: Vec<Rc<Zone>>,
}

/// Every worker that lives, by process.
#[derive(Default)]
pub(super) struct Children(HashMap<Pid, Child>);

impl Children {
    /// Listens to a new worker from now on; its token is its number.
    pub fn add(
        &mut self,
        registry: &Registry,
        pid: Pid,
        generation: u64,
        channel: Channel,
        (logs, zones): (LogTable, Vec<Rc<Zone>>),
        place: Option<Place>,
    ) {
        let token = Token(pid.number() as usize);
        let source = &mut SourceFd(&channel.as_raw_fd());
        let registered = registry.register(source, token, Interest::READABLE);
        if let Err(error) = &registered {
            // Without the channel the worker takes the master for gone, leaves, and is replaced.
            log::alert!(
                "epoll_ctl() for worker process {pid} failed {}",
                OsError(error)
            );
        }
        let channel = registered.is_ok().then_some(channel);
        let child = Child {
            place,
            channel,
            generation,
            logs,
            zones,
        };
        self.0.insert(pid, child);
    }

    /// Forgets one that is gone, and what it held in zones; its place on the scoreboard is to be
    /// given back.
    pub fn remove(&mut self, registry: &Registry, pid: Pid) -> Option<Place> {
        self.close(registry, pid);
        let child = self.0.remove(&pid)?;
        let number = pid.number().unsigned_abs();
        child.zones.iter().for_each(|zone| zone.forget(number));
        child.place
    }

    /// The place of a worker on the scoreboard, if it has one.
    pub fn place(&self, pid: Pid) -> Option<&Place> {
        self.0.get(&pid)?.place.as_ref()
    }

    /// The workers that have a place on the scoreboard.
    pub fn places(&self) -> impl Iterator<Item = (Pid, &Place)> {
        let children = self.0.iter();
        children.filter_map(|(pid, child)| Some((*pid, child.place.as_ref()?)))
    }

    fn close(&mut self, registry: &Registry, pid: Pid) {
        let child = self.0.get_mut(&pid);
        if let Some(channel) = child.and_then(|child| child.channel.take()) {
            // Closing takes it out of the poll as well: no other process has this end.
            let _ = registry.deregister(&mut SourceFd(&channel.as_raw_fd()));
        }
    }

    /// The next thing a worker has said, if any.
    pub fn hear(&mut self, registry: &Registry, pid: Pid) -> Option<Heard> {
        let mut message = [0; LONGEST];
        loop {
            let channel = self.0.get(&pid)?.channel.as_ref()?;
            match channel.recv(&mut message) {
                Ok(Some((length, _))) => match Report::read(&message[..length]) {
                    Some(Report::Ready) => return Some(Heard::Event(Event::Ready(pid))),
                    Some(Report::Pong) => return Some(Heard::Event(Event::Pong(pid))),
                    Some(Report::Missed(command)) => return Some(Heard::Missed(command)),
                    None => log::alert!("worker process {pid} sent an unknown message"),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Ok(None) | Err(_) => {
                    self.close(registry, pid);
                    return Some(Heard::Event(Event::Left(pid)));
                }
            }
        }
    }

    /// Tells a worker something. What cannot be said is signalled, if there is a signal for it.
    pub fn tell(&self, pid: Pid, command: Command) {
        let Some(Err(error)) = self.send(pid, command, &[]) else {
            return;
        };
        match command {
            // It is gone, or going.
            _ if error.kind() != io::ErrorKind::WouldBlock => {}
            Command::Retire | Command::Quit => kill(pid, Signal::Quit),
            Command::Stop => kill(pid, Signal::Term),
            _ => log::alert!(
                "worker process {pid} does not read its channel {}",
                OsError(&error)
            ),
        }
    }

    /// Tells all workers of a generation something.
    pub fn tell_all(&self, generation: u64, command: Command) {
        let of = |child: &Child| child.generation == generation;
        let pids = self.0.iter().filter(|(_, child)| of(child));
        pids.for_each(|(pid, _)| self.tell(*pid, command));
    }

    /// Gives all workers of a generation further sockets of an endpoint.
    pub fn hand_out(&self, generation: u64, endpoint: u32, first: u32, sockets: &[Rc<Listener>]) {
        let of = |(_, child): &(&Pid, &Child)| child.generation == generation;
        for (&pid, _) in self.0.iter().filter(of) {
            for (number, part) in sockets.chunks(MAX_DESCRIPTORS).enumerate() {
                let first = first + (number * MAX_DESCRIPTORS) as u32;
                self.hand(pid, Command::Take { endpoint, first }, part);
            }
        }
    }

    /// Gives a worker what comes with a command, no more than fits into one message.
    pub fn hand(&self, pid: Pid, command: Command, descriptors: &[impl AsFd]) {
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let what = match command {
            Command::Reopen { .. } => "keeps its logs",
            _ => "was given no further sockets",
        };
        match self.send(pid, command, &descriptors) {
            // Another error says that it is gone, or going.
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                log::alert!("worker process {pid} {what} {}", OsError(&error));
            }
            _ => {}
        }
    }

    fn send(
        &self,
        pid: Pid,
        command: Command,
        descriptors: &[BorrowedFd<'_>],
    ) -> Option<io::Result<()>> {
        let channel = self.0.get(&pid)?.channel.as_ref()?;
        Some(channel.send(&command.message(), descriptors))
    }

    /// Hands each worker its logs, as `open` has them.
    pub fn reopen<'a>(&self, open: impl Fn(&PathBuf) -> Option<BorrowedFd<'a>>) {
        for (&pid, child) in &self.0 {
            let Some(descriptors) = child.logs.iter().map(&open).collect::<Option<Vec<_>>>() else {
                log::alert!("worker process {pid} keeps its logs: not all could be reopened");
                continue;
            };
            for (number, part) in descriptors.chunks(MAX_DESCRIPTORS).enumerate() {
                let first = (number * MAX_DESCRIPTORS) as u32;
                self.hand(pid, Command::Reopen { first }, part);
            }
        }
    }

    /// The generation of a worker.
    pub fn generation(&self, pid: Pid) -> Option<u64> {
        Some(self.0.get(&pid)?.generation)
    }

    /// The paths of a worker's logs from this place in its table on, as many as fit into one
    /// message.
    pub fn logs_of(&self, pid: Pid, first: u32) -> impl Iterator<Item = &PathBuf> {
        let logs = self
            .0
            .get(&pid)
            .into_iter()
            .flat_map(|child| child.logs.iter());
        logs.skip(first as usize).take(MAX_DESCRIPTORS)
    }

    /// The zones of all workers.
    pub fn zones(&self) -> impl Iterator<Item = &Rc<Zone>> {
        self.0.values().flat_map(|child| &child.zones)
    }

    /// The paths of all logs that any worker has.
    pub fn logs(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.values().flat_map(|child| child.logs.iter())
    }
}

/// Sends a signal to a child. One that was reaped meanwhile gets none; the event of its end may
/// still wait behind the one that is handled.
pub(super) fn kill(pid: Pid, signal: Signal) {
    if let Err(error) = process::kill_child(pid, signal) {
        log::alert!(
            "kill({pid}, {}) failed {}",
            signal.number(),
            OsError(&error)
        );
    }
}
