//! Files behind logs: opened once, reopened in place, so that a descriptor's number never changes.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sys;

/// An opened log.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends with one system call, which may write less than all.
    ///
    /// # Errors
    /// ENOSPC, EIO, EDQUOT, ...
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.file).write(bytes)
    }

    /// Opens the path anew, as after a rotation; this log is not changed by that.
    ///
    /// # Errors
    /// The kernel's.
    pub fn reopen(&self) -> io::Result<File> {
        sys::file::open_log(&self.path)
    }

    /// Goes on in `new`, whoever opened it.
    ///
    /// # Errors
    /// None that the kernel documents for two open descriptors.
    pub fn replace(&self, new: BorrowedFd<'_>) -> io::Result<()> {
        sys::file::dup_over(new, self.file.as_fd())
    }
}

impl AsFd for LogFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
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
        let log = Arc::new(LogFile {
            path: path.into(),
            file: sys::file::open_log(path)?,
        });
        self.0.push(Arc::clone(&log));
        Ok(log)
    }

    /// The log at this place in the table.
    pub fn at(&self, place: usize) -> Option<&LogFile> {
        self.0.get(place).map(Arc::as_ref)
    }

    /// All of them, in the table's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &LogFile> {
        self.0.iter().map(Arc::as_ref)
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
        assert_eq!(files.at(1).map(LogFile::path), Some(&*two));
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
        log.write(b"1\n").expect("written");
        fs::rename(&path, &old).expect("rotated");
        log.write(b"2\n").expect("written");
        let new = log.reopen().expect("reopened");
        log.write(b"3\n").expect("written");
        files
            .at(0)
            .expect("the log")
            .replace(new.as_fd())
            .expect("replaced");
        drop(new);
        log.write(b"4\n").expect("written");
        assert_eq!(fs::read_to_string(&old).expect("read"), "1\n2\n3\n");
        assert_eq!(fs::read_to_string(&path).expect("read"), "4\n");
    }
}
