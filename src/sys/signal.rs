//! Signals: nginx's table, a pollable source of those that arrived, the mask across a fork. Not
//! what a signal means.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{self as system, SigHandler, SigSet, SigmaskHow};
use signal_hook::SigId;
use signal_hook::low_level::{register, unregister};

/// The signals that a master or a worker sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[expect(missing_docs, reason = "named as in signal(7)")]
pub enum Signal {
    Hup = libc::SIGHUP,
    Int = libc::SIGINT,
    Quit = libc::SIGQUIT,
    Abrt = libc::SIGABRT,
    Kill = libc::SIGKILL,
    Usr1 = libc::SIGUSR1,
    Usr2 = libc::SIGUSR2,
    Alrm = libc::SIGALRM,
    Term = libc::SIGTERM,
    Chld = libc::SIGCHLD,
    Winch = libc::SIGWINCH,
}

impl Signal {
    /// Every signal that is caught.
    pub const CATCHABLE: [Signal; 9] = [
        Signal::Hup,
        Signal::Int,
        Signal::Quit,
        Signal::Usr1,
        Signal::Usr2,
        Signal::Alrm,
        Signal::Term,
        Signal::Chld,
        Signal::Winch,
    ];

    /// The number on this machine.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The name, as in `SIGHUP`.
    pub fn name(self) -> &'static str {
        name(self.number())
    }
}

/// The name of any signal, for reports of how a process ended: `SIGSEGV`. Real-time signals share
/// one name.
pub fn name(number: i32) -> &'static str {
    match system::Signal::try_from(number) {
        Ok(signal) => signal.as_str(),
        Err(_) if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number) => "real-time signal",
        Err(_) => "unknown signal",
    }
}

/// The signals that arrived, behind a descriptor that becomes readable when one does.
///
/// Dropping it ends the catching: the signals are then ignored, until another `Signals` catches
/// them.
pub struct Signals {
    arrived: Arc<Arrived>,
    registered: Vec<SigId>,
}

struct Arrived {
    wake: EventFd,
    numbers: AtomicU32,
}

impl Arrived {
    /// Runs in the signal handler: one atomic operation and one write, both safe there.
    fn note(&self, signal: Signal) {
        self.numbers
            .fetch_or(1 << signal.number(), Ordering::SeqCst);
        // It fails only when the descriptor is readable already.
        let _ = self.wake.write(1);
    }
}

impl Signals {
    /// Catches these signals from now on.
    ///
    /// # Errors
    /// EINVAL for [`Signal::Kill`], which cannot be caught; EMFILE.
    pub fn new(signals: &[Signal]) -> io::Result<Signals> {
        if signals.contains(&Signal::Kill) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let arrived = Arc::new(Arrived {
            wake,
            numbers: AtomicU32::new(0),
        });
        let mut source = Signals {
            arrived,
            registered: Vec::with_capacity(signals.len()),
        };
        for &signal in signals {
            let arrived = Arc::clone(&source.arrived);
            let action = move || arrived.note(signal);
            // SAFETY: the action does nothing that is not async-signal-safe.
            source
                .registered
                .push(unsafe { register(signal.number(), action) }?);
        }
        Ok(source)
    }

    /// Takes the signals that arrived since the last call, each once however often it came.
    pub fn take(&self) -> impl Iterator<Item = Signal> + use<> {
        // Cleared before the numbers are read: a signal in between wakes once too often, never too
        // seldom.
        let _ = self.arrived.wake.read();
        let numbers = self.arrived.numbers.swap(0, Ordering::SeqCst);
        Signal::CATCHABLE
            .into_iter()
            .filter(move |signal| numbers & (1 << signal.number()) != 0)
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.wake.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for &id in &self.registered {
            unregister(id);
        }
    }
}

/// The signals that were blocked before [`block_all`].
#[must_use = "restore it, or no signal arrives any more"]
pub struct Mask(SigSet);

/// Blocks every signal for the calling thread, as a fork needs it: the child gets none before it
/// has handlers of its own.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn block_all() -> io::Result<Mask> {
    Ok(Mask(
        SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?,
    ))
}

/// Sets the mask back to what it was. Signals that arrived meanwhile are delivered now.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn restore(mask: &Mask) -> io::Result<()> {
    Ok(mask.0.thread_set_mask()?)
}

/// Unblocks every signal: for a process started by one that had blocked some.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn unblock_all() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Sets the signals of nginx's table back to what they do by default: for a child that will have no
/// [`Signals`]. One made later in the same process would not be woken.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn reset_to_default() -> io::Result<()> {
    Signal::CATCHABLE
        .into_iter()
        .try_for_each(|signal| set(signal.number(), SigHandler::SigDfl))
}

/// Lets pass what asks a master or a worker for something: for a child of another kind, which a
/// signal to all processes of a name reaches as well, as `pkill -USR1` sends it.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn ignore_requests() -> io::Result<()> {
    use Signal::{Alrm, Hup, Usr1, Usr2, Winch};
    [Hup, Usr1, Usr2, Winch, Alrm]
        .into_iter()
        .try_for_each(|signal| set(signal.number(), SigHandler::SigIgn))
}

