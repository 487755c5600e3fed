//! A listening socket: bound, then listening, then accepting.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{self, SockFlag, SockProtocol, SockType, SockaddrLike, SockaddrStorage};

use super::super::error::check;
use super::{Address, PeerAddress, Stream, option, path};

/// The parameters of nginx's `listen` that concern the socket itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// SO_REUSEPORT: several sockets share the address.
    pub reuseport: bool,
    /// IPV6_V6ONLY: an IPv6 socket takes no IPv4 connections; `None` leaves it to the system.
    pub ipv6only: Option<bool>,
    /// TCP_DEFER_ACCEPT: a connection is accepted once it has sent something.
    pub deferred: bool,
    /// TCP_FASTOPEN: the length of its queue.
    pub fastopen: Option<i32>,
    /// SO_RCVBUF, in bytes.
    pub rcvbuf: Option<i32>,
    /// SO_SNDBUF, in bytes.
    pub sndbuf: Option<i32>,
    /// SO_KEEPALIVE; `None` leaves it to the system.
    pub keepalive: Option<KeepAlive>,
}

/// The parameter `so_keepalive`; what is `None` is left to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// Whether the system probes idle connections.
    pub on: bool,
    /// TCP_KEEPIDLE: seconds of idleness before the first probe.
    pub idle: Option<i32>,
    /// TCP_KEEPINTVL: seconds between probes.
    pub interval: Option<i32>,
    /// TCP_KEEPCNT: unanswered probes that end the connection.
    pub count: Option<i32>,
}

/// A stream socket bound to an address. It is nonblocking.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    address: Address,
}

impl Listener {
    /// A socket bound to `address`, not yet listening. A unix socket can be connected to by
    /// everybody (0666, as in nginx).
    ///
    /// # Errors
    /// The kernel's; EADDRINUSE also when something listens at a unix path. A socket file that
    /// nobody listens at is replaced.
    pub fn bind(address: &Address, options: &Options) -> io::Result<Listener> {
        let fd = new_socket(address)?;
        before_bind(fd.as_fd(), address, options)?;
        match address {
            Address::Ip(_) => socket::bind(fd.as_raw_fd(), &*address.to_system()?)?,
            Address::Unix(path) => path::bind(fd.as_fd(), address, path)?,
        }
        let address = local_address(fd.as_fd())?;
        let listener = Listener { fd, address };
        listener.configure(options)?;
        Ok(listener)
    }

