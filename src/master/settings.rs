//! The directives of the process: what the master does before and beside serving.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use super::load;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::outside::Outside;
use crate::conf::table::{Call, Shared};
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::site::draft::Draft;
use crate::site::error_log::{self, Planned};
use crate::sys::cpu;
use crate::sys::privilege::{Identity, is_root};
use crate::worker::Who;

/// More workers than any machine has use for; a slip of the pen must not exhaust this one.
const MOST_WORKERS: u64 = 4096;
/// The least that `reload_memory` takes.
const LEAST_MEMORY: u64 = 16 << 20;

directives! {
    /// What concerns the process as a whole.
    pub struct Settings in "ngx_core_module" with Draft {
        /// Determines whether the server leaves the terminal and runs in the background.
        daemon: bool = true => "daemon" [MAIN] 1, Once, "on", set(value::flag);
        /// Whether workers are started. With `off` one process serves, in the foreground and as who
        /// started it; it is meant for debugging and does not reload.
        master_process: bool = true => "master_process" [MAIN] 1, Once, "on", set(value::flag);
        /// The file that holds the number of the master process while it runs. The default is
        /// written only if its directory exists and is on no read-only file system.
        pid: Option<PathBuf> = None => "pid" [MAIN] 1, Once, "logs/nginx.pid", set(some_path);
        /// The user, and the group, that the workers run as; without a group it is the one of the
        /// user's name.
        user: User = User::Default => "user" [MAIN] 1..=2, Once, "nobody nobody", with(user);
        /// The directory that the workers run in.
        working_directory: Option<PathBuf> = None =>
            "working_directory" [MAIN] 1, Once, "", set(some_path);
        /// Logs errors of this level and above to a file or to `stderr`; several may be given. The
        /// default is stderr where its directory does not exist.
        error_log: Vec<Planned> = Vec::new() =>
            "error_log" [MAIN] 1.., Many, "logs/error.log error", with(error_log);
        /// Keeps a variable in the environment of the workers, or sets it. Without any the workers
        /// have none but `TZ`.
        env: Vec<Variable> = Vec::new() => "env" [MAIN] 1, Many, "TZ", with(variable);
        /// How many workers serve. `auto` is the number of processors that this process may use:
        /// the smaller of its affinity and the quota of its control group, rounded up.
        worker_processes: Workers = Workers::Count(1) =>
            "worker_processes" [MAIN] 1, Once, "1", set(workers);
        /// Time that the check of a new configuration may take, before a reload is given up. 0
        /// means any time.
        reload_timeout: Duration = Duration::from_secs(10) =>
            "reload_timeout" [MAIN] 1, Once, "10s", set(value::milliseconds);
        /// How much memory the check of a new configuration may use beyond what the server has. The
        /// master, which loads what is sound, needs about as much again. As with the other limits
        /// of a reload, the configuration that serves says how much.
        reload_memory: u64 = 1 << 30 => "reload_memory" [MAIN] 1, Once, "1g", set(memory);
        /// Time that new workers must live after a reload, before the old ones are told to leave.
        /// Until then one that dies by itself ends the reload: the old workers, which kept their
        /// connections, serve again.
        reload_probation: Duration = Duration::from_secs(1) =>
            "reload_probation" [MAIN] 1, Once, "1s", set(value::milliseconds);
        /// How many generations of workers there may be beside the one that serves: those that
        /// still finish their requests, and during a reload the new one. Beyond it the oldest is
        /// cut. 0 means any number.
        worker_generations: usize = 16 =>
            "worker_generations" [MAIN] 1, Once, "16", set(count);
        /// How long the loop of a worker may stand still, and how long a worker may take to start,
        /// before it is aborted and replaced. 0 means for ever; but new workers that a reload waits
        /// for may take 30 seconds to start then.
        worker_stall_timeout: Duration = Duration::from_secs(30) =>
            "worker_stall_timeout" [MAIN] 1, Once, "30s", set(value::milliseconds);
    }
    also {
        /// Accepted: no lock file is needed.
        "lock_file" [MAIN] 1, Once, "logs/nginx.lock", check(path);
        /// Accepted: what is supported is built in. Of a module that is not, a notice says so.
        "load_module" [MAIN] 1, Many, "", with(load_module);
    }
}

