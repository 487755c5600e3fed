//! A file without a name, for what another process has to say: of a fixed size, in memory.

use std::fs::File;
use std::io;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::file::pread;

/// An empty one that takes `size` bytes; a write past them fails.
///
/// # Errors
/// EMFILE and its kin, ENOMEM.
pub fn create(size: u64) -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = File::from(memfd_create(c"scratch", flags)?);
    file.set_len(size)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW))?;
    Ok(file)
}

/// What was written to it so far, up to the first NUL.
///
/// # Errors
/// None that the kernel documents for memory.
pub fn text(file: &File) -> io::Result<Vec<u8>> {
    let mut text = vec![0; file.metadata()?.len() as usize];
    pread(file, &mut text, 0)?;
    let end = text.iter().position(|&byte| byte == 0);
    text.truncate(end.unwrap_or(text.len()));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn holds_what_fits() {
        let mut file = create(8).expect("made");
        assert_eq!(text(&file).expect("read"), b"");
        file.write_all(b"12345").expect("written");
        assert_eq!(text(&file).expect("read"), b"12345");
        assert!(file.write_all(b"678901").is_err(), "it does not grow");
        assert!(text(&file).expect("read").starts_with(b"12345"));
    }
}
