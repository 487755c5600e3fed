//! Processes: fork, wait, kill, daemonise, the environment. Not what the processes are for.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::num::NonZeroI32;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::{env, fmt, fs, process};

use nix::sys::prctl;
use nix::sys::signal::Signal as SystemSignal;
use nix::unistd::{self, ForkResult, dup2_stderr, dup2_stdin, dup2_stdout};

use super::error::check;
use super::signal::Signal;

/// The number of one process; never 0 or negative, so it cannot name a process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(NonZeroI32);

impl Pid {
    /// The process numbered so; `None` for 0 and below, which `kill` would take for groups.
    pub fn new(number: i32) -> Option<Pid> {
        NonZeroI32::new(number)
            .filter(|number| number.get() > 0)
            .map(Pid)
    }

    /// The number.
    pub fn number(self) -> i32 {
        self.0.get()
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The calling process.
pub fn pid() -> Pid {
    from_system(unistd::getpid())
}

/// What tells the namespace in which this process is numbered from others; `None` where there is no
/// /proc.
pub fn namespace() -> Option<u64> {
    Some(fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

/// The process that started this one, or adopted it since; `None` where that is no process of this
/// namespace.
pub fn parent() -> Option<Pid> {
    Pid::new(unistd::getppid().as_raw())
}

/// Has the end of the parent announced by a SIGCHLD, as that of a child is.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn hear_of_parent_end() -> io::Result<()> {
    Ok(prctl::set_pdeathsig(SystemSignal::SIGCHLD)?)
}

/// The number of the calling thread; the process's own in its first thread.
pub fn thread() -> i32 {
    unistd::gettid().as_raw()
}

/// Where messages for people go, whatever stands there by now.
pub fn stderr() -> BorrowedFd<'static> {
    // SAFETY: descriptor 2 is open from the start of the program, and only ever replaced.
    unsafe { BorrowedFd::borrow_raw(2) }
}

fn from_system(pid: unistd::Pid) -> Pid {
    Pid::new(pid.as_raw()).expect("the kernel numbers processes from 1")
}

/// On which side of a fork the caller is.
#[derive(Debug, PartialEq, Eq)]
pub enum Fork {
    /// The old process, and the number of the new one.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Forks. Flushes no buffers.
///
/// # Errors
/// The kernel's (EAGAIN, ENOMEM), and an error of ours while the process has more than one thread:
/// a lock that another thread holds would stay locked in the child for ever.
pub fn fork() -> io::Result<Fork> {
    require_single_thread("fork")?;
    // SAFETY: the process has one thread, so the child's memory is as consistent as the parent's.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Fork::Parent(from_system(child))),
        ForkResult::Child => Ok(Fork::Child),
    }
}

fn require_single_thread(what: &str) -> io::Result<()> {
    let threads = fs::read_dir("/proc/self/task")
        .map_err(|error| io::Error::other(format!("{what} needs /proc/self/task: {error}")))?
        .count();
    if threads != 1 {
        let text = format!("{what} is refused: the process has {threads} threads");
        return Err(io::Error::other(text));
    }
    Ok(())
}

/// The end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The child that ended.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The signal's number, see [`super::signal::name`].
        number: i32,
        /// Whether the kernel wrote a core file.
        core: bool,
    },
}

impl ExitStatus {
    /// The signal that ended it, if one did.
    pub fn signal(self) -> Option<i32> {
        match self {
            ExitStatus::Code(_) => None,
            ExitStatus::Signal { number, .. } => Some(number),
        }
    }
}

impl fmt::Display for ExitStatus {
    /// nginx's words: `exited with code 1`, `exited on signal 11 (core dumped)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Code(code) => write!(f, "exited with code {code}"),
            ExitStatus::Signal {
                number,
                core: false,
            } => write!(f, "exited on signal {number}"),
            ExitStatus::Signal { number, core: true } => {
                write!(f, "exited on signal {number} (core dumped)")
            }
        }
    }
}

/// Reaps one child that has ended, without waiting; `None` when there is none (left). Call it until
/// then: one SIGCHLD may stand for several ends.
pub fn wait_any() -> Option<Exit> {
    reap(-1, libc::WNOHANG)
}

/// Waits until the child `pid` has ended and reaps it; `None` when it is no child of ours.
pub fn wait(pid: Pid) -> Option<Exit> {
    reap(pid.number(), 0)
}

