//! Files: what is served, directories, logs, the pid file. Judged by the opened descriptor, never
//! by the path alone.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::fstat;
use nix::unistd::{self, AccessFlags, eaccess};

use super::error::{check, check_size};
use super::wake::is_writable;

mod followed;
pub mod guarded;

/// What a file is, for the purposes of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes that can be sent.
    Regular,
    /// A directory.
    Directory,
    /// A FIFO, a device, a socket, a broken symlink.
    Other,
}

/// What the system says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// Last modification, in seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds past `mtime`.
    pub mtime_nanos: u32,
    /// When anything of it changed last, which nobody can set: seconds, and nanoseconds past them.
    pub changed: (i64, u32),
    /// What it is.
    pub kind: Kind,
    /// Its number on its device.
    pub inode: u64,
    /// The device's number.
    pub device: u64,
    /// The permission bits.
    pub mode: u32,
}

impl From<&Metadata> for Meta {
    fn from(meta: &Metadata) -> Meta {
        let kind = match meta.file_type() {
            kind if kind.is_file() => Kind::Regular,
            kind if kind.is_dir() => Kind::Directory,
            _ => Kind::Other,
        };
        Meta {
            size: meta.size(),
            mtime: meta.mtime(),
            mtime_nanos: meta.mtime_nsec() as u32,
            changed: (meta.ctime(), meta.ctime_nsec() as u32),
            kind,
            inode: meta.ino(),
            device: meta.dev(),
            mode: meta.mode() & 0o7777,
        }
    }
}

/// Opens for reading and says what was opened. Never blocks on a FIFO, never takes a terminal.
///
/// # Errors
/// The kernel's; ENXIO for a socket file.
pub fn open(path: &Path) -> io::Result<(File, Meta)> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let meta = Meta::from(&file.metadata()?);
    Ok((file, meta))
}

/// What stands at `path`, symlinks followed.
///
/// # Errors
/// The kernel's.
pub fn stat(path: &Path) -> io::Result<Meta> {
    Ok(Meta::from(&fs::metadata(path)?))
}

/// What an open file is like now.
///
/// # Errors
/// EIO of the disk.
pub fn meta(file: &File) -> io::Result<Meta> {
    Ok(Meta::from(&file.metadata()?))
}

/// The device number that [`Meta::device`] shows for these two parts.
pub fn device(major: u32, minor: u32) -> u64 {
    libc::makedev(major, minor)
}

/// Reads a range of offsets; fewer bytes than asked for only at the file's end.
///
/// # Errors
/// Those of [`pread`].
pub fn read(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let length = range.end.saturating_sub(range.start);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let count = pread(file, &mut bytes, range.start)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Reads at an offset; fewer bytes than asked for only at the file's end, 0 past it.
///
/// # Errors
/// EIO of the disk; EISDIR.
pub fn pread(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name's bytes, as they are on disk.
    pub name: Vec<u8>,
    /// What it is, symlinks followed; of a broken symlink, what the link is.
    pub meta: Meta,
}

/// The names in a directory, in no order, without `.` and `..`. What cannot be looked at is left
/// out.
///
/// # Errors
/// Those of opening and reading the directory.
pub fn list(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let place = entry.path();
        if let Ok(meta) = fs::metadata(&place).or_else(|_| fs::symlink_metadata(&place)) {
            let name = entry.file_name().into_vec();
            entries.push(Entry {
                name,
                meta: Meta::from(&meta),
            });
        }
    }
    Ok(entries)
}

/// Opens a log, made when missing (0644 but for the umask): every write goes to its end. Only the
/// writes may block, not the opening. Root follows no link that somebody else has made.
///
/// # Errors
/// The kernel's; ENXIO for a FIFO that nobody reads; one of ours for such a link.
pub fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o644);
    let file = followed::open(path, &options, OFlag::O_NOCTTY | OFlag::O_NONBLOCK)?;
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}

/// Whether it is a pipe, a socket or a device: what takes bytes when somebody reads them.
pub fn is_stream(file: BorrowedFd<'_>) -> bool {
    fstat(file).is_ok_and(|meta| meta.st_mode & libc::S_IFMT != libc::S_IFREG)
}

/// Writes to a file with one call, which may take less than all.
///
/// # Errors
/// ENOSPC, EIO, EDQUOT, ...
pub fn write(file: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(unistd::write(file, bytes)?)
}

