//! The world as the master's actions make it, and what must hold in it after each event.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::*;
use crate::master::state::tests::exited;
use crate::worker::command::{Command, Slots};

/// A worker process as the world knows it.
pub(super) struct Process {
    pub pid: Pid,
    pub seat: Seat,
    pub ready: bool,
    /// What it accepts for; none when it is paused or was told to leave.
    pub accepts: Option<Slots>,
    /// It was told to leave, aborted or killed.
    pub doomed: bool,
}

pub(super) struct World {
    pub(super) master: Master,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pids: i32,
    /// `worker_generations`
    pub(super) generations: usize,
    /// `worker_stall_timeout`
    stall: Duration,
    /// The check under way, and its process.
    pub(super) check: Option<(u64, Option<Pid>)>,
    /// The generations whose checkers were killed and do not end.
    pub(super) stuck: Vec<(u64, Option<Pid>)>,
    /// How many workers did that had been left alone.
    pub(super) ends: usize,
    pub(super) load: Option<u64>,
    pub(super) listens: Vec<u64>,
    /// The generations that became the current one and were not given up, the last one last.
    adopted: Vec<u64>,
    /// Whether the last of them may still be given up.
    on_probation: bool,
    pub(super) forks: Vec<Seat>,
    pub(super) living: Vec<Process>,
    pub(super) workers: HashMap<u64, usize>,
    /// When the workers of a seat were forked, and whether one of its generation was ready then.
    history: HashMap<Seat, Vec<(Instant, bool)>>,
    killed: HashSet<Pid>,
    /// A binary is to be executed.
    pub(super) executing: bool,
    successor: Option<Pid>,
    clients: u64,
    /// Clients that wait for an answer.
    pub asked: BTreeSet<u64>,
    pub code: Option<i32>,
}

impl World {
    /// One with a master that has loaded a configuration of two workers.
    pub fn new(generations: usize, stall: Duration) -> World {
        let now = Instant::now();
        let mut world = World {
            master: Master::new(true, now),
            start: now,
            now,
            pids: 0,
            generations,
            stall,
            check: None,
            stuck: Vec::new(),
            ends: 0,
            load: Some(FIRST),
            listens: Vec::new(),
            adopted: vec![FIRST],
            on_probation: false,
            forks: Vec::new(),
            living: Vec::new(),
            workers: HashMap::new(),
            history: HashMap::new(),
            killed: HashSet::new(),
            executing: false,
            successor: None,
            clients: 0,
            asked: BTreeSet::new(),
            code: None,
        };
        world.load_ends(Some(2));
        world
    }

