//! Symlinks among the files of a server.

use std::fs;
use std::os::unix::fs::{lchown, symlink};

use nix::unistd::{User, geteuid};

use super::server::Setup;

impl Setup {
    /// Adds a symlink, which belongs to nobody if we may give it away.
    pub fn link(self, path: &str, target: &str) -> Self {
        let path = self.prefix().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, &path).unwrap();
        if geteuid().is_root() {
            let nobody = User::from_name("nobody").unwrap().unwrap();
            lchown(&path, Some(nobody.uid.as_raw()), None).unwrap();
        }
        self
    }
}
