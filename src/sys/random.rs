//! Random bytes from the kernel.

use std::io;

use super::error::check_size;

/// Fills the buffer with bytes that nobody can foretell.
///
/// # Errors
/// ENOSYS on a kernel without getrandom.
pub fn fill(buffer: &mut [u8]) -> io::Result<()> {
    let mut rest = buffer;
    while !rest.is_empty() {
        // SAFETY: the pointer is valid for a write of the rest's length.
        let result = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match check_size(result) {
            Ok(count) => rest = &mut rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fills_differ() {
        let (mut one, mut two) = ([0; 1000], [0; 1000]);
        fill(&mut one).expect("filled");
        fill(&mut two).expect("filled");
        assert_ne!(one, two);
        assert!(one[900..].iter().any(|&byte| byte != 0), "to the end");
    }
}
