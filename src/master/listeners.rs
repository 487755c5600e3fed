//! The listening sockets of a configuration: bound, kept across reloads, inherited, closed. They belong to the master.
//!
//! Dropping them closes this process's descriptors and nothing else: the files of unix sockets are removed on request.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::path::Path;
use std::rc::Rc;

use crate::sys::socket::{Address, Listener, Options};
use crate::sys::{OsError, file};

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

/// The sockets of one address: one that all workers share, or with `reuseport` one or more for each slot.
#[derive(Clone, Debug)]
pub struct Group {
    wanted: Wanted,
    sockets: Vec<Rc<Listener>>,
    /// The device and the inode of a unix socket's file.
    file: Option<(u64, u64)>,
}

impl Group {
    /// Every socket. With `reuseport` number i belongs to slot i modulo the number of workers.
    pub fn sockets(&self) -> &[Rc<Listener>] {
        &self.sockets
    }

    /// What the configuration says of it.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Removes the file of a unix socket that is still this socket's.
    fn remove_file(&self) {
        if let Some(path) = self.wanted.address.path()
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

/// Why the sockets of a configuration cannot be had: a line for each, in nginx's words.
#[derive(Debug)]
pub struct Refused {
    /// The lines.
    pub lines: Vec<String>,
    /// Whether they all say that an address is in use, which may pass.
    pub in_use: bool,
}

impl Listeners {
    /// Binds what is wanted and is neither `held` already nor inherited. The new sockets do not listen yet.
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
            let sockets = held
                .find(&wanted.address)
                .map(|group| group.sockets.clone());
            let sockets = sockets.unwrap_or_else(|| inherited.of(&wanted.address));
            match bind_group(wanted, sockets, workers) {
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

    /// Starts to listen on every socket, and gives those that listen already the backlog and the options wanted now.
    ///
    /// # Errors
    /// Those of the kernel, all of them; the other sockets listen.
    pub fn listen(&self) -> Result<(), Refused> {
        let mut refused = Refused {
            lines: Vec::new(),
            in_use: true,
        };
        for Group {
            wanted, sockets, ..
        } in &self.0
        {
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

    /// The groups, in the order in which the configuration wants them.
    pub fn groups(&self) -> &[Group] {
        &self.0
    }

    /// Closes what `kept` does not have, with the files of its unix sockets.
    pub fn close(self, kept: &Listeners) {
        for group in self.0 {
            if kept.find(&group.wanted.address).is_none() {
                group.remove_file();
            }
        }
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

/// Completes the sockets of one address. A group never shrinks: closing a member would reset what waits in its queue.
fn bind_group(
    wanted: &Wanted,
    mut sockets: Vec<Rc<Listener>>,
    workers: usize,
) -> io::Result<Group> {
    let count = if wanted.options.reuseport { workers } else { 1 };
    while sockets.len() < count {
        match Listener::bind(&wanted.address, &wanted.options) {
            Ok(socket) => sockets.push(Rc::new(socket)),
            // A socket that was bound without `reuseport` has no companions.
            Err(error) if error.kind() == ErrorKind::AddrInUse && !sockets.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let file = wanted.address.path().and_then(file_of);
    Ok(Group {
        wanted: wanted.clone(),
        sockets,
        file,
    })
}

fn file_of(path: &Path) -> Option<(u64, u64)> {
    file::stat(path).ok().map(|meta| (meta.device, meta.inode))
}

/// The sockets that the process which started this one left open for it.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Rc<Listener>>);

impl Inherited {
    /// Takes over the descriptors listed in a variable such as `3;4;`. What is wrong with it comes as lines for the log.
    ///
    /// It may be called once: the descriptors have an owner afterwards.
    pub fn adopt(variable: &str) -> (Inherited, Vec<String>) {
        let mut lines = Vec::new();
        let mut sockets = Vec::new();
        for word in variable.split([';', ':']).filter(|word| !word.is_empty()) {
            let Ok(number) = word.parse::<RawFd>() else {
                let word = word.escape_debug();
                lines.push(format!(
                    "invalid socket number \"{word}\" in NGINX environment variable, \
                     ignoring the rest of the variable"
                ));
                break;
            };
            match Listener::from_inherited(number) {
                Ok(socket) => sockets.push(Rc::new(socket)),
                Err(error) => {
                    let error = OsError(&error);
                    lines.push(format!("inherited socket #{number} cannot be used {error}"));
                }
            }
        }
        (Inherited(sockets), lines)
    }

    /// Closes what no [`Listeners`] has taken over; returns a line for the log for each.
    pub fn close(self) -> Vec<String> {
        let unused = self.0.iter().filter(|socket| Rc::strong_count(socket) == 1);
        let line = |socket: &Rc<Listener>| {
            format!(
                "inherited socket for {} is not configured, closed",
                socket.address()
            )
        };
        unused.map(line).collect()
    }

    fn of(&self, address: &Address) -> Vec<Rc<Listener>> {
        self.0
            .iter()
            .filter(|socket| socket.address() == address)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests;