/// Writes to a stream what it takes without waiting. Where neither the kernel nor the kind of
/// stream can promise that, it may wait if another process fills the stream at this very moment.
///
/// # Errors
/// EAGAIN when it takes nothing now; EPIPE, ENOSPC, EIO, ...
pub fn write_now(stream: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let piece = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: the piece names bytes that are borrowed and only read; -1 is the stream's position.
    let written = unsafe { libc::pwritev2(stream.as_raw_fd(), &piece, 1, -1, libc::RWF_NOWAIT) };
    match check_size(written) {
        Err(error) if cannot_promise(&error) => match is_writable(stream) {
            true => write(stream, bytes),
            false => Err(io::ErrorKind::WouldBlock.into()),
        },
        other => other,
    }
}

fn cannot_promise(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL)
    )
}

/// Looks whether a file could be written, or made where there is none, and touches nothing.
///
/// # Errors
/// What the kernel would say to the attempt.
pub fn check_writable(path: &Path) -> io::Result<()> {
    let allowed = |path: &Path, what| Ok(eaccess(path, what)?);
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Err(io::Error::from_raw_os_error(libc::EISDIR)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(folder) => allowed(folder, AccessFlags::W_OK | AccessFlags::X_OK),
            None => Err(error),
        },
        Ok(_) => allowed(path, AccessFlags::W_OK),
        Err(error) => Err(error),
    }
}

/// Makes `old` the file that `new` is, in one step: writes go to the one or the other, and `old`
/// keeps its number.
///
/// # Errors
/// None that the kernel documents for two open descriptors, but for EINTR, which is retried.
pub fn dup_over(new: BorrowedFd<'_>, old: BorrowedFd<'_>) -> io::Result<()> {
    loop {
        // SAFETY: `old` stays open and stays its owner's; only the file behind it changes.
        let number = unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) };
        match check(number) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}

/// Writes a small file whole or not at all, by a rename: a reader never sees a part. What is no
/// regular file, such as /dev/null, is written in place; a symlink to a regular file is replaced,
/// not followed. A regular file that cannot be replaced where it stands (its directory is not ours
/// to write, or something is mounted there) is written in place, too.
///
/// # Errors
/// The kernel's; the old file is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => write_in_place(path, bytes, Kind::Other),
        _ => match write_beside(path, bytes) {
            Err(error)
                if stays(&error) && fs::symlink_metadata(path).is_ok_and(|it| it.is_file()) =>
            {
                write_in_place(path, bytes, Kind::Regular).map_err(|_| error)
            }
            other => other,
        },
    }
}

/// Whether it says that nothing may be put where a file stands.
fn stays(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EACCES | libc::EPERM | libc::EROFS | libc::EBUSY | libc::EXDEV)
    )
}

fn write_in_place(path: &Path, bytes: &[u8], kind: Kind) -> io::Result<()> {
    let follows = if kind == Kind::Regular {
        libc::O_NOFOLLOW
    } else {
        0
    };
    let mut file = OpenOptions::new()
        .write(true)
        .custom_flags(follows | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    // Swapped since it was looked at: not ours to overwrite.
    if Meta::from(&file.metadata()?).kind != kind {
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    if kind == Kind::Regular {
        file.set_len(0)?;
    }
    file.write_all(bytes)
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", process::id()));
    let temporary = PathBuf::from(name);
    let written = create(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file. One of that name was left by a process of our number that died.
fn create(path: &Path) -> io::Result<File> {
    let open = || {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)
    };
    match open() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            open()
        }
        other => other,
    }
}

/// Why a file could not be had, as far as it matters to who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing is there that can be read: ENOENT, ENOTDIR, ENAMETOOLONG; ENXIO for a socket.
    Missing,
    /// Something is there, and not for us: EACCES, EPERM, ELOOP.
    Forbidden,
    /// The system failed: EMFILE, EIO, ...
    Failed,
}

impl Absence {
    /// What an error says.
    pub fn of(error: &io::Error) -> Absence {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG | libc::ENXIO) => {
                Absence::Missing
            }
            Some(libc::EACCES | libc::EPERM | libc::ELOOP) => Absence::Forbidden,
            _ => Absence::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