    fn handle(&mut self, event: Event) {
        if self.code.is_some() {
            return;
        }
        let time = matches!(event, Event::Time);
        for action in self.master.handle(event, self.now) {
            assert_eq!(self.code, None, "nothing follows the exit: {action:?}");
            self.execute(action);
        }
        if self.code.is_none() {
            self.check(time);
        }
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Check(number) => {
                assert!(self.load.is_none(), "one at a time");
                assert!(!self.executing && self.successor.is_none(), "no upgrade");
                self.leave_checker();
                self.check = Some((number, None));
            }
            Action::Load(number) => assert_eq!(self.load.replace(number), None),
            Action::Listen(number) => self.listens.push(number),
            Action::Adopt(number) => self.adopt(number),
            Action::Settle(number) => {
                assert!(self.on_probation && self.current() == number);
                self.on_probation = false;
            }
            Action::Revive(number) => self.revive(number),
            Action::Execute => {
                assert!(self.load.is_none() && !self.on_probation, "a reload first");
                self.leave_checker();
                assert!(!self.executing && self.successor.is_none(), "one at a time");
                self.executing = true;
            }
            Action::Discard(number) => self.discard(number),
            Action::Spawn(seat) => self.spawn(seat),
            Action::Tell(pid, command) => self.tell(pid, command),
            Action::Abort(pid) => self.process(pid).doomed = true,
            Action::Kill(pid) => self.kill(pid),
            Action::Answer(client, _) => assert!(self.asked.remove(&client), "once"),
            Action::Exit(code) => self.code = Some(code),
            Action::Close | Action::ReopenLogs | Action::Log(..) => {}
        }
    }

    /// The check under way is over for the master, which is true only of one that was killed.
    fn leave_checker(&mut self) {
        if let Some((number, checker)) = self.check.take() {
            let killed = checker.is_some_and(|pid| self.killed.contains(&pid));
            assert!(killed, "one at a time");
            self.stuck.push((number, checker));
        }
    }

    pub(super) fn current(&self) -> u64 {
        *self.adopted.last().expect("there is one")
    }

    fn process(&mut self, pid: Pid) -> &mut Process {
        let process = self.living.iter_mut().find(|process| process.pid == pid);
        process.unwrap_or_else(|| panic!("{pid} is gone"))
    }

    /// Those that live, but for the corpses: these were killed and do not end.
    pub(super) fn seated(&self) -> impl Iterator<Item = &Process> {
        let corpses = &self.master.corpses;
        self.living.iter().filter(|it| !corpses.contains(&it.pid))
    }

    fn adopt(&mut self, number: u64) {
        assert!(number > self.current(), "only forwards");
        let ready = |process: &&Process| process.seat.generation == number && process.ready;
        let ready = self.living.iter().filter(ready).count();
        assert_eq!(ready, self.workers[&number], "all are ready");
        self.adopted.push(number);
        self.on_probation = true;
    }

    fn revive(&mut self, number: u64) {
        assert!(number > self.current() && !self.on_probation);
        let workers = self.workers[&self.current()];
        self.workers.insert(number, workers);
        self.adopted.push(number);
    }

    /// After a roll-back the old generation is the current one.
    fn discard(&mut self, number: u64) {
        if self.current() == number {
            assert!(self.on_probation, "it has lived long enough");
            self.on_probation = false;
            self.adopted.pop();
        }
    }

    fn spawn(&mut self, seat: Seat) {
        self.forks.push(seat);
        let mut living = self.living.iter();
        let served = living.any(|it| it.seat.generation == seat.generation && it.ready);
        let now = self.now;
        let history = self.history.entry(seat).or_default();
        if let Some((last, _)) = history.last().filter(|_| !served) {
            let early = now < *last + Duration::from_millis(100);
            assert!(!early || history.len() == 1, "{seat:?} is forked too soon");
        }
        history.push((now, served));
        let lately =
            |(at, served): &&(Instant, bool)| *served && now < *at + Duration::from_secs(10);
        assert!(
            history.iter().filter(lately).count() <= 9,
            "{seat:?} too often"
        );
    }

    fn tell(&mut self, pid: Pid, command: Command) {
        let process = self.process(pid);
        match command {
            Command::Admit { slots } => process.accepts = Some(slots),
            Command::Pause => process.accepts = None,
            Command::Retire | Command::Quit | Command::Stop => {
                (process.accepts, process.doomed) = (None, true);
            }
            Command::Ping => assert!(process.ready),
            other => unreachable!("{other:?}"),
        }
    }

    fn kill(&mut self, pid: Pid) {
        assert!(self.killed.insert(pid), "{pid} is killed once");
        if self.check.is_none_or(|(_, checker)| checker != Some(pid)) {
            self.process(pid).doomed = true;
        }
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Signal(signal) => self.signal(signal),
            Step::Ask => {
                self.clients += 1;
                self.asked.insert(self.clients);
                self.handle(Event::ReloadAsked(self.clients));
            }
            Step::CheckStarts => self.check_starts(),
            Step::Checked(passes) => self.check_ends(passes),
            Step::Loaded(workers) => self.load_ends(workers),
            Step::Fork(succeeds) => self.fork_ends(succeeds),
            Step::Listen(succeeds) => self.listen_ends(succeeds),
            Step::Ready(number) => self.says(number, true),
            Step::Pong(number) => self.says(number, false),
            Step::Leave(number) => self.leaves(number),
            Step::Exit(number, status, blamed) if !self.living.is_empty() => {
                let Process { pid, .. } = self.living.remove(number % self.living.len());
                self.ends += usize::from(self.master.corpses.contains(&pid));
                self.handle(exited(pid, status, blamed));
            }
            Step::Exit(..) => {}
            Step::Reload(workers) => self.reload(workers),
            Step::Execute(succeeds) => self.execution_ends(succeeds),
            Step::SuccessorExit(status) => {
                if let Some(pid) = self.successor.take() {
                    self.handle(exited(pid, status, false));
                }
            }
            Step::Pass(time) => self.pass(time),
        }
    }

    fn reload(&mut self, workers: usize) {
        self.signal(Signal::Hup);
        self.check_ends(true);
        self.load_ends(Some(workers));
        for canary in [true, false] {
            while !self.forks.is_empty() {
                self.fork_ends(true);
            }
            (0..self.living.len()).for_each(|number| self.says(number, true));
            if !canary {
                self.listen_ends(true);
            }
        }
        self.pass(Some(500));
    }

    fn signal(&mut self, signal: Signal) {
        if signal == Signal::Winch {
            // What is forked after that follows no death.
            self.history.clear();
        }
        self.handle(Event::Signal(signal));
    }

    pub(super) fn pass(&mut self, time: Option<u64>) {
        self.now = match (time, self.master.deadline()) {
            (Some(time), _) => self.now + Duration::from_millis(time),
            (None, Some(deadline)) => self.now.max(deadline),
            (None, None) => return,
        };
        self.handle(Event::Time);
    }

    fn says(&mut self, number: usize, ready: bool) {
        let count = self.living.len().max(1);
        let Some(process) = self.living.get_mut(number % count) else {
            return;
        };
        let pid = process.pid;
        if ready && !process.ready {
            process.ready = true;
            self.handle(Event::Ready(pid));
        } else if process.ready {
            self.handle(Event::Pong(pid));
        }
    }

    pub(super) fn gets_ready(&mut self, number: usize) {
        if self.living.get(number).is_some_and(|it| !it.ready) {
            self.says(number, true);
        }
    }

    /// It closes its channel.
    pub(super) fn leaves(&mut self, number: usize) {
        let count = self.living.len().max(1);
        if let Some(process) = self.living.get_mut(number % count) {
            (process.accepts, process.doomed) = (None, true);
            let pid = process.pid;
            self.handle(Event::Left(pid));
        }
    }

    pub(super) fn check_starts(&mut self) {
        if let Some((generation, checker @ None)) = &mut self.check {
            self.pids += 1;
            let pid = Pid::new(self.pids).expect("positive");
            *checker = Some(pid);
            let generation = *generation;
            self.handle(Event::CheckStarted { generation, pid });
        }
    }

    /// One that was left alone ends first.
    pub(super) fn check_ends(&mut self, passes: bool) {
        if let Some((generation, _)) = self.stuck.pop().or_else(|| self.check.take()) {
            let verdict = passes.then_some(()).ok_or("refused".into());
            self.handle(Event::Checked {
                generation,
                verdict,
            });
        }
    }

    pub(super) fn load_ends(&mut self, workers: Option<usize>) {
        let Some(generation) = self.load.take() else {
            return;
        };
        self.workers.insert(generation, workers.unwrap_or(0));
        let terms = |workers| Terms {
            workers,
            probation: Duration::from_millis(500),
            generations: self.generations,
            stall: self.stall,
            check: Duration::from_secs(1),
            dump: Duration::from_millis(1500),
        };
        let plan = workers.map(terms).ok_or("refused".into());
        self.handle(Event::Loaded { generation, plan });
    }

    pub(super) fn listen_ends(&mut self, succeeds: bool) {
        let Some(generation) = self.listens.pop() else {
            return;
        };
        if succeeds {
            return self.handle(Event::Listening(generation));
        }
        let before = self.current();
        let error = "listen() failed".into();
        self.handle(Event::ListenFailed { generation, error });
        assert_eq!(self.current(), before, "the old one goes on");
    }

    pub(super) fn execution_ends(&mut self, succeeds: bool) {
        if !std::mem::take(&mut self.executing) {
            return;
        }
        if !succeeds {
            return self.handle(Event::ExecuteFailed("no memory".into()));
        }
        self.pids += 1;
        let pid = Pid::new(self.pids).expect("positive");
        self.successor = Some(pid);
        self.handle(Event::Executed(pid));
    }

    pub(super) fn fork_ends(&mut self, succeeds: bool) {
        let Some(seat) = self.forks.pop() else { return };
        if !succeeds {
            let error = "fork() failed".into();
            return self.handle(Event::SpawnFailed { seat, error });
        }
        self.pids += 1;
        let pid = Pid::new(self.pids).expect("positive");
        self.living.push(Process {
            pid,
            seat,
            ready: false,
            accepts: None,
            doomed: false,
        });
        self.handle(Event::Spawned { seat, pid });
    }
}
