//! The pid file: written once the sockets listen, removed by the process that wrote it, read by
//! `-s`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::log;
use crate::sys::OsError;
use crate::sys::file;
use crate::sys::process::{Pid, pid};

/// More than any process number needs; what is longer is no pid file.
const LONGEST: u64 = 64;

/// A pid file of this process.
///
/// It is removed by [`PidFile::remove`] and by nothing else: a fork of the master drops its copy
/// without effect.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Where it is instead while a successor has its own at `path`.
    aside: Option<PathBuf>,
}

impl PidFile {
    /// Writes the number of this process, atomically where that can be.
    ///
    /// # Errors
    /// In nginx's words: `open() "/run/x.pid" failed (13: Permission denied)`.
    pub fn write(path: &Path) -> Result<PidFile, String> {
        let text = format!("{}\n", pid());
        file::write_atomically(path, text.as_bytes()).map_err(|error| open_failed(path, &error))?;
        let (path, aside) = (path.into(), None);
        Ok(PidFile { path, aside })
    }

    /// Makes room for that of a successor: renames it, with nginx's `.oldbin` at its end. What is
    /// not ours, or no regular file, stays.
    ///
    /// # Errors
    /// In nginx's words: `rename() "x.pid" to "x.pid.oldbin" failed (...)`.
    pub fn set_aside(&mut self) -> Result<(), String> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".oldbin");
        let aside = PathBuf::from(name);
        if is_ours(&self.path) {
            rename(&self.path, &aside)?;
            self.aside = Some(aside);
        }
        Ok(())
    }

    /// Puts it back in the place of that of a successor, which has ended.
    pub fn put_back(&mut self) {
        if let Some(aside) = self.aside.take_if(|aside| is_ours(aside))
            && let Err(line) = rename(&aside, &self.path)
        {
            log::alert!("{line}");
            self.aside = Some(aside);
        }
    }

    /// Removes the file, unless another process has put its own there meanwhile, or it is no
    /// regular file.
    pub fn remove(self) {
        let path = self.aside.unwrap_or(self.path);
        if is_ours(&path) {
            // Somebody else may have removed it; there is nothing left to do.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether it is a pid file and names this process.
fn is_ours(path: &Path) -> bool {
    read(path) == Ok(pid())
}

fn rename(from: &Path, to: &Path) -> Result<(), String> {
    fs::rename(from, to).map_err(|error| {
        let (from, to, error) = (from.display(), to.display(), OsError(&error));
        format!("rename() \"{from}\" to \"{to}\" failed {error}")
    })
}

/// The process that a pid file names.
///
/// # Errors
/// In nginx's words: `open() "/run/x.pid" failed (...)`, `invalid PID number "x" in "/run/x.pid"`.
pub fn read(path: &Path) -> Result<Pid, String> {
    let text = contents(path).map_err(|error| open_failed(path, &error))?;
    let text = text.trim_ascii();
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let invalid = || {
        let text = text.escape_ascii();
        format!("invalid PID number \"{text}\" in \"{}\"", path.display())
    };
    number.and_then(Pid::new).ok_or_else(invalid)
}

/// The first bytes of a regular file; nothing of anything else, which might never end.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let (file, meta) = file::open(path)?;
    if meta.kind != file::Kind::Regular {
        return Ok(Vec::new());
    }
    let mut text = vec![0; meta.size.min(LONGEST) as usize];
    let length = file::pread(&file, &mut text, 0)?;
    text.truncate(length);
    Ok(text)
}

fn open_failed(path: &Path, error: &io::Error) -> String {
    format!("open() \"{}\" failed {}", path.display(), OsError(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_read_and_removed() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("x.pid");
        let file = PidFile::write(&path).expect("written");
        assert_eq!(read(&path), Ok(pid()));
        assert_eq!(
            fs::read(&path).expect("text"),
            format!("{}\n", pid()).as_bytes()
        );
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn of_another_owner_it_is_left_alone() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("x.pid");
        let file = PidFile::write(&path).expect("written");
        fs::write(&path, "1\n").expect("replaced");
        file.remove();
        assert_eq!(read(&path), Ok(Pid::new(1).expect("positive")));
    }

    #[test]
    fn it_makes_room_for_a_successor_and_comes_back() {
        let directory = tempfile::tempdir().expect("directory");
        let (path, aside) = (
            directory.path().join("x.pid"),
            directory.path().join("x.pid.oldbin"),
        );
        let mut file = PidFile::write(&path).expect("written");
        file.set_aside().expect("renamed");
        assert_eq!((path.exists(), read(&aside)), (false, Ok(pid())));
        fs::write(&path, "1\n").expect("the successor's");
        file.put_back();
        assert_eq!((read(&path), aside.exists()), (Ok(pid()), false));

        file.set_aside().expect("renamed again");
        fs::write(&path, "1\n").expect("the successor's");
        file.remove();
        assert_eq!((path.exists(), aside.exists()), (true, false));
    }

    #[test]
    fn a_device_is_written_in_place() {
        let mut file = PidFile::write(Path::new("/dev/null")).expect("written");
        file.set_aside().expect("it stays");
        file.put_back();
        file.remove();
        assert!(!fs::metadata("/dev/null").expect("still there").is_file());
    }

    #[test]
    fn what_is_no_pid_file_is_named() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("x.pid");
        let name = path.display().to_string();
        let missing = format!("open() \"{name}\" failed (2: No such file or directory)");
        assert_eq!(read(&path), Err(missing));
        for (text, shown) in [
            ("abc\n", "abc"),
            ("", ""),
            ("0", "0"),
            ("-5", "-5"),
            ("1 2", "1 2"),
        ] {
            fs::write(&path, text).expect("written");
            let invalid = format!("invalid PID number \"{shown}\" in \"{name}\"");
            assert_eq!(read(&path), Err(invalid));
        }
        assert!(PidFile::write(&directory.path().join("none/x.pid")).is_err());
    }
}
