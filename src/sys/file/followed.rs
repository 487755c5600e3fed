//! Opening for root what others may have had their hands on: of the links on the way to a log, only
//! those are followed that root made. Whoever may write to the directory of
//! a log could otherwise have root write anywhere (CVE-2016-1247).
//!
//! It is the file's own name that is looked at, not those of the directories above it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{OFlag, readlinkat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::geteuid;

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Opens a path with these options, which have no flags yet, and these flags.
///
/// # Errors
/// The kernel's, and one of ours for a link that is not followed.
pub(super) fn open(path: &Path, options: &OpenOptions, flags: OFlag) -> io::Result<File> {
    let open = |path: &Path, more: OFlag| {
        let flags = (flags | more).bits();
        options.clone().custom_flags(flags).open(path)
    };
    if !geteuid().is_root() {
        return open(path, OFlag::empty());
    }
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match open(&path, OFlag::O_NOFOLLOW) {
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {}
            opened => return opened,
        }
        match target(&path)? {
            Some(target) => path = path.parent().unwrap_or(&path).join(target),
            None => return open(&path, OFlag::empty()),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// Where a link leads; none for one that the kernel itself has made, as `/proc/self/fd/1`.
fn target(path: &Path) -> io::Result<Option<OsString>> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let link = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    if fstatfs(&link)?.filesystem_type() == PROC_SUPER_MAGIC {
        return Ok(None);
    }
    if link.metadata()?.uid() != 0 {
        return Err(io::Error::other("it is a link that another user has made"));
    }
    Ok(Some(readlinkat(&link, OsStr::new(""))?))
}
