//! renameat2(2): renames that lose nothing, where the file system can.

use std::ffi::c_uint;
use std::io;
use std::path::Path;

use nix::NixPath;

use super::error::check_size;

/// Two names change places: whoever looks finds something at both at any time.
///
/// # Errors
/// EINVAL or ENOSYS where there is no such thing, the former also for a directory in the other;
/// ENOENT, EXDEV, ...
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    renameat2(one, other, libc::RENAME_EXCHANGE)
}

/// Renames to a name that nothing has.
///
/// # Errors
/// EEXIST if something has it; EINVAL and ENOSYS as for [`exchange`]; ENOENT, EXDEV, ...
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    renameat2(from, to, libc::RENAME_NOREPLACE)
}

/// Whether an error may say that there is no such way to rename.
pub fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS))
}

fn renameat2(from: &Path, to: &Path, flags: c_uint) -> io::Result<()> {
    let (here, call) = (libc::AT_FDCWD, libc::SYS_renameat2);
    let result = from.with_nix_path(|from| {
        to.with_nix_path(|to| {
            // SAFETY: both paths end with a NUL and outlive the call.
            unsafe { libc::syscall(call, here, from.as_ptr(), here, to.as_ptr(), flags) }
        })
    })??;
    check_size(result as isize).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_change_places_and_are_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, directory] = ["f", "d"].map(|name| folder.path().join(name));
        fs::write(&file, "text").expect("written");
        fs::create_dir(&directory).expect("made");
        let number = |result: io::Result<()>| result.unwrap_err().raw_os_error();
        match exchange(&file, &directory) {
            Err(error) if is_unknown(&error) => return,
            exchanged => exchanged.expect("exchanged"),
        }
        assert!(file.is_dir() && directory.is_file());
        assert_eq!(number(rename_new(&file, &directory)), Some(libc::EEXIST));
        let none = folder.path().join("none");
        assert_eq!(number(exchange(&file, &none)), Some(libc::ENOENT));
        rename_new(&file, &none).expect("renamed");
        assert!(none.is_dir() && !file.exists());
        let within = exchange(&none, &none.join("x")).unwrap_err();
        assert!(within.kind() == io::ErrorKind::NotFound || is_unknown(&within));
    }
}
