//! The way of lines from whoever has one to the log thread: bounded, and without waiting for a
//! disk. What waits is the backlog's, what is written the thread's.
//!
//! Room is bounded, so a choice is needed when it ends. While the thread writes, a line waits for
//! room: a disk that takes writes loses none, however slow. When one write, or the opening or
//! closing of a file, has taken longer than the patience of [`Backlog::room`] the disk is stuck:
//! lines are lost and counted, at once, until it moves again. So a stuck disk costs the loop one
//! short pause, once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Part, Room, Work};
use super::family::Member;
use super::losses::{self, News};
use super::{LogFile, process, thread as log_thread};
use crate::sys::wake::Bell;

/// The time in which lines gather after some were written, to be written together. Half a full
/// queue ends it.
const GATHER: Duration = Duration::from_millis(5);
/// The time for saying what was lost when the process ends.
const LAST_WORDS: Duration = Duration::from_millis(100);

static PROCESS: OnceLock<Arc<Queue>> = OnceLock::new();

/// The queue of this process; none without a log thread.
pub(super) fn of_process() -> Option<&'static Arc<Queue>> {
    PROCESS.get()
}

/// From now on a thread writes this process's logs; so many bytes may wait for it. Once, after the
/// last fork.
///
/// # Errors
/// EAGAIN when there may be no more threads; EMFILE.
pub fn start(capacity: usize) -> io::Result<()> {
    losses::forget();
    let queue = Arc::new(Queue::new(capacity)?);
    let theirs = Arc::clone(&queue);
    thread::Builder::new()
        .name("log".into())
        .spawn(move || log_thread::run(&theirs))?;
    // A second start leaves its thread without work.
    let _ = PROCESS.set(queue);
    Ok(())
}

/// Waits until all lines are written, at most so long. What is stuck is lost and counted.
pub fn finish(limit: Duration) {
    if let Some(queue) = of_process() {
        queue.finish(limit);
    }
}

/// Between whoever has lines and the thread that writes them.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something was written, and somebody waits for that.
    moved: Condvar,
    bell: Bell,
    thread: OnceLock<ThreadId>,
}

struct State {
    backlog: Backlog,
    rest: Rest,
    waiters: usize,
    /// The process ends: lines do not gather any more.
    closing: bool,
}

/// What the thread does when it does not write.
#[derive(Clone, Copy, PartialEq)]
enum Rest {
    /// It will look for lines before it rests.
    None,
    /// It looks for lines soon.
    Gathering,
    /// It waits to be woken.
    Asleep,
}

impl Queue {
    pub fn new(capacity: usize) -> io::Result<Queue> {
        Ok(Queue {
            state: Mutex::new(State {
                backlog: Backlog::new(capacity),
                rest: Rest::None,
                waiters: 0,
                closing: false,
            }),
            moved: Condvar::new(),
            bell: Bell::new()?,
            thread: OnceLock::new(),
        })
    }

    /// Nothing panics with the lock held, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes whole lines. It waits for room only while the log moves.
    pub fn push(&self, log: &Arc<LogFile>, lines: &[u8]) {
        if thread::panicking() && self.is_thread() {
            return log.write_directly(lines);
        }
        self.append(log, lines, |backlog, place| backlog.append(place, lines));
    }

    /// The same for a file of a family.
    pub fn push_to(&self, log: &Arc<LogFile>, member: Member, lines: &[u8]) {
        self.append(log, lines, |backlog, place| {
            backlog.append_to(place, member, lines);
        });
    }

    fn append(&self, log: &Arc<LogFile>, lines: &[u8], append: impl FnOnce(&mut Backlog, usize)) {
        let mut state = self.lock();
        let place = state.backlog.place(log);
        loop {
            match state.backlog.room(place, lines.len()) {
                Room::Now => break,
                Room::Soon(time) if !self.is_thread() => state = self.wait(state, time),
                _ => {
                    let news = state.backlog.refuse(place, lines);
                    return self.wake(state, |_| news);
                }
            }
        }
        append(&mut state.backlog, place);
        self.wake(state, |state| match state.rest {
            Rest::None => false,
            Rest::Gathering => state.backlog.is_half_full(),
            Rest::Asleep => !state.backlog.is_blocked(place),
        });
    }

