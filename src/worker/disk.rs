//! The file systems as a worker sees them: what is at hand is answered at once, what can block is
//! a job for the thread pool, and what is far away is kept for when it does not answer.

mod job;
pub mod settings;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::ErrorKind::{Unsupported, WouldBlock};
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, Waker};

use super::accept::Shortage;
use super::in_hand::InHand;
use super::pool::{Refusal, ThreadPool, Turn};
use super::scoreboard::Tally;
use crate::files::cache::{Cache, Limits};
use crate::files::mounts::Mounts;
use crate::files::places::{Place, Places};
use crate::files::temp::TempDir;
use crate::files::{Found, Query};
use crate::log;
use crate::site::clock::Clock;
use crate::site::draft::Site;
use crate::site::env::{self, Env, Lane, Product};
use crate::site::exchange::Exchange;
use crate::sys::{OsError, at_hand};
pub use job::{Asker, Part, Ticket};
use job::{Done, Job, Outbox, Task};
use settings::{Disks, Pool};

/// The kernel's table of mounts; a change of it is an event.
const MOUNTS: &str = "/proc/self/mountinfo";
/// The lane of what computes; no device has this number.
const WORK: u64 = u64::MAX;
/// The lane of passwords, and how many of them may wait: slow hashes of 0.1 s are done within the
/// minute that a client waits (`send_timeout`), and whoever comes after them is told at once.
const PASSWORDS: (u64, usize) = (u64::MAX - 1, 128);
/// The lane of what computes slice by slice.
const STREAM: u64 = u64::MAX - 2;
/// The part of what the cache holds that one file may have.
const SHARE: u64 = 64;

/// What came of asking for something.
pub enum Asked {
    /// Here it is.
    Found(Found),
    /// It will come with this ticket; at that time an old answer may do.
    Later(Ticket, Option<Instant>),
    /// There is too much to do.
    Refused,
}

/// A job that waits for a thread or is being done.
pub struct Employed {
    /// What its result comes with.
    pub ticket: Ticket,
    /// Whether it is a password behind others: the wait is long.
    pub is_far_back: bool,
    pool: usize,
    lane: u64,
}

/// What a ticket was for.
pub enum Outcome {
    /// The answer to a question.
    Found(Found),
    /// A part of a file.
    Part(io::Result<Part>),
    /// What an exchange asked for.
    Done(Product),
}

/// The file systems.
pub struct Disk {
    places: RefCell<Places>,
    cache: RefCell<Cache<Ticket>>,
    pools: Vec<(Pool, ThreadPool<Job>)>,
    /// Bytes of the largest file whose content is held.
    largest: u64,
    outbox: Arc<Outbox>,
    mounts: Option<File>,
    clock: Rc<Clock>,
    /// Exchanges that are to run beside the others.
    begun: RefCell<VecDeque<Box<Exchange>>>,
    tickets: Cell<u64>,
    tally: Tally,
    shortage: RefCell<Shortage>,
}

impl Env for &Disk {
    fn look(&mut self, query: &Query) -> Option<Found> {
        let now = self.clock.now();
        let mut cache = self.cache.borrow_mut();
        if cache.knows(query) {
            return cache.answer(query, now);
        }
        self.places.borrow_mut().answer(query, now)
    }

    fn is_remote(&self, device: u64) -> bool {
        Disk::is_remote(self, device)
    }

    fn begin(&mut self, x: Box<Exchange>) {
        self.begun.borrow_mut().push_back(x);
    }

    fn read(&mut self, file: &File, range: Range<u64>) -> Option<io::Result<Vec<u8>>> {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        match at_hand::read(file, &mut bytes, range.start) {
            Ok(count) => bytes.truncate(count),
            Err(error) if matches!(error.kind(), WouldBlock | Unsupported) => return None,
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(bytes))
    }
}

impl Disk {
    /// Results wake the loop with one token, changes of the mounts with the other.
    ///
    /// # Errors
    /// EMFILE and its kin.
    pub fn new(
        settings: &Disks,
        site: &Site,
        registry: &Registry,
        (results, mounts): (Token, Token),
        clock: Rc<Clock>,
        tally: Tally,
    ) -> io::Result<Disk> {
        let limits = &settings.cache.limits;
        let kept = site.keeps_files.then(|| limits.clone());
        let pool = |name: &Vec<u8>| {
            let pool = settings.pool(name).cloned().unwrap_or_default();
            let threads = ThreadPool::new(pool.limits.clone(), Job::run);
            (pool, threads)
        };
        let table = File::open(MOUNTS);
        if let Ok(table) = &table {
            let fd = table.as_raw_fd();
            registry.register(&mut SourceFd(&fd), mounts, Interest::PRIORITY)?;
        }
        let disk = Disk {
            places: RefCell::default(),
            largest: limits.size / SHARE,
            cache: RefCell::new(Cache::new(kept.unwrap_or(Limits::NONE))),
            pools: site.pools.iter().map(pool).collect(),
            outbox: Outbox::new(Waker::new(registry, results)?),
            mounts: table.ok(),
            clock,
            begun: RefCell::default(),
            tickets: Cell::new(0),
            tally,
            shortage: RefCell::default(),
        };
        disk.read_mounts();
        Ok(disk)
    }

