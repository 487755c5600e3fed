//! One connection: what it receives, what it sends, and the knobs of TCP.

use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token, event};
use nix::sys::socket::{MsgFlags, sendmsg};

use super::super::error::{check, check_size};
use super::{Address, listener, option};

/// A connected, nonblocking stream socket.
#[derive(Debug)]
pub struct Stream(OwnedFd);

/// What `$tcpinfo_*` show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round-trip time, in microseconds.
    pub rtt: u32,
    /// Its variation, in microseconds.
    pub rttvar: u32,
    /// Congestion window, in segments.
    pub snd_cwnd: u32,
    /// Receive window, in bytes.
    pub rcv_space: u32,
}

impl Stream {
    pub(super) fn new(fd: OwnedFd) -> Stream {
        Stream(fd)
    }

    /// Receives into `buffer`; 0 is the peer's end.
    ///
    /// # Errors
    /// EAGAIN when nothing is there; ECONNRESET.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = buffer.as_mut_ptr().cast();
        // SAFETY: the pointer is valid for a write of the buffer's length.
        check_size(unsafe { libc::recv(self.as_raw_fd(), place, buffer.len(), 0) })
    }

    /// Sends from several places in order; the count may be smaller than what was offered.
    ///
    /// # Errors
    /// EAGAIN when there is no room; EPIPE, ECONNRESET when the peer is gone.
    pub fn writev(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(nix::sys::uio::writev(&self.0, pieces)?)
    }

    /// As [`Stream::writev`], and says that more follows at once: the kernel need not send a packet
    /// that is not full.
    ///
    /// # Errors
    /// As [`Stream::writev`].
    pub fn send_more(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = MsgFlags::from_bits_retain(libc::MSG_MORE) | MsgFlags::MSG_NOSIGNAL;
        Ok(sendmsg::<()>(self.as_raw_fd(), pieces, &[], flags, None)?)
    }

    /// Sends up to `count` bytes of a file from `offset`, which moves by the count sent. 0 is the
    /// end of the file.
    ///
    /// # Errors
    /// As [`Stream::writev`]; EIO of the disk.
    pub fn sendfile(&self, file: &File, offset: &mut u64, count: usize) -> io::Result<usize> {
        let invalid = |_| io::Error::from_raw_os_error(libc::EINVAL);
        let mut position = i64::try_from(*offset).map_err(invalid)?;
        let (out, file) = (self.as_raw_fd(), file.as_raw_fd());
        // SAFETY: the pointer is valid for a read and a write of an off64_t.
        let sent = check_size(unsafe { libc::sendfile64(out, file, &mut position, count) })?;
        *offset += sent as u64;
        Ok(sent)
    }

    /// TCP_NODELAY: small writes are sent at once.
    ///
    /// # Errors
    /// EOPNOTSUPP over a unix socket; EINVAL once the peer has reset the connection.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        option::set(
            self.as_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            on.into(),
        )
    }

    /// SO_LINGER of 0 seconds: closing resets the connection and frees its memory at once (nginx:
    /// `reset_timedout_connection`).
    ///
    /// # Errors
    /// None that the kernel documents for these arguments.
    pub fn set_linger_zero(&self) -> io::Result<()> {
        let linger = libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        option::set_value(self.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &linger)
    }

    /// Ends our direction; the peer reads an end after what was sent.
    ///
    /// # Errors
    /// ENOTCONN when the connection is gone.
    pub fn shutdown_write(&self) -> io::Result<()> {
        // SAFETY: the call takes two numbers.
        check(unsafe { libc::shutdown(self.as_raw_fd(), libc::SHUT_WR) }).map(drop)
    }

    /// Our end's address (nginx: `$server_addr`, `$server_port`).
    ///
    /// # Errors
    /// ENOBUFS.
    pub fn local_address(&self) -> io::Result<Address> {
        listener::local_address(self.as_fd())
    }

    /// The kernel's measurements of this connection.
    ///
    /// # Errors
    /// EOPNOTSUPP over a unix socket.
    pub fn tcp_info(&self) -> io::Result<TcpInfo> {
        // SAFETY: all zeroes are a valid tcp_info, a struct of numbers.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        let place: *mut libc::tcp_info = &mut info;
        let (fd, level, name) = (self.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO);
        // SAFETY: the pointer is valid for a write of `length` bytes.
        check(unsafe { libc::getsockopt(fd, level, name, place.cast(), &mut length) })?;
        Ok(TcpInfo {
            rtt: info.tcpi_rtt,
            rttvar: info.tcpi_rttvar,
            snd_cwnd: info.tcpi_snd_cwnd,
            rcv_space: info.tcpi_rcv_space,
        })
    }
}

