//! The master as a pure function: events in, actions out. No system call is made and no clock read
//! in here.
//!
//! `handle` changes what is wanted; then one `reconcile` computes the difference between that and
//! what there is.

mod child;
mod event;
mod exits;
#[cfg(test)]
mod properties;
mod slot;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use child::Seat;
pub use event::{Action, Death, Event, FIRST, Terms};

use crate::log::Level;
use crate::sys::process::Pid;
use crate::sys::signal::Signal;
use crate::worker::command::{Command, Slots};
use child::{Child, Duty};
use slot::Slot;

/// While no worker is ready, the next one is forked this long after the last instead of when its
/// back-off ends.
const FORWARD: Duration = Duration::from_millis(100);

/// What the master is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    /// Keep every slot of the serving generation filled.
    Serve,
    /// Have no workers until the next reload (SIGWINCH).
    Retire,
    /// Exit when every worker has finished its requests.
    Quit,
    /// Exit as soon as every worker is gone.
    Stop,
}

/// The workers of one configuration.
struct Generation {
    number: u64,
    slots: Vec<Slot>,
    sockets: Sockets,
}

/// How far the sockets of a generation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sockets {
    Bound,
    /// They were told to listen; the answer is awaited.
    Told,
    Listening,
}

/// A configuration being loaded.
struct Load {
    number: u64,
    /// False once something happened that makes its result unwanted.
    wanted: bool,
}

/// Everything the master decides with.
pub struct Master {
    daemon: bool,
    intent: Intent,
    exit_code: i32,
    /// The generation whose workers accept, or would if they lived.
    serving: Option<Generation>,
    /// The generation that will replace it once each of its workers is ready.
    starting: Option<Generation>,
    children: Vec<Child>,
    load: Option<Load>,
    reload_wanted: bool,
    last_generation: u64,
    last_fork: Instant,
    ever_ready: bool,
    actions: Vec<Action>,
}

impl Master {
    /// A master without workers, waiting for the first configuration: [`Event::Loaded`] with the
    /// number [`FIRST`].
    pub fn new(daemon: bool, now: Instant) -> Master {
        Master {
            daemon,
            intent: Intent::Serve,
            exit_code: 0,
            serving: None,
            starting: None,
            children: Vec::new(),
            load: Some(Load {
                number: FIRST,
                wanted: true,
            }),
            reload_wanted: false,
            last_generation: FIRST,
            last_fork: now,
            ever_ready: false,
            actions: Vec::new(),
        }
    }

