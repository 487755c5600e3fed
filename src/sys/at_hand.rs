//! What the kernel can say without waiting for a disk: names it has in its caches, bytes it has in
//! memory. Where a kernel cannot be asked in this way (`is_supported`), nothing here is of use.

use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::{check, check_size};
use super::file::{self, Kind, Meta};
use super::openat2::openat2;

/// Whether the kernel can be asked for what it has in its caches: openat2(2) with RESOLVE_CACHED,
/// of Linux 5.12.
pub fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| resolve(Path::new("/"), libc::O_PATH).is_ok())
}

/// As [`file::open`], if the name is in the kernel's caches.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if it is not; else as [`file::open`].
pub fn open(path: &Path) -> io::Result<(File, Meta)> {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::from(resolve(path, flags)?);
    let meta = file::meta(&file)?;
    Ok((file, meta))
}

/// What stands at a path, symlinks followed, and the number of the mount it is on. Nothing is asked
/// of the file system: of one that is far away the answer may be out of date.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if the name is not in the kernel's caches; its error if it is.
pub fn stat(path: &Path) -> io::Result<(Meta, u64)> {
    let fd = resolve(path, libc::O_PATH)?;
    // SAFETY: all zeroes are a valid statx, a struct of numbers.
    let mut answer: libc::statx = unsafe { zeroed() };
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
    // SAFETY: the path is empty and ends with a NUL; the answer is valid for a write.
    check(unsafe { libc::statx(fd.as_raw_fd(), c"".as_ptr(), flags, mask, &mut answer) })?;
    Ok((described(&answer), answer.stx_mnt_id))
}

fn described(answer: &libc::statx) -> Meta {
    let mode = u32::from(answer.stx_mode);
    Meta {
        size: answer.stx_size,
        mtime: answer.stx_mtime.tv_sec,
        mtime_nanos: answer.stx_mtime.tv_nsec,
        changed: (answer.stx_ctime.tv_sec, answer.stx_ctime.tv_nsec),
        kind: match mode & libc::S_IFMT {
            libc::S_IFREG => Kind::Regular,
            libc::S_IFDIR => Kind::Directory,
            _ => Kind::Other,
        },
        inode: answer.stx_ino,
        device: file::device(answer.stx_dev_major, answer.stx_dev_minor),
        mode: mode & 0o7777,
    }
}

/// Whether the kernel knows this name, whatever it stands for: a symlink is not followed.
pub fn is_there(path: &Path) -> bool {
    resolve(path, libc::O_PATH | libc::O_NOFOLLOW).is_ok()
}

/// The path without symlinks and dots.
///
/// # Errors
/// As [`stat`].
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let fd = resolve(path, libc::O_PATH)?;
    std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// Reads what is in memory; fewer bytes than asked for where the rest is not, or at the file's end.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if nothing is; [`io::ErrorKind::Unsupported`] if the file system
/// or the kernel cannot tell.
pub fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let place = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let offset = offset.cast_signed();
    // SAFETY: the one place is valid for a write of its length.
    let count = unsafe { libc::preadv2(file.as_raw_fd(), &place, 1, offset, libc::RWF_NOWAIT) };
    check_size(count).map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL) => io::ErrorKind::Unsupported.into(),
        _ => error,
    })
}

fn resolve(path: &Path, flags: libc::c_int) -> io::Result<OwnedFd> {
    openat2(None, path, flags, libc::RESOLVE_CACHED)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_just_used_is_at_hand() {
        if !is_supported() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "12345").expect("written");
        let (file, meta) = open(&path).expect("at hand");
        assert_eq!(meta, file::stat(&path).expect("there"));
        let (found, mount) = stat(&path).expect("at hand");
        assert_eq!(found, meta);
        let (folders, its_mount) = stat(folder.path()).expect("at hand");
        assert_eq!((folders.kind, its_mount), (Kind::Directory, mount));
        assert_ne!(mount, stat(Path::new("/proc")).expect("at hand").1);
        std::os::unix::fs::symlink("a", folder.path().join("b")).expect("linked");
        let link = folder.path().join("b");
        let real = link.canonicalize().expect("there");
        assert_eq!(
            real_path(&link).expect("at hand, now that it was used"),
            real
        );
        let mut buffer = [0; 8];
        match read(&file, &mut buffer, 1) {
            Ok(count) => assert_eq!(&buffer[..count], b"2345"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
    }

    #[test]
    fn errors_are_those_of_the_path() {
        if !is_supported() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("missing");
        file::stat(&path).expect_err("missing");
        // Not every file system lets the kernel remember what is not there.
        let error = open(&path).expect_err("missing");
        assert!(matches!(
            error.raw_os_error(),
            Some(libc::ENOENT | libc::EAGAIN)
        ));
        let error = open(Path::new("a\0b")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