    /// Adds something that is no line, after the lines that came before it.
    pub fn push_part(&self, log: &Arc<LogFile>, part: Part) {
        let mut state = self.lock();
        let place = state.backlog.place(log);
        state.backlog.push(place, part);
        self.wake(state, |_| true);
    }

    /// Waits until something is written.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        state.waiters += 1;
        let waited = self.moved.wait_timeout(state, time);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiters -= 1;
        state
    }

    /// Wakes the thread if it rests and there is a reason.
    fn wake(&self, mut state: MutexGuard<'_, State>, reason: impl FnOnce(&State) -> bool) {
        if state.rest == Rest::None || !reason(&state) {
            return;
        }
        state.rest = Rest::None;
        drop(state);
        self.bell.ring();
    }

    /// As [`finish`].
    pub fn finish(&self, limit: Duration) {
        if self.is_thread() {
            return;
        }
        let mut state = self.lock();
        state.closing = true;
        self.wake(state, |_| true);
        self.drain(limit);
        let told = self.lock().backlog.close();
        if !told.is_empty() {
            tell(&told);
            self.drain(LAST_WORDS);
        }
    }

    fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        while state.backlog.bytes() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    fn is_thread(&self) -> bool {
        self.thread.get() == Some(&thread::current().id())
    }
}

/// What the thread asks and says.
impl Queue {
    /// The calling thread is the one that writes.
    pub fn begin(&self) {
        let _ = self.thread.set(thread::current().id());
    }

    /// The number of logs.
    pub fn logs(&self) -> usize {
        self.lock().backlog.len()
    }

    /// The next thing to do for a log.
    pub fn take(&self, place: usize) -> Option<Work> {
        self.lock().backlog.take(place)
    }

    /// Says what kind of thing is behind a log.
    pub fn set_stream(&self, place: usize, stream: bool) {
        self.lock().backlog.set_stream(place, stream);
    }

    /// A log goes on in another file, perhaps of another kind.
    pub fn replaced(&self, place: usize) {
        self.lock().backlog.replaced(place);
    }

    /// These of the lines that were taken are written.
    pub fn written(&self, place: usize, lines: &[u8]) {
        self.change(|backlog| backlog.written(place, lines));
    }

    /// The rest cannot be written now.
    pub fn give_back(&self, place: usize, rest: Vec<u8>) {
        self.change(|backlog| backlog.give_back(place, rest));
    }

    /// The rest cannot be written.
    pub fn fail(&self, place: usize, rest: &[u8], error: io::Error) {
        self.change(|backlog| backlog.fail(place, rest, error));
    }

    /// All of it is written.
    pub fn done(&self, lines: Vec<u8>) {
        self.lock().backlog.finish(lines);
    }

    /// Changes what those who wait for room look at.
    fn change(&self, change: impl FnOnce(&mut Backlog)) {
        let mut state = self.lock();
        change(&mut state.backlog);
        if state.waiters > 0 {
            self.moved.notify_all();
        }
    }

    /// Tells what was lost, if it is time.
    pub fn tell_losses(&self) {
        let told = {
            let mut state = self.lock();
            let now = Instant::now();
            match state.backlog.due() {
                Some(due) if due <= now => state.backlog.tell(now),
                _ => return,
            }
        };
        tell(&told);
    }

    /// Rests until there is something to do: for long if nothing was written lately, else until
    /// some lines have gathered.
    pub fn rest(&self, wrote: bool) {
        let mut state = self.lock();
        let gather = wrote && !state.closing && !state.backlog.is_half_full();
        if state.backlog.has_work() && !gather {
            return;
        }
        let timeout = match wrote {
            true => Some(GATHER),
            false => (state.backlog.due()).map(|due| due.saturating_duration_since(Instant::now())),
        };
        state.rest = if wrote { Rest::Gathering } else { Rest::Asleep };
        let blocked = state.backlog.blocked();
        drop(state);
        let streams: Vec<BorrowedFd<'_>> = blocked.iter().map(|(_, log)| log.as_fd()).collect();
        let ready = self.bell.wait(&streams, timeout);
        let mut state = self.lock();
        state.rest = Rest::None;
        for stream in ready {
            state.backlog.unblock(blocked[stream].0);
        }
    }
}

fn tell(news: &[News]) {
    for News(level, text) in news {
        process::write(*level, format_args!("{text}"));
    }
}