/// A module is known by the name of its file: `modules/ngx_http_x_module.so`.
fn load_module(_: &mut Settings, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    let name = word.text.rsplit(|&byte| byte == b'/').next();
    let name = name.unwrap_or_default();
    let name = name.strip_suffix(b".so").unwrap_or(name);
    if !load::is_built_in(name) {
        let what = format!("module \"{}\" is not supported", name.escape_ascii());
        let place = Some(word.place);
        draft.diagnostics.notice(Severity::Notice, place, what);
    }
    Ok(())
}

/// Whom the workers run as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum User {
    /// `nobody` if the master runs as root, else whoever runs it.
    #[default]
    Default,
    /// As named.
    Named(Identity),
    /// Whoever runs the master, without capabilities.
    Keep,
}

/// The value of `worker_processes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// As many.
    Count(usize),
    /// As many as there are processors to use.
    Auto,
}

/// The value of one `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    name: OsString,
    /// `None` keeps the value that the master has.
    value: Option<OsString>,
}

impl Settings {
    /// The number of workers, and a line for the log that says where it comes from.
    pub fn workers(&self) -> (usize, Option<String>) {
        if !self.master_process {
            return (1, None);
        }
        match self.worker_processes {
            Workers::Count(count) => (count, None),
            Workers::Auto => {
                let available = cpu::available();
                let count = available.count();
                (count, Some(described(count, available)))
            }
        }
    }

    /// Whom the workers become. The only process has the pid file, the sockets and the logs to look
    /// after, and stays who it is, as in nginx.
    pub fn who(&self) -> Who {
        match &self.user {
            _ if !self.master_process => Who::Unchanged,
            User::Named(identity) if is_root() => Who::Other(identity.clone()),
            _ => Who::Powerless,
        }
    }

    /// Names the user that workers become where none is named; it must have been found before
    /// there are any.
    ///
    /// # Errors
    /// The system has no `nobody`.
    pub(super) fn find_user(&mut self, outside: &Outside) -> Result<(), String> {
        if self.user == User::Default && self.master_process && is_root() {
            self.user = User::Named(nobody(outside)?);
        }
        Ok(())
    }

    /// The environment of the workers, made from the one of the master.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let zone = Variable {
            name: "TZ".into(),
            value: None,
        };
        let named = self.env.iter().any(|variable| variable.name == zone.name);
        let variables = self.env.iter().chain(Some(&zone).filter(|_| !named));
        let value = |variable: &Variable| {
            let value = variable
                .value
                .clone()
                .or_else(|| env::var_os(&variable.name))?;
            Some((variable.name.clone(), value))
        };
        variables.filter_map(value).collect()
    }
}

/// Debian's group of `nobody` is `nogroup`.
fn nobody(outside: &Outside) -> Result<Identity, String> {
    let found = outside.identity("nobody", None);
    found.or_else(|_| outside.identity("nobody", Some("nogroup")))
}

fn described(count: usize, available: cpu::Available) -> String {
    let affinity = available.affinity;
    match available.quota {
        Some(quota) => format!(
            "worker_processes auto is {count}: affinity to {affinity} processors, quota of {quota}"
        ),
        None => format!("worker_processes auto is {count}: affinity to {affinity} processors"),
    }
}

fn some_path(word: &Word) -> Result<Option<PathBuf>, Reason> {
    path(word).map(Some)
}

fn path(word: &Word) -> Result<PathBuf, Reason> {
    if word.text.is_empty() {
        return Err(Reason::around("empty path in ", " directive").at(word.place));
    }
    Ok(os_string(&word.text).into())
}

fn os_string(text: &[u8]) -> OsString {
    OsString::from_vec(text.to_vec())
}

fn user(this: &mut Settings, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if !is_root() {
        let what = "the \"user\" directive makes sense only if the master process runs with \
                    super-user privileges, ignored";
        draft
            .diagnostics()
            .notice(Severity::Warning, Some(call.item.name.place), what);
        return Ok(());
    }
    let group = call.args().get(1).map(Word::str);
    let found = draft
        .outside()
        .identity(&call.arg(0).str(), group.as_deref());
    let found = found.map_err(|why| Reason::from(why).at(call.arg(0).place))?;
    this.user = User::Named(found);
    Ok(())
}

