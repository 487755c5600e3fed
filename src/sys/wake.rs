//! A bell for one thread that waits for it and for streams to take bytes. Not an event loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// The bell: any thread rings, one waits.
#[derive(Debug)]
pub struct Bell(EventFd);

impl Bell {
    /// # Errors
    /// EMFILE and its kin.
    pub fn new() -> io::Result<Bell> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Bell(EventFd::from_value_and_flags(0, flags)?))
    }

    /// Ends the waiting, or the next one if nobody waits. Never blocks.
    pub fn ring(&self) {
        // It fails only when the count is full, and then the waiting ends as well.
        let _ = self.0.write(1);
    }

    /// Waits until it is rung, one of the streams takes bytes or has failed, or the time is over.
    /// It may end sooner. Returns the places of those streams.
    pub fn wait(&self, streams: &[BorrowedFd<'_>], timeout: Option<Duration>) -> Vec<usize> {
        let bell = PollFd::new(self.0.as_fd(), PollFlags::POLLIN);
        let mut list = vec![bell];
        list.extend(
            streams
                .iter()
                .map(|it| PollFd::new(*it, PollFlags::POLLOUT)),
        );
        if poll(&mut list, milliseconds(timeout)).is_err() {
            return Vec::new();
        }
        let happened = |it: &PollFd<'_>| it.any() == Some(true);
        if happened(&list[0]) {
            let _ = self.0.read();
        }
        (0..streams.len())
            .filter(|at| happened(&list[at + 1]))
            .collect()
    }
}

/// Rounded up, so that a time is over when the waiting ends.
fn milliseconds(timeout: Option<Duration>) -> PollTimeout {
    let Some(timeout) = timeout else {
        return PollTimeout::NONE;
    };
    let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
    i32::try_from(milliseconds)
        .ok()
        .and_then(|time| PollTimeout::try_from(time).ok())
        .unwrap_or(PollTimeout::MAX)
}

/// Whether a stream takes bytes now, or fails at once.
pub(super) fn is_writable(stream: BorrowedFd<'_>) -> bool {
    let mut list = [PollFd::new(stream, PollFlags::POLLOUT)];
    !matches!(
        poll(&mut list, PollTimeout::ZERO),
        Ok(0) | Err(Errno::EINTR)
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    /// A time that is only over when the waiting has failed.
    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn rung_before_or_meanwhile() {
        let bell = Bell::new().expect("a bell");
        let start = Instant::now();
        bell.ring();
        bell.ring();
        bell.wait(&[], LONG);
        std::thread::scope(|scope| {
            scope.spawn(|| bell.ring());
            bell.wait(&[], LONG);
        });
        assert!(start.elapsed() < Duration::from_secs(60));
        bell.wait(&[], Some(Duration::from_micros(1)));
    }

    #[test]
    fn a_stream_that_takes_bytes_ends_the_waiting() {
        let bell = Bell::new().expect("a bell");
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let start = Instant::now();
        assert!(is_writable(ours.as_fd()));
        assert_eq!(bell.wait(&[ours.as_fd()], LONG), [0]);
        drop(theirs);
        assert_eq!(bell.wait(&[ours.as_fd()], LONG), [0]);
        assert!(start.elapsed() < Duration::from_secs(60));
    }
}
