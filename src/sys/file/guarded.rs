//! Opening a path past symlinks that others may have put there (`disable_symlinks`). What was looked
//! at is what is opened: each name is opened from the directory before it, and a link is held while
//! it is compared with what it leads to. Whoever exchanges names meanwhile gets nothing by it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, fstat};

use super::Meta;
use crate::sys::openat2::openat2;

/// Which symlinks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Links {
    /// None.
    Refused,
    /// Those that belong to the owner of what they lead to.
    OfTheOwner,
}

/// What is done about symlinks on the way to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guard {
    /// Which are followed.
    pub links: Links,
    /// Bytes at the start of the path where all are; a slash stands behind them.
    pub trusted: usize,
}

/// Where names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// On the disk, if need be.
    Disk,
    /// In the kernel's caches, where these can be asked (`at_hand::is_supported`).
    Cache,
}

/// As [`super::open`].
///
/// # Errors
/// ELOOP for a link that is not followed; else the kernel's. With [`Lookup::Cache`],
/// [`io::ErrorKind::WouldBlock`] if a disk would have to be asked.
pub fn open(path: &Path, guard: Guard, lookup: Lookup) -> io::Result<(File, Meta)> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = File::from(find(path, guard, lookup, flags)?);
    let meta = super::meta(&file)?;
    Ok((file, meta))
}

/// As [`super::stat`].
///
/// # Errors
/// Those of [`open`].
pub fn stat(path: &Path, guard: Guard, lookup: Lookup) -> io::Result<Meta> {
    super::meta(&File::from(find(path, guard, lookup, OFlag::O_PATH)?))
}

fn find(path: &Path, guard: Guard, lookup: Lookup, flags: OFlag) -> io::Result<OwnedFd> {
    let (start, rest) = split(path.as_os_str().as_bytes(), guard.trusted);
    let folder = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let start = lookup.open(None, start, folder, 0)?;
    // Most paths have no link, which one call finds out.
    let straight = lookup.open(Some(start.as_fd()), rest, flags, libc::RESOLVE_NO_SYMLINKS);
    match straight.as_ref().err().and_then(io::Error::raw_os_error) {
        Some(libc::ELOOP) if guard.links == Links::OfTheOwner => {}
        Some(libc::ENOSYS) => {}
        _ => return straight,
    }
    walk(start, rest, guard.links, lookup, flags)
}

/// Opens name after name.
fn walk(
    start: OwnedFd,
    rest: &[u8],
    links: Links,
    lookup: Lookup,
    flags: OFlag,
) -> io::Result<OwnedFd> {
    let mut folder = start;
    let (folders, name) = match rest.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&b""[..], rest),
    };
    for name in folders.split(|&byte| byte == b'/') {
        if !name.is_empty() {
            folder = step(folder.as_fd(), name, links, lookup, OFlag::O_PATH)?;
        }
    }
    let name = if name.is_empty() { b"." } else { name };
    step(folder.as_fd(), name, links, lookup, flags)
}

/// Where the way starts, and the way from there.
fn split(path: &[u8], trusted: usize) -> (&[u8], &[u8]) {
    let (start, rest) = match (trusted, path.first()) {
        (0, Some(b'/')) => (&b"/"[..], path),
        (0, _) => (&b"."[..], path),
        _ => path.split_at(trusted.min(path.len())),
    };
    let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
    match &rest[slashes..] {
        [] => (start, b"."),
        rest => (start, rest),
    }
}

/// Opens a name in a directory.
fn step(
    folder: BorrowedFd<'_>,
    name: &[u8],
    links: Links,
    lookup: Lookup,
    flags: OFlag,
) -> io::Result<OwnedFd> {
    let open = |name: &[u8], flags| lookup.open(Some(folder), name, flags, 0);
    let is_path = flags.contains(OFlag::O_PATH);
    match open(name, flags | OFlag::O_NOFOLLOW) {
        Ok(fd) if is_path && is_link(&fd)? => {}
        Err(error) if !is_path && error.raw_os_error() == Some(libc::ELOOP) => {}
        other => return other,
    }
    if links == Links::Refused {
        return Err(refused());
    }
    if lookup == Lookup::Cache {
        // The kernel can follow it, so that reading it asks no disk either.
        open(name, OFlag::O_PATH)?;
    }
    let link = open(name, OFlag::O_PATH | OFlag::O_NOFOLLOW)?;
    let target = readlinkat(&link, OsStr::new(""))?;
    let found = open(target.as_bytes(), flags)?;
    let is_theirs = fstat(&link)?.st_uid == fstat(&found)?.st_uid;
    is_theirs.then_some(found).ok_or_else(refused)
}

fn is_link(fd: &OwnedFd) -> io::Result<bool> {
    Ok(fstat(fd)?.st_mode & libc::S_IFMT == libc::S_IFLNK)
}

fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::ELOOP)
}

impl Lookup {
    fn open(
        self,
        folder: Option<BorrowedFd<'_>>,
        name: &[u8],
        flags: OFlag,
        resolve: u64,
    ) -> io::Result<OwnedFd> {
        let name = Path::new(OsStr::from_bytes(name));
        let cached = match self {
            Lookup::Cache => libc::RESOLVE_CACHED,
            Lookup::Disk => 0,
        };
        if resolve | cached != 0 {
            return openat2(folder, name, flags.bits(), resolve | cached);
        }
        let flags = flags | OFlag::O_CLOEXEC;
        Ok(match folder {
            Some(folder) => openat(folder, name, flags, Mode::empty()),
            None => nix::fcntl::open(name, flags, Mode::empty()),
        }?)
    }
}

#[cfg(test)]
mod tests;
