//! Who is at the other end of a unix socket, as the kernel saw it: nobody can claim to be another.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;

use super::super::process::Pid;

/// A process that connected, or that listened when it was connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number; `None` where it cannot be seen from here.
    pub pid: Option<Pid>,
    /// The number of its effective user.
    pub uid: u32,
}

impl Peer {
    /// The other end of a unix stream.
    ///
    /// # Errors
    /// ENOTSOCK and its kin.
    pub fn of(stream: impl AsFd) -> io::Result<Peer> {
        let found = getsockopt(&stream.as_fd(), sockopt::PeerCredentials)?;
        Ok(Peer {
            pid: Pid::new(found.pid()),
            uid: found.uid(),
        })
    }

    /// Whether it may do what this process may: it is root's, or of the same user.
    pub fn is_trusted(self) -> bool {
        self.uid == 0 || self.uid == geteuid().as_raw()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::super::super::process::pid;
    use super::*;

    #[test]
    fn this_process_trusts_itself() {
        let (one, _two) = UnixStream::pair().expect("a pair");
        let peer = Peer::of(&one).expect("known");
        assert_eq!(peer.pid, Some(pid()));
        assert!(peer.is_trusted());
    }

    #[test]
    fn only_root_and_the_own_user_are_trusted() {
        let own = geteuid().as_raw();
        for (uid, trusted) in [
            (0, true),
            (own, true),
            (own + 1, false),
            (65534, own == 65534),
        ] {
            assert_eq!(Peer { pid: None, uid }.is_trusted(), trusted, "{uid}");
        }
    }
}
