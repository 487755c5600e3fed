//! Changes of files that appear as a whole or not at all: what is new is made beside its place under
//! a hidden name, and then renamed. Each is one call that waits for the disk.

mod transfer;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::temp::RequestBody;
use crate::sys::OsError;
use crate::sys::random;
use crate::sys::tree::{self, Failure};
pub use transfer::{Transfer, transfer};

/// Failures that are told of one change; a tree can have any number.
const MAX_TOLD: usize = 10;

/// Why something was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is nothing there.
    Missing,
    /// There is no directory for it.
    NoParent,
    /// Not for us.
    Forbidden,
    /// It is there already.
    Exists,
    /// It is there already, and was not to be overwritten.
    Kept,
    /// A directory stands where a file is meant, or the other way round.
    OtherKind,
    /// The source is a directory, and was not named as one.
    Directory,
    /// The target is a directory, and was not named as one.
    IntoDirectory,
    /// This is not how much of it can be meant.
    Depth,
    /// The disk is full.
    Full,
    /// It would leave its file system.
    Elsewhere,
    /// The system failed.
    Failed,
}

impl Why {
    fn of(error: &io::Error) -> Why {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidFilename => Why::Missing,
            // The latter: a directory within itself.
            io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => Why::Forbidden,
            io::ErrorKind::AlreadyExists => Why::Exists,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Why::Full,
            io::ErrorKind::CrossesDevices => Why::Elsewhere,
            _ => Why::Failed,
        }
    }
}

/// A change that was not made, and what is to be said of it.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub why: Why,
    /// For the log; empty where the reason says it all.
    pub what: String,
}

impl Refused {
    fn new(why: Why, what: impl fmt::Display) -> Refused {
        let what = what.to_string();
        Refused { why, what }
    }

    /// The directory for what is to be made is missing.
    fn without_parent(self) -> Refused {
        match self.why {
            Why::Missing => Refused {
                why: Why::NoParent,
                ..self
            },
            _ => self,
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Refused {
        Refused::new(Why::of(&failure.error), failure)
    }
}

fn could_not_be_created(path: &Path, why: Why, error: io::ErrorKind) -> Refused {
    let number = match error {
        io::ErrorKind::IsADirectory => "21: Is a directory",
        _ => "17: File exists",
    };
    let path = path.display();
    Refused::new(
        why,
        format_args!("\"{path}\" could not be created ({number})"),
    )
}

/// A change that was made: whether something new is there, and what went wrong on the side.
#[derive(Debug, Default)]
pub struct Done {
    /// Whether there was nothing before.
    pub new: bool,
    /// What could not be tidied up.
    pub told: Vec<String>,
}

impl Done {
    fn new(new: bool) -> Done {
        let told = Vec::new();
        Done { new, told }
    }
}

/// How a file is put in its place.
#[derive(Clone, Copy, Debug)]
pub struct Put {
    /// Its permissions; those of directories that are made for it follow from them.
    pub access: u32,
    /// Whether directories are made for it.
    pub create_path: bool,
    /// Its time, in seconds since 1970.
    pub time: Option<i64>,
}

/// Permissions of a directory whose files have these: who may read them may look them up.
pub fn directory_access(access: u32) -> u32 {
    access | (access & 0o444) >> 2
}

/// Puts a body in its place.
///
/// # Errors
/// Everything is as it was then.
pub fn put(body: &RequestBody, path: &Path, how: Put) -> Result<Done, Refused> {
    let old = fs::metadata(path);
    if old.as_ref().is_ok_and(fs::Metadata::is_dir) {
        let kind = io::ErrorKind::IsADirectory;
        return Err(could_not_be_created(path, Why::OtherKind, kind));
    }
    let mut made = Vec::new();
    if how.create_path && old.is_err() {
        make_parents(path, directory_access(how.access), &mut made)?;
    }
    let placed = place(body, path, how).map_err(Refused::without_parent);
    if placed.is_err() {
        // Only those that nobody has put anything in go.
        made.iter()
            .rev()
            .for_each(|path| drop(fs::remove_dir(path)));
    }
    placed.map(|()| Done::new(old.is_err()))
}

/// Makes the directories that are missing on the way to a path, and says which.
fn make_parents(path: &Path, access: u32, made: &mut Vec<PathBuf>) -> Result<(), Refused> {
    let missing = path.ancestors().skip(1).take_while(|path| !path.exists());
    let missing: Vec<&Path> = missing.collect();
    for path in missing.into_iter().rev() {
        match make_directory(path, access) {
            Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(failure) => {
                made.iter()
                    .rev()
                    .for_each(|path| drop(fs::remove_dir(path)));
                return Err(Refused::from(failure).without_parent());
            }
            Ok(()) => made.push(path.to_owned()),
        }
    }
    Ok(())
}

/// Makes a directory with exactly these permissions.
fn make_directory(path: &Path, access: u32) -> Result<(), Failure> {
    let made = DirBuilder::new().mode(access).create(path);
    made.map_err(Failure::of("mkdir", path))?;
    // The mask of the process may have taken something away; where it cannot be given back, that
    // is how it is.
    if let Ok(directory) = File::open(path) {
        let _ = directory.set_permissions(Permissions::from_mode(access));
    }
    Ok(())
}

fn place(body: &RequestBody, path: &Path, how: Put) -> Result<(), Refused> {
    match body {
        RequestBody::Memory(bytes) => place_new(path, how, |mut file| file.write_all(bytes)),
        RequestBody::File { file, .. } => {
            if file.has_name() {
                finish(file.file(), how).map_err(Failure::of("fchmod", file.path()))?;
                match file.rename(path) {
                    Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
                    Err(error) => return Err(rename_failed(file.path(), path, &error)),
                    Ok(()) => return Ok(()),
                }
            }
            place_new(path, how, |to| file.copy_to(to))
        }
    }
}

/// Makes a file beside its place, has it filled, and renames it.
fn place_new(
    path: &Path,
    how: Put,
    fill: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), Refused> {
    let hidden = beside(path)?;
    let mut open = OpenOptions::new();
    let file = open
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&hidden)
        .map_err(Failure::of("open", &hidden))?;
    let filled = fill(&file).and_then(|()| finish(&file, how));
    let placed = match filled {
        Ok(()) => fs::rename(&hidden, path).map_err(|error| rename_failed(&hidden, path, &error)),
        Err(error) => Err(Failure::of("write", path)(error).into()),
    };
    if placed.is_err() {
        let _ = fs::remove_file(&hidden);
    }
    placed
}

fn finish(file: &File, how: Put) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(how.access))?;
    match how.time.and_then(time) {
        Some(time) => file.set_modified(time),
        None => Ok(()),
    }
}

