//! Files of passwords: lines of `name:password`, and perhaps `:comment`. What the passwords are
//! like is not known here.

use std::io;
use std::path::Path;

use crate::sys::file;

/// What a password is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The password as it is stored.
    pub password: Vec<u8>,
    /// Whether it is the user's. If there is no such user, it is another one's, so that comparing
    /// takes as long.
    pub of_user: bool,
}

/// Why there are no lines.
#[derive(Debug)]
pub struct Unreadable {
    /// The system call that failed.
    pub call: &'static str,
    /// How.
    pub error: io::Error,
}

/// The first line of this user in a file. Blocks.
///
/// # Errors
/// Those of opening and reading.
pub fn find(path: &Path, user: &[u8]) -> Result<Entry, Unreadable> {
    let failed = |call| move |error| Unreadable { call, error };
    let (file, meta) = file::open(path).map_err(failed("open"))?;
    let text = file::read(&file, 0..meta.size).map_err(failed("pread"))?;
    let lines = || text.split(|&byte| byte == b'\n').filter_map(parse);
    let own = lines().find(|(name, _)| *name == user);
    let (_, password) = own.or_else(|| lines().next()).unwrap_or_default();
    Ok(Entry {
        password: password.to_vec(),
        of_user: own.is_some(),
    })
}

/// The name and the password of a line that is no comment.
fn parse(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, rest) = (&line[..colon], &line[colon + 1..]);
    let password = rest.split(|byte| b":\r".contains(byte)).next()?;
    (!matches!(name.first(), None | Some(b'#' | b'\r'))).then_some((name, password))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FILE: &str = "# alice:old\n\nalice:1\r\nbob:2:a comment\n bob :3\n#bob:4\nnobody\n\
                        alice:5\n:6\nempty:\nlast:7";

    #[test]
    fn lines_of_users() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, FILE).unwrap();
        for (user, password) in [
            ("alice", Some("1")),
            ("bob", Some("2")),
            (" bob ", Some("3")),
            ("empty", Some("")),
            ("last", Some("7")),
            ("nobody", None),
            ("Alice", None),
            ("#bob", None),
            ("# alice", None),
            ("nobody\nalice", None),
            ("las", None),
            ("", None),
        ] {
            let entry = find(&path, user.as_bytes()).unwrap();
            assert_eq!(entry.of_user, password.is_some(), "{user:?}");
            let password = password.unwrap_or("1").as_bytes();
            assert_eq!(entry.password, password, "{user:?}");
        }
    }

    #[test]
    fn files_without_users() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, "").unwrap();
        assert_eq!(find(&path, b"alice").unwrap(), Entry::default());
        assert!(find(&folder.path().join("none"), b"alice").is_err());
        let Unreadable { call, error } = find(Path::new("/"), b"alice").unwrap_err();
        assert_eq!((call, error.kind()), ("pread", io::ErrorKind::IsADirectory));
    }
}