    /// Takes note of what happened and says what is to be done about it, in this order.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Signal(signal) => self.signal(signal),
            Event::TerminalClosed => self.terminal_closed(),
            Event::CheckStarted { .. } | Event::Pong(_) => {}
            Event::ReloadAsked(_) => self.reload_wanted = true,
            Event::Checked {
                generation,
                verdict,
            } => match verdict {
                Ok(()) => self.actions.push(Action::Load(generation)),
                Err(line) => {
                    self.load = None;
                    self.log(Level::Emerg, line);
                }
            },
            Event::Loaded { generation, plan } => {
                self.loaded(generation, plan.ok().map(|terms| terms.workers), now)
            }
            Event::Spawned { seat, pid } => self.spawned(seat, pid),
            Event::SpawnFailed { seat, error } => self.spawn_failed(seat, &error, now),
            Event::Listening(generation) => self.listening(generation),
            Event::ListenFailed { generation, .. } => self.listen_failed(generation),
            Event::Ready(pid) => self.ready(pid),
            Event::Exited(death) => self.exited(death, now),
            Event::Time => {}
        }
        self.reconcile(now);
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Time`] is due, if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let forks = self.vacancies().into_iter().map(|(_, due)| due);
        let kills = self.children.iter().filter_map(Child::killed_at);
        forks.chain(kills).min()
    }

    fn signal(&mut self, signal: Signal) {
        let ending = matches!(self.intent, Intent::Quit | Intent::Stop);
        match signal {
            Signal::Term | Signal::Int => self.end(Intent::Stop, signal, "exiting"),
            Signal::Quit => self.end(Intent::Quit, signal, "shutting down gracefully"),
            Signal::Hup if !ending => {
                self.received(Level::Notice, signal, "reconfiguring");
                self.reload_wanted = true;
            }
            Signal::Usr1 => {
                self.received(Level::Notice, signal, "reopening logs");
                self.actions.push(Action::ReopenLogs);
            }
            Signal::Usr2 if !ending => {
                self.received(
                    Level::Warn,
                    signal,
                    "ignored: an upgrade on the fly is not built in",
                );
            }
            Signal::Winch if self.daemon && !ending => self.retire(signal),
            _ => {}
        }
    }

    fn received(&mut self, level: Level, signal: Signal, text: &str) {
        let (number, name) = (signal.number(), signal.name());
        self.log(level, format!("signal {number} ({name}) received, {text}"));
    }

    fn log(&mut self, level: Level, text: String) {
        self.actions.push(Action::Log(level, text));
    }

    fn end(&mut self, intent: Intent, signal: Signal, text: &str) {
        self.received(Level::Notice, signal, text);
        self.leave(intent);
    }

    fn terminal_closed(&mut self) {
        self.log(
            Level::Notice,
            "the terminal was closed, shutting down gracefully".into(),
        );
        self.leave(Intent::Quit);
    }

    /// No more workers and no more listeners; Stop is not softened by a later Quit.
    fn leave(&mut self, intent: Intent) {
        if self.intent == Intent::Stop {
            return;
        }
        if self.intent != Intent::Quit {
            self.actions.push(Action::Close);
        }
        self.intent = intent;
        (self.serving, self.starting) = (None, None);
    }

    fn retire(&mut self, signal: Signal) {
        self.received(Level::Notice, signal, "retiring the workers");
        self.intent = Intent::Retire;
        self.reload_wanted = false;
        if let Some(load) = &mut self.load {
            load.wanted = false;
        }
        if let Some(generation) = self.starting.take() {
            self.actions.push(Action::Discard(generation.number));
        }
    }

    fn loaded(&mut self, number: u64, workers: Option<usize>, now: Instant) {
        let wanted = self
            .load
            .take()
            .is_some_and(|load| load.wanted && load.number == number);
        // Without workers the configuration was refused; whoever loaded it has said why.
        let Some(workers) = workers else { return };
        if !wanted || matches!(self.intent, Intent::Quit | Intent::Stop) {
            return self.actions.push(Action::Discard(number));
        }
        let slots = (0..workers).map(|_| Slot::new(now)).collect();
        // The first one is loaded with sockets that listen.
        let (place, sockets) = if number == FIRST {
            (&mut self.serving, Sockets::Listening)
        } else {
            (&mut self.starting, Sockets::Bound)
        };
        *place = Some(Generation {
            number,
            slots,
            sockets,
        });
    }

    fn spawned(&mut self, seat: Seat, pid: Pid) {
        if let Some(child) = self.children.iter_mut().find(|child| child.seat == seat) {
            child.pid = Some(pid);
        }
        let slot = self.serving_slot(seat);
        // The end of the one before has announced an attempt, and there may be many.
        let level = match slot.is_some_and(|slot| slot.backs_off()) {
            true => Level::Info,
            false => Level::Notice,
        };
        self.log(level, format!("start worker process {pid}"));
    }

    fn ready(&mut self, pid: Pid) {
        if let Some(child) = self
            .children
            .iter_mut()
            .find(|child| child.pid == Some(pid))
        {
            child.ready = true;
            self.ever_ready = true;
        }
    }

    fn listening(&mut self, number: u64) {
        let starting = self.starting.as_mut();
        if let Some(generation) = starting.filter(|generation| generation.number == number) {
            generation.sockets = Sockets::Listening;
        }
    }

    fn reconcile(&mut self, now: Instant) {
        self.listen();
        let committed = self.commit();
        self.assign_duties();
        self.fill_slots(now);
        self.admit();
        self.tell(now);
        self.actions.extend(committed.map(Action::Settle));
        self.start_load();
        self.finish();
    }

    /// The sockets of the new generation listen once each of its workers is ready.
    fn listen(&mut self) {
        let Some(generation) = &mut self.starting else {
            return;
        };
        let number = generation.number;
        let ready = |child: &&Child| child.seat.generation == number && child.ready;
        let all_ready = self.children.iter().filter(ready).count() == generation.slots.len();
        if all_ready && generation.sockets == Sockets::Bound {
            generation.sockets = Sockets::Told;
            self.actions.push(Action::Listen(number));
        }
    }

    /// The new generation replaces the old one when its sockets listen.
    fn commit(&mut self) -> Option<u64> {
        let listens = |generation: &mut Generation| generation.sockets == Sockets::Listening;
        let generation = self.starting.take_if(listens)?;
        let number = generation.number;
        self.serving = Some(generation);
        self.intent = Intent::Serve;
        self.actions.push(Action::Adopt(number));
        Some(number)
    }

    fn assign_duties(&mut self) {
        let number = |generation: &Option<Generation>| generation.as_ref().map(|g| g.number);
        let (serving, starting) = (number(&self.serving), number(&self.starting));
        for child in &mut self.children {
            let generation = Some(child.seat.generation);
            let served = generation == serving && self.intent == Intent::Serve;
            match self.intent {
                Intent::Stop => child.require(Duty::Stop),
                _ if served || generation == starting => {}
                Intent::Serve => child.require(Duty::Retire),
                Intent::Retire | Intent::Quit => child.require(Duty::Quit),
            }
        }
    }

    fn fill_slots(&mut self, now: Instant) {
        for (seat, due) in self.vacancies() {
            if due <= now {
                self.last_fork = now;
                self.children.push(Child::new(seat, now));
                self.actions.push(Action::Spawn(seat));
            }
        }
    }

    /// The seats to be filled, and when.
    fn vacancies(&self) -> Vec<(Seat, Instant)> {
        let serving = self
            .serving
            .as_ref()
            .filter(|_| self.intent == Intent::Serve);
        let mut vacant: Vec<_> = serving
            .into_iter()
            .flat_map(|g| self.empty_slots(g))
            .collect();
        let next = vacant.iter_mut().min_by_key(|(_, due)| *due);
        if let Some((_, due)) = next.filter(|(seat, _)| !self.is_served(seat.generation)) {
            *due = (*due).min(self.last_fork + FORWARD);
        }
        vacant.extend(
            self.starting
                .iter()
                .flat_map(|generation| self.empty_slots(generation)),
        );
        vacant
    }

    fn empty_slots(&self, generation: &Generation) -> impl Iterator<Item = (Seat, Instant)> {
        let seat = |slot| Seat {
            generation: generation.number,
            slot,
        };
        let slots = generation.slots.iter().enumerate();
        slots
            .map(move |(number, slot)| (seat(number), slot.due))
            .filter(|(seat, _)| self.children.iter().all(|child| child.seat != *seat))
    }

    /// Whether any worker of the serving generation can accept.
    fn is_served(&self, generation: u64) -> bool {
        let mut children = self.children.iter();
        children.any(|child| child.seat.generation == generation && child.ready)
    }

    fn admit(&mut self) {
        let Some(generation) = &self.serving else {
            return;
        };
        for child in &mut self.children {
            let serves = child.seat.generation == generation.number && child.duty == Duty::Serve;
            if let Some(pid) = child
                .pid
                .filter(|_| serves && child.ready && !child.admitted)
            {
                child.admitted = true;
                self.actions
                    .push(Action::Tell(pid, Command::Admit { slots: Slots::ALL }));
            }
        }
    }

    /// Tells each child what it does not know yet; the old ones only now that the new ones were
    /// admitted.
    fn tell(&mut self, now: Instant) {
        for child in &mut self.children {
            if child.killed_at().is_some_and(|due| due <= now) {
                child.require(Duty::Die);
            }
            let Some(pid) = child.pid.filter(|_| child.duty > child.told.0) else {
                continue;
            };
            child.told = (child.duty, now);
            self.actions.push(match child.duty {
                Duty::Serve | Duty::Retire => Action::Tell(pid, Command::Retire),
                Duty::Quit => Action::Tell(pid, Command::Quit),
                Duty::Stop => Action::Tell(pid, Command::Stop),
                Duty::Die => Action::Kill(pid),
            });
        }
    }

    /// A reload waits for the one under way; however many are asked for meanwhile, one follows.
    fn start_load(&mut self) {
        let ending = matches!(self.intent, Intent::Quit | Intent::Stop);
        if self.reload_wanted && !ending && self.load.is_none() && self.starting.is_none() {
            self.reload_wanted = false;
            self.last_generation += 1;
            self.load = Some(Load {
                number: self.last_generation,
                wanted: true,
            });
            self.actions.push(Action::Check(self.last_generation));
        }
    }

    fn finish(&mut self) {
        let ending = matches!(self.intent, Intent::Quit | Intent::Stop);
        if ending && self.children.is_empty() {
            self.log(Level::Notice, "exit".into());
            self.actions.push(Action::Exit(self.exit_code));
        }
    }
}
