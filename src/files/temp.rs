//! Temporary files: where bodies of requests are kept that are too large for memory. What becomes of
//! them belongs to whoever asked for one.
//!
//! A file that is to be gone in the end is gone at once where nobody needs its name. Otherwise it is
//! locked as long as it is in use, so that what a dead process left can be told from it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::random;

/// Digits in a name.
const DIGITS: usize = 10;
/// What follows them in the name of a file that is removed in the end.
const PART: &str = ".part";
/// Names that are tried before it is given up.
const TRIES: usize = 100;

/// A directory of temporary files (nginx: `client_body_temp_path`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TempDir {
    /// Where it is.
    pub path: PathBuf,
    /// Digits in the names of directories within, outermost first; from the end of a file's name.
    pub levels: Vec<usize>,
}

/// How long a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It has no name, and is gone once nobody has it open.
    Nameless,
    /// Until it is dropped, or has been given another name.
    Dropped,
    /// For good.
    Kept,
}

/// A temporary file.
#[derive(Debug)]
pub struct TempFile {
    file: File,
    path: PathBuf,
    life: Life,
    /// It stands elsewhere by now.
    moved: AtomicBool,
}

/// The body of a request, as it was kept.
#[derive(Debug)]
pub enum RequestBody {
    /// All of it.
    Memory(Vec<u8>),
    /// It is in a file.
    File {
        /// The file.
        file: TempFile,
        /// Its length in bytes.
        length: u64,
    },
}

