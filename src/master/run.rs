//! The thin loop around the state: waits for signals, workers and time, and does what the state
//! says.
//!
//! It decides nothing; what it executes is listed in [`Action`].

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::check::{Checks, Examination};
use super::children::{self, Children, Heard};
use super::door::{Answer, Door, Question};
use super::listeners::Listeners;
use super::loaded::Loaded;
use super::notify::Notify;
use super::pid_file::PidFile;
use super::reopen;
use super::report::{self, Reports};
use super::scoreboard::Scoreboard;
use super::state::{Action, Event, FIRST, Master, Seat};
use super::status::History;
use super::terminal::Terminal;
use super::upgrade::Upgrade;
use crate::log;
use crate::site::traffic::Board;
use crate::sys::OsError;
use crate::sys::channel::Channel;
use crate::sys::clock;
use crate::sys::process::{self, Pid};
use crate::sys::signal::{Signal, Signals};
use crate::worker::scoreboard::Tally;

mod births;
mod stages;
mod survey;
mod urgency;

use urgency::urgent_first;

const SIGNALS: Token = Token(0);

/// What the master has before its loop begins.
pub(super) struct Belongings {
    pub loaded: Loaded,
    pub listeners: Listeners,
    pub pid_file: Option<PidFile>,
    pub terminal: Terminal,
    pub upgrade: Upgrade,
    pub notify: Notify,
    /// Caught since before others can know of this process.
    pub signals: Signals,
    pub poll: Poll,
    /// Open since before others can know of this process.
    pub door: Door,
    pub scoreboard: Scoreboard,
}

/// How the loop ends: the master exits, or this process is a new worker, or a checker.
pub(super) enum End {
    Exit(i32),
    Worker(Box<Recruit>),
    Checker(Box<Examination>),
}

/// What becomes a worker.
pub(super) struct Recruit {
    pub slot: usize,
    pub channel: Option<Channel>,
    pub tally: Tally,
    pub board: Board,
    pub loaded: Loaded,
    pub listeners: Listeners,
}

/// A configuration, its sockets and its pid file.
struct Stage {
    number: u64,
    born: Instant,
    loaded: Loaded,
    listeners: Listeners,
    /// None yet, if it is to be that of the configuration before.
    pid_file: Option<PidFile>,
}

/// Why the loop is left.
enum Leave {
    Exit(i32),
    Child(Seat, Channel, Tally),
    Checker(Box<Examination>),
}

pub(super) struct Loop {
    poll: Poll,
    signals: Signals,
    master: Master,
    events: VecDeque<Event>,
    children: Children,
    scoreboard: Scoreboard,
    reports: Reports,
    current: Stage,
    /// The configuration whose workers start.
    next: Option<Stage>,
    /// The configuration before the current one, while it may have to be restored.
    former: Option<Stage>,
    terminal: Terminal,
    upgrade: Upgrade,
    notify: Notify,
    door: Door,
    history: History,
    checks: Checks,
}

/// A poll that sees signals; workers are added later.
///
/// # Errors
/// EMFILE and its kin.
pub(super) fn watch(signals: &Signals) -> io::Result<Poll> {
    let poll = Poll::new()?;
    let source = &mut SourceFd(&signals.as_raw_fd());
    poll.registry()
        .register(source, SIGNALS, Interest::READABLE)?;
    Ok(poll)
}

impl Loop {
    pub fn new(belongings: Belongings, daemon: bool) -> Loop {
        let Belongings {
            loaded,
            listeners,
            pid_file,
            terminal,
            upgrade,
            notify,
            signals,
            poll,
            door,
            scoreboard,
        } = belongings;
        let succeeds = upgrade.predecessor().map(Event::Succeeds);
        let now = Instant::now();
        let first = Event::Loaded {
            generation: FIRST,
            plan: Ok(loaded.terms()),
        };
        Loop {
            poll,
            signals,
            master: Master::new(daemon, now),
            events: succeeds.into_iter().chain([first]).collect(),
            children: Children::default(),
            scoreboard,
            reports: Reports::new(now),
            current: Stage {
                number: FIRST,
                born: now,
                loaded,
                listeners,
                pid_file,
            },
            next: None,
            former: None,
            terminal,
            upgrade,
            notify,
            door,
            history: History::begin(clock::wall().seconds, now),
            checks: Checks::default(),
        }
    }

    /// Runs until the master exits; returns in each new worker and checker too.
    pub fn run(mut self) -> End {
        loop {
            match self.work() {
                ControlFlow::Break(Leave::Exit(code)) => return self.exit(code),
                ControlFlow::Break(Leave::Child(seat, channel, tally)) => {
                    return self.into_worker(seat, channel, tally);
                }
                ControlFlow::Break(Leave::Checker(examination)) => {
                    return End::Checker(examination);
                }
                ControlFlow::Continue(()) => self.wait(),
            }
        }
    }

