//! The listening sockets of a configuration: bound, kept across reloads, inherited, closed. They
//! belong to the master.
//!
//! Dropping them closes this process's descriptors and nothing else: the files of unix sockets are
//! removed on request.

mod inherited;
mod open;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use crate::sys::socket::{Address, Listener, Options};
use crate::sys::{OsError, file};
use crate::worker::Socket;

pub use inherited::Inherited;
use inherited::Origin;

/// One address that a configuration listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub address: Address,
    /// How the socket is set up.
    pub options: Options,
    /// How many connections may wait to be accepted.
    pub backlog: i32,
}

/// The sockets of one address: one that all workers share, or with `reuseport` one or more for each
/// slot: number i is that of slot i modulo the number of workers.
#[derive(Clone, Debug)]
struct Group {
    wanted: Wanted,
    sockets: Vec<Rc<Listener>>,
    /// The device and the inode of a unix socket's file.
    file: Option<(u64, u64)>,
    origin: Origin,
}

impl Group {
    /// What a worker gets for this endpoint. Several sockets are shared out among the slots; one
    /// belongs to all.
    fn sockets(&self, endpoint: usize, workers: usize) -> impl Iterator<Item = Socket> {
        let several = self.sockets.len() > 1;
        let socket = move |(number, listener): (usize, &Rc<Listener>)| Socket {
            listener: Rc::clone(listener),
            endpoint,
            slot: several.then_some(number % workers),
        };
        self.sockets.iter().enumerate().map(socket)
    }

    /// Removes the file of a unix socket that is this master's and still this socket's.
    fn remove_file(&self) {
        if let Some(path) = self.wanted.address.path()
            && self.origin == Origin::Own
            && self.file.is_some()
            && file_of(path) == self.file
        {
            // Somebody else may have removed it meanwhile; there is nothing left to do.
            let _ = fs::remove_file(path);
        }
    }
}

/// The sockets of one configuration, in the order in which it wants them.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Vec<Group>);

/// A socket for a successor.
pub struct Heirloom {
    /// It is not close-on-exec.
    pub fd: OwnedFd,
    /// Whether it is the service manager's.
    pub lent: bool,
}

/// Why the sockets of a configuration cannot be had: a line for each, in nginx's words.
#[derive(Debug)]
pub struct Refused {
    /// The lines.
    pub lines: Vec<String>,
    /// Whether they all say that an address is in use, which may pass.
    pub in_use: bool,
}

impl Listeners {
    /// Binds what is wanted and is neither `held` already nor inherited. The new sockets do not
    /// listen yet.
    ///
    /// # Errors
    /// Those of binding, all of them; nothing stays bound then that was not before.
    pub fn bind(
        wanted: &[Wanted],
        workers: usize,
        held: &Listeners,
        inherited: &Inherited,
    ) -> Result<Listeners, Refused> {
        let mut bound = Listeners::default();
        let mut refused = Refused {
            lines: Vec::new(),
            in_use: true,
        };
        for wanted in wanted {
            match bind_group(wanted, workers, held.find(&wanted.address), inherited) {
                Ok(group) => bound.0.push(group),
                Err(error) => refused.add("bind() to", wanted, &error),
            }
        }
        if refused.lines.is_empty() {
            return Ok(bound);
        }
        bound.close(held);
        Err(refused)
    }

