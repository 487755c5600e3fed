//! Trees of directories: removed and copied. They are walked by descriptor and symlinks in them are
//! never followed, so that nobody can lead a walk out of its tree while it goes on.

use std::ffi::{CStr, CString, OsStr};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::{Dir, Entry, OwningIter, Type};
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::error::OsError;

/// Directories that may stand in each other: each of them holds a descriptor or two meanwhile.
const MAX_DEPTH: usize = 100;

/// A call that failed, and for what.
#[derive(Debug)]
pub struct Failure {
    /// Its name.
    pub call: &'static str,
    /// What it was for.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl Failure {
    /// Of a call for this path.
    pub fn of(call: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
        let path = path.to_owned();
        move |error| Failure { call, path, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, path) = (self.call, self.path.display());
        write!(f, "{call}() \"{path}\" failed {}", OsError(&self.error))
    }
}

/// A directory that is being walked through.
struct Level {
    entries: OwningIter,
    path: PathBuf,
}

impl Level {
    fn new(fd: OwnedFd, path: PathBuf) -> Result<Level, Failure> {
        let dir = Dir::from_fd(fd).map_err(|error| failure("opendir", &path, error))?;
        Ok(Level {
            entries: dir.into_iter(),
            path,
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the stream's, which lives as long as this borrow of it.
        unsafe { BorrowedFd::borrow_raw(self.entries.as_raw_fd()) }
    }

    /// The next name in it, and what that is.
    fn next(&mut self) -> Option<Result<(CString, Type), Failure>> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(failure("readdir", &self.path, error))),
            };
            if entry.file_name() != c"." && entry.file_name() != c".." {
                return Some(
                    self.kind(&entry)
                        .map(|kind| (entry.file_name().into(), kind)),
                );
            }
        }
    }

    /// Not every file system says in a listing what its names are.
    fn kind(&self, entry: &Entry) -> Result<Type, Failure> {
        if let Some(kind) = entry.file_type() {
            return Ok(kind);
        }
        let meta = fstatat(self.fd(), entry.file_name(), AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|error| failure("lstat", &self.below(entry.file_name()), error))?;
        Ok(
            match SFlag::from_bits_truncate(meta.st_mode & libc::S_IFMT) {
                SFlag::S_IFDIR => Type::Directory,
                SFlag::S_IFREG => Type::File,
                SFlag::S_IFLNK => Type::Symlink,
                _ => Type::Fifo,
            },
        )
    }

    fn below(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    /// Steps into a directory in it, which is no symlink.
    fn enter(&self, name: &CStr, depth: usize) -> Result<Level, Failure> {
        let path = self.below(name);
        if depth >= MAX_DEPTH {
            let error = io::Error::from_raw_os_error(libc::ELOOP);
            return Err(Failure::of("opendir", &path)(error));
        }
        let fd = openat(
            self.fd(),
            name,
            DIRECTORY | OFlag::O_NOFOLLOW,
            Mode::empty(),
        )
        .map_err(|error| failure("opendir", &path, error))?;
        Level::new(fd, path)
    }
}

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

fn failure(call: &'static str, path: &Path, error: nix::Error) -> Failure {
    Failure::of(call, path)(error.into())
}

/// Removes a directory with all that is in it. What cannot be removed stays, and is told with what
/// it stands in; the rest goes on.
///
/// # Errors
/// That of the directory itself: ENOTEMPTY where something in it stays; ENOTDIR for a symlink.
pub fn remove(path: &Path, told: &mut dyn FnMut(Failure)) -> Result<(), Failure> {
    let flags = DIRECTORY | OFlag::O_NOFOLLOW;
    let fd = nix::fcntl::open(path, flags, Mode::empty())
        .map_err(|error| failure("opendir", path, error))?;
    let mut levels = vec![Level::new(fd, path.to_owned())?];
    while let Some(level) = levels.last_mut() {
        let next = level.next();
        let level = &levels[levels.len() - 1];
        match next {
            Some(Ok((name, Type::Directory))) => match level.enter(&name, levels.len()) {
                Ok(inner) => levels.push(inner),
                Err(failure) => told(failure),
            },
            Some(Ok((name, _))) => {
                let removed = unlinkat(level.fd(), &*name, UnlinkatFlags::NoRemoveDir);
                if let Err(error) = removed {
                    told(failure("unlink", &level.below(&name), error));
                }
            }
            Some(Err(failure)) => told(failure),
            None => {
                let left = levels.pop().map(|level| level.path).unwrap_or_default();
                let name = left.file_name().unwrap_or_default();
                if let Some(parent) = levels.last()
                    && let Err(error) = unlinkat(parent.fd(), name, UnlinkatFlags::RemoveDir)
                {
                    told(failure("rmdir", &left, error));
                }
            }
        }
    }
    fs::remove_dir(path).map_err(Failure::of("rmdir", path))
}

