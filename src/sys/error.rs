//! How an operating system error reads in a log line.

use std::ffi::CStr;
use std::{fmt, io};

/// Prints an error in nginx's form: `(98: Address already in use)`.
///
/// An error without a number, one of our own, prints as `(text)`.
pub struct OsError<'a>(pub &'a io::Error);

impl fmt::Display for OsError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.raw_os_error() {
            Some(number) => write!(f, "({number}: {})", description(number)),
            None => write!(f, "({})", self.0),
        }
    }
}

/// The C library's text; `std` gives it only with a suffix of its own.
fn description(number: i32) -> String {
    let mut text = [0u8; 128];
    // SAFETY: the buffer is writable for the length given, and the call ends the text with a NUL.
    unsafe { libc::strerror_r(number, text.as_mut_ptr().cast(), text.len()) };
    match CStr::from_bytes_until_nul(&text) {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => "Unknown error".into(),
    }
}

/// The result of a C call that returns -1 and sets `errno` when it fails.
pub(super) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// As [`check`], for calls that return a count of bytes.
pub(super) fn check_size(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_text() {
        let error = io::Error::from_raw_os_error(libc::EADDRINUSE);
        assert_eq!(OsError(&error).to_string(), "(98: Address already in use)");
        assert_eq!(
            OsError(&io::Error::other("no such user")).to_string(),
            "(no such user)"
        );
    }
}
