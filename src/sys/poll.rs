//! What mio's poll cannot express: a listener shared by processes, of which one is woken.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use mio::{Poll, Token};

use super::error::check;

/// Watches a shared listener: level-triggered, and each connection wakes one of the watching
/// processes, not all.
///
/// # Errors
/// EEXIST when it is watched already; ENOSPC past the system's limit of watches.
pub fn add_exclusive(poll: &Poll, listener: BorrowedFd<'_>, token: Token) -> io::Result<()> {
    let events = (libc::EPOLLIN | libc::EPOLLEXCLUSIVE) as u32;
    let mut event = libc::epoll_event {
        events,
        u64: token.0 as u64,
    };
    control(poll, libc::EPOLL_CTL_ADD, listener.as_raw_fd(), &mut event)
}

/// Ends the watching. Do it before a shared listener is closed: closing our copy does not end it.
///
/// # Errors
/// ENOENT when it is not watched.
pub fn remove(poll: &Poll, listener: BorrowedFd<'_>) -> io::Result<()> {
    control(
        poll,
        libc::EPOLL_CTL_DEL,
        listener.as_raw_fd(),
        ptr::null_mut(),
    )
}

fn control(
    poll: &Poll,
    operation: libc::c_int,
    fd: RawFd,
    event: *mut libc::epoll_event,
) -> io::Result<()> {
    // SAFETY: the event is valid for a read, or null where the operation needs none.
    check(unsafe { libc::epoll_ctl(poll.as_raw_fd(), operation, fd, event) }).map(drop)
}

/// Waits until the descriptor can be read, or ended; fails after a deadline that no working machine
/// needs.
#[cfg(test)]
pub(super) fn wait_readable(fd: BorrowedFd<'_>) {
    let mut wanted = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: the pointer is valid for one pollfd.
    let ready = unsafe { libc::poll(&mut wanted, 1, 10_000) };
    assert_eq!(ready, 1, "nothing became readable");
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use mio::Events;

    use super::*;

    /// The tokens of what is ready within the time.
    fn ready(poll: &mut Poll, timeout: Duration) -> Vec<Token> {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(timeout)).expect("polled");
        events
            .iter()
            .filter(|event| event.is_readable())
            .map(|event| event.token())
            .collect()
    }

    #[test]
    fn the_flag_is_set_and_the_token_delivered_until_accepted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let mut poll = Poll::new().expect("a poll");
        add_exclusive(&poll, listener.as_fd(), Token(77)).expect("added");

        let path = format!("/proc/self/fdinfo/{}", poll.as_raw_fd());
        let info = std::fs::read_to_string(path).expect("a poll");
        let events = info
            .split("events:")
            .nth(1)
            .expect("one watch")
            .trim_start();
        let events = events.split_whitespace().next().expect("a mask");
        let events = u32::from_str_radix(events, 16).expect("hexadecimal");
        assert_ne!(events & libc::EPOLLEXCLUSIVE as u32, 0, "exclusive");
        assert_eq!(events & libc::EPOLLET as u32, 0, "level-triggered");

        let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        for _ in 0..2 {
            assert_eq!(ready(&mut poll, Duration::from_secs(10)), [Token(77)]);
        }
        listener.accept().expect("accepted");
        assert_eq!(ready(&mut poll, Duration::ZERO), []);
    }

    #[test]
    fn what_is_removed_wakes_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let mut poll = Poll::new().expect("a poll");
        add_exclusive(&poll, listener.as_fd(), Token(1)).expect("added");
        let again = add_exclusive(&poll, listener.as_fd(), Token(1)).unwrap_err();
        assert_eq!(again.raw_os_error(), Some(libc::EEXIST));
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        assert_eq!(ready(&mut poll, Duration::from_secs(10)), [Token(1)]);
        remove(&poll, listener.as_fd()).expect("removed");
        assert_eq!(ready(&mut poll, Duration::ZERO), []);
        assert!(remove(&poll, listener.as_fd()).is_err());
        add_exclusive(&poll, listener.as_fd(), Token(2)).expect("added again");
        assert_eq!(ready(&mut poll, Duration::from_secs(10)), [Token(2)]);
    }
}
