//! From a checked configuration to a master that serves: daemon, sockets, pid file, then the loop.

use std::io::{self, Write};

use super::door::Door;
use super::listeners::{Inherited, Listeners};
use super::loaded::Loaded;
use super::notify::Notify;
use super::pid_file::PidFile;
use super::run::{Belongings, End, Loop, Recruit, watch};
use super::scoreboard::Scoreboard;
use super::settings::Settings;
use super::terminal::Terminal;
use super::upgrade::Upgrade;
use crate::log;
use crate::sys::OsError;
use crate::sys::process::{self, Workplace};
use crate::sys::signal::{self, Signal, Signals};
use crate::worker::Setup;
use crate::worker::command::START_FAILED;

/// What comes of serving. It is returned twice, like a fork: in the master, and in each worker.
pub enum Outcome {
    /// In the master, or in another process of it, at its end: the exit code.
    Exit(i32),
    /// In a new worker. Its signals are blocked until it takes them.
    Worker(Box<Setup>),
    /// In the only process, with `master_process off`.
    Alone(Box<(Setup, Estate)>),
}

/// What the only process leaves behind and has to remove at its end.
pub struct Estate {
    listeners: Listeners,
    pid_file: Option<PidFile>,
    notify: Notify,
}

impl Estate {
    /// Removes it.
    pub fn remove(mut self) {
        self.notify.say("STOPPING=1\n");
        self.listeners.close(&Listeners::default());
        self.pid_file.into_iter().for_each(PidFile::remove);
    }
}

/// Serves until a signal ends it.
pub fn serve(loaded: Loaded) -> Outcome {
    let (daemon, forks) = (loaded.settings.daemon, loaded.settings.master_process);
    match begin(loaded) {
        Ok(belongings) if forks => match Loop::new(belongings, daemon).run() {
            End::Exit(code) => Outcome::Exit(code),
            End::Checker(examination) => Outcome::Exit(examination.run()),
            End::Worker(recruit) => enlist(*recruit),
        },
        Ok(belongings) => alone(belongings),
        Err(lines) => fail(&lines, 1),
    }
}

/// In a new worker; one that cannot begin says why to the log and to the master.
fn enlist(recruit: Recruit) -> Outcome {
    let tally = recruit.tally;
    match recruit.equip() {
        Ok(setup) => Outcome::Worker(Box::new(setup)),
        Err(line) => {
            tally.give_up(&line);
            fail(&[line], START_FAILED)
        }
    }
}

fn fail(lines: &[String], code: i32) -> Outcome {
    lines.iter().for_each(|line| log::emerg!("{line}"));
    Outcome::Exit(code)
}

/// Everything that can fail is done before the process that was started says that it has not.
fn begin(loaded: Loaded) -> Result<Belongings, Vec<String>> {
    let inherited = Inherited::from_environment();
    let upgrade = Upgrade::new(inherited.by_master());
    // A successor stays the child of the master that has to know how it fares.
    let leaves = loaded.settings.daemon && !inherited.by_master();
    let daemon = leaves.then(process::daemonize).transpose();
    let readiness = daemon.map_err(|error| failed("daemon()", &error))?;
    // Asked before the signals are caught: it looks at how SIGHUP was left to this process.
    let terminal = if loaded.settings.daemon {
        Terminal::NONE
    } else {
        Terminal::of_process()
    };
    let signals = Signals::new(&Signal::CATCHABLE).map_err(|e| failed("sigaction()", &e))?;
    // nginx executes its successor with all of them blocked.
    signal::unblock_all().map_err(|e| failed("sigprocmask()", &e))?;
    let poll = watch(&signals).map_err(|e| failed("epoll_create()", &e))?;
    let door = Door::open(poll.registry());
    let scoreboard = Scoreboard::new().map_err(|e| failed("mmap()", &e))?;
    let mut listeners = Listeners::open(&loaded.listeners, loaded.workers, inherited)?;
    if upgrade.predecessor().is_none() {
        listeners.own();
    }
    let pid_file = match loaded.write_pid() {
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
    let left = match readiness {
        Some(readiness) => readiness.ready(),
        None if loaded.settings.daemon => process::leave_terminal(),
        None => Ok(()),
    };
    if let Err(error) = left {
        log::alert!("the terminal could not be left {}", OsError(&error));
    }
    log::started();
    Ok(Belongings {
        loaded,
        listeners,
        pid_file,
        terminal,
        upgrade,
        notify: Notify::from_environment(),
        signals,
        poll,
        door,
        scoreboard,
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
        mut notify,
        signals,
        scoreboard,
        ..
    } = belongings;
    // Connections wait from now on; it has no other moment to say so.
    notify.say("READY=1\n");
    let estate = Estate {
        listeners: listeners.files(),
        pid_file,
        notify,
    };
    let blocked = signal::block_all().map_err(|e| format!("sigprocmask() failed {}", OsError(&e)));
    // What has arrived by now waits for the worker that this process becomes.
    for signal in signals.take() {
        // A process may always signal itself.
        let _ = process::kill(process::pid(), signal);
    }
    drop(signals);
    let recruit = Recruit {
        slot: 0,
        channel: None,
        tally: scoreboard.nobodys(),
        board: scoreboard.board(),
        loaded,
        listeners,
    };
    match blocked.and_then(|_| recruit.equip()) {
        Ok(setup) => Outcome::Alone(Box::new((setup, estate))),
        Err(line) => {
            estate.remove();
            fail(&[line], 1)
        }
    }
}

impl Recruit {
    /// Gives this process the log, the environment and the directory of a worker, and what a worker
    /// needs to begin.
    fn equip(self) -> Result<Setup, String> {
        let Recruit {
            slot,
            channel,
            tally,
            board,
            mut loaded,
            listeners,
        } = self;
        loaded.site.traffic = Some(board);
        loaded.make_current();
        surround(&loaded.settings, loaded.workplace)?;
        Ok(Setup {
            slot,
            workers: loaded.workers,
            // It is there until the process ends, and so needs no owner.
            site: Box::leak(Box::new(loaded.site)),
            settings: loaded.worker,
            who: loaded.settings.who(),
            sockets: listeners.sockets(loaded.workers),
            enclosure: loaded.enclosure,
            logs: loaded.logs,
            channel,
            tally,
        })
    }
}

fn surround(settings: &Settings, place: Option<io::Result<Workplace>>) -> Result<(), String> {
    process::replace_environment(&settings.environment())
        .map_err(|error| format!("the environment cannot be set {}", OsError(&error)))?;
    let (Some(path), Some(place)) = (&settings.working_directory, place) else {
        return Ok(());
    };
    place
        .and_then(|place| place.enter())
        .map_err(|error| format!("chdir(\"{}\") failed {}", path.display(), OsError(&error)))
}
