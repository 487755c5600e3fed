//! Logs whose path depends on what is logged: opened for each line, or kept open for a while
//! (nginx: `open_log_file_cache`). Which path that is others know.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::losses;
use crate::sys::file;

/// Which files are kept open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keep {
    /// Files; beyond it the one goes that was used least lately. 0 keeps none.
    pub max: usize,
    /// Time without a line after which a file is closed.
    pub inactive: Duration,
    /// Lines within that time that make a file worth keeping.
    pub min_uses: u64,
    /// Time after which a file is found again by its path.
    pub valid: Duration,
}

impl Keep {
    /// Every line opens its file.
    pub const NONE: Keep = Keep {
        max: 0,
        inactive: Duration::ZERO,
        min_uses: 0,
        valid: Duration::ZERO,
    };
}

/// Which file a line goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its path.
    pub path: PathBuf,
    /// A directory without which it is not made: whoever chooses the path by a request must not
    /// make files for sites that do not exist.
    pub within: PathBuf,
}

/// The files of one family that are in use.
#[derive(Debug)]
pub(super) struct Family {
    keep: Keep,
    files: HashMap<PathBuf, Kept>,
}

#[derive(Debug)]
struct Kept {
    /// None while it is not worth keeping.
    file: Option<File>,
    opened: Instant,
    used: Instant,
    uses: u64,
}

impl Family {
    pub fn new(keep: Keep) -> Family {
        Family {
            keep,
            files: HashMap::new(),
        }
    }

    /// Forgets what is open: the files were moved away.
    pub fn reopen(&mut self) {
        self.files.clear();
    }

    /// Writes whole lines, unless the directory that has to exist does not.
    ///
    /// # Errors
    /// Those of open(2) and write(2).
    pub fn write(&mut self, member: &Member, lines: &[u8], now: Instant) -> io::Result<()> {
        if self.keep.max == 0 {
            return match is_wanted(member) {
                true => write_all(&file::open_log(&member.path)?, lines),
                false => Ok(()),
            };
        }
        self.sweep(now);
        let valid = self.keep.valid;
        let min_uses = self.keep.min_uses;
        let kept = self.entry(&member.path, now);
        kept.used = now;
        kept.uses += losses::number(lines);
        let is_fresh = now.saturating_duration_since(kept.opened) < valid;
        let file = match kept.file.take().filter(|_| is_fresh) {
            Some(file) => file,
            None if !is_wanted(member) => return Ok(()),
            None => {
                kept.opened = now;
                file::open_log(&member.path)?
            }
        };
        let written = write_all(&file, lines);
        kept.file = Some(file).filter(|_| written.is_ok() && kept.uses >= min_uses);
        written
    }

    fn entry(&mut self, path: &Path, now: Instant) -> &mut Kept {
        if !self.files.contains_key(path) && self.files.len() >= self.keep.max {
            let oldest = self.files.iter().min_by_key(|(_, kept)| kept.used);
            if let Some(path) = oldest.map(|(path, _)| path.clone()) {
                self.files.remove(&path);
            }
        }
        self.files.entry(path.to_owned()).or_insert(Kept {
            file: None,
            opened: now,
            used: now,
            uses: 0,
        })
    }

    fn sweep(&mut self, now: Instant) {
        let inactive = self.keep.inactive;
        self.files
            .retain(|_, kept| now.saturating_duration_since(kept.used) < inactive);
    }
}

fn is_wanted(member: &Member) -> bool {
    file::stat(&member.within).is_ok()
}

fn write_all(file: &File, lines: &[u8]) -> io::Result<()> {
    let mut rest = lines;
    while !rest.is_empty() {
        match file::write(file.as_fd(), rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEEP: Keep = Keep {
        max: 2,
        inactive: Duration::from_secs(10),
        min_uses: 2,
        valid: Duration::from_secs(60),
    };

    fn member(folder: &Path, name: &str) -> Member {
        Member {
            path: folder.join(name),
            within: folder.to_owned(),
        }
    }

    fn open_files(family: &Family) -> usize {
        let is_open = |kept: &&Kept| kept.file.is_some();
        family.files.values().filter(is_open).count()
    }

    #[test]
    fn what_is_used_is_kept_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut family = Family::new(KEEP);
        let mut now = Instant::now();
        for (name, open) in [("a", 0), ("a", 1), ("b", 1), ("b", 2), ("c", 1), ("c", 2)] {
            now += Duration::from_secs(1);
            let member = member(folder.path(), name);
            family.write(&member, b"line\n", now).expect("written");
            assert_eq!(open_files(&family), open, "{name}");
        }
        now += Duration::from_secs(11);
        let member = member(folder.path(), "a");
        family.write(&member, b"line\n", now).expect("written");
        assert_eq!((family.files.len(), open_files(&family)), (1, 0));
        let text = fs::read_to_string(folder.path().join("a")).expect("a log");
        assert_eq!(text, "line\nline\nline\n");
    }

    #[test]
    fn a_path_is_looked_at_again_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let member = member(folder.path(), "a");
        let mut family = Family::new(Keep {
            inactive: Duration::from_secs(600),
            min_uses: 1,
            ..KEEP
        });
        let start = Instant::now();
        for (time, text) in [(0, "1\n"), (59, ""), (61, "3\n")] {
            let now = start + Duration::from_secs(time);
            let line = [b"123"[(time as usize + 1) / 30], b'\n'];
            family.write(&member, &line, now).expect("written");
            assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text);
            let _ = fs::remove_file(&path);
        }
    }

    #[test]
    fn no_directory_no_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = Member {
            path: folder.path().join("a"),
            within: folder.path().join("none"),
        };
        for keep in [KEEP, Keep::NONE] {
            let written = Family::new(keep).write(&missing, b"line\n", Instant::now());
            assert!(written.is_ok() && !missing.path.exists());
        }
    }
}
