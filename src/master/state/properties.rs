//! What holds for the master whatever happens, in whatever order.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::sys::process::ExitStatus;
use crate::worker::command::START_FAILED;

/// One thing that may happen next; the numbers choose among what is possible.
#[derive(Clone, Debug)]
enum Step {
    Signal(Signal),
    /// The load under way ends.
    Loaded(Option<usize>),
    /// A fork that was asked for succeeds or fails.
    Fork(bool),
    /// The sockets that were told to listen do or do not.
    Listen(bool),
    Ready(usize),
    Exit(usize, ExitStatus),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    use Signal::*;
    let signal = prop::sample::select(vec![Hup, Hup, Hup, Usr1, Usr2, Winch, Quit, Term]);
    let killed = ExitStatus::Signal {
        number: 9,
        core: false,
    };
    let ends = vec![
        killed,
        killed,
        ExitStatus::Code(0),
        ExitStatus::Code(START_FAILED),
    ];
    prop_oneof![
        1 => signal.prop_map(Step::Signal),
        2 => prop::option::of(1..4usize).prop_map(Step::Loaded),
        9 => prop::bool::weighted(0.9).prop_map(Step::Fork),
        9 => prop::bool::weighted(0.8).prop_map(Step::Listen),
        9 => (0..9usize).prop_map(Step::Ready),
        3 => (0..9usize, prop::sample::select(ends)).prop_map(|(n, end)| Step::Exit(n, end)),
        3 => (0..3000u64).prop_map(Step::Pass),
    ]
}

/// The world as the master's actions make it.
struct World {
    master: Master,
    now: Instant,
    pids: i32,
    loads: Vec<u64>,
    listens: Vec<u64>,
    /// The generation that became the current one last.
    adopted: u64,
    forks: Vec<Seat>,
    living: Vec<(Pid, Seat)>,
    workers: HashMap<u64, usize>,
    killed: HashSet<Pid>,
    code: Option<i32>,
}

impl World {
    fn new() -> World {
        let now = Instant::now();
        let (loads, forks, living) = (vec![FIRST], Vec::new(), Vec::new());
        let (workers, killed) = (HashMap::new(), HashSet::new());
        let master = Master::new(true, now);
        World {
            master,
            now,
            pids: 0,
            loads,
            listens: Vec::new(),
            adopted: FIRST,
            forks,
            living,
            workers,
            killed,
            code: None,
        }
    }

    fn handle(&mut self, event: Event) {
        for action in self.master.handle(event, self.now) {
            assert_eq!(self.code, None, "nothing follows the exit: {action:?}");
            match action {
                Action::Check(number) => self.loads.push(number),
                Action::Listen(number) => self.listens.push(number),
                Action::Adopt(number) => {
                    assert!(number > self.adopted, "only forwards");
                    self.adopted = number;
                }
                Action::Spawn(seat) => self.forks.push(seat),
                Action::Exit(code) => self.code = Some(code),
                Action::Tell(pid, _) => self.assert_living(pid),
                Action::Kill(pid) => {
                    self.assert_living(pid);
                    assert!(self.killed.insert(pid), "{pid} is killed once");
                }
                _ => {}
            }
        }
        self.check();
    }

    fn assert_living(&self, pid: Pid) {
        assert!(
            self.living.iter().any(|(living, _)| *living == pid),
            "{pid} is gone"
        );
    }

    fn check(&self) {
        let seats: Vec<_> = self
            .living
            .iter()
            .map(|(_, seat)| seat)
            .chain(&self.forks)
            .collect();
        let distinct: HashSet<_> = seats.iter().collect();
        assert_eq!(seats.len(), distinct.len(), "one process for each seat");
        assert!(
            seats
                .iter()
                .all(|seat| seat.slot < self.workers[&seat.generation])
        );
        assert!(self.loads.len() <= 1, "one load at a time");
        self.check_empty_slots();
    }

    /// An empty slot always has a plan: a moment at which it is filled.
    fn check_empty_slots(&self) {
        let Some(serving) = &self.master.serving else {
            return;
        };
        let filled = self.master.children.iter();
        let filled = filled
            .filter(|child| child.seat.generation == serving.number)
            .count();
        if self.master.intent == Intent::Serve && filled < serving.slots.len() {
            let ready = self.master.is_served(serving.number);
            let longest = Duration::from_millis(if ready { 5000 } else { 100 });
            let deadline = self.master.deadline().expect("a plan for the empty slot");
            assert!(deadline > self.now, "what is due is done");
            assert!(deadline <= self.now + longest, "within {longest:?}");
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Signal(signal) => self.handle(Event::Signal(signal)),
            Step::Loaded(workers) => self.load_ends(workers),
            Step::Fork(succeeds) => self.fork_ends(succeeds),
            Step::Listen(succeeds) => self.listen_ends(succeeds),
            Step::Ready(number) if !self.living.is_empty() => {
                let (pid, _) = self.living[number % self.living.len()];
                self.handle(Event::Ready(pid));
            }
            Step::Exit(number, status) if !self.living.is_empty() => {
                let (pid, _) = self.living.remove(number % self.living.len());
                self.handle(super::tests::exited(pid, status));
            }
            Step::Pass(milliseconds) => {
                self.now += Duration::from_millis(milliseconds);
                self.handle(Event::Time);
            }
            Step::Ready(_) | Step::Exit(..) => {}
        }
    }

    fn load_ends(&mut self, workers: Option<usize>) {
        let Some(generation) = self.loads.pop() else {
            return;
        };
        // Who refuses the first configuration starts no master.
        let workers = if generation == FIRST {
            workers.or(Some(2))
        } else {
            workers
        };
        self.workers.insert(generation, workers.unwrap_or(0));
        self.handle(Event::Loaded {
            generation,
            plan: workers.map(super::tests::terms).ok_or_else(String::new),
        });
    }

    fn listen_ends(&mut self, succeeds: bool) {
        let Some(number) = self.listens.pop() else {
            return;
        };
        if succeeds {
            return self.handle(Event::Listening(number));
        }
        let before = self.adopted;
        self.handle(Event::ListenFailed {
            generation: number,
            error: String::new(),
        });
        assert_eq!(self.adopted, before, "the old one goes on");
    }

    fn fork_ends(&mut self, succeeds: bool) {
        let Some(seat) = self.forks.pop() else { return };
        if !succeeds {
            return self.handle(Event::SpawnFailed {
                seat,
                error: "fork() failed".into(),
            });
        }
        self.pids += 1;
        let pid = Pid::new(self.pids).expect("positive");
        self.living.push((pid, seat));
        self.handle(Event::Spawned { seat, pid });
    }

    /// Every fork under way ends, then every child; afterwards the master must have exited.
    fn end(&mut self) {
        while self.code.is_none() && !self.forks.is_empty() {
            self.fork_ends(true);
        }
        while let (None, Some((pid, _))) = (self.code, self.living.pop()) {
            self.handle(super::tests::exited(pid, ExitStatus::Code(0)));
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens(steps in prop::collection::vec(step(), 0..200), end in any::<bool>()) {
        let mut world = World::new();
        world.load_ends(Some(2));
        for step in steps {
            if world.code.is_some() {
                return Ok(());
            }
            world.step(step);
        }
        if world.code.is_none() {
            let signal = if end { Signal::Quit } else { Signal::Term };
            world.handle(Event::Signal(signal));
            world.end();
        }
        prop_assert!(world.code.is_some(), "it ends once its children have");
    }
}