    /// Exchanges that are to run beside the others from now on.
    pub fn begun(&self) -> VecDeque<Box<Exchange>> {
        self.begun.take()
    }

    /// Looks which file systems there are.
    pub fn read_mounts(&self) {
        // Without the table all is taken for near.
        let Some(mut table) = self.mounts.as_ref() else {
            return;
        };
        let mut text = Vec::new();
        let read = table.rewind().and_then(|()| table.read_to_end(&mut text));
        match read {
            Ok(_) => self.places.borrow_mut().remount(Mounts::parse(&text)),
            Err(error) => log::alert!("\"{MOUNTS}\" cannot be read {}", OsError(&error)),
        }
    }

    /// Whether what has this device number may be far away.
    pub fn is_remote(&self, device: u64) -> bool {
        self.places.borrow().is_remote(device)
    }

    /// Asks for what is not at hand.
    pub fn ask(&self, query: &Query, pool: usize, asker: Asker) -> Asked {
        let (ticket, now) = (self.ticket(asker.key), self.clock.now());
        let request = asker.request;
        let place = self.place(query.path());
        let mut cache = self.cache.borrow_mut();
        let is_kept = place.remote && !matches!(query, Query::List(_));
        let mut task = Task::Look {
            query: query.clone(),
            held: None,
            largest: self.largest,
            mounts: self.places.borrow().mounts(),
            far: place.remote,
            asked: now,
            ticket: Some(ticket),
        };
        if !is_kept && !cache.knows(query) {
            return match self.submit(pool, place.device, task, request) {
                Some(_) => Asked::Later(ticket, None),
                None => Asked::Refused,
            };
        }
        let plan = cache.wait(query, ticket, now);
        if let Task::Look { held, ticket, .. } = &mut task {
            (*held, *ticket) = (cache.held(query), None);
        }
        if plan.ask && self.submit(pool, place.device, task, request).is_none() {
            let old = cache.old_answer(query, now);
            cache.refuse(query);
            return old.map_or(Asked::Refused, Asked::Found);
        }
        Asked::Later(ticket, plan.patience)
    }

    /// The answer to somebody who has waited for a check for long enough.
    pub fn old_answer(&self, query: &Query) -> Option<Found> {
        self.cache.borrow().old_answer(query, self.clock.now())
    }

    /// Somebody waits no more.
    pub fn leave(&self, query: &Query, ticket: Ticket) {
        self.cache.borrow_mut().leave(query, ticket);
    }

    /// Has a part of a file read; none if there is too much to do.
    pub fn read(
        &self,
        file: &Arc<File>,
        range: Range<u64>,
        (pool, device): (usize, u64),
        asker: Asker,
    ) -> Option<Ticket> {
        let ticket = self.ticket(asker.key);
        let task = Task::Read {
            file: file.clone(),
            range,
            ticket,
        };
        let submitted = self.submit(pool, self.lane(device), task, asker.request);
        submitted.map(|_| ticket)
    }

    /// Has a job done; none if there is too much to do.
    pub fn employ(&self, job: env::Job, pool: usize, asker: Asker) -> Option<Employed> {
        let ticket = self.ticket(asker.key);
        let lane = match job.lane {
            Lane::Path(path) => self.place(&path).device,
            Lane::Device(device) => self.lane(device),
            Lane::Work => WORK,
            Lane::Passwords => PASSWORDS.0,
            Lane::Stream => STREAM,
        };
        let run = job.run;
        let turn = self.submit(pool, lane, Task::Do { run, ticket }, asker.request)?;
        Some(Employed {
            ticket,
            is_far_back: lane == PASSWORDS.0 && turn == Turn::Later,
            pool,
            lane,
        })
    }

    /// Nobody waits for a job any more: it is not done, unless a thread has begun it.
    pub fn dismiss(&self, employed: &Employed) {
        let is_it =
            |job: &Job| matches!(&job.task, Task::Do { ticket, .. } if *ticket == employed.ticket);
        let (_, threads) = &self.pools[employed.pool];
        if let Some(job) = threads.withdraw(employed.lane, is_it) {
            self.drop_elsewhere(Box::new(job));
        }
    }