/// `nix` would reap and then refuse a child that a real-time signal ended.
fn reap(pid: libc::pid_t, flags: libc::c_int) -> Option<Exit> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for the call's write.
        match check(unsafe { libc::waitpid(pid, &mut status, flags) }) {
            Ok(pid) => {
                return Pid::new(pid).map(|pid| Exit {
                    pid,
                    status: exit_status(status),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

fn exit_status(status: libc::c_int) -> ExitStatus {
    if libc::WIFSIGNALED(status) {
        return ExitStatus::Signal {
            number: libc::WTERMSIG(status),
            core: libc::WCOREDUMP(status),
        };
    }
    ExitStatus::Code(libc::WEXITSTATUS(status))
}

/// Sends a signal to one process.
///
/// # Errors
/// ESRCH when there is no such process, EPERM when it is another user's.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    // SAFETY: the call takes two numbers.
    check(unsafe { libc::kill(pid.number(), signal.number()) }).map(drop)
}

/// Sends a signal to a child, unless it was reaped: its number may be another process's by now.
///
/// # Errors
/// Those of [`kill`].
pub fn kill_child(pid: Pid, signal: Signal) -> io::Result<()> {
    match is_child(pid) {
        true => kill(pid, signal),
        false => Ok(()),
    }
}

/// Whether it is a child that was not reaped yet, alive or not.
fn is_child(pid: Pid) -> bool {
    let number = pid.number().unsigned_abs();
    let mut found = MaybeUninit::uninit();
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `found` is valid for the call's write.
    unsafe { libc::waitid(libc::P_PID, number, found.as_mut_ptr(), look) == 0 }
}

/// The process is killed when its parent ends.
///
/// # Errors
/// ESRCH when `parent` is not its parent, because that has ended already.
pub fn end_with(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(SystemSignal::SIGKILL)?;
    match unistd::getppid().as_raw() == parent.number() {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// From now on what this process writes to stderr goes there.
///
/// # Errors
/// None that the kernel documents for an open descriptor.
pub fn redirect_stderr(to: impl AsFd) -> io::Result<()> {
    Ok(dup2_stderr(to)?)
}

/// A directory to run in. It is looked up once; who enters it walks no path again.
pub struct Workplace(fs::File);

impl Workplace {
    /// The directory at this path.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EACCES, ...
    pub fn open(path: &Path) -> io::Result<Workplace> {
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let mut options = fs::File::options();
        options.read(true).custom_flags(flags);
        options.open(path).map(Workplace)
    }

    /// The process runs there from now on.
    ///
    /// # Errors
    /// EACCES.
    pub fn enter(&self) -> io::Result<()> {
        Ok(unistd::fchdir(&self.0)?)
    }
}

/// Replaces the environment by exactly `variables`, in preparation of nginx's `env`.
///
/// # Errors
/// Refused while the process has more than one thread, and for a name that is empty or holds `=` or
/// NUL.
pub fn replace_environment(variables: &[(OsString, OsString)]) -> io::Result<()> {
    require_single_thread("a change of the environment")?;
    let valid = |name: &OsStr| !name.is_empty() && !name.as_bytes().contains(&b'=');
    let whole = |text: &OsStr| !text.as_bytes().contains(&0);
    if !variables
        .iter()
        .all(|(name, value)| valid(name) && whole(name) && whole(value))
    {
        return Err(io::Error::other("invalid environment variable"));
    }
    for (name, _) in env::vars_os() {
        // SAFETY: no other thread exists that could read the environment.
        unsafe { env::remove_var(name) };
    }
    for (name, value) in variables {
        // SAFETY: as above.
        unsafe { env::set_var(name, value) };
    }
    Ok(())
}

/// The daemon's side of the pipe on which the process that was started waits for its outcome.
#[must_use = "dropped without `ready`, the process that was started fails"]
pub struct Readiness(io::PipeWriter);

impl Readiness {
    /// Leaves the terminal (stdin, stdout and stderr become /dev/null) and lets the process that
    /// was started exit with 0.
    ///
    /// # Errors
    /// Those of opening and duplicating /dev/null.
    pub fn ready(mut self) -> io::Result<()> {
        leave_terminal()?;
        // Nobody is left to tell when the process that was started has been killed.
        let _ = self.0.write_all(b"r");
        Ok(())
    }
}

/// Makes stdin, stdout and stderr /dev/null.
///
/// # Errors
/// Those of opening and duplicating it.
pub fn leave_terminal() -> io::Result<()> {
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(dup2_stderr(&null)?)
}

/// Continues as a daemon: in a new session, as a child of the process that was started.
///
/// That process does not return from here. It waits, and exits with 0 when the daemon is ready,
/// else with the daemon's exit code. Until then the daemon keeps stdin, stdout and stderr, so that
/// its errors are seen.
///
/// # Errors
/// Those of pipe, [`fork`] and setsid.
pub fn daemonize() -> io::Result<Readiness> {
    let (outcome, readiness) = io::pipe()?;
    match fork()? {
        Fork::Parent(daemon) => {
            drop(readiness);
            process::exit(await_daemon(daemon, outcome))
        }
        Fork::Child => {
            unistd::setsid()?;
            Ok(Readiness(readiness))
        }
    }
}

/// The exit code for the process that was started: 0 once the daemon is ready, else the daemon's.
fn await_daemon(daemon: Pid, mut outcome: io::PipeReader) -> i32 {
    if outcome.read_exact(&mut [0]).is_ok() {
        return 0;
    }
    match wait(daemon).map(|exit| exit.status) {
        // A daemon that exits before it is ready has failed, whatever it says.
        Some(ExitStatus::Code(code)) if code != 0 => code,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