    /// Starts to listen on every socket, and gives those that listen already the backlog and the
    /// options wanted now. New addresses come first: what fails does so before one that is `held`
    /// has more sockets, whose queues nobody may ever see.
    ///
    /// # Errors
    /// Those of the kernel, all of them. New sockets of addresses that are held do not listen then.
    pub fn listen(&self, held: &Listeners) -> Result<(), Refused> {
        let mut refused = Refused {
            lines: Vec::new(),
            in_use: true,
        };
        let is_held = |group: &&Group| held.find(&group.wanted.address).is_some();
        let (kept, new): (Vec<&Group>, Vec<&Group>) = self.0.iter().partition(is_held);
        for Group {
            wanted, sockets, ..
        } in new.into_iter().chain(kept)
        {
            if held.find(&wanted.address).is_some() && !refused.lines.is_empty() {
                break;
            }
            let listen = |socket: &Rc<Listener>| {
                socket.configure(&wanted.options)?;
                socket.listen(wanted.backlog)
            };
            if let Err(error) = sockets.iter().try_for_each(listen) {
                refused.add("listen() to", wanted, &error);
            }
        }
        if refused.lines.is_empty() {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// What workers accept from; each has all of it, so that it can stand in for another. Endpoint
    /// `i` of the site is group `i` here.
    pub fn sockets(&self, workers: usize) -> Vec<Socket> {
        let groups = self.0.iter().enumerate();
        groups
            .flat_map(|(endpoint, group)| group.sockets(endpoint, workers))
            .collect()
    }

    /// Takes over sockets of its own addresses that only `others` have, so that what waits there is
    /// not lost. Returns them with their endpoints and the number of the first.
    pub fn absorb(&mut self, others: &Listeners) -> Vec<(u32, u32, Vec<Rc<Listener>>)> {
        let mut absorbed = Vec::new();
        for (endpoint, group) in (0..).zip(&mut self.0) {
            let first = group.sockets.len();
            let other = others.find(&group.wanted.address);
            let more = other.and_then(|other| other.sockets.get(first..));
            if let Some(more) = more.filter(|more| !more.is_empty()) {
                absorbed.push((endpoint, first as u32, more.to_vec()));
                group.sockets.extend_from_slice(more);
            }
        }
        absorbed
    }

    /// The sockets of an endpoint from this one on.
    pub fn of(&self, endpoint: u32, first: u32) -> &[Rc<Listener>] {
        let group = self.0.get(endpoint as usize);
        let rest = group.and_then(|group| group.sockets.get(first as usize..));
        rest.unwrap_or_default()
    }

    /// The endpoints that are not among the `others`.
    pub fn without(&self, others: &Listeners) -> Vec<u32> {
        let missing = |group: &Group| others.find(&group.wanted.address).is_none();
        let groups = (0..).zip(&self.0);
        groups
            .filter(|(_, group)| missing(group))
            .map(|(endpoint, _)| endpoint)
            .collect()
    }

    /// Where and how they listen.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.0.iter().map(|group| &group.wanted)
    }

    /// The same without the sockets: what [`Listeners::close`] needs to remove their files.
    pub fn files(&self) -> Listeners {
        let without = |group: &Group| Group {
            sockets: Vec::new(),
            ..group.clone()
        };
        Listeners(self.0.iter().map(without).collect())
    }

    /// Closes what `kept` does not have, with the files of its unix sockets.
    pub fn close(self, kept: &Listeners) {
        for group in self.0 {
            if kept.find(&group.wanted.address).is_none() {
                group.remove_file();
            }
        }
    }

    /// The predecessor, if there was one, is gone: the files of its sockets are this master's.
    pub fn own(&mut self) {
        let before = |group: &&mut Group| group.origin == Origin::Predecessor;
        let groups = self.0.iter_mut().filter(before);
        groups.for_each(|group| group.origin = Origin::Own);
    }

    /// Copies of all sockets that stay open in a program executed next.
    ///
    /// # Errors
    /// EMFILE.
    pub fn inheritable(&self) -> io::Result<Vec<Heirloom>> {
        let copy = |group: &Group, socket: &Rc<Listener>| {
            let (fd, lent) = (socket.inheritable()?, group.origin == Origin::Lent);
            Ok(Heirloom { fd, lent })
        };
        let groups = self.0.iter();
        groups
            .flat_map(|group| group.sockets.iter().map(move |socket| copy(group, socket)))
            .collect()
    }

    fn find(&self, address: &Address) -> Option<&Group> {
        self.0.iter().find(|group| group.wanted.address == *address)
    }
}

impl Refused {
    fn add(&mut self, what: &str, wanted: &Wanted, error: &io::Error) {
        self.in_use &= error.kind() == ErrorKind::AddrInUse;
        self.lines.push(format!(
            "{what} {} failed {}",
            wanted.address,
            OsError(error)
        ));
    }
}

/// The sockets of one address: those there are, and as many more as there have to be. A group never
/// shrinks: closing a member would reset what waits in its queue.
fn bind_group(
    wanted: &Wanted,
    workers: usize,
    held: Option<&Group>,
    inherited: &Inherited,
) -> io::Result<Group> {
    let (mut sockets, origin) = match held {
        Some(group) => (group.sockets.clone(), group.origin),
        None => inherited.of(&wanted.address),
    };
    let count = if wanted.options.reuseport { workers } else { 1 };
    if sockets.len() < count {
        // A kernel that refuses this refuses the companions too.
        sockets.iter().for_each(|it| drop(it.share_address()));
    }
    while sockets.len() < count {
        match Listener::bind(&wanted.address, &wanted.options) {
            Ok(socket) => sockets.push(Rc::new(socket)),
            // The address is somebody else's as well, or the kernel lets no other share it.
            Err(error) if error.kind() == ErrorKind::AddrInUse && !sockets.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let file = match held {
        Some(group) => group.file,
        None => wanted.address.path().and_then(file_of),
    };
    Ok(Group {
        wanted: wanted.clone(),
        sockets,
        file,
        origin,
    })
}

fn file_of(path: &Path) -> Option<(u64, u64)> {
    file::stat(path).ok().map(|meta| (meta.device, meta.inode))
}

#[cfg(test)]
mod tests;