impl RequestBody {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            RequestBody::Memory(bytes) => bytes.len() as u64,
            RequestBody::File { length, .. } => *length,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TempDir {
    /// Makes a new file in it, with the directories around it.
    ///
    /// # Errors
    /// ENOSPC, EACCES, ...
    pub fn create(&self, life: Life) -> io::Result<TempFile> {
        for _ in 0..TRIES {
            let path = self.place(number()?, life);
            let opened = match open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make_levels(&path)?;
                    open(&path)
                }
                opened => opened,
            };
            match opened {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) if life == Life::Dropped && !is_ours(&file)? => {}
                Ok(file) => {
                    let moved = AtomicBool::new(false);
                    if life == Life::Nameless {
                        fs::remove_file(&path)?;
                    }
                    return Ok(TempFile {
                        file,
                        path,
                        life,
                        moved,
                    });
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn place(&self, number: u64, life: Life) -> PathBuf {
        let name = format!("{number:0DIGITS$}");
        let mut path = self.path.clone();
        let mut rest = &name[..];
        for level in &self.levels {
            let (before, directory) = rest.split_at(rest.len().saturating_sub(*level));
            path.push(directory);
            rest = before;
        }
        match life {
            Life::Dropped => path.join(name + PART),
            Life::Nameless | Life::Kept => path.join(name),
        }
    }

    /// Makes the directories between this one, which has to be there, and a file.
    fn make_levels(&self, path: &Path) -> io::Result<()> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let below = path.strip_prefix(&self.path).map_err(|_| missing())?;
        let directories = below.parent().filter(|names| !names.as_os_str().is_empty());
        let mut path = self.path.clone();
        for name in directories.ok_or_else(missing)? {
            path.push(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes files that processes left which have died.
    pub fn sweep(&self) {
        sweep(&self.path, self.levels.len());
    }
}

/// A number that no other file of this process has, and hardly one of another process.
fn number() -> io::Result<u64> {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    const START: u64 = 1 << 32;
    if LATEST.load(Ordering::Relaxed) == 0 {
        let mut seed = [0; 4];
        random::fill(&mut seed)?;
        let start = START | u64::from(u32::from_ne_bytes(seed));
        // Another thread may have been faster.
        let _ = LATEST.compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed);
    }
    Ok(LATEST.fetch_add(1, Ordering::Relaxed) % START)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Locks a file; whether it is still there: it was to be had for a moment.
fn is_ours(file: &File) -> io::Result<bool> {
    file.lock()?;
    Ok(file.metadata()?.nlink() > 0)
}

fn sweep(directory: &Path, levels: usize) {
    // What cannot be looked at is in nobody's way.
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let digits = name
            .to_str()
            .map(|name| name.strip_suffix(PART).ok_or(name));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match digits {
            Some(Ok(number)) if number.len() == DIGITS && is_number(number) => forsake(&path),
            Some(Err(level)) if levels > 0 && is_number(level) => sweep(&path, levels - 1),
            _ => {}
        }
    }
}

/// Removes a file unless somebody has it.
fn forsake(path: &Path) {
    let is_file = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    if is_file && File::open(path).is_ok_and(|file| file.try_lock().is_ok()) {
        let _ = fs::remove_file(path);
    }
}

impl TempFile {
    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its path (`$request_body_file`), where it is or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stands under its name.
    pub fn has_name(&self) -> bool {
        self.life != Life::Nameless && !self.moved.load(Ordering::Relaxed)
    }

    /// Gives it another name, in the same file system. Nobody removes it then.
    ///
    /// # Errors
    /// EXDEV for another file system; ENOENT, ...
    pub fn rename(&self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.moved.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Writes to its end.
    ///
    /// # Errors
    /// ENOSPC, EIO, ...
    pub fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    /// Copies it whole to another file.
    ///
    /// # Errors
    /// ENOSPC, EIO, ...
    pub fn copy_to(&self, mut other: &File) -> io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        io::copy(&mut file, &mut other).map(drop)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if self.life == Life::Dropped && !*self.moved.get_mut() {
            // Whoever starts next finds it, if it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(levels: &[usize]) -> (tempfile::TempDir, TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, levels) = (folder.path().to_owned(), levels.to_vec());
        (folder, TempDir { path, levels })
    }

    fn count(path: &Path) -> usize {
        fs::read_dir(path).expect("read").count()
    }

    #[test]
    fn levels_are_digits_from_the_end() {
        let place = |levels: &[usize], life| {
            let path = PathBuf::from("/t");
            let levels = levels.to_vec();
            TempDir { path, levels }.place(1_234_567, life)
        };
        for (levels, expected) in [
            (&[][..], "/t/0001234567"),
            (&[1, 2], "/t/7/56/0001234567"),
            (&[3, 3, 3], "/t/567/234/001/0001234567"),
            (&[9, 9], "/t/001234567/0/0001234567"),
        ] {
            assert_eq!(place(levels, Life::Kept), Path::new(expected));
            let part = format!("{expected}.part");
            assert_eq!(place(levels, Life::Dropped), Path::new(&part));
        }
    }

    #[test]
    fn a_file_lives_as_long_as_it_was_said() {
        let (folder, directory) = directory(&[]);
        for (life, while_open, after) in [
            (Life::Nameless, 0, 0),
            (Life::Dropped, 1, 0),
            (Life::Kept, 1, 1),
        ] {
            let file = directory.create(life).expect("made");
            file.append(b"te").expect("written");
            file.append(b"xt").expect("written");
            assert_eq!(file.file().metadata().expect("known").len(), 4);
            assert_eq!(file.has_name(), life != Life::Nameless);
            assert_eq!(count(folder.path()), while_open, "{life:?}");
            drop(file);
            assert_eq!(count(folder.path()), after, "{life:?}");
        }
    }

    #[test]
    fn a_file_that_was_moved_is_nobodys_to_remove() {
        let (folder, directory) = directory(&[1, 2]);
        let file = directory.create(Life::Dropped).expect("made");
        let target = folder.path().join("file");
        file.rename(&target).expect("renamed");
        assert!(!file.has_name());
        drop(file);
        assert!(target.exists());
    }

    #[test]
    fn only_what_nobody_has_is_swept() {
        let (folder, directory) = directory(&[1]);
        let used = directory.create(Life::Dropped).expect("made");
        let level = folder.path().join("7");
        fs::create_dir_all(&level).expect("made");
        let left = ["7/0000000017.part", "0000000018.part"];
        let others = [
            "7/0000000017",
            "7/x.part",
            "7/00000000170.part",
            "a.part",
            "0000000019",
        ];
        for name in left.iter().chain(&others) {
            fs::write(folder.path().join(name), "").expect("written");
        }
        directory.sweep();
        assert!(used.path().exists());
        for name in left {
            assert!(!folder.path().join(name).exists(), "{name}");
        }
        for name in others {
            assert!(folder.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_made_is_an_error() {
        let (folder, mut directory) = directory(&[]);
        directory.path = folder.path().join("none");
        let error = directory.create(Life::Kept).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        directory.levels = vec![1];
        let error = directory.create(Life::Kept).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
