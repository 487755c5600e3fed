//! What of the file system a worker may have to reach by path while it serves. What was opened
//! before it runs is not part of it. A sandbox is made of it; nothing is opened here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::numbering::Numbering;
use super::template::Template;
use crate::conf::source::Place;

/// Paths that are reached.
#[derive(Debug, Default)]
pub struct Reach {
    /// Files that are read, and directories beneath which all may be.
    pub reads: Numbering<PathBuf>,
    /// Files that are written, or made where they are missing, and directories beneath which such
    /// files are.
    pub writes: Numbering<PathBuf>,
    /// The prefix: configurations are found in it.
    pub prefix: PathBuf,
    /// Where paths stand in the configuration that begin with a variable: they could be anywhere.
    pub anywhere: Vec<Place>,
}

impl Reach {
    /// Adds what is read at, or beneath, the path that a directive names.
    pub fn read(&mut self, path: &Template, place: Place) {
        match known_part(path) {
            Some(path) => drop(self.reads.number(path.into())),
            None => self.anywhere.push(place),
        }
    }
}

/// The path, or the directory in which its first variable stands.
fn known_part(path: &Template) -> Option<&Path> {
    let text = match path.fixed() {
        Some(text) => text,
        None => {
            let prefix = path.prefix();
            let end = prefix.iter().rposition(|&byte| byte == b'/')?;
            &prefix[..=end]
        }
    };
    Some(Path::new(OsStr::from_bytes(text)))
}
