//! From a checked configuration to a master that serves: daemon, sockets, pid file, then the loop.

use std::io::{self, Write};
use std::time::Duration;
use std::{env, thread};

use super::listeners::{Inherited, Listeners, Refused, Wanted};
use super::load::Loaded;
use super::pid_file::PidFile;
use super::run::{Belongings, End, Loader, Loop};
use super::terminal::Terminal;
use crate::log;
use crate::sys::OsError;
use crate::sys::channel::Channel;
use crate::sys::process::{self, Readiness};
use crate::worker::command::START_FAILED;

/// How often an address in use is tried, and the time between, as in nginx.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// nginx's variable for sockets that whoever starts this program has opened for it.
const INHERITED: &str = "NGINX";

/// What comes of serving. It is returned twice, like a fork: in the master, and in each worker.
pub enum Outcome {
    /// In the master, at its end: the exit code.
    Exit(i32),
    /// In a new worker. Its signals are blocked until it takes them.
    Worker(Recruit),
    /// In the only process, with `master_process off`.
    Alone(Recruit, Estate),
}

/// What a worker begins with.
pub struct Recruit {
    /// Its slot, from 0.
    pub slot: usize,
    /// To the master; `None` if there is none, and accepting may begin at once.
    pub channel: Option<Channel>,
    /// The configuration.
    pub loaded: Box<Loaded>,
    /// The sockets of the configuration.
    pub listeners: Listeners,
}

/// What the only process leaves behind and has to remove at its end.
pub struct Estate {
    listeners: Listeners,
    pid_file: Option<PidFile>,
}

impl Estate {
    /// Removes it.
    pub fn remove(self) {
        self.listeners.close(&Listeners::default());
        self.pid_file.into_iter().for_each(PidFile::remove);
    }
}

/// Serves until a signal ends it; `loader` is asked for the configuration of each reload.
pub fn serve(loaded: Loaded, loader: Loader) -> Outcome {
    let daemon = loaded.settings.daemon;
    let alone = !loaded.settings.master_process;
    let belongings = match begin(loaded, loader) {
        Ok(belongings) => belongings,
        Err(lines) => {
            lines.iter().for_each(|line| log::emerg!("{line}"));
            return Outcome::Exit(1);
        }
    };
    if alone {
        let Belongings {
            loaded,
            listeners,
            pid_file,
            ..
        } = belongings;
        let estate = Estate {
            listeners: listeners.clone(),
            pid_file,
        };
        let recruit = Recruit {
            slot: 0,
            channel: None,
            loaded: Box::new(loaded),
            listeners,
        };
        return enter(recruit, |recruit| Outcome::Alone(recruit, estate));
    }
    match Loop::new(belongings, daemon).map(Loop::run) {
        Ok(End::Exit(code)) => Outcome::Exit(code),
        Ok(End::Worker {
            slot,
            channel,
            loaded,
            listeners,
        }) => enter(
            Recruit {
                slot,
                channel: Some(channel),
                loaded,
                listeners,
            },
            Outcome::Worker,
        ),
        Err(error) => {
            log::emerg!("the master cannot start {}", OsError(&error));
            Outcome::Exit(1)
        }
    }
}

/// The surroundings of a worker: its environment and its directory.
fn enter(recruit: Recruit, outcome: impl FnOnce(Recruit) -> Outcome) -> Outcome {
    let settings = &recruit.loaded.settings;
    if let Err(error) = process::replace_environment(&settings.environment()) {
        log::emerg!("the environment cannot be set {}", OsError(&error));
        return Outcome::Exit(START_FAILED);
    }
    if let Some(path) = &settings.working_directory
        && let Err(error) = env::set_current_dir(path)
    {
        log::emerg!("chdir(\"{}\") failed {}", path.display(), OsError(&error));
        return Outcome::Exit(START_FAILED);
    }
    outcome(recruit)
}

/// Everything that can fail is done before the process that was started says that it has not.
fn begin(loaded: Loaded, loader: Loader) -> Result<Belongings, Vec<String>> {
    let one = |text: String| vec![text];
    let readiness = match loaded.settings.daemon {
        true => {
            Some(process::daemonize().map_err(|e| one(format!("fork() failed {}", OsError(&e))))?)
        }
        false => None,
    };
    let listeners = open(&loaded.listeners, loaded.workers)?;
    let written = loaded.pid.as_deref().map(PidFile::write).transpose();
    let pid_file = match written {
        Ok(pid_file) => pid_file,
        Err(text) => {
            listeners.close(&Listeners::default());
            return Err(one(text));
        }
    };
    let terminal = if readiness.is_some() {
        Terminal::NONE
    } else {
        Terminal::of_process()
    };
    if let Some(line) = loaded.announcement() {
        // Whoever closed stderr does not want to know.
        let _ = writeln!(io::stderr(), "forkful: {line}");
    }
    if let Some(Err(error)) = readiness.map(Readiness::ready) {
        log::alert!("the terminal could not be left {}", OsError(&error));
    }
    log::started();
    Ok(Belongings {
        loaded,
        listeners,
        pid_file,
        terminal,
        loader,
    })
}

/// Binds the sockets and listens. An address in use is waited for: its owner may be about to leave.
fn open(wanted: &[Wanted], workers: usize) -> Result<Listeners, Vec<String>> {
    let inherited = inherit();
    for attempt in 1.. {
        let refused = match try_open(wanted, workers, &inherited) {
            Ok(listeners) => {
                inherited
                    .close()
                    .iter()
                    .for_each(|line| log::notice!("{line}"));
                return Ok(listeners);
            }
            Err(refused) => refused,
        };
        if !refused.in_use {
            return Err(refused.lines);
        }
        refused.lines.iter().for_each(|line| log::emerg!("{line}"));
        if attempt == ATTEMPTS {
            break;
        }
        log::notice!("try again to bind() after {}ms", PAUSE.as_millis());
        thread::sleep(PAUSE);
    }
    Err(vec!["still could not bind()".into()])
}

fn try_open(
    wanted: &[Wanted],
    workers: usize,
    inherited: &Inherited,
) -> Result<Listeners, Refused> {
    let listeners = Listeners::bind(wanted, workers, &Listeners::default(), inherited)?;
    match listeners.listen() {
        Ok(()) => Ok(listeners),
        Err(refused) => {
            listeners.close(&Listeners::default());
            Err(refused)
        }
    }
}

/// The sockets of the variable, which is then removed.
fn inherit() -> Inherited {
    let Some(variable) = env::var_os(INHERITED) else {
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
        .filter(|(name, _)| name != INHERITED)
        .collect();
    if let Err(error) = process::replace_environment(&rest) {
        log::alert!("{INHERITED} stays in the environment {}", OsError(&error));
    }
    inherited
}