    /// What the threads have done.
    pub fn take(&self) -> Vec<(Ticket, Outcome)> {
        let mut outcomes = Vec::new();
        let mut answering = BTreeSet::new();
        for done in self.outbox.take() {
            answering.extend(done.device());
            match done {
                Done::Read(ticket, part) => outcomes.push((ticket, Outcome::Part(part))),
                Done::Did(ticket, product) => outcomes.push((ticket, Outcome::Done(product))),
                Done::Looked { .. } => self.looked(done, &mut outcomes),
            }
        }
        self.close_unused(|device| answering.contains(&device));
        outcomes
    }

    fn looked(&self, done: Done, outcomes: &mut Vec<(Ticket, Outcome)>) {
        let Done::Looked {
            query,
            found,
            far,
            asked,
            ticket,
        } = done
        else {
            return;
        };
        let mut cache = self.cache.borrow_mut();
        if let Some(meta) = found.meta() {
            self.places.borrow_mut().learn(query.path(), meta.device);
        }
        let mut waiting: Vec<_> = ticket.into_iter().collect();
        let is_kept = far && !matches!(query, Query::List(_));
        if is_kept || ticket.is_none() {
            waiting.extend(cache.answered(&query, &found, asked));
        }
        // It was far away, and is not any more.
        if !is_kept && ticket.is_none() {
            cache.forget(&query);
        }
        let again = |ticket| (ticket, Outcome::Found(found.again()));
        outcomes.extend(waiting.into_iter().map(again));
    }

    /// When there will be something to tidy.
    pub fn deadline(&self) -> Option<Instant> {
        self.cache.borrow().deadline()
    }

    /// Forgets what nobody asked for lately.
    pub fn tidy(&self) {
        self.cache.borrow_mut().sweep(self.clock.now());
        self.close_unused(|_| true);
    }

    /// Closing a file may wait for its disk, too. Where there is no room for that, it is nobody's
    /// loss: it is tried again.
    fn close_unused(&self, of: impl Fn(u64) -> bool) {
        let unused = self.cache.borrow_mut().unused(of);
        for file in unused {
            let lane = self.lane(file.meta.device);
            let job = self.job(Task::Close(file), None);
            let Err(refusal) = self.pools[0].1.submit(lane, usize::MAX, job) else {
                continue;
            };
            if let Task::Close(file) = refusal.job().task {
                self.cache.borrow_mut().keep(file);
            }
        }
    }

    /// What a thread did is for nobody.
    pub fn forget(&self, outcome: Outcome) {
        if let Outcome::Done(product) = outcome {
            self.drop_elsewhere(product);
        }
    }

    /// Drops what came of a job, and with it perhaps files: that may wait for a disk. Where there is
    /// no room for it, it is done here.
    pub fn drop_elsewhere(&self, product: Product) {
        self.tend(WORK, Box::new(move || drop(product)));
    }

    /// Removes what processes left in these directories that have died.
    pub fn sweep(&self, directories: &'static [TempDir]) {
        for directory in directories {
            let lane = self.place(&directory.path).device;
            self.tend(lane, Box::new(|| directory.sweep()));
        }
    }

    fn tend(&self, lane: u64, run: Box<dyn FnOnce() + Send>) {
        // It is dropped if it is refused.
        drop(
            self.pools[0]
                .1
                .submit(lane, usize::MAX, self.job(Task::Tend(run), None)),
        );
    }

    fn place(&self, path: &Path) -> Place {
        self.places.borrow().of(path)
    }

    /// Where what has this device number waits for a thread.
    fn lane(&self, device: u64) -> u64 {
        self.places.borrow().mounted(device)
    }

    fn ticket(&self, key: usize) -> Ticket {
        let number = self.tickets.get() + 1;
        self.tickets.set(number);
        Ticket { key, number }
    }

    fn job(&self, task: Task, request: Option<InHand>) -> Job {
        Job {
            task,
            request,
            tally: self.tally,
            outbox: self.outbox.clone(),
        }
    }

    /// Has something done for a request; none if there is no room for it.
    fn submit(&self, pool: usize, lane: u64, task: Task, request: InHand) -> Option<Turn> {
        let (Pool { name, limits }, threads) = &self.pools[pool];
        let max = match lane == PASSWORDS.0 {
            true => limits.max_queue.min(PASSWORDS.1),
            false => limits.max_queue,
        };
        let refusal = match threads.submit(lane, max, self.job(task, Some(request))) {
            Ok(turn) => return Some(turn),
            Err(refusal) => refusal,
        };
        self.tally.job_refused();
        let (mut shortage, now) = (self.shortage.borrow_mut(), self.clock.now());
        let name = name.escape_ascii();
        match refusal {
            Refusal::Full(_) => shortage.tell(
                now,
                format_args!("thread pool \"{name}\" queue overflow: {max} tasks waiting"),
            ),
            Refusal::NoThread(_, error) => shortage.tell(
                now,
                format_args!("thread pool \"{name}\" has no thread {}", OsError(&error)),
            ),
        }
        None
    }
}