/// What is copied of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The directory alone, with nothing in it.
    Alone,
    /// Directories and regular files; all else is left out.
    Files,
    /// The same, and whatever else there is makes it fail: nothing is to be lost.
    Whole,
}

/// A directory that is being copied: the copy, and what it is to be like in the end.
struct Copy {
    level: Level,
    to: OwnedFd,
    meta: FileStat,
}

/// Copies a directory to a place where there is nothing yet, with permissions and times.
///
/// # Errors
/// The first there is; a part of the copy is there then. EINVAL for a copy within itself.
pub fn copy(from: &Path, to: &Path, extent: Extent) -> Result<(), Failure> {
    let fd = nix::fcntl::open(from, DIRECTORY, Mode::empty())
        .map_err(|error| failure("opendir", from, error))?;
    let here = nix::fcntl::AT_FDCWD;
    let target = CString::new(to.as_os_str().as_bytes())
        .map_err(io::Error::from)
        .map_err(Failure::of("mkdir", to))?;
    let mut copies = vec![begin(Level::new(fd, from.to_owned())?, here, &target, to)?];
    while let Some(copy) = copies.last_mut() {
        let next = match extent {
            Extent::Alone => None,
            _ => copy.level.next().transpose()?,
        };
        let copy = &copies[copies.len() - 1];
        match next {
            Some((name, Type::Directory)) => {
                let inner = copy.level.enter(&name, copies.len())?;
                if is_same(inner.fd(), copies[0].to.as_fd()) {
                    let error = io::Error::from_raw_os_error(libc::EINVAL);
                    return Err(Failure::of("mkdir", to)(error));
                }
                let path = inner.path.clone();
                copies.push(begin(inner, copy.to.as_fd(), &name, &path)?);
            }
            Some((name, Type::File)) => copy_file(copy, &name)?,
            Some((name, _)) if extent == Extent::Whole => {
                let error = io::Error::from_raw_os_error(libc::EXDEV);
                return Err(Failure::of("rename", &copy.level.below(&name))(error));
            }
            Some(_) => {}
            None => {
                settle(copy.to.as_fd(), &copy.meta)
                    .map_err(|error| failure("futimens", &copy.level.path, error))?;
                copies.pop();
            }
        }
    }
    Ok(())
}

fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let number = |fd| fstat(fd).map(|meta| (meta.st_dev, meta.st_ino));
    number(one).is_ok_and(|one| number(other) == Ok(one))
}

/// Makes the directory that this one is copied to.
fn begin(level: Level, parent: BorrowedFd<'_>, name: &CStr, path: &Path) -> Result<Copy, Failure> {
    let meta = fstat(level.fd()).map_err(|error| failure("fstat", &level.path, error))?;
    mkdirat(parent, name, Mode::S_IRWXU).map_err(|error| failure("mkdir", path, error))?;
    let to = openat(parent, name, DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty())
        .map_err(|error| failure("opendir", path, error))?;
    Ok(Copy { level, to, meta })
}

