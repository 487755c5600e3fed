//! Where paths lead: which of them are known to stay on this machine's disks, and which file system
//! a path belongs to that has to be asked. It asks only what the kernel has in its caches.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mounts::{Mount, Mounts};
use super::{Found, Opened, Query};
use crate::sys::at_hand;
use crate::sys::file::guarded::{self, Guard, Lookup};

/// How long a path is known to stay on this machine: a symlink may be switched.
const VALID: Duration = Duration::from_secs(1);
/// Paths that are known at the same time; beyond it all are learnt anew.
const MAX: usize = 20_000;

/// The file system of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its device number; 0 if it is not known.
    pub device: u64,
    /// Whether it may be far away.
    pub remote: bool,
}

/// What is known of paths.
#[derive(Default)]
pub struct Places {
    mounts: Arc<Mounts>,
    /// Paths on this machine's disks, and until when that is known.
    near: HashMap<Box<[u8]>, Instant>,
    /// Directories that symlinks lead to other file systems than their names say.
    strays: HashMap<PathBuf, u64>,
    /// Device numbers that files have and no mount, and those of their mounts: a subvolume of btrfs
    /// and a layer of an overlay have their own.
    parts: HashMap<u64, u64>,
}

impl Places {
    /// The mounts have changed.
    pub fn remount(&mut self, mounts: Mounts) {
        *self = Places {
            mounts: Arc::new(mounts),
            ..Places::default()
        };
    }

    /// The mounts, for a thread.
    pub fn mounts(&self) -> Arc<Mounts> {
        self.mounts.clone()
    }

    /// Whether what has this device number may be far away.
    pub fn is_remote(&self, device: u64) -> bool {
        self.mounts.is_remote(device)
    }

    /// The file system that a path leads to, as far as it is known without asking.
    pub fn of(&self, path: &Path) -> Place {
        if !self.strays.is_empty()
            && let Some(&device) = path.parent().and_then(|folder| self.strays.get(folder))
        {
            return Place {
                device,
                remote: true,
            };
        }
        let place = |mount: &Mount| Place {
            device: mount.device,
            remote: mount.remote,
        };
        self.mounts.of(path).map(place).unwrap_or_default()
    }

    /// The device number that the mount has of what has this one, as far as it is known.
    pub fn mounted(&self, device: u64) -> u64 {
        self.parts.get(&device).copied().unwrap_or(device)
    }

    /// Takes note of the file system where something was found.
    pub fn learn(&mut self, path: &Path, device: u64) {
        if !self.parts.contains_key(&device) && !self.mounts.has(device) {
            self.parts.insert(device, self.of(path).device);
        }
        if !self.mounts.is_remote(device) || self.of(path).device == device {
            return;
        }
        if self.strays.len() >= MAX {
            self.strays.clear();
        }
        let folder = path.parent().unwrap_or(path).to_owned();
        self.strays.insert(folder, device);
    }

    /// The answer to a question about a disk of this machine, if the kernel has it in its caches.
    pub fn answer(&mut self, query: &Query, now: Instant) -> Option<Found> {
        let path = query.path();
        if !at_hand::is_supported() {
            return (!self.of(path).remote).then(|| super::look(query));
        }
        let found = match query {
            Query::List(_) => return None,
            Query::Stat(_) => self.stat(path, now).map(Found::Meta),
            Query::Real(_) => known(at_hand::real_path(path)).map(Found::Real),
            Query::Open(_) => self.open(path, now).map(Found::Opened),
            Query::OpenGuarded(_, guard) => self.open_guarded(path, *guard, now),
            Query::StatGuarded(_, guard) => self.stat_guarded(path, *guard, now),
        };
        found.or_else(|| self.is_in_memory(path).then(|| super::look(query)))
    }

    /// Whether a name that the kernel does not know can be looked up without a disk: the directory
    /// where the search for it ends is in memory, and it does not lead elsewhere by a symlink.
    fn is_in_memory(&self, path: &Path) -> bool {
        let in_memory = |mount: Option<&Mount>| mount.is_some_and(|mount| mount.memory);
        if !in_memory(self.mounts.of(path)) {
            return false;
        }
        let folders = path.ancestors().skip(1);
        for (name, folder) in path.ancestors().zip(folders) {
            if let Some(found) = known(at_hand::stat(folder)) {
                let mount = found
                    .ok()
                    .and_then(|(_, mount)| self.mounts.numbered(mount));
                return in_memory(mount) && !at_hand::is_there(name);
            }
        }
        false
    }

    fn open(&mut self, path: &Path, now: Instant) -> Option<io::Result<Opened>> {
        if let Err(error) = self.find(path, now)? {
            return Some(Err(error));
        }
        let opened = known(at_hand::open(path))?;
        Some(opened.map(Opened::from))
    }

    /// What a guard says of a path that leads nowhere is for the guard to say.
    fn open_guarded(&mut self, path: &Path, guard: Guard, now: Instant) -> Option<Found> {
        let _ = self.find(path, now)?;
        let opened = known(guarded::open(path, guard, Lookup::Cache))?;
        Some(Found::Opened(opened.map(Opened::from)))
    }

    fn stat_guarded(&mut self, path: &Path, guard: Guard, now: Instant) -> Option<Found> {
        let _ = self.find(path, now)?;
        known(guarded::stat(path, guard, Lookup::Cache)).map(Found::Meta)
    }

    /// Finds out that a path is near, if that is not known of it; or that it leads nowhere.
    fn find(&mut self, path: &Path, now: Instant) -> Option<io::Result<()>> {
        let near = self.near.get(path.as_os_str().as_bytes());
        if near.is_some_and(|until| now < *until) {
            return Some(Ok(()));
        }
        Some(self.stat(path, now)?.map(drop))
    }

