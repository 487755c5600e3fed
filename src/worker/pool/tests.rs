use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

/// How long a thread that is there may take to do something.
const LIMIT: Duration = Duration::from_secs(10);

/// A job that says that it runs, and ends when it is told to.
struct Job {
    name: u32,
    begun: Sender<u32>,
    end: Receiver<()>,
}

fn run(job: Job) {
    job.begun.send(job.name).expect("the test listens");
    // An error says that the test is over.
    let _ = job.end.recv();
}

struct Kit {
    pool: ThreadPool<Job>,
    begun: (Sender<u32>, Receiver<u32>),
    ends: Vec<Sender<()>>,
}

fn kit(threads: usize, max_queue: usize) -> Kit {
    Kit {
        pool: ThreadPool::new(Limits { threads, max_queue }, run),
        begun: channel(),
        ends: Vec::new(),
    }
}

impl Kit {
    /// Queues a job whose name is its number; whether there was room.
    fn submit(&mut self, lane: u64) -> bool {
        let (end, ended) = channel();
        let job = Job {
            name: self.ends.len() as u32,
            begun: self.begun.0.clone(),
            end: ended,
        };
        self.ends.push(end);
        self.pool.submit(lane, usize::MAX, job).is_ok()
    }

    fn next(&self) -> u32 {
        self.begun.1.recv_timeout(LIMIT).expect("a job begins")
    }

    fn nothing_begins(&self) -> bool {
        self.begun.1.try_recv().is_err()
    }

    fn threads(&self) -> usize {
        self.pool.shared.lock().threads
    }
}

#[test]
fn threads_start_when_there_is_work() {
    let mut kit = kit(4, 10);
    assert_eq!(kit.threads(), 0);
    for lane in 0..2 {
        assert!(kit.submit(lane));
        kit.next();
    }
    assert_eq!(kit.threads(), 2);
    for end in &kit.ends {
        end.send(()).expect("it waits");
    }
    while kit.pool.shared.lock().idle < 2 {
        thread::yield_now();
    }
    assert!(kit.submit(0));
    kit.next();
    assert_eq!(kit.threads(), 2, "idle ones work first");
    for _ in 0..2 {
        assert!(kit.submit(1));
    }
    kit.next();
    kit.next();
    assert_eq!(kit.threads(), 3, "and do not keep others from starting");
}

#[test]
fn a_lane_holds_half_the_threads() {
    let mut kit = kit(4, 10);
    for _ in 0..5 {
        assert!(kit.submit(7));
    }
    let mut begun = [kit.next(), kit.next()];
    begun.sort_unstable();
    assert_eq!(begun, [0, 1]);
    assert!(kit.submit(8));
    assert_eq!(kit.next(), 5, "another lane does not wait behind it");
    assert!(kit.nothing_begins());
    kit.ends[0].send(()).expect("it waits");
    assert_eq!(kit.next(), 2, "the lane goes on in order");
    assert!(kit.nothing_begins());
}

#[test]
fn a_full_lane_refuses_and_others_do_not() {
    let mut kit = kit(2, 3);
    for _ in 0..1 {
        assert!(kit.submit(7));
        kit.next();
    }
    for _ in 0..3 {
        assert!(kit.submit(7));
    }
    assert!(!kit.submit(7));
    assert!(kit.submit(8));
    assert_eq!(kit.next(), 5);
    kit.ends[0].send(()).expect("it waits");
    assert_eq!(kit.next(), 1);
    assert!(kit.submit(7), "there is room again");
}

#[test]
fn a_single_thread_serves_all_lanes() {
    let mut kit = kit(1, 10);
    for lane in [1, 1, 2] {
        assert!(kit.submit(lane));
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let name = kit.next();
        order.push(name);
        kit.ends[name as usize].send(()).expect("it waits");
    }
    assert_eq!(order, [0, 2, 1], "lanes take turns");
}

#[test]
fn a_job_that_is_taken_back_holds_up_no_other() {
    let mut lanes = Lanes::new(&Limits::default());
    for (lane, job) in [(1, "one"), (2, "two")] {
        lanes.lane(lane).queue.push_back(job);
        lanes.list(lane);
    }
    assert_eq!(lanes.take_back(1), Some("one"));
    assert_eq!(lanes.next(), Some((2, "two")));
    lanes.finished(2);
    assert!(lanes.lanes.is_empty() && lanes.turns.is_empty());
}

#[test]
fn lanes_that_are_done_are_forgotten() {
    let mut lanes = Lanes::new(&Limits::default());
    for lane in 0..100 {
        lanes.lane(lane).queue.push_back(lane);
        lanes.list(lane);
    }
    for _ in 0..100 {
        let (lane, job) = lanes.next().expect("a job");
        assert_eq!(lane, job);
        lanes.finished(lane);
    }
    assert!(lanes.next().is_none());
    assert!(lanes.lanes.is_empty() && lanes.turns.is_empty());
}

#[test]
fn a_job_that_was_withdrawn_never_begins_and_leaves_its_room() {
    let mut kit = kit(1, 2);
    assert!((0..3).all(|_| kit.submit(7)));
    assert_eq!(kit.next(), 0);
    assert!(!kit.submit(7), "full");
    for name in [1, 2] {
        assert!(kit.pool.withdraw(7, |job| job.name == name).is_some());
    }
    let begun = kit.pool.withdraw(7, |job| job.name == 0);
    assert!(begun.is_none(), "it has begun");
    assert!(kit.submit(8) && kit.submit(7));
    kit.ends[0].send(()).expect("it waits");
    assert_eq!(kit.next(), 4, "a lane without jobs takes no turn");
    kit.ends[4].send(()).expect("it waits");
    assert_eq!(kit.next(), 5);
}

#[test]
fn a_lane_can_be_narrower_than_its_pool() {
    let pool = ThreadPool::new(
        Limits {
            threads: 1,
            max_queue: 9,
        },
        |held: Receiver<()>| {
            let _ = held.recv();
        },
    );
    let (_end, held) = channel();
    let (_, free) = channel();
    let (_, more) = channel();
    assert!(matches!(pool.submit(7, 1, held), Ok(Turn::Now)));
    assert!(matches!(pool.submit(7, 1, free), Ok(Turn::Later)));
    assert!(matches!(pool.submit(7, 1, more), Err(Refusal::Full(_))));
}
