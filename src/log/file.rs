//! Files behind logs: opened once, reopened in place, so that a descriptor's number never changes.
//! In a process with a log thread that thread writes them; else whoever has a line does, and waits
//! for a disk, but for no reader of a stream once the process has started.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use super::backlog::Part;
use super::family::{Family, Keep, Member};
use super::line::Line;
use super::losses::{self, News};
use super::queue;
use crate::log;
use crate::sys::{self, OsError};

/// Writes some of the bytes to a log.
type Write = fn(BorrowedFd<'_>, &[u8]) -> io::Result<usize>;

/// Whether this process waits for no reader of a stream.
static HURRIED: AtomicBool = AtomicBool::new(false);

/// From now on no stream that nobody reads holds up this process.
pub(super) fn hurry() {
    HURRIED.store(true, Ordering::Relaxed);
}

/// What is behind a log.
#[derive(Debug)]
enum Behind {
    /// A file.
    File(File),
    /// stderr, whatever that is by now.
    Stderr,
    /// Files that lines name; those who write them take turns.
    Family(Mutex<Family>),
}

/// An opened log.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    behind: Behind,
    /// Its place in the queue, once it has one.
    pub(super) slot: OnceLock<usize>,
    /// Lines without a thread's help that it did not take, and was not told of.
    missing: AtomicU64,
}

impl LogFile {
    fn new(path: &Path, behind: Behind) -> Arc<LogFile> {
        Arc::new(LogFile {
            path: path.into(),
            behind,
            slot: OnceLock::new(),
            missing: AtomicU64::new(0),
        })
    }

    /// The terminal, or whatever stderr is.
    pub fn stderr() -> Arc<LogFile> {
        static STDERR: LazyLock<Arc<LogFile>> =
            LazyLock::new(|| LogFile::new(Path::new("stderr"), Behind::Stderr));
        Arc::clone(&STDERR)
    }

    /// Whether it is [`LogFile::stderr`].
    pub fn is_stderr(&self) -> bool {
        matches!(self.behind, Behind::Stderr)
    }

    /// A log whose lines name the file they go to; it is called `name` in messages.
    pub fn family(name: &Path, keep: Keep) -> Arc<LogFile> {
        LogFile::new(name, Behind::Family(Mutex::new(Family::new(keep))))
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

    /// As [`LogFile::write`], to the file at this path, if the directory `within` exists. Only a
    /// [`LogFile::family`] has such files.
    pub fn write_to(self: &Arc<Self>, path: PathBuf, within: PathBuf, lines: &[u8]) {
        let member = Member { path, within };
        match queue::of_process() {
            Some(queue) => queue.push_to(self, member, lines),
            None => drop(self.write_member(&member, lines)),
        }
    }

    /// Writes lines of a family without the help of a thread.
    pub(super) fn write_member(&self, member: &Member, lines: &[u8]) -> io::Result<()> {
        let Behind::Family(family) = &self.behind else {
            return Ok(());
        };
        // What it holds is whole whatever happens.
        let mut family = family.lock().unwrap_or_else(PoisonError::into_inner);
        family.write(member, lines, Instant::now())
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
        if let Behind::Family(family) = &self.behind {
            return family
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .reopen();
        }
        match self.reopen() {
            Ok(new) => self.replace_or_complain(new.as_fd()),
            Err(error) => {
                let (path, error) = (self.path.display(), OsError(&error));
                log::emerg!("open() \"{path}\" failed {error}");
            }
        }
    }

    /// Writes without the help of a thread. A file is waited for however long it takes. What is
    /// lost the log is told as soon as it takes lines again.
    pub(super) fn write_directly(&self, lines: &[u8]) {
        let hurried = HURRIED.load(Ordering::Relaxed) && sys::file::is_stream(self.as_fd());
        let write = if hurried {
            sys::file::write_now
        } else {
            sys::file::write
        };
        self.write_by(write, lines);
    }

    fn write_by(&self, write: Write, lines: &[u8]) {
        self.tell_missing(write);
        let lost = self.write_all(lines, write);
        self.missing.fetch_add(lost, Ordering::Relaxed);
    }

    fn tell_missing(&self, write: Write) {
        let missing = self.missing.load(Ordering::Relaxed);
        if missing == 0 {
            return;
        }
        let News(level, text) = losses::again(&self.path.display().to_string(), missing);
        let mut line = Line::dated(level, None, format_args!("{text}"));
        if write(self.as_fd(), line.finish()).is_ok() {
            self.missing.store(0, Ordering::Relaxed);
        }
    }

    /// Returns how many lines were lost.
    fn write_all(&self, lines: &[u8], write: Write) -> u64 {
        let mut rest = lines;
        while !rest.is_empty() {
            match write(self.as_fd(), rest) {
                Ok(count) if count > 0 => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return losses::count(rest),
            }
        }
        0
    }
}

impl AsFd for LogFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.behind {
            Behind::File(file) => file.as_fd(),
            // A family is never written to by a descriptor of its own.
            Behind::Stderr | Behind::Family(_) => sys::process::stderr(),
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
        let log = LogFile::new(path, Behind::File(sys::file::open_log(path)?));
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
    use std::io::Read;

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
    fn a_stream_that_nobody_reads_is_told_what_it_did_not_take() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let log = LogFile::new(
            Path::new("pipe"),
            Behind::File(OwnedFd::from(writer).into()),
        );
        let write = |line: &[u8]| log.write_by(sys::file::write_now, line);
        let line = [&[b'x'; 4095][..], b"\n"].concat();
        let mut count = 0;
        while log.missing.load(Ordering::Relaxed) < 3 {
            write(&line);
            count += 1;
        }
        let mut taken = vec![0; (count - 3) * line.len()];
        reader.read_exact(&mut taken).expect("what it took");
        write(b"next\n");
        write(b"last\n");
        drop(log);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("\"pipe\" takes lines again, 3 lines were lost"));
        assert_eq!(lines[1..], ["next", "last"]);
    }

    #[test]
    fn a_full_disk_is_told_what_it_did_not_take() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let log = LogFiles::default().open(&path).expect("opened");
        let replace = |path: &Path| {
            let new = sys::file::open_log(path).expect("opened");
            log.replace(new.as_fd()).expect("replaced");
        };
        replace(Path::new("/dev/full"));
        log.write_directly(b"1\n2\n");
        log.write_directly(b"3\n");
        replace(&path);
        log.write_directly(b"4\n");
        let text = fs::read_to_string(&path).expect("read");
        assert!(text.ends_with("/log\" takes lines again, 3 lines were lost\n4\n"));
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