fn time(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    }
}

fn rename_failed(from: &Path, to: &Path, error: &io::Error) -> Refused {
    let (from, to, why) = (from.display(), to.display(), Why::of(error));
    let error = OsError(error);
    Refused::new(
        why,
        format_args!("rename() \"{from}\" to \"{to}\" failed {error}"),
    )
}

/// A hidden name in the same directory that nothing has.
fn beside(path: &Path) -> Result<PathBuf, Refused> {
    let mut number = [0; 8];
    random::fill(&mut number).map_err(Failure::of("getrandom", path))?;
    let name = format!(".{:016x}.part", u64::from_ne_bytes(number));
    Ok(path.with_file_name(name))
}

/// Makes a directory.
///
/// # Errors
/// [`Why::Exists`] if something is there.
pub fn make(path: &Path, access: u32) -> Result<Done, Refused> {
    match make_directory(path, directory_access(access)) {
        Ok(()) => Ok(Done::new(true)),
        Err(failure) => Err(Refused::from(failure).without_parent()),
    }
}

/// What a request says of the members of a directory (RFC 4918 section 10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Nothing.
    Unsaid,
    /// None of them.
    Zero,
    /// All of them.
    Infinity,
    /// Something else.
    Other,
}

/// Something that is named: with a slash at the end it is meant as a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The path, without that slash.
    pub path: PathBuf,
    /// Whether it has one.
    pub slash: bool,
}

/// Removes what is there, directories with all that is in them; symlinks are not followed.
///
/// # Errors
/// Of a directory a part may be gone then.
pub fn remove(named: &Named, depth: Depth) -> Result<Done, Refused> {
    let Named { path, slash } = named;
    let meta = fs::symlink_metadata(path).map_err(|error| {
        let is_below_a_file = error.kind() == io::ErrorKind::NotADirectory;
        let refused = Refused::from(Failure::of("lstat", path)(error));
        match is_below_a_file {
            true => refused.without_parent(),
            false => refused,
        }
    })?;
    let other_kind = |error| {
        let what = format_args!("DELETE \"{}\" failed ({error})", path.display()).to_string();
        Err(Refused::new(Why::OtherKind, what))
    };
    match (meta.is_dir(), slash) {
        (true, false) => return other_kind("21: Is a directory"),
        (false, true) => return other_kind("20: Not a directory"),
        (true, true) if !matches!(depth, Depth::Unsaid | Depth::Infinity) => {
            let what = "\"Depth\" header must be infinity";
            return Err(Refused::new(Why::Depth, what));
        }
        (false, false) if depth == Depth::Other => {
            let what = "\"Depth\" header must be 0 or infinity";
            return Err(Refused::new(Why::Depth, what));
        }
        _ => {}
    }
    let mut done = Done::default();
    remove_any(path, meta.is_dir(), &mut done.told)?;
    Ok(done)
}

fn remove_any(path: &Path, is_directory: bool, told: &mut Vec<String>) -> Result<(), Refused> {
    if !is_directory {
        return Ok(fs::remove_file(path).map_err(Failure::of("unlink", path))?);
    }
    let mut tell = |failure: Failure| {
        if told.len() < MAX_TOLD {
            told.push(failure.to_string());
        }
    };
    tree::remove(path, &mut tell).map_err(|failure| {
        let Refused { why, what } = failure.into();
        told.push(what);
        Refused::new(why, std::mem::take(told).join(", "))
    })
}

#[cfg(test)]
mod tests;
