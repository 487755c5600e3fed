//! The file of a unix socket: made by binding, and replaced where a dead process left it.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket;

use super::Address;
use super::listener::new_socket;

/// Binds, and lets everybody connect (0666, as in nginx).
///
/// # Errors
/// The kernel's; EADDRINUSE for a file that is not stale.
pub(super) fn bind(fd: BorrowedFd<'_>, address: &Address, path: &Path) -> io::Result<()> {
    let system = address.to_system()?;
    let bind = || socket::bind(fd.as_raw_fd(), &*system).map_err(io::Error::from);
    match bind() {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(address, path) => {
            let _turn = turn(path)?;
            // Who had the turn before may have replaced it.
            if !is_stale(address, path) {
                return Err(error);
            }
            fs::remove_file(path)?;
            bind()?;
        }
        other => other?,
    }
    fs::set_permissions(path, Permissions::from_mode(0o666))
}

/// The right to replace a file of this directory, until it is dropped: a lock that needs no file of
/// its own and ends with its process. Two that find the same file stale would else both win.
///
/// # Errors
/// EADDRINUSE while another process has it. A directory that cannot be read has none.
fn turn(path: &Path) -> io::Result<Option<File>> {
    let Ok(directory) = File::open(path.parent().unwrap_or(Path::new("."))) else {
        return Ok(None);
    };
    match directory.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
        _ => Ok(Some(directory)),
    }
}

/// Whether `path` is a socket file that nobody listens at, nor is about to. Does not wait for a
/// listener whose queue is full.
fn is_stale(address: &Address, path: &Path) -> bool {
    // A connection to a plain file is refused too.
    if !fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
        return false;
    }
    let (Ok(probe), Ok(system)) = (new_socket(address), address.to_system()) else {
        return false;
    };
    let refused = socket::connect(probe.as_raw_fd(), &*system) == Err(Errno::ECONNREFUSED);
    refused && !is_bound(path)
}

/// Whether a socket has this name that does not listen yet: the kernel lists the names of all.
fn is_bound(path: &Path) -> bool {
    let list = fs::read("/proc/net/unix").unwrap_or_default();
    // Seven columns stand before the name.
    let name = |line: &[u8]| {
        let mut rest = line;
        for _ in 0..7 {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(u8::is_ascii_whitespace)?;
            rest = &rest[end..];
        }
        Some(OsStr::from_bytes(rest.trim_ascii_start()) == path)
    };
    list.split(|&byte| byte == b'\n')
        .any(|line| name(line) == Some(true))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::{Listener, Options};
    use super::*;

    fn try_bind(path: &Path) -> io::Result<Listener> {
        Listener::bind(&Address::Unix(path.into()), &Options::default())
    }

    fn in_use(path: &Path) -> bool {
        try_bind(path).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    }

    #[test]
    fn one_that_is_bound_and_does_not_listen_yet_is_not_stale() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("a socket");
        let bound = try_bind(&path).expect("bound");
        assert!(in_use(&path));
        bound.listen(1).expect("listening");
        assert!(in_use(&path));
        drop(bound);
        try_bind(&path).expect("replaced");
    }

    #[test]
    fn only_one_at_a_time_replaces_a_stale_one() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("s");
        drop(UnixListener::bind(&path).expect("bound"));
        let other = turn(&path).expect("free");
        assert!(in_use(&path));
        drop(other);
        assert!(try_bind(&path).is_ok());
    }

    #[test]
    fn of_many_that_race_for_a_stale_one_one_wins() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("s");
        for _ in 0..20 {
            drop(UnixListener::bind(&path).expect("bound"));
            let racers: Vec<_> = (0..4)
                .map(|_| {
                    let path = path.clone();
                    std::thread::spawn(move || try_bind(&path))
                })
                .collect();
            let results: Vec<_> = racers
                .into_iter()
                .map(|it| it.join().expect("ran"))
                .collect();
            assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 1);
            fs::remove_file(&path).expect("bound by the winner");
        }
    }
}
