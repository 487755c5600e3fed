//! The world as the master's actions make it, and what must hold in it after each event.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::*;
use crate::master::state::tests::exited;
use crate::worker::command::{Command, Slots};

/// A worker process as the world knows it.
struct Process {
    pid: Pid,
    seat: Seat,
    ready: bool,
    /// What it accepts for; none when it is paused or was told to leave.
    accepts: Option<Slots>,
    /// It was told to leave, aborted or killed.
    doomed: bool,
}

pub(super) struct World {
    master: Master,
    now: Instant,
    pids: i32,
    /// `worker_generations`
    generations: usize,
    /// The check under way, and its process.
    check: Option<(u64, Option<Pid>)>,
    load: Option<u64>,
    listens: Vec<u64>,
    /// The generations that became the current one and were not given up, the last one last.
    adopted: Vec<u64>,
    /// Whether the last of them may still be given up.
    on_probation: bool,
    forks: Vec<Seat>,
    living: Vec<Process>,
    workers: HashMap<u64, usize>,
    /// When the workers of a seat were forked, and whether one of its generation was ready then.
    history: HashMap<Seat, Vec<(Instant, bool)>>,
    killed: HashSet<Pid>,
    /// A binary is to be executed.
    executing: bool,
    successor: Option<Pid>,
    clients: u64,
    /// Clients that wait for an answer.
    pub asked: BTreeSet<u64>,
    pub code: Option<i32>,
}

impl World {
    /// One with a master that has loaded a configuration of two workers.
    pub fn new(generations: usize) -> World {
        let now = Instant::now();
        let mut world = World {
            master: Master::new(true, now),
            now,
            pids: 0,
            generations,
            check: None,
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
                assert!(self.check.is_none() && self.load.is_none(), "one at a time");
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

    fn current(&self) -> u64 {
        *self.adopted.last().expect("there is one")
    }

    fn process(&mut self, pid: Pid) -> &mut Process {
        let process = self.living.iter_mut().find(|process| process.pid == pid);
        process.unwrap_or_else(|| panic!("{pid} is gone"))
    }

    /// Those that live, but for the corpses: these were killed and do not end.
    fn seated(&self) -> impl Iterator<Item = &Process> {
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

    fn check(&self, time: bool) {
        let forks = self.forks.iter();
        let seats: Vec<_> = self.seated().map(|it| &it.seat).chain(forks).collect();
        let distinct: HashSet<_> = seats.iter().collect();
        assert_eq!(seats.len(), distinct.len(), "one process for each seat");
        let exists = |seat: &&Seat| seat.slot < self.workers[&seat.generation];
        assert!(seats.iter().all(exists));
        let current = self.workers.get(&self.current());
        let most = seats.iter().map(|seat| &self.workers[&seat.generation]);
        let most = most.chain(current).max().expect("one");
        // The checker is not among them; the one more is the canary.
        let cap = most * (1 + self.generations) + 1;
        assert!(self.generations == 0 || seats.len() <= cap, "{seats:?}");
        self.check_empty_slots();
        self.check_who_accepts();
        if time && let Some(deadline) = self.master.deadline() {
            assert!(deadline > self.now, "what is due is done");
        }
    }

    /// An empty slot always has a plan: a moment at which it is filled.
    fn check_empty_slots(&self) {
        if self.master.intent != Intent::Serve || self.load == Some(FIRST) {
            return;
        }
        let current = self.current();
        let seats = self.seated().map(|it| (it.seat, it.ready));
        let seats = seats.chain(self.forks.iter().map(|seat| (*seat, false)));
        let filled: Vec<_> = seats.filter(|it| it.0.generation == current).collect();
        if filled.len() < self.workers[&current] {
            let ready = filled.iter().any(|(_, ready)| *ready);
            let longest = Duration::from_millis(if ready { 5000 } else { 100 });
            let deadline = self.master.deadline().expect("a plan for the empty slot");
            assert!(deadline <= self.now + longest, "within {longest:?}");
        }
    }

    /// Each worker of the current generation that can, and none of another; each slot once.
    fn check_who_accepts(&self) {
        let serves = self.master.intent == Intent::Serve;
        let mut covered = vec![0; self.workers.get(&self.current()).copied().unwrap_or(0)];
        for process in &self.living {
            let Process { pid, seat, .. } = process;
            let current = serves && seat.generation == self.current();
            let able = current && process.ready && !process.doomed;
            assert!(able || process.doomed || process.accepts.is_none(), "{pid}");
            assert!(!able || process.accepts.is_some(), "{pid} waits");
            if let Some(slots) = process.accepts.filter(|_| able) {
                let workers = covered.len();
                let own = (0..workers).filter(|&slot| slots.contain(slot, workers));
                own.for_each(|slot| covered[slot] += 1);
            }
        }
        let some = covered.iter().any(|count| *count > 0);
        assert!(
            !some || covered.iter().all(|count| *count == 1),
            "{covered:?}"
        );
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

    fn pass(&mut self, time: Option<u64>) {
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

    /// It closes its channel.
    fn leaves(&mut self, number: usize) {
        let count = self.living.len().max(1);
        if let Some(process) = self.living.get_mut(number % count) {
            (process.accepts, process.doomed) = (None, true);
            let pid = process.pid;
            self.handle(Event::Left(pid));
        }
    }

    fn check_starts(&mut self) {
        if let Some((generation, checker @ None)) = &mut self.check {
            self.pids += 1;
            let pid = Pid::new(self.pids).expect("positive");
            *checker = Some(pid);
            let generation = *generation;
            self.handle(Event::CheckStarted { generation, pid });
        }
    }

    fn check_ends(&mut self, passes: bool) {
        if let Some((generation, _)) = self.check.take() {
            let verdict = passes.then_some(()).ok_or("refused".into());
            self.handle(Event::Checked {
                generation,
                verdict,
            });
        }
    }

    fn load_ends(&mut self, workers: Option<usize>) {
        let Some(generation) = self.load.take() else {
            return;
        };
        self.workers.insert(generation, workers.unwrap_or(0));
        let terms = |workers| Terms {
            workers,
            probation: Duration::from_millis(500),
            generations: self.generations,
            stall: Duration::from_secs(2),
            check: Duration::from_secs(1),
        };
        let plan = workers.map(terms).ok_or("refused".into());
        self.handle(Event::Loaded { generation, plan });
    }

    fn listen_ends(&mut self, succeeds: bool) {
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

    fn execution_ends(&mut self, succeeds: bool) {
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

    fn fork_ends(&mut self, succeeds: bool) {
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

    /// All that is under way ends, then every child, if it `dies` at all; afterwards the master
    /// must have exited.
    pub fn end(&mut self, dies: bool) {
        self.check_ends(true);
        self.load_ends(Some(1));
        while self.code.is_none() && !self.forks.is_empty() {
            self.fork_ends(true);
        }
        if !dies {
            (0..self.living.len()).for_each(|number| self.leaves(number));
            let start = self.now;
            (0..99).for_each(|_| self.pass(None));
            assert!(self.now <= start + Duration::from_secs(3), "in time");
        }
        while dies && self.code.is_none() && !self.living.is_empty() {
            self.step(Step::Exit(0, ExitStatus::Code(0), false));
        }
    }
}
