//! A channel between two processes of ours: whole messages in order, each with descriptors. Not
//! what the messages mean.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::error::check_size;

/// The most descriptors in one message; the kernel's own limit is 253.
pub const MAX_DESCRIPTORS: usize = 200;

/// Room for the header of the descriptors and for as many as the kernel passes, in words so that it
/// is aligned.
const CONTROL_WORDS: usize = 160;

/// One end. It is nonblocking, and the other end's closing (also by death) can be read.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// Two ends that belong together.
///
/// # Errors
/// EMFILE and its kin.
pub fn pair() -> io::Result<(Channel, Channel)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (one, two) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    Ok((Channel(one), Channel(two)))
}

impl Channel {
    /// Sends one message, which arrives whole or not at all.
    ///
    /// # Errors
    /// EAGAIN when the other end has not read for long; EPIPE, ECONNRESET when it is gone; EINVAL
    /// for an empty message or more than [`MAX_DESCRIPTORS`].
    pub fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        if message.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut control = [0u64; CONTROL_WORDS];
        let mut piece = piece(message.as_ptr().cast_mut(), message.len());
        let mut header = header(&mut piece, &mut control);
        header.msg_controllen = 0;
        if !descriptors.is_empty() {
            let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
            put_descriptors(&mut header, &numbers);
        }
        // SAFETY: the header points to a message and a control buffer that outlive the call;
        // neither is written.
        check_size(unsafe { libc::sendmsg(self.as_raw_fd(), &header, libc::MSG_NOSIGNAL) })
            .map(drop)
    }

    /// Receives one message into `buffer`: its length and its descriptors; `None` when the other
    /// end is gone, and no descriptors when this process had no room for all of them.
    ///
    /// # Errors
    /// EAGAIN when there is none; EMSGSIZE for one longer than the buffer.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, Option<Vec<OwnedFd>>)>> {
        let mut control = [0u64; CONTROL_WORDS];
        let mut piece = piece(buffer.as_mut_ptr(), buffer.len());
        let mut header = header(&mut piece, &mut control);
        let flags = libc::MSG_CMSG_CLOEXEC;
        // SAFETY: the header points to writable buffers of the lengths it says, and they outlive
        // the call.
        let result = check_size(unsafe { libc::recvmsg(self.as_raw_fd(), &mut header, flags) });
        let length = match result {
            // Said once, of messages that the other end never read; its own may still be here.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return self.recv(buffer);
            }
            other => other?,
        };
        let descriptors = take_descriptors(&header);
        match header.msg_flags {
            flags if flags & libc::MSG_TRUNC != 0 => {
                Err(io::Error::from_raw_os_error(libc::EMSGSIZE))
            }
            _ if length == 0 => Ok(None),
            flags if flags & libc::MSG_CTRUNC != 0 => Ok(Some((length, None))),
            _ => Ok(Some((length, Some(descriptors)))),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn piece(start: *mut u8, length: usize) -> libc::iovec {
    libc::iovec {
        iov_base: start.cast(),
        iov_len: length,
    }
}

/// A header for one piece; it points to both arguments and must not outlive them.
fn header(piece: &mut libc::iovec, control: &mut [u64; CONTROL_WORDS]) -> libc::msghdr {
    // SAFETY: all zeroes are a valid msghdr: null pointers and lengths of 0.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = ptr::from_mut(piece);
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<[u64; CONTROL_WORDS]>() as _;
    header
}

/// Makes the control buffer one SCM_RIGHTS record of `numbers`.
fn put_descriptors(header: &mut libc::msghdr, numbers: &[RawFd]) {
    let bytes = size_of_val(numbers) as u32;
    // SAFETY: CONTROL_WORDS is room for more than MAX_DESCRIPTORS, so the first record and its data
    // lie in the buffer.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(bytes) as _;
        let record = libc::CMSG_FIRSTHDR(header);
        (*record).cmsg_level = libc::SOL_SOCKET;
        (*record).cmsg_type = libc::SCM_RIGHTS;
        (*record).cmsg_len = libc::CMSG_LEN(bytes) as _;
        ptr::copy_nonoverlapping(
            numbers.as_ptr(),
            libc::CMSG_DATA(record).cast(),
            numbers.len(),
        );
    }
}

