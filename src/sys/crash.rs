//! The last words of a process that a fault ends: which signal, why and in which thread, stored
//! where others can read them. Not what was being done, and no attempt to go on.

use std::cell::Cell;
use std::mem::{MaybeUninit, zeroed};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64};
use std::{fmt, io, process, ptr};

use super::error::check;

/// The signals of faults, and the one of abort(3).
const FATAL: [libc::c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
];

/// Bytes of the stack that a handler runs on when the thread's own may be full.
const STACK: usize = 64 << 10;

crate::plain! {
    /// Where a process leaves its last words.
    pub struct LastWords {
        /// 0 until there are any.
        signal: AtomicI32,
        code: AtomicI32,
        sender: AtomicI32,
        thread: AtomicU32,
        address: AtomicU64,
    }
}

/// What a process had to say when a signal ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The signal's number.
    pub signal: i32,
    /// The kernel's `si_code`: why.
    pub code: i32,
    /// The number of the thread, see [`thread_number`]; 0 for the first.
    pub thread: usize,
    /// Whose fault it is.
    pub cause: Cause,
}

/// Whose fault a crash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its own: the address of the fault; none where there is no such thing.
    Own(Option<u64>),
    /// The process of this number sent the signal; 0 for one that cannot be seen from here.
    Sent(i32),
}

impl LastWords {
    /// What was said, if anything was.
    pub fn read(&self) -> Option<Crash> {
        let signal = self.signal.load(Relaxed);
        let code = self.code.load(Relaxed);
        let faults = signal != libc::SIGABRT && code > 0;
        let address =
            Some(self.address.load(Relaxed)).filter(|_| faults && code != libc::SI_KERNEL);
        (signal != 0).then(|| Crash {
            signal,
            code,
            thread: self.thread.load(Relaxed) as usize,
            cause: match self.sender.load(Relaxed) {
                OWN => Cause::Own(address),
                sender => Cause::Sent(sender),
            },
        })
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.signal.store(0, Relaxed);
    }

    /// As if this had been said.
    #[cfg(test)]
    pub fn pretend(&self, crash: Crash) {
        let (sender, address) = match crash.cause {
            Cause::Own(address) => (OWN, address.unwrap_or(0)),
            Cause::Sent(sender) => (sender, 0),
        };
        self.code.store(crash.code, Relaxed);
        self.sender.store(sender, Relaxed);
        self.thread.store(crash.thread as u32, Relaxed);
        self.address.store(address, Relaxed);
        self.signal.store(crash.signal, Relaxed);
    }

    /// Runs in the signal handler: stores, and one system call. The first to crash has the word.
    fn say(&self, signal: i32, info: &libc::siginfo_t) {
        // What the kernel sends by itself has a positive code; nobody else can forge one.
        let is_own = info.si_code > 0 || sender(info) == process::id().cast_signed();
        let sender = if is_own { OWN } else { sender(info) };
        if self.signal.load(Relaxed) == 0 {
            self.code.store(info.si_code, Relaxed);
            self.sender.store(sender, Relaxed);
            self.thread.store(THREAD.get(), Relaxed);
            // SAFETY: any bits are an address; it means something for faults only.
            self.address
                .store(unsafe { info.si_addr() }.addr() as u64, Relaxed);
            self.signal.store(signal, Release);
        }
    }
}

/// Stands for the sender of a signal that no process sent.
const OWN: i32 = -1;

fn sender(info: &libc::siginfo_t) -> i32 {
    // SAFETY: any bits are a number; of a signal that a process sent they are the sender's.
    unsafe { info.si_pid() }
}

impl fmt::Display for Crash {
    /// `SEGV_MAPERR at 0x8`, `SI_TKILL`, `SI_USER sent by process 17`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match code_name(self.signal, self.code) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "si_code {}", self.code)?,
        }
        match self.cause {
            Cause::Own(Some(address)) => write!(f, " at {address:#x}"),
            Cause::Own(None) => Ok(()),
            Cause::Sent(sender) => write!(f, " sent by process {sender}"),
        }
    }
}

