//! Files behind logs: opened once, reopened in place, so that a descriptor's number never changes.
//! In a process with a log thread that thread writes them; else whoever has a line does.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use super::backlog::Part;
use super::{losses, queue};
use crate::log;
use crate::sys::{self, OsError};

/// An opened log.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// None for stderr, whatever that is by now.
    file: Option<File>,
    /// Its place in the queue, once it has one.
    pub(super) slot: OnceLock<usize>,
}

impl LogFile {
    fn new(path: &Path, file: Option<File>) -> Arc<LogFile> {
        Arc::new(LogFile {
            path: path.into(),
            file,
            slot: OnceLock::new(),
        })
    }

    /// The terminal, or whatever stderr is.
    pub fn stderr() -> Arc<LogFile> {
        static STDERR: LazyLock<Arc<LogFile>> =
            LazyLock::new(|| LogFile::new(Path::new("stderr"), None));
        Arc::clone(&STDERR)
    }

    /// Whether it is [`LogFile::stderr`].
    pub fn is_stderr(&self) -> bool {
        self.file.is_none()
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes whole lines. Where there is no log thread they are written at once; what fails is
    /// lost.
    pub fn write(self: &Arc<Self>, lines: &[u8]) {
        match queue::of_process() {
            Some(queue) => queue.push(self, lines),
            None => self.write_directly(lines),
        }
    }

    /// Goes on in `new` with the next line; what was taken before still goes to the old file.
    pub fn go_on_in(self: &Arc<Self>, new: OwnedFd) {
        match queue::of_process() {
            Some(queue) => queue.push_part(self, Part::Replace(new)),
            None => self.replace_or_complain(new.as_fd()),
        }
    }

    /// Opens the path anew, as after a rotation, for the lines to come.
    pub fn reopen_in_turn(self: &Arc<Self>) {
        match queue::of_process() {
            Some(queue) => queue.push_part(self, Part::Reopen),
            None => self.reopen_or_complain(),
        }
    }

    /// Opens the path anew; this log is not changed by that.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reopen(&self) -> io::Result<File> {
        sys::file::open_log(&self.path)
    }

    /// Goes on in `new` at once.
    ///
    /// # Errors
    /// None that the kernel documents for two open descriptors.
    pub fn replace(&self, new: BorrowedFd<'_>) -> io::Result<()> {
        sys::file::dup_over(new, self.as_fd())
    }

    pub(super) fn replace_or_complain(&self, new: BorrowedFd<'_>) {
        if let Err(error) = self.replace(new) {
            let (path, error) = (self.path.display(), OsError(&error));
            log::alert!("dup3() for \"{path}\" failed {error}");
        }
    }

    pub(super) fn reopen_or_complain(&self) {
        match self.reopen() {
            Ok(new) => self.replace_or_complain(new.as_fd()),
            Err(error) => {
                let (path, error) = (self.path.display(), OsError(&error));
                log::emerg!("open() \"{path}\" failed {error}");
            }
        }
    }

    /// Writes all, however long that takes.
    pub(super) fn write_directly(&self, lines: &[u8]) {
        let mut rest = lines;
        while !rest.is_empty() {
            match sys::file::write(self.as_fd(), rest) {
                Ok(count) if count > 0 => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    losses::count(rest);
                    return;
                }
            }
        }
    }
}

impl AsFd for LogFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.file {
            Some(file) => file.as_fd(),
            None => sys::process::stderr(),
        }
    }
}

/// The logs of one configuration. A log's place in the table is its name
/// between master and workers, who hold the same table.
#[derive(Debug, Default)]
pub struct LogFiles(Vec<Arc<LogFile>>);

impl LogFiles {
    /// Adds the log at `path`, opened, and made when missing. The caller names each path once.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(&mut self, path: &Path) -> io::Result<Arc<LogFile>> {
        let log = LogFile::new(path, Some(sys::file::open_log(path)?));
        self.0.push(Arc::clone(&log));
        Ok(log)
    }

    /// The log at this place in the table.
    pub fn at(&self, place: usize) -> Option<&Arc<LogFile>> {
        self.0.get(place)
    }

    /// All of them, in the table's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<LogFile>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_log_is_known_by_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let mut files = LogFiles::default();
        files.open(&one).expect("opened");
        files.open(&two).expect("opened");
        assert_eq!(files.at(1).map(|log| log.path()), Some(&*two));
        assert!(files.at(2).is_none());
        assert_eq!(files.iter().len(), 2);
        assert!(files.open(&folder.path().join("none/log")).is_err());
    }

    #[test]
    fn rotation() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let mut files = LogFiles::default();
        let log = files.open(&path).expect("opened");
        log.write(b"1\n");
        fs::rename(&path, &old).expect("rotated");
        log.write(b"2\n");
        let new = log.reopen().expect("reopened");
        log.write(b"3\n");
        files.at(0).expect("the log").go_on_in(new.into());
        log.write(b"4\n");
        assert_eq!(fs::read_to_string(&old).expect("read"), "1\n2\n3\n");
        assert_eq!(fs::read_to_string(&path).expect("read"), "4\n");
        fs::rename(&path, &old).expect("rotated");
        log.reopen_in_turn();
        log.write(b"5\n");
        assert_eq!(fs::read_to_string(&path).expect("read"), "5\n");
    }
}