fn error_log(this: &mut Settings, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let planned = error_log::parse(draft, call)?;
    this.error_log.push(planned);
    Ok(())
}

fn variable(this: &mut Settings, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    let (name, value) = match word.text.iter().position(|&byte| byte == b'=') {
        Some(at) => (&word.text[..at], Some(os_string(&word.text[at + 1..]))),
        None => (&word.text[..], None),
    };
    if name.is_empty() {
        let what = format!("invalid variable \"{}\"", word.str());
        return Err(Reason::from(what).at(word.place));
    }
    this.env.push(Variable {
        name: os_string(name),
        value,
    });
    Ok(())
}

/// With less, no configuration could be loaded any more, nor one that allows more.
fn memory(word: &Word) -> Result<u64, Reason> {
    let bytes = value::offset(word)?;
    if bytes < LEAST_MEMORY {
        let what = format!("invalid amount of memory \"{}\"", word.str());
        return Err(Reason::from(what).at(word.place).help("at least 16m"));
    }
    Ok(bytes)
}

fn count(word: &Word) -> Result<usize, Reason> {
    let count = value::number(word)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

fn workers(word: &Word) -> Result<Workers, Reason> {
    if word.is("auto") {
        return Ok(Workers::Auto);
    }
    let count = value::number(word)
        .ok()
        .filter(|count| (1..=MOST_WORKERS).contains(count));
    let count = count.and_then(|count| usize::try_from(count).ok());
    let invalid = || {
        let what = format!("invalid number of workers \"{}\"", word.str());
        let help = format!("1 to {MOST_WORKERS}, or \"auto\"");
        Reason::from(what).at(word.place).help(help)
    };
    count.map(Workers::Count).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::source::Place;

    fn word(text: &str) -> Word {
        Word {
            text: text.into(),
            place: Place::default(),
        }
    }

    #[test]
    fn numbers_of_workers() {
        assert_eq!(workers(&word("3")), Ok(Workers::Count(3)));
        assert_eq!(workers(&word("auto")), Ok(Workers::Auto));
        for wrong in ["0", "-1", "many", "4097", "99999999999999999999"] {
            let reason = workers(&word(wrong)).expect_err("refused");
            assert_eq!(
                reason.message,
                format!("invalid number of workers \"{wrong}\"")
            );
        }
        let auto = Settings {
            worker_processes: Workers::Auto,
            ..Settings::default()
        };
        let (count, line) = auto.workers();
        assert!(
            count >= 1
                && line
                    .expect("logged")
                    .contains(&format!("auto is {count}: "))
        );
        let single = Settings {
            master_process: false,
            ..auto
        };
        assert_eq!(single.workers(), (1, None));
    }

    #[test]
    fn a_check_has_room_to_begin_with() {
        assert_eq!(memory(&word("16m")), Ok(16 << 20));
        for wrong in ["15m", "0", "much"] {
            assert!(memory(&word(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn workers_have_the_variables_that_are_named() {
        let variable = |name: &str, value: Option<&str>| Variable {
            name: name.into(),
            value: value.map(Into::into),
        };
        let variables = vec![
            variable("PATH", None),
            variable("A", Some("b=c")),
            variable("FORKFUL_TEST_NOT_SET", None),
            variable("TZ", Some("UTC")),
        ];
        let settings = Settings {
            env: variables,
            ..Settings::default()
        };
        let path = env::var_os("PATH").expect("a PATH");
        let expected = [
            ("PATH".into(), path),
            ("A".into(), "b=c".into()),
            ("TZ".into(), "UTC".into()),
        ];
        assert_eq!(settings.environment(), expected);
    }

    #[test]
    fn the_user_is_kept_when_asked_to_or_when_there_is_no_choice() {
        let who = |user| {
            let mut settings = Settings {
                user,
                ..Settings::default()
            };
            settings.find_user(&Outside::system()).expect("found");
            settings.who()
        };
        assert!(matches!(who(User::Keep), Who::Powerless));
        assert_eq!(matches!(who(User::Default), Who::Other(_)), is_root());
        let alone = Settings {
            master_process: false,
            ..Settings::default()
        };
        assert!(matches!(alone.who(), Who::Unchanged));
    }
}