    /// Takes over a bound stream socket that another program left open for this one.
    ///
    /// Each number may be taken once: the listener owns it, and closes it when dropped.
    ///
    /// # Errors
    /// EBADF for a number that is not open (or is stdin, stdout, stderr), ENOTSOCK, EINVAL for a
    /// socket that is not a bound stream socket.
    pub fn from_inherited(number: RawFd) -> io::Result<Listener> {
        if number <= libc::STDERR_FILENO {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        // SAFETY: the call takes two numbers.
        check(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
        // SAFETY: the descriptor is open and stays so: only the owner made below will close it.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let address = local_address(fd)?;
        if !is_bound_stream(fd, &address)? {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        // SAFETY: open, as checked above, and left for this process to own.
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Listener { fd, address })
    }

    /// A second descriptor of this socket, the only kind that stays open in a program executed
    /// next.
    ///
    /// # Errors
    /// EMFILE.
    pub fn inheritable(&self) -> io::Result<OwnedFd> {
        let number = fcntl(self.fd.as_fd(), FcntlArg::F_DUPFD(libc::STDERR_FILENO + 1))?;
        // SAFETY: the kernel just made this descriptor, and nothing else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }

    /// One that came from another process of ours, set up as ours are.
    ///
    /// # Errors
    /// ENOTSOCK and its kin.
    pub fn received(fd: OwnedFd) -> io::Result<Listener> {
        let address = local_address(fd.as_fd())?;
        Ok(Listener { fd, address })
    }

    /// Starts to listen. May be called again, to change the backlog.
    ///
    /// # Errors
    /// EADDRINUSE when another socket of the same address listens already.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        // SAFETY: the call takes two numbers.
        check(unsafe { libc::listen(self.fd.as_raw_fd(), backlog) }).map(drop)
    }

    /// Sets the options that may change while the socket listens: all but `reuseport` and
    /// `ipv6only`.
    ///
    /// # Errors
    /// ENOPROTOOPT for what the kernel does not know.
    pub fn configure(&self, options: &Options) -> io::Result<()> {
        let fd = self.fd.as_fd();
        let set = |level, name, value: Option<i32>| match value {
            Some(value) => option::set(fd, level, name, value),
            None => Ok(()),
        };
        set(libc::SOL_SOCKET, libc::SO_RCVBUF, options.rcvbuf)?;
        set(libc::SOL_SOCKET, libc::SO_SNDBUF, options.sndbuf)?;
        if let Some(keepalive) = options.keepalive {
            set(
                libc::SOL_SOCKET,
                libc::SO_KEEPALIVE,
                Some(keepalive.on.into()),
            )?;
        }
        if self.address.ip().is_none() {
            return Ok(());
        }
        let keepalive = options.keepalive.unwrap_or_default();
        set(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, keepalive.idle)?;
        set(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, keepalive.interval)?;
        set(libc::IPPROTO_TCP, libc::TCP_KEEPCNT, keepalive.count)?;
        set(libc::IPPROTO_TCP, libc::TCP_FASTOPEN, options.fastopen)?;
        set(
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            Some(options.deferred.into()),
        )
    }

    /// Accepts one connection, nonblocking and close-on-exec, in one system call.
    ///
    /// # Errors
    /// EAGAIN when there is none; EMFILE and its kin when there is no room; ECONNABORTED when it
    /// went away meanwhile.
    pub fn accept(&self) -> io::Result<(Stream, PeerAddress)> {
        // SAFETY: all zeroes are a valid sockaddr_storage.
        let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&storage) as libc::socklen_t;
        let place: *mut libc::sockaddr_storage = &mut storage;
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: the pointer is valid for a write of `length` bytes.
        let number =
            unsafe { libc::accept4(self.fd.as_raw_fd(), place.cast(), &mut length, flags) };
        let number = check(number)?;
        // SAFETY: the kernel just made this descriptor, and nothing else owns it.
        let stream = Stream::new(unsafe { OwnedFd::from_raw_fd(number) });
        // SAFETY: the kernel filled in an address of `length` bytes.
        let address = unsafe { SockaddrStorage::from_raw(place.cast(), Some(length)) };
        let peer = match address.as_ref().map(Address::from_system) {
            Some(Ok(Address::Ip(address))) => PeerAddress::Ip(address),
            _ => PeerAddress::Unix,
        };
        Ok((stream, peer))
    }

    /// SO_REUSEPORT: other sockets may be bound to its address from now on.
    ///
    /// # Errors
    /// EOPNOTSUPP on a unix socket.
    pub fn share_address(&self) -> io::Result<()> {
        option::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
    }

    /// TCP_NODELAY for every connection accepted from now on: they inherit it.
    ///
    /// # Errors
    /// EOPNOTSUPP on a unix socket.
    pub fn set_nodelay(&self) -> io::Result<()> {
        option::set(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
    }

    /// The address it is bound to; a port of 0 has become the port that the kernel chose.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

pub(super) fn new_socket(address: &Address) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let protocol = None::<SockProtocol>;
    Ok(socket::socket(
        address.family(),
        SockType::Stream,
        flags,
        protocol,
    )?)
}

fn before_bind(fd: BorrowedFd<'_>, address: &Address, options: &Options) -> io::Result<()> {
    if address.ip().is_none() {
        return Ok(());
    }
    option::set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if options.reuseport {
        option::set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    match options.ipv6only {
        Some(only) if address.ip().is_some_and(|ip| ip.is_ipv6()) => {
            option::set(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only.into())
        }
        _ => Ok(()),
    }
}

/// Whether an error of [`Listener::accept`] is about the connection that was waiting, which is gone
/// then: Linux passes on what had happened to it in the network. Other connections may wait.
pub fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::EINTR
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::ENONET
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::EPERM
                | libc::EPROTO
                | libc::ETIMEDOUT
        )
    )
}

pub(super) fn local_address(fd: BorrowedFd<'_>) -> io::Result<Address> {
    Address::from_system(&socket::getsockname::<SockaddrStorage>(fd.as_raw_fd())?)
}

fn is_bound_stream(fd: BorrowedFd<'_>, address: &Address) -> io::Result<bool> {
    let stream = option::number(fd, libc::SOL_SOCKET, libc::SO_TYPE)? == libc::SOCK_STREAM;
    let connected = socket::getpeername::<SockaddrStorage>(fd.as_raw_fd()).is_ok();
    let bound = match address {
        Address::Ip(address) => address.port() != 0,
        Address::Unix(path) => !path.as_os_str().is_empty(),
    };
    Ok(stream && bound && !connected)
}

#[cfg(test)]
mod tests;
