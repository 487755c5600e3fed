//! Sockets that whoever started this process has opened for it.

use std::env;
use std::os::fd::RawFd;
use std::rc::Rc;

use crate::log;
use crate::sys::socket::{Address, Listener};
use crate::sys::{OsError, process};

/// nginx's variable: descriptors, as in `3;4;`.
const VARIABLE: &str = "NGINX";

/// The sockets that the process which started this one left open for it.
#[derive(Debug, Default)]
pub struct Inherited(Vec<Rc<Listener>>);

impl Inherited {
    /// Those of the variable `NGINX`, which is removed from the environment.
    pub fn from_environment() -> Inherited {
        let Some(variable) = env::var_os(VARIABLE) else {
            return Inherited::default();
        };
        let variable = variable.to_string_lossy();
        log::notice!(
            "using inherited sockets from \"{}\"",
            variable.escape_debug()
        );
        let (inherited, lines) = Inherited::adopt(&variable);
        lines.iter().for_each(|line| log::emerg!("{line}"));
        let rest: Vec<_> = env::vars_os()
            .filter(|(name, _)| name != VARIABLE)
            .collect();
        if let Err(error) = process::replace_environment(&rest) {
            log::alert!("{VARIABLE} stays in the environment {}", OsError(&error));
        }
        inherited
    }

    /// Takes over these descriptors. What is wrong with the list comes as lines for the log.
    ///
    /// It may be called once: the descriptors have an owner afterwards.
    pub(super) fn adopt(list: &str) -> (Inherited, Vec<String>) {
        let mut lines = Vec::new();
        let mut sockets = Vec::new();
        for word in list.split([';', ':']).filter(|word| !word.is_empty()) {
            let Ok(number) = word.parse::<RawFd>() else {
                let word = word.escape_debug();
                lines.push(format!(
                    "invalid socket number \"{word}\" in {VARIABLE} environment variable, \
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

    /// Closes what no [`super::Listeners`] has taken over; returns a line for the log for each.
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

    pub(super) fn of(&self, address: &Address) -> Vec<Rc<Listener>> {
        self.0
            .iter()
            .filter(|socket| socket.address() == address)
            .cloned()
            .collect()
    }
}
