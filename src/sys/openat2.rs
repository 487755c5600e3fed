//! openat2(2), which says how a path is to be resolved. It is of Linux 5.6.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::NixPath;

use super::error::check_size;

/// Opens a path, which starts at a directory if it is relative and one is given. The descriptor
/// closes on exec.
///
/// # Errors
/// The kernel's; ENOSYS where it has no such call.
pub(super) fn openat2(
    folder: Option<BorrowedFd<'_>>,
    path: &Path,
    flags: libc::c_int,
    resolve: u64,
) -> io::Result<OwnedFd> {
    // SAFETY: all zeroes are a valid open_how, a struct of numbers.
    let mut how: libc::open_how = unsafe { zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.resolve = resolve;
    let size = size_of::<libc::open_how>();
    let base = folder.map_or(libc::AT_FDCWD, |folder| folder.as_raw_fd());
    let fd = path.with_nix_path(|path| {
        // SAFETY: the path ends with a NUL, `how` has the size given, and both outlive the call.
        let fd = unsafe { libc::syscall(libc::SYS_openat2, base, path.as_ptr(), &how, size) };
        check_size(fd as isize)
    })??;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}
