//! Directories of temporary files, made before the workers that use them: these may not be allowed
//! to. What is in them is the workers'.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind::{AlreadyExists, NotADirectory};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::files::temp::TempDir;
use crate::sys::{OsError, file};
use crate::worker::Who;

/// All rights of the owner, and none of others.
const PRIVATE: u32 = 0o700;

/// Makes those that are missing, for whom the workers will be.
///
/// # Errors
/// In nginx's words: `mkdir() "/x/body" failed (2: No such file or directory)`.
pub fn make(directories: &[TempDir], who: &Who) -> Result<(), String> {
    let make = |directory: &TempDir| {
        let path = &directory.path;
        let failed = |call| {
            move |error| format!("{call}() \"{}\" failed {}", path.display(), OsError(&error))
        };
        match DirBuilder::new().mode(PRIVATE).create(path) {
            Err(error) if error.kind() != AlreadyExists => return Err(failed("mkdir")(error)),
            _ => {}
        }
        let Who::Other(identity) = who else {
            return Ok(());
        };
        let meta = fs::metadata(path).map_err(failed("stat"))?;
        if meta.uid() != identity.uid() {
            chown(path, Some(identity.uid()), None).map_err(failed("chown"))?;
        }
        match meta.mode() & PRIVATE {
            PRIVATE => Ok(()),
            _ => fs::set_permissions(path, Permissions::from_mode(meta.mode() | PRIVATE))
                .map_err(failed("chmod")),
        }
    };
    directories.iter().try_for_each(make)
}

/// Looks whether they could be made, and makes none.
///
/// # Errors
/// As [`make`].
pub fn check(directories: &[TempDir]) -> Result<(), String> {
    let check = |path: &PathBuf| {
        let failed = |error| format!("mkdir() \"{}\" failed {}", path.display(), OsError(&error));
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Ok(()),
            Ok(_) => Err(failed(NotADirectory.into())),
            Err(_) => file::check_writable(Path::new(path)).map_err(failed),
        }
    };
    directories.iter().map(|it| &it.path).try_for_each(check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_made_for_the_user_of_the_workers() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = |path: &str| TempDir {
            path: folder.path().join(path),
            levels: Vec::new(),
        };
        let plain = [directory("body")];
        assert!(check(&plain).is_ok() && !plain[0].path.exists());
        for _ in 0..2 {
            make(&plain, &Who::Powerless).expect("made, or there");
        }
        assert!(check(&plain).is_ok());
        assert_eq!(
            fs::metadata(&plain[0].path).expect("there").mode() & 0o777,
            PRIVATE
        );
        for call in [check, |all: &[TempDir]| make(all, &Who::Powerless)] {
            let refused = call(&[directory("none/body")]).unwrap_err();
            let end = "/none/body\" failed (2: No such file or directory)";
            assert!(
                refused.starts_with("mkdir() \"/") && refused.ends_with(end),
                "{refused}"
            );
        }
        fs::write(folder.path().join("file"), "").expect("written");
        assert!(check(&[directory("file")]).is_err());
        if crate::sys::privilege::is_root() {
            let nobody = crate::sys::privilege::Identity::known(None, 65_534, 65_534);
            fs::set_permissions(&plain[0].path, Permissions::from_mode(0o500)).expect("set");
            make(&plain, &Who::Other(nobody)).expect("given away");
            let meta = fs::metadata(&plain[0].path).expect("there");
            assert_eq!((meta.uid(), meta.mode() & 0o777), (65_534, PRIVATE));
        }
    }
}
