//! Socket options as numbers.

use std::io;
use std::mem::{size_of, size_of_val};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::super::error::check;

/// # Errors
/// The kernel's: ENOPROTOOPT for an option it does not know.
pub fn set(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_value(fd, level, name, &value)
}

/// # Errors
/// As [`set`].
pub fn set_value<T: Copy>(fd: BorrowedFd<'_>, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of_val(value) as libc::socklen_t;
    let value: *const T = value;
    // SAFETY: the pointer is valid for a read of `length` bytes.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.cast(), length) }).map(drop)
}

/// # Errors
/// As [`set`].
pub fn number(fd: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0;
    let mut length = size_of::<i32>() as libc::socklen_t;
    let place: *mut i32 = &mut value;
    // SAFETY: the pointer is valid for a write of `length` bytes, and every i32 is valid.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, place.cast(), &mut length) })?;
    Ok(value)
}