    /// Looks where a path leads; there is an answer only if it is near.
    fn stat(&mut self, path: &Path, now: Instant) -> Option<io::Result<crate::sys::file::Meta>> {
        let (meta, mount) = match known(at_hand::stat(path))? {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        let mount = self.mounts.numbered(mount);
        if let Some(mount) = mount.filter(|mount| mount.device != meta.device)
            && !self.mounts.has(meta.device)
        {
            self.parts.insert(meta.device, mount.device);
        }
        if mount.is_some_and(|mount| mount.remote) {
            self.near.remove(path.as_os_str().as_bytes());
            return None;
        }
        if self.near.len() >= MAX {
            self.near.clear();
        }
        self.near
            .insert(path.as_os_str().as_bytes().into(), now + VALID);
        Some(Ok(meta))
    }
}

/// Nothing if the kernel would have to ask a disk.
fn known<T>(result: io::Result<T>) -> Option<io::Result<T>> {
    let is_known = |result: &io::Result<T>| match result {
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        Ok(_) => true,
    };
    Some(result).filter(is_known)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::file;

    fn our_mounts() -> Mounts {
        Mounts::parse(&fs::read("/proc/self/mountinfo").expect("there"))
    }

    #[test]
    fn what_is_near_and_cached_is_answered() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "12345").expect("written");
        let meta = file::stat(&path).expect("there");
        let (mut places, now) = (Places::default(), Instant::now());
        places.remount(our_mounts());
        if places.of(&path).remote {
            return;
        }
        for _ in 0..2 {
            match places.answer(&Query::Open(path.clone()), now) {
                Some(Found::Opened(Ok(opened))) => assert_eq!(opened.meta, meta),
                other => panic!("{other:?}"),
            }
        }
        let found = places
            .answer(&Query::Stat(path.clone()), now)
            .expect("known");
        assert_eq!(found.meta(), Some(&meta));
        fs::remove_file(&path).expect("removed");
        // Whether the kernel remembers that nothing is there depends on the file system.
        if let Some(found) = places.answer(&Query::Open(path), now) {
            assert!(found.error().is_some());
        }
    }

    #[test]
    fn what_is_not_there_in_memory_needs_no_disk() {
        let mut places = Places::default();
        places.remount(our_mounts());
        let memory = Path::new("/dev/shm");
        if !at_hand::is_supported() || !places.mounts.of(memory).is_some_and(|it| it.memory) {
            return;
        }
        let folder = tempfile::tempdir_in(memory).expect("a folder");
        for name in ["missing", "missing/deep/down"] {
            let path = folder.path().join(name);
            for query in [Query::Open(path.clone()), Query::Stat(path.clone())] {
                let found = places.answer(&query, Instant::now()).expect("at hand");
                let error = found.error().expect("nothing is there");
                assert_eq!(error.kind(), io::ErrorKind::NotFound);
            }
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/srv/never/seen", &link).expect("linked");
        assert!(!places.is_in_memory(&link), "it leads elsewhere");
        assert!(!places.is_in_memory(&link.join("below")));
        assert!(!places.is_in_memory(Path::new("/proc/missing")));
    }

    #[test]
    fn what_is_remote_has_to_be_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "12345").expect("written");
        let device = file::stat(&path).expect("there").device;
        let text = fs::read_to_string("/proc/self/mountinfo").expect("there");
        let mut places = Places::default();
        // The same mounts, if all were a program's.
        let line = |line: &str| {
            let (mount, _) = line.split_once(" - ").expect("a line of the table");
            format!("{mount} - fuse.test x rw\n")
        };
        let table: String = text.lines().map(line).collect();
        places.remount(Mounts::parse(table.as_bytes()));
        assert!(places.of(&path).remote);
        for query in [Query::Open(path.clone()), Query::Stat(path.clone())] {
            assert!(places.answer(&query, Instant::now()).is_none());
        }
        places.learn(&path, device);
        assert!(places.of(&path).remote);
    }

    #[test]
    fn a_part_of_a_file_system_shares_its_fate() {
        let table =
            b"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:40 / /data rw - btrfs /dev/vdb rw\n";
        let mut places = Places::default();
        places.remount(Mounts::parse(table));
        let mount = places.of(Path::new("/data/a")).device;
        let subvolume = file::device(0, 50);
        assert_eq!(places.mounted(subvolume), subvolume, "nobody knows yet");
        places.learn(Path::new("/data/a"), subvolume);
        places.learn(Path::new("/link/to/it"), subvolume);
        assert_eq!(places.mounted(subvolume), mount);
        let root = places.of(Path::new("/")).device;
        places.learn(Path::new("/data/link"), root);
        assert_eq!(places.mounted(root), root);
        places.remount(Mounts::parse(table));
        assert_eq!(places.mounted(subvolume), subvolume);
    }

    #[test]
    fn where_a_symlink_leads_is_remembered_for_its_directory() {
        let table =
            b"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:40 / /mnt/nas rw - nfs4 n:/ rw\n";
        let mut places = Places::default();
        places.remount(Mounts::parse(table));
        let nas = places.of(Path::new("/mnt/nas/x"));
        let (near, link) = (Path::new("/srv/a"), Path::new("/www/a"));
        places.learn(near, places.of(near).device);
        places.learn(link, nas.device);
        assert_eq!(places.of(Path::new("/www/b")), nas);
        assert!(!places.of(near).remote);
        places.remount(Mounts::parse(table));
        assert!(!places.of(link).remote);
    }
}
