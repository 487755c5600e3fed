//! A bounded pool of threads for work that can block. Work comes in lanes, one for each file
//! system; a lane holds at most half the threads, so that one dead disk leaves the others room.
//! Threads start when there is work for them, and are never waited for.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::sys::crash;

/// Bytes of a thread's stack: the deepest that runs there are encoders.
const STACK: usize = 1 << 20;

/// How large a pool may become (nginx: `thread_pool`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads.
    pub threads: usize,
    /// Jobs of one lane that may wait for a thread.
    pub max_queue: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            threads: 32,
            max_queue: 65_536,
        }
    }
}

/// Why a job is not done; it is given back.
#[derive(Debug)]
pub enum Refusal<J> {
    /// Its lane is full.
    Full(J),
    /// There is no thread, and none could be started.
    NoThread(J, io::Error),
}

impl<J> Refusal<J> {
    /// The job.
    pub fn job(self) -> J {
        match self {
            Refusal::Full(job) | Refusal::NoThread(job, _) => job,
        }
    }
}

/// When a job that was queued begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// As soon as a thread has woken: its lane may hold one more.
    Now,
    /// After others of its lane.
    Later,
}

/// A pool whose threads run jobs of one type.
pub struct ThreadPool<J> {
    shared: Arc<Shared<J>>,
    limits: Limits,
    run: fn(J),
}

struct Shared<J> {
    lanes: Mutex<Lanes<J>>,
    work: Condvar,
}

/// Which job is next. Lanes that can go on take turns.
struct Lanes<J> {
    lanes: HashMap<u64, Lane<J>>,
    turns: VecDeque<u64>,
    /// Threads that one lane may hold.
    share: usize,
    threads: usize,
    idle: usize,
}

struct Lane<J> {
    queue: VecDeque<J>,
    running: usize,
    /// Whether it stands among the turns.
    listed: bool,
}

impl<J> Lanes<J> {
    fn new(limits: &Limits) -> Lanes<J> {
        Lanes {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            share: (limits.threads / 2).max(1),
            threads: 0,
            idle: 0,
        }
    }

    fn lane(&mut self, lane: u64) -> &mut Lane<J> {
        self.lanes.entry(lane).or_insert_with(|| Lane {
            queue: VecDeque::new(),
            running: 0,
            listed: false,
        })
    }

    /// Gives a lane a turn if it can use one.
    fn list(&mut self, lane: u64) {
        let share = self.share;
        let state = self.lane(lane);
        if !state.listed && !state.queue.is_empty() && state.running < share {
            state.listed = true;
            self.turns.push_back(lane);
        }
    }

    /// Takes back the job that was just queued. There is no thread, so its lane holds no other.
    fn take_back(&mut self, lane: u64) -> Option<J> {
        self.turns.retain(|listed| *listed != lane);
        self.lanes.remove(&lane)?.queue.pop_back()
    }

    /// Takes a job out of a lane's queue.
    fn withdraw(&mut self, lane: u64, is_it: impl Fn(&J) -> bool) -> Option<J> {
        let state = self.lanes.get_mut(&lane)?;
        let at = state.queue.iter().position(is_it)?;
        let job = state.queue.remove(at);
        if state.queue.is_empty() {
            state.listed = false;
            self.turns.retain(|listed| *listed != lane);
            if state.running == 0 {
                self.lanes.remove(&lane);
            }
        }
        job
    }

    /// Jobs that a thread could begin now.
    fn ready(&self) -> usize {
        let ready = |lane: &Lane<J>| lane.queue.len().min(self.share - lane.running);
        self.lanes.values().map(ready).sum()
    }

    fn next(&mut self) -> Option<(u64, J)> {
        let lane = self.turns.pop_front()?;
        let state = self.lane(lane);
        state.listed = false;
        let job = state.queue.pop_front()?;
        state.running += 1;
        self.list(lane);
        Some((lane, job))
    }

    fn finished(&mut self, lane: u64) {
        let state = self.lane(lane);
        state.running -= 1;
        if state.running == 0 && state.queue.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.list(lane);
        }
    }
}

impl<J> Shared<J> {
    /// No code that holds it panics.
    fn lock(&self) -> MutexGuard<'_, Lanes<J>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send + 'static> ThreadPool<J> {
    /// A pool without threads yet; `run` does a job.
    pub fn new(limits: Limits, run: fn(J)) -> ThreadPool<J> {
        let lanes = Mutex::new(Lanes::new(&limits));
        ThreadPool {
            shared: Arc::new(Shared {
                lanes,
                work: Condvar::new(),
            }),
            limits,
            run,
        }
    }

    /// Queues a job, if no more than `most` of its lane wait, nor more than the pool's limit.
    ///
    /// # Errors
    /// The job, if it cannot be done.
    pub fn submit(&self, lane: u64, most: usize, job: J) -> Result<Turn, Refusal<J>> {
        let mut lanes = self.shared.lock();
        let share = lanes.share;
        // Those that its threads have not come to yet do not count as waiting.
        let room = self.limits.max_queue.min(most).saturating_add(share);
        let state = lanes.lane(lane);
        if state.running + state.queue.len() >= room {
            return Err(Refusal::Full(job));
        }
        state.queue.push_back(job);
        let turn = match state.running + state.queue.len() <= share {
            true => Turn::Now,
            false => Turn::Later,
        };
        lanes.list(lane);
        if lanes.threads < self.limits.threads && lanes.ready() > lanes.idle {
            match self.start() {
                Ok(()) => lanes.threads += 1,
                Err(error) if lanes.threads == 0 => {
                    let job = lanes.take_back(lane);
                    return Err(Refusal::NoThread(job.expect("just queued"), error));
                }
                // The others will come to it.
                Err(_) => {}
            }
        }
        drop(lanes);
        self.shared.work.notify_one();
        Ok(turn)
    }

    /// Takes back a job that no thread has begun.
    pub fn withdraw(&self, lane: u64, is_it: impl Fn(&J) -> bool) -> Option<J> {
        self.shared.lock().withdraw(lane, is_it)
    }

    fn start(&self) -> io::Result<()> {
        let (shared, run) = (self.shared.clone(), self.run);
        let builder = thread::Builder::new().name("pool".into()).stack_size(STACK);
        builder.spawn(move || work(&shared, run)).map(drop)
    }
}

fn work<J>(shared: &Shared<J>, run: fn(J)) {
    // Should it crash, the request of the first thread is not to blame.
    crash::thread_number();
    let mut lanes = shared.lock();
    loop {
        let Some((lane, job)) = lanes.next() else {
            lanes.idle += 1;
            let woken = shared.work.wait(lanes);
            lanes = woken.unwrap_or_else(PoisonError::into_inner);
            lanes.idle -= 1;
            continue;
        };
        drop(lanes);
        run(job);
        lanes = shared.lock();
        lanes.finished(lane);
    }
}

#[cfg(test)]
mod tests;