    fn work(&mut self) -> ControlFlow<Leave> {
        while let Some(event) = self.events.pop_front() {
            let now = Instant::now();
            let actions = self.master.handle(event, now);
            // Before the actions: they may take their time.
            self.notify.update(self.master.standing(), now);
            self.notify.beat(now);
            for action in urgent_first(actions) {
                self.execute(action)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn execute(&mut self, action: Action) -> ControlFlow<Leave> {
        match action {
            Action::Check(number) => return self.check(number),
            Action::Load(number) => self.load(number),
            Action::Spawn(seat) => return self.spawn(seat),
            Action::Listen(number) => self.listen(number),
            Action::Adopt(_) => self.adopt(),
            Action::Settle(_) => self.settle(),
            Action::Discard(number) => self.discard(number),
            Action::Close => self.close(),
            Action::Tell(pid, command) => self.children.tell(pid, command),
            Action::Revive(number) => self.current.number = number,
            Action::Execute => self.execute_binary(),
            Action::Kill(pid) => children::kill(pid, Signal::Kill),
            Action::Abort(pid) => {
                let place = self.children.place(pid);
                let stalled = place.map(|place| report::stalled(pid, place));
                children::kill(pid, Signal::Abrt);
                stalled.into_iter().for_each(|text| log::alert!("{text}"));
            }
            Action::ReopenLogs => self.reopen_logs(),
            Action::Log(level, text) => log::write(level, format_args!("{text}")),
            Action::Answer(client, outcome) => {
                self.door.answer(client, &outcome.into(), Instant::now());
            }
            Action::Exit(code) => return ControlFlow::Break(Leave::Exit(code)),
        }
        ControlFlow::Continue(())
    }

    /// Waits for whatever comes first and notes it.
    fn wait(&mut self) {
        let deadline = [
            self.master.deadline(),
            self.door.deadline(),
            self.notify.deadline(),
        ];
        let deadline = deadline.into_iter().flatten().min();
        let timeout = deadline.map(|due| due.saturating_duration_since(Instant::now()));
        let mut ready = Events::with_capacity(64);
        if let Err(error) = self.poll.poll(&mut ready, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            log::alert!("epoll_wait() failed {}", OsError(&error));
        }
        let workers = ready
            .iter()
            .filter_map(|event| Pid::new(event.token().0 as i32));
        workers.for_each(|pid| self.hear(pid));
        self.notify.beat(Instant::now());
        self.take_signals();
        self.attend(&ready);
        self.events.push_back(Event::Time);
    }

    /// What is asked at the door.
    fn attend(&mut self, ready: &Events) {
        let now = Instant::now();
        for (client, question) in self.door.serve(self.poll.registry(), ready, now) {
            match question {
                Question::Reload => self.events.push_back(Event::ReloadAsked(client)),
                Question::Status(form) => {
                    let answer = Answer::Done(self.status(now).print(form));
                    self.door.answer(client, &answer, now);
                }
            }
        }
    }

    fn hear(&mut self, pid: Pid) {
        self.checks.hear(pid);
        while let Some(heard) = self.children.hear(self.poll.registry(), pid) {
            match heard {
                Heard::Event(event) => self.events.push_back(event),
                Heard::Missed(command) => self.hand_again(pid, command),
            }
        }
    }

    /// Exits come last: a worker may end because of the same signal from the terminal.
    fn take_signals(&mut self) {
        let arrived: Vec<Signal> = self.signals.take().collect();
        if arrived.contains(&Signal::Chld) {
            self.succeed();
        }
        for signal in &arrived {
            match signal {
                Signal::Hup => self.events.push_back(self.terminal.hangup()),
                Signal::Chld => {}
                other => self.events.push_back(Event::Signal(*other)),
            }
        }
        if arrived.contains(&Signal::Chld) {
            self.reap();
        }
    }

    /// The end of the master before this one is announced as that of a child.
    fn succeed(&mut self) {
        let Some(predecessor) = self.upgrade.predecessor_left() else {
            return;
        };
        self.events.push_back(Event::PredecessorLeft(predecessor));
        let others = self.next.iter_mut().chain(&mut self.former);
        others
            .chain([&mut self.current])
            .for_each(|stage| stage.listeners.own());
    }

    fn execute_binary(&mut self) {
        let Stage {
            loaded,
            listeners,
            pid_file,
            ..
        } = &mut self.current;
        let daemon = loaded.settings.daemon;
        let executed = self.upgrade.execute(listeners, pid_file.as_mut(), daemon);
        self.events.push_back(match executed {
            Ok(pid) => Event::Executed(pid),
            Err(why) => Event::ExecuteFailed(why),
        });
    }

    /// One SIGCHLD may stand for several exits.
    fn reap(&mut self) {
        while let Some(exit) = process::wait_any() {
            if let Some((generation, verdict)) = self.checks.reaped(exit) {
                self.events.push_back(Event::Checked {
                    generation,
                    verdict,
                });
                continue;
            }
            self.hear(exit.pid);
            let pid_file = self.current.pid_file.as_mut();
            self.upgrade.ended(exit.pid, pid_file);
            let place = self.children.remove(self.poll.registry(), exit.pid);
            let death = self.reports.death(exit, place.as_ref(), Instant::now());
            if let Some(place) = &place {
                let life = place.snapshot();
                self.history.ended(&death, &life, clock::wall().seconds);
            }
            self.events.push_back(Event::Exited(death));
            place.into_iter().for_each(|it| self.scoreboard.release(it));
        }
    }

    fn close(&mut self) {
        let listeners = std::mem::take(&mut self.current.listeners);
        // The files of the sockets are the successor's then.
        if self.upgrade.successor().is_none() {
            listeners.close(&Listeners::default());
        }
    }

    fn exit(self, code: i32) -> End {
        self.current.pid_file.into_iter().for_each(PidFile::remove);
        End::Exit(code)
    }
}