/// Owns what the kernel put into the control buffer.
fn take_descriptors(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel filled in the records and their lengths, and each SCM_RIGHTS number is a
    // new descriptor that nothing else owns.
    unsafe {
        let mut record = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = record.as_ref() {
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
                let bytes = found.cmsg_len - libc::CMSG_LEN(0) as usize;
                let numbers: *const RawFd = libc::CMSG_DATA(record).cast();
                for index in 0..bytes / size_of::<RawFd>() {
                    let number = ptr::read_unaligned(numbers.add(index));
                    descriptors.push(OwnedFd::from_raw_fd(number));
                }
            }
            record = libc::CMSG_NXTHDR(header, record);
        }
    }
    descriptors
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use nix::sys::resource::{Resource, setrlimit};

    use super::super::alone::alone;
    use super::*;

    #[test]
    fn messages_keep_their_bounds() {
        let (one, two) = pair().expect("a pair");
        let mut buffer = [0; 16];
        let dry = two.recv(&mut buffer).unwrap_err();
        assert_eq!(dry.kind(), io::ErrorKind::WouldBlock);
        one.send(b"first", &[]).expect("sent");
        one.send(b"2", &[]).expect("sent");
        one.send(&[7; 17], &[]).expect("sent");
        assert_eq!(
            two.recv(&mut buffer)
                .expect("received")
                .expect("a message")
                .0,
            5
        );
        assert_eq!(&buffer[..5], b"first");
        assert_eq!(
            two.recv(&mut buffer)
                .expect("received")
                .expect("a message")
                .0,
            1
        );
        let long = two.recv(&mut buffer).unwrap_err();
        assert_eq!(long.raw_os_error(), Some(libc::EMSGSIZE));
        assert_eq!(
            one.send(b"", &[]).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }

    #[test]
    fn the_other_ends_death_is_seen_after_its_last_message() {
        let (one, two) = pair().expect("a pair");
        one.send(b"last", &[]).expect("sent");
        drop(one);
        let mut buffer = [0; 16];
        assert!(two.recv(&mut buffer).expect("received").is_some());
        assert!(two.recv(&mut buffer).expect("the end").is_none());
        assert_eq!(
            two.send(b"x", &[]).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }

    #[test]
    fn an_end_closed_with_unread_messages_is_gone_too() {
        let (one, two) = pair().expect("a pair");
        two.send(b"never read", &[]).expect("sent");
        one.send(b"last", &[]).expect("sent");
        drop(one);
        let mut buffer = [0; 16];
        assert!(two.recv(&mut buffer).expect("received").is_some());
        assert!(two.recv(&mut buffer).expect("the end").is_none());
    }

    #[test]
    fn descriptors_travel_close_on_exec() {
        let (one, two) = pair().expect("a pair");
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let copies = vec![writer.as_fd(); MAX_DESCRIPTORS];
        one.send(b"fds", &copies).expect("sent");
        drop(writer);
        let (length, received) = two
            .recv(&mut [0; 16])
            .expect("received")
            .expect("a message");
        let received = received.expect("room");
        assert_eq!((length, received.len()), (3, MAX_DESCRIPTORS));
        for fd in &received {
            let flags = FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD).expect("open"));
            assert!(flags.contains(FdFlag::FD_CLOEXEC));
        }
        for (number, fd) in received.into_iter().enumerate() {
            File::from(fd).write_all(&[number as u8]).expect("written");
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("read");
        assert_eq!(bytes.len(), MAX_DESCRIPTORS);

        let standard = io::stdin();
        let many = vec![standard.as_fd(); MAX_DESCRIPTORS + 1];
        assert_eq!(
            one.send(b"x", &many).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }

    #[test]
    fn without_room_for_descriptors_nothing_leaks() {
        alone(
            "sys::channel::tests::without_room_for_descriptors_nothing_leaks",
            || {
                let open = || std::fs::read_dir("/proc/self/fd").expect("listed").count();
                let (one, two) = pair().expect("a pair");
                let before = open();
                let standard = io::stdin();
                one.send(b"fds", &[standard.as_fd(); 20]).expect("sent");
                setrlimit(
                    Resource::RLIMIT_NOFILE,
                    before as u64 + 5,
                    before as u64 + 5,
                )
                .expect("set");
                let received = two.recv(&mut [0; 16]).expect("received");
                assert!(matches!(received, Some((3, None))), "{received:?}");
                assert_eq!(open(), before);
            },
        );
    }
}
