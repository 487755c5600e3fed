//! Sockets that whoever started this process has opened for it: a master before it, in nginx's way,
//! or the service manager, in systemd's.

use std::env;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::rc::Rc;

use crate::log;
use crate::sys::socket::{Address, Listener};
use crate::sys::{OsError, process};

/// systemd's variables: the process that is meant, how many there are, and their names, which are
/// not needed: sockets are matched by address.
const LISTEN_PID: &str = "LISTEN_PID";
const LISTEN_FDS: &str = "LISTEN_FDS";
const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";
/// The number of the first of them.
const FIRST: RawFd = 3;

/// Who opened a socket, and so looks after the file of a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This master.
    Own,
    /// The master before it; once that is gone, this one.
    Predecessor,
    /// The service manager, for good.
    Lent,
}

/// The sockets that the process which started this one left open for it.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<(Rc<Listener>, Origin)>,
    /// Whether they come from another master.
    by_master: bool,
}

impl Inherited {
    /// nginx's variable: descriptors, as in `3;4;`.
    pub const VARIABLE: &str = "NGINX";
    /// Ours: those among them that are the service manager's.
    pub const LENT: &str = "FORKFUL_LENT";

    /// Those that the environment names, which forgets them.
    pub fn from_environment() -> Inherited {
        let mut inherited = Inherited::default();
        if let Some(list) = env::var_os(Self::VARIABLE) {
            let list = list.to_string_lossy();
            log::notice!("using inherited sockets from \"{}\"", list.escape_debug());
            let lent = env::var_os(Self::LENT).unwrap_or_default();
            let lines = inherited.adopt(&list, &numbers(&lent.to_string_lossy()).0);
            lines.iter().for_each(|line| log::emerg!("{line}"));
            inherited.by_master = true;
        }
        let lines = inherited.adopt_lent(lent_to(process::pid().number()));
        lines.iter().for_each(|line| log::emerg!("{line}"));
        forget();
        inherited
    }

    /// Whether another master has started this one.
    pub fn by_master(&self) -> bool {
        self.by_master
    }

    /// Takes over these descriptors of a master. What is wrong with the list comes as lines for the
    /// log.
    ///
    /// It may be called once: the descriptors have an owner afterwards.
    pub(super) fn adopt(&mut self, list: &str, lent: &[RawFd]) -> Vec<String> {
        let (numbers, wrong) = numbers(list);
        let invalid = wrong.map(|word| {
            let (word, variable) = (word.escape_debug(), Self::VARIABLE);
            format!(
                "invalid socket number \"{word}\" in {variable} environment variable, \
                 ignoring the rest of the variable"
            )
        });
        let origin = |number| match lent.contains(&number) {
            true => Origin::Lent,
            false => Origin::Predecessor,
        };
        let failed = numbers
            .into_iter()
            .filter_map(|number| self.take(number, origin(number)));
        failed.chain(invalid).collect()
    }

    /// The same of the service manager's.
    fn adopt_lent(&mut self, count: RawFd) -> Vec<String> {
        let numbers = FIRST..FIRST.saturating_add(count);
        numbers
            .filter_map(|number| self.take(number, Origin::Lent))
            .collect()
    }

    /// A line for the log, if it cannot be used.
    fn take(&mut self, number: RawFd, origin: Origin) -> Option<String> {
        match Listener::from_inherited(number) {
            Ok(socket) => self.sockets.push((Rc::new(socket), origin)),
            Err(error) => {
                let error = OsError(&error);
                return Some(format!("inherited socket #{number} cannot be used {error}"));
            }
        }
        None
    }

    /// Closes what no [`super::Listeners`] has taken over; returns a line for the log for each.
    pub fn close(self) -> Vec<String> {
        let sockets = self.sockets.iter().map(|(socket, _)| socket);
        let unused = sockets.filter(|socket| Rc::strong_count(socket) == 1);
        let line = |socket: &Rc<Listener>| {
            format!(
                "inherited socket for {} is not configured, closed",
                socket.address()
            )
        };
        unused.map(line).collect()
    }

    pub(super) fn of(&self, address: &Address) -> (Vec<Rc<Listener>>, Origin) {
        let matching = self.sockets.iter().filter(|it| it.0.address() == address);
        let origin = matching.clone().map(|(_, origin)| *origin).next();
        let sockets = matching.map(|(socket, _)| Rc::clone(socket)).collect();
        (sockets, origin.unwrap_or(Origin::Own))
    }
}

/// The numbers of a list, each once, and the word that ends it before its end.
fn numbers(list: &str) -> (Vec<RawFd>, Option<&str>) {
    let mut numbers = Vec::new();
    for word in list.split([';', ':']).filter(|word| !word.is_empty()) {
        match word.parse() {
            Ok(number) if !numbers.contains(&number) => numbers.push(number),
            _ => return (numbers, Some(word)),
        }
    }
    (numbers, None)
}

/// How many sockets the service manager has for the process of this number.
fn lent_to(pid: i32) -> RawFd {
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let meant = number(LISTEN_PID) == Some(pid);
    number(LISTEN_FDS).filter(|_| meant).unwrap_or(0)
}

fn forget() {
    let ours = [
        Inherited::VARIABLE,
        Inherited::LENT,
        LISTEN_PID,
        LISTEN_FDS,
        LISTEN_FDNAMES,
    ];
    let is_ours = |name: &OsString| ours.iter().any(|it| name == it);
    if !env::vars_os().any(|(name, _)| is_ours(&name)) {
        return;
    }
    let rest: Vec<_> = env::vars_os().filter(|(name, _)| !is_ours(name)).collect();
    if let Err(error) = process::replace_environment(&rest) {
        log::alert!(
            "the environment names inherited sockets {}",
            OsError(&error)
        );
    }
}
