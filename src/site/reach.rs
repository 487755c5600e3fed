//! What of the file system a worker may have to reach by path while it serves. What was opened
//! before it runs is not part of it. A sandbox is made of it; nothing is opened here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

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
    /// Directories beneath which files and directories are made, renamed and removed.
    pub trees: Numbering<PathBuf>,
    /// Whether there is one of these that could be anywhere.
    pub trees_anywhere: bool,
    /// Directories of temporary files.
    pub temporary: Numbering<PathBuf>,
    /// The prefix: configurations are found in it.
    pub prefix: PathBuf,
    /// Where paths stand in the configuration that begin with a variable: they could be anywhere.
    pub anywhere: Vec<Place>,
}

impl Reach {
    /// Adds what is read at, or beneath, the path that a directive names.
    pub fn read(&mut self, path: &Template, place: Place) {
        match known_part(path) {
            Some(path) => drop(self.reads.number(path)),
            None => self.anywhere.push(place),
        }
    }

    /// Adds what is changed beneath the path that a directive names, or beneath the directory of
    /// that file.
    pub fn change(&mut self, path: &Template, is_file: bool) {
        match known_part(path) {
            Some(mut path) => {
                if is_file {
                    path.pop();
                }
                self.trees.number(path);
            }
            None => self.trees_anywhere = true,
        }
    }

    /// The same for a file that is replaced by another one: its directory is what stays.
    pub fn read_replaced(&mut self, path: &Template, place: Place) {
        match known_part(path) {
            Some(mut directory) => {
                if path.fixed().is_some() {
                    directory.pop();
                }
                self.reads.number(directory);
            }
            None => self.anywhere.push(place),
        }
    }

    /// Adds what is written at, or beneath, the path that a directive names.
    pub fn write(&mut self, path: &Template, place: Place) {
        match known_part(path) {
            Some(path) => drop(self.writes.number(path)),
            None => self.anywhere.push(place),
        }
    }
}

/// The path, or the directory in which its first variable stands.
fn known_part(path: &Template) -> Option<PathBuf> {
    let mut text = path.prefix();
    if path.fixed().is_none() {
        let slash = text.iter().rposition(|&byte| byte == b'/')?;
        text.truncate(slash + 1);
    }
    Some(OsString::from_vec(text).into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testing::draft;

    #[test]
    fn what_is_known_of_a_path() {
        for (text, known) in [
            ("root /srv/www", Some("/srv/www")),
            ("root html", Some("/prefix/html")),
            ("root html/$host", Some("/prefix/html/")),
            ("root /srv/www/$host", Some("/srv/www/")),
            ("root /srv/www-$host/html", Some("/srv/")),
            ("root /$host", Some("/")),
            ("location ~ (.*) { alias /srv/$1/x", Some("/srv/")),
            ("location /x/ { alias /srv/files/", Some("/srv/files/")),
            ("root $host", None),
            ("root $host/srv", None),
        ] {
            let end = if text.contains('{') { "; }" } else { ";" };
            let text = format!("server {{ listen 80; {text}{end} }}");
            let reach = draft(Path::new("/prefix"), &text).needs.reach;
            let known: Vec<&Path> = known.map(Path::new).into_iter().collect();
            assert_eq!(reach.reads.things(), known, "{text}");
            assert_eq!(reach.anywhere.len(), 1 - known.len(), "{text}");
        }
    }
}