/// Makes a write to a closed pipe or connection an error (EPIPE) instead of the end of the process.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn ignore_sigpipe() -> io::Result<()> {
    set(libc::SIGPIPE, SigHandler::SigIgn)
}

/// What all processes of ours want of signals that they do not catch, once at the start of the
/// program: SIGIO is harmless, as in nginx, and SIGSEGV and SIGBUS end the process also when
/// somebody sends them. The handlers of Rust's runtime would let the first of those pass.
///
/// # Errors
/// None that the kernel documents for these arguments.
pub fn settle() -> io::Result<()> {
    set(libc::SIGIO, SigHandler::SigIgn)?;
    set(libc::SIGSEGV, SigHandler::SigDfl)?;
    set(libc::SIGBUS, SigHandler::SigDfl)
}

fn set(number: i32, handler: SigHandler) -> io::Result<()> {
    let signal = system::Signal::try_from(number)?;
    // SAFETY: neither the default action nor ignoring runs code in a handler.
    unsafe { system::signal(signal, handler) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::alone::{alone, exit};
    use super::super::process::{ExitStatus, Fork, fork, kill, pid, wait};
    use super::*;

    #[test]
    fn names() {
        assert_eq!(Signal::Hup.name(), "SIGHUP");
        assert_eq!(Signal::Winch.name(), "SIGWINCH");
        assert_eq!(name(11), "SIGSEGV");
        assert_eq!(name(libc::SIGRTMIN() + 1), "real-time signal");
        assert_eq!(name(4000), "unknown signal");
    }

    #[test]
    fn arrived_signals_are_taken_once() {
        alone("sys::signal::tests::arrived_signals_are_taken_once", || {
            let signals = Signals::new(&[Signal::Usr1, Signal::Hup]).expect("caught");
            assert_eq!(signals.take().count(), 0);
            for signal in [Signal::Usr1, Signal::Hup, Signal::Usr1] {
                kill(pid(), signal).expect("kill");
            }
            assert_eq!(
                signals.take().collect::<Vec<_>>(),
                [Signal::Hup, Signal::Usr1]
            );
            assert_eq!(signals.take().count(), 0);
        });
    }

    #[test]
    fn blocked_signals_wait() {
        alone("sys::signal::tests::blocked_signals_wait", || {
            let signals = Signals::new(&[Signal::Term]).expect("caught");
            let mask = block_all().expect("blocked");
            kill(pid(), Signal::Term).expect("kill");
            assert_eq!(signals.take().count(), 0);
            restore(&mask).expect("restored");
            assert_eq!(signals.take().collect::<Vec<_>>(), [Signal::Term]);
        });
    }

    #[test]
    fn a_child_catches_its_own_signals() {
        alone(
            "sys::signal::tests::a_child_catches_its_own_signals",
            || {
                let signals = Signals::new(&[Signal::Usr1]).expect("caught");
                let mask = block_all().expect("blocked");
                match fork().expect("fork") {
                    Fork::Parent(child) => {
                        restore(&mask).expect("restored");
                        assert_eq!(wait(child).expect("child").status, ExitStatus::Code(0));
                        assert_eq!(signals.take().count(), 0, "the child's signal is not ours");
                    }
                    Fork::Child => {
                        drop(signals);
                        let own = Signals::new(&[Signal::Usr1]).expect("caught");
                        restore(&mask).expect("restored");
                        kill(pid(), Signal::Usr1).expect("kill");
                        let seen = own.take().eq([Signal::Usr1]);
                        // SAFETY: ends the process without running anything of the test runner's.
                        unsafe { libc::_exit(i32::from(!seen)) }
                    }
                }
            },
        );
    }

    #[test]
    fn reset_signals_act_by_default() {
        alone("sys::signal::tests::reset_signals_act_by_default", || {
            let _signals = Signals::new(&[Signal::Term]).expect("caught");
            match fork().expect("fork") {
                Fork::Parent(child) => {
                    let status = wait(child).expect("child").status;
                    assert_eq!(
                        status,
                        ExitStatus::Signal {
                            number: 15,
                            core: false
                        }
                    );
                }
                Fork::Child => {
                    reset_to_default().expect("reset");
                    kill(pid(), Signal::Term).expect("kill");
                    exit(0)
                }
            }
        });
    }

    #[test]
    fn faults_end_the_process() {
        alone("sys::signal::tests::faults_end_the_process", || {
            settle().expect("settled");
            match fork().expect("fork") {
                Fork::Parent(child) => {
                    let status = wait(child).expect("child").status;
                    let ended = matches!(
                        status,
                        ExitStatus::Signal {
                            number: libc::SIGSEGV,
                            ..
                        }
                    );
                    assert!(ended, "{status}");
                }
                Fork::Child => {
                    // SAFETY: the calls take numbers; the second ends the process, and the third
                    // is not reached.
                    unsafe {
                        libc::raise(libc::SIGIO);
                        libc::raise(libc::SIGSEGV);
                        libc::_exit(1)
                    }
                }
            }
        });
    }

    #[test]
    fn kill_cannot_be_caught() {
        let error = Signals::new(&[Signal::Kill]).err().expect("refused");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
