//! From a checked configuration to a master that serves: daemon, sockets, pid file, then the loop.

use std::env;
use std::io::{self, Write};

use super::listeners::Listeners;
use super::loaded::Loaded;
use super::pid_file::PidFile;
use super::run::{Belongings, Loader, Loop, watch};
use super::terminal::Terminal;
use crate::log;
use crate::sys::OsError;
use crate::sys::channel::Channel;
use crate::sys::process::{self, Readiness};
use crate::sys::signal::{self, Signal, Signals};
use crate::worker::command::START_FAILED;
use crate::worker::{self, Setup, Socket, Who};

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

impl Recruit {
    /// Lives the life of a worker, and returns the code to exit with. The configuration stays for
    /// the rest of the process's life.
    pub fn work(self) -> i32 {
        match self.setup() {
            Ok(setup) => worker::run(setup),
            Err(error) => {
                log::emerg!("{error}");
                START_FAILED
            }
        }
    }

    fn setup(self) -> io::Result<Setup> {
        let Recruit {
            slot,
            channel,
            loaded,
            listeners,
        } = self;
        let Loaded {
            workers,
            settings,
            worker,
            logs,
            site,
            ..
        } = *loaded;
        let who = settings.identity()?.map_or(Who::Powerless, Who::Other);
        Ok(Setup {
            slot,
            workers,
            site: Box::leak(Box::new(site)),
            settings: worker,
            who,
            sockets: sockets(&listeners, slot, workers),
            logs,
            channel,
        })
    }
}

/// The sockets that a worker accepts from: those of its slot, where each slot has its own.
fn sockets(listeners: &Listeners, slot: usize, workers: usize) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for (endpoint, group) in listeners.groups().iter().enumerate() {
        let shared = group.sockets().len() == 1;
        for (number, listener) in group.sockets().iter().enumerate() {
            if shared || number % workers.max(1) == slot {
                sockets.push(Socket {
                    listener: listener.clone(),
                    endpoint,
                });
            }
        }
    }
    sockets
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
    let (daemon, forks) = (loaded.settings.daemon, loaded.settings.master_process);
    match begin(loaded, loader) {
        Ok(belongings) if forks => match Loop::new(belongings, daemon).run() {
            Outcome::Worker(recruit) => match surround(&recruit.loaded) {
                Ok(()) => Outcome::Worker(recruit),
                Err(line) => fail(&[line], START_FAILED),
            },
            outcome => outcome,
        },
        Ok(belongings) => alone(belongings),
        Err(lines) => fail(&lines, 1),
    }
}

fn fail(lines: &[String], code: i32) -> Outcome {
    lines.iter().for_each(|line| log::emerg!("{line}"));
    Outcome::Exit(code)
}

/// Everything that can fail is done before the process that was started says that it has not.
fn begin(loaded: Loaded, loader: Loader) -> Result<Belongings, Vec<String>> {
    let daemon = loaded.settings.daemon.then(process::daemonize).transpose();
    let readiness = daemon.map_err(|error| failed("daemon()", &error))?;
    // Asked before the signals are caught: it looks at how SIGHUP was left to this process.
    let terminal = if readiness.is_some() {
        Terminal::NONE
    } else {
        Terminal::of_process()
    };
    let signals = Signals::new(&Signal::CATCHABLE).map_err(|e| failed("sigaction()", &e))?;
    let poll = watch(&signals).map_err(|e| failed("epoll_create()", &e))?;
    let listeners = Listeners::open(&loaded.listeners, loaded.workers)?;
    let pid_file = match loaded.pid.as_deref().map(PidFile::write).transpose() {
        Ok(pid_file) => pid_file,
        Err(line) => {
            listeners.close(&Listeners::default());
            return Err(vec![line]);
        }
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
        signals,
        poll,
        loader,
    })
}

fn failed(call: &str, error: &io::Error) -> Vec<String> {
    vec![format!("{call} failed {}", OsError(error))]
}

/// The only process is its own worker.
fn alone(belongings: Belongings) -> Outcome {
    let Belongings {
        loaded,
        listeners,
        pid_file,
        signals,
        ..
    } = belongings;
    let estate = Estate {
        listeners: listeners.clone(),
        pid_file,
    };
    let blocked =
        signal::block_all().map_err(|error| format!("sigprocmask() failed {}", OsError(&error)));
    drop(signals);
    match blocked.and_then(|_| surround(&loaded)) {
        Ok(()) => {
            let loaded = Box::new(loaded);
            Outcome::Alone(
                Recruit {
                    slot: 0,
                    channel: None,
                    loaded,
                    listeners,
                },
                estate,
            )
        }
        Err(line) => {
            estate.remove();
            fail(&[line], 1)
        }
    }
}

/// The surroundings of a worker: its log, its environment, its directory.
fn surround(loaded: &Loaded) -> Result<(), String> {
    loaded.make_current();
    let settings = &loaded.settings;
    process::replace_environment(&settings.environment())
        .map_err(|error| format!("the environment cannot be set {}", OsError(&error)))?;
    let Some(path) = &settings.working_directory else {
        return Ok(());
    };
    env::set_current_dir(path)
        .map_err(|error| format!("chdir(\"{}\") failed {}", path.display(), OsError(&error)))
}