/// One end of a pair, for tests that need a connection and no network.
#[cfg(test)]
impl From<std::os::unix::net::UnixStream> for Stream {
    fn from(stream: std::os::unix::net::UnixStream) -> Stream {
        Stream(stream.into())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl event::Source for Stream {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};
    use std::net::TcpStream;

    use super::super::super::poll::wait_readable;
    use super::super::{Listener, Options, PeerAddress};
    use super::*;

    /// A connection's two ends: the server's and the client's.
    fn connected() -> (Stream, TcpStream) {
        let any = Address::Ip("127.0.0.1:0".parse().expect("an address"));
        let listener = Listener::bind(&any, &Options::default()).expect("bound");
        listener.listen(16).expect("listening");
        let client = TcpStream::connect(listener.address().ip().expect("TCP")).expect("connected");
        wait_readable(listener.as_fd());
        let (stream, peer) = listener.accept().expect("accepted");
        assert_eq!(peer, PeerAddress::Ip(client.local_addr().expect("bound")));
        (stream, client)
    }

    #[test]
    fn receives_and_sees_the_end() {
        let (stream, mut client) = connected();
        let mut buffer = [0; 8];
        let dry = stream.recv(&mut buffer).unwrap_err();
        assert_eq!(dry.kind(), io::ErrorKind::WouldBlock);
        client.write_all(b"abc").expect("sent");
        wait_readable(stream.as_fd());
        assert_eq!(stream.recv(&mut buffer).expect("received"), 3);
        assert_eq!(&buffer[..3], b"abc");
        drop(client);
        wait_readable(stream.as_fd());
        assert_eq!(stream.recv(&mut buffer).expect("the end"), 0);
    }

    #[test]
    fn sends_pieces_and_files() {
        let (stream, mut client) = connected();
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"0123456789").expect("written");
        file.rewind().expect("rewound");

        let sent = stream
            .send_more(&[IoSlice::new(b"head "), IoSlice::new(b"er ")])
            .expect("sent");
        assert_eq!(sent, 8);
        let mut offset = 4;
        assert_eq!(stream.sendfile(&file, &mut offset, 100).expect("sent"), 6);
        assert_eq!(offset, 10);
        assert_eq!(
            stream.sendfile(&file, &mut offset, 100).expect("the end"),
            0
        );
        stream.shutdown_write().expect("ended");

        let mut text = String::new();
        client.read_to_string(&mut text).expect("read");
        assert_eq!(text, "head er 456789");
    }

    #[test]
    fn a_gone_peer_is_an_error_not_a_signal() {
        let (stream, client) = connected();
        stream.shutdown_write().expect("ended");
        let error = stream.writev(&[IoSlice::new(b"late")]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
        drop(client);
    }

    #[test]
    fn linger_zero_resets() {
        let (stream, mut client) = connected();
        stream.set_linger_zero().expect("set");
        drop(stream);
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn knobs_and_measurements() {
        let (stream, client) = connected();
        stream.set_nodelay(true).expect("set");
        assert!(stream.tcp_info().expect("TCP").snd_cwnd > 0);
        let address = Address::Ip(client.peer_addr().expect("connected"));
        assert_eq!(stream.local_address().expect("bound"), address);
        let number = stream.as_raw_fd();
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).expect("open");
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:\t"))
            .expect("flags");
        let flags = i32::from_str_radix(flags, 8).expect("octal");
        assert_ne!(flags & libc::O_NONBLOCK, 0);
        assert_ne!(flags & libc::O_CLOEXEC, 0);
    }
}