fn copy_file(copy: &Copy, name: &CStr) -> Result<(), Failure> {
    let path = copy.level.below(name);
    let source = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let target = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let from = openat(copy.level.fd(), name, source, Mode::empty())
        .map_err(|error| failure("open", &path, error))?;
    let to = openat(&copy.to, name, target, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(|error| failure("open", &path, error))?;
    contents(&File::from(from), &File::from(to)).map_err(Failure::of("copy", &path))
}

/// Copies the contents of a file, its permissions and its time.
///
/// # Errors
/// ENOSPC, EIO, ...
pub fn contents(from: &File, to: &File) -> io::Result<()> {
    let meta = fstat(from)?;
    io::copy(&mut &*from, &mut &*to)?;
    Ok(settle(to.as_fd(), &meta)?)
}

/// Gives a copy the permissions and the time of what it was copied from.
fn settle(copy: BorrowedFd<'_>, meta: &FileStat) -> nix::Result<()> {
    fchmod(copy, Mode::from_bits_truncate(meta.st_mode & 0o777))?;
    let time = TimeSpec::new(meta.st_mtime, meta.st_mtime_nsec);
    futimens(copy, &TimeSpec::UTIME_OMIT, &time)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).expect("made");
        fs::write(tree.join("a/b/file"), "text").expect("written");
        fs::write(folder.path().join("outside"), "kept").expect("written");
        symlink("../outside", tree.join("link")).expect("linked");
        symlink("../..", tree.join("a/up")).expect("linked");
        folder
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(path)
            .expect("read")
            .map(|entry| {
                entry
                    .expect("read")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_tree_is_removed_and_nothing_that_its_links_lead_to() {
        let folder = folder();
        let none = &mut |failure: Failure| panic!("{failure}");
        remove(&folder.path().join("tree"), none).expect("removed");
        assert_eq!(names(folder.path()), ["outside"]);
        symlink(".", folder.path().join("link")).expect("linked");
        let refused = remove(&folder.path().join("link"), none).unwrap_err();
        assert_eq!(refused.error.raw_os_error(), Some(libc::ENOTDIR));
        assert_eq!(names(folder.path()), ["link", "outside"]);
    }

    #[test]
    fn what_is_too_deep_stays_and_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut path = folder.path().join("x");
        (0..=MAX_DEPTH).for_each(|_| path.push("x"));
        fs::create_dir_all(&path).expect("made");
        let mut told = Vec::new();
        let top = folder.path().join("x");
        let failed = remove(&top, &mut |failure| told.push(failure)).unwrap_err();
        assert_eq!(failed.error.raw_os_error(), Some(libc::ENOTEMPTY));
        assert!(told[0].to_string().starts_with("opendir() \"/"), "{told:?}");
        let copied = copy(&top, &folder.path().join("y"), Extent::Files).unwrap_err();
        assert_eq!(copied.error.raw_os_error(), Some(libc::ELOOP));
    }

    #[test]
    fn a_copy_has_the_files_their_permissions_and_their_times() {
        let folder = folder();
        let (from, to) = (folder.path().join("tree"), folder.path().join("copy"));
        let mode = |mode| PermissionsExt::from_mode(mode);
        fs::set_permissions(from.join("a/b/file"), mode(0o640)).expect("set");
        fs::set_permissions(from.join("a"), mode(0o750)).expect("set");
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let file = File::open(from.join("a")).expect("opened");
        file.set_modified(time).expect("set");
        copy(&from, &to, Extent::Files).expect("copied");
        assert_eq!(names(&to), ["a"], "links are left out");
        assert_eq!(fs::read(to.join("a/b/file")).expect("read"), b"text");
        let meta = |path| fs::metadata(to.join(path)).expect("there");
        assert_eq!(meta("a/b/file").permissions().mode() & 0o777, 0o640);
        assert_eq!(meta("a").permissions().mode() & 0o777, 0o750);
        assert_eq!(meta("a").modified().expect("known"), time);
        copy(&from, &folder.path().join("alone"), Extent::Alone).expect("copied");
        assert!(names(&folder.path().join("alone")).is_empty());
    }

    #[test]
    fn a_copy_that_is_to_be_whole_refuses_what_it_would_lose() {
        let folder = folder();
        let (from, to) = (folder.path().join("tree"), folder.path().join("copy"));
        let refused = copy(&from, &to, Extent::Whole).unwrap_err();
        assert_eq!(refused.error.raw_os_error(), Some(libc::EXDEV));
        let exists = copy(&from, &to, Extent::Files).unwrap_err();
        assert_eq!(exists.error.raw_os_error(), Some(libc::EEXIST));
        let within = copy(&from, &from.join("a/copy"), Extent::Files).unwrap_err();
        assert_eq!(within.error.raw_os_error(), Some(libc::EINVAL));
    }
}
