//! Where a listener listens and where a peer is.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, UnixAddr};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Ip(SocketAddr),
    /// A stream socket in the file system; the path is empty for an unnamed one.
    Unix(PathBuf),
}

impl Address {
    /// The TCP address; `None` for a unix socket.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// The path of a unix socket; `None` for TCP.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Address::Ip(_) => None,
            Address::Unix(path) => Some(path),
        }
    }

    pub(super) fn family(&self) -> AddressFamily {
        match self {
            Address::Ip(SocketAddr::V4(_)) => AddressFamily::Inet,
            Address::Ip(SocketAddr::V6(_)) => AddressFamily::Inet6,
            Address::Unix(_) => AddressFamily::Unix,
        }
    }

    /// # Errors
    /// ENAMETOOLONG for a path past 107 bytes.
    pub(super) fn to_system(&self) -> io::Result<Box<dyn SockaddrLike>> {
        Ok(match self {
            Address::Ip(address) => Box::new(SockaddrStorage::from(*address)),
            Address::Unix(path) => Box::new(UnixAddr::new(path)?),
        })
    }

    /// # Errors
    /// EAFNOSUPPORT for what is neither TCP nor a unix socket.
    pub(super) fn from_system(address: &SockaddrStorage) -> io::Result<Address> {
        if let Some(v4) = address.as_sockaddr_in() {
            return Ok(Address::Ip(SocketAddrV4::from(*v4).into()));
        }
        if let Some(v6) = address.as_sockaddr_in6() {
            return Ok(Address::Ip(SocketAddrV6::from(*v6).into()));
        }
        match address.as_unix_addr() {
            Some(unix) => Ok(Address::Unix(
                unix.path().map(PathBuf::from).unwrap_or_default(),
            )),
            None => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }
}

impl fmt::Display for Address {
    /// nginx's form: `0.0.0.0:80`, `[::]:80`, `unix:/path`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// A TCP peer.
    Ip(SocketAddr),
    /// A process of this machine, through a unix socket.
    Unix,
}

impl PeerAddress {
    /// The IP address; `None` over a unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            PeerAddress::Ip(address) => Some(address.ip()),
            PeerAddress::Unix => None,
        }
    }

    /// The port; 0 over a unix socket.
    pub fn port(&self) -> u16 {
        match self {
            PeerAddress::Ip(address) => address.port(),
            PeerAddress::Unix => 0,
        }
    }
}

impl fmt::Display for PeerAddress {
    /// nginx's `$remote_addr`: the address without the port, `unix:` over a unix socket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Ip(address) => address.ip().fmt(f),
            PeerAddress::Unix => f.write_str("unix:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_in_nginx() {
        let ip = |text: &str| Address::Ip(text.parse().expect("an address")).to_string();
        assert_eq!(ip("0.0.0.0:80"), "0.0.0.0:80");
        assert_eq!(ip("[::]:80"), "[::]:80");
        assert_eq!(
            Address::Unix("/run/a.sock".into()).to_string(),
            "unix:/run/a.sock"
        );
        assert_eq!(PeerAddress::Unix.to_string(), "unix:");
        let peer = PeerAddress::Ip("[2001:db8::1]:4000".parse().expect("an address"));
        assert_eq!(peer.to_string(), "2001:db8::1");
    }

    #[test]
    fn long_paths_are_refused() {
        let error = Address::Unix("/".repeat(200).into())
            .to_system()
            .err()
            .expect("refused");
        assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
    }
}