/// The names of sigaction(2).
fn code_name(signal: i32, code: i32) -> Option<&'static str> {
    Some(match (signal, code) {
        (_, libc::SI_USER) => "SI_USER",
        (_, libc::SI_QUEUE) => "SI_QUEUE",
        (_, libc::SI_TKILL) => "SI_TKILL",
        (_, libc::SI_KERNEL) => "SI_KERNEL",
        (libc::SIGSEGV, 1) => "SEGV_MAPERR",
        (libc::SIGSEGV, 2) => "SEGV_ACCERR",
        (libc::SIGBUS, 1) => "BUS_ADRALN",
        (libc::SIGBUS, 2) => "BUS_ADRERR",
        (libc::SIGBUS, 3) => "BUS_OBJERR",
        (libc::SIGILL, 1) => "ILL_ILLOPC",
        (libc::SIGILL, 2) => "ILL_ILLOPN",
        (libc::SIGFPE, 1) => "FPE_INTDIV",
        (libc::SIGFPE, 2) => "FPE_INTOVF",
        _ => return None,
    })
}

/// Where the handler finds room for the last words. It has to be reached without a lock.
static WORDS: AtomicPtr<LastWords> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    static THREAD: Cell<u32> = const { Cell::new(0) };
}

/// The number of the calling thread, which it gets when it first asks: from 1, as the first thread,
/// which need not ask, is 0. Threads of `std` have a stack for handlers of their own.
pub fn thread_number() -> usize {
    static LAST: AtomicU32 = AtomicU32::new(0);
    if THREAD.get() == 0 {
        THREAD.set(LAST.fetch_add(1, Relaxed) + 1);
    }
    THREAD.get() as usize
}

/// From now on a fault is told to `words` before it ends the process as it would have without.
///
/// # Errors
/// ENOMEM for the stack of the handlers.
pub fn tell(words: &'static LastWords) -> io::Result<()> {
    // So that a thread's number is not looked for the first time in a handler.
    THREAD.get();
    WORDS.store(ptr::from_ref(words).cast_mut(), Release);
    ensure_stack()?;
    FATAL.into_iter().try_for_each(catch)
}

/// A stack that is full cannot run a handler: the thread needs another one. Those of Rust's runtime
/// have it already.
fn ensure_stack() -> io::Result<()> {
    // SAFETY: all zeroes are a valid stack_t: a null pointer and numbers.
    let mut stack: libc::stack_t = unsafe { zeroed() };
    // SAFETY: the pointer is valid for the call's write.
    check(unsafe { libc::sigaltstack(ptr::null(), &mut stack) })?;
    if stack.ss_flags & libc::SS_DISABLE == 0 {
        return Ok(());
    }
    // It is there until the thread ends, which is the end of the process.
    let room = Box::leak(Box::new([MaybeUninit::<u8>::uninit(); STACK]));
    stack.ss_sp = room.as_mut_ptr().cast();
    stack.ss_size = STACK;
    stack.ss_flags = 0;
    // SAFETY: the room is of that size and is never freed.
    check(unsafe { libc::sigaltstack(&stack, ptr::null_mut()) }).map(drop)
}

fn catch(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: all zeroes are a valid sigaction: the default action with an empty mask.
    let mut action: libc::sigaction = unsafe { zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = last_words;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
    // SAFETY: the handler does only what is async-signal-safe.
    check(unsafe { libc::sigaction(signal, &action, ptr::null_mut()) }).map(drop)
}

/// The handler. The action is the default one again: the signal that is raised here ends the
/// process as soon as this returns, because until then it is blocked.
extern "C" fn last_words(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the pointer is null or was made from a reference that is good for ever; the kernel
    // gives a valid siginfo.
    if let (Some(words), Some(info)) = unsafe { (WORDS.load(Relaxed).as_ref(), info.as_ref()) } {
        words.say(signal, info);
    }
    // SAFETY: the call takes a number and is async-signal-safe.
    unsafe { libc::raise(signal) };
}

/// Crashes that no safe code can have, for tests.
#[cfg(any(test, debug_assertions))]
pub mod provoked {
    /// Writes where nothing is.
    pub fn fault() {
        // SAFETY: none: the write ends the process, which is what it is for.
        unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
    }

    /// Fills the stack.
    pub fn overflow(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 512]);
        room[0] + std::hint::black_box(overflow as fn(u64) -> u64)(depth + 1)
    }
}

#[cfg(test)]
mod tests;
