//! Which file system a path is on, and whether it may be far away: the kernel's table of mounts
//! (proc(5), `/proc/[pid]/mountinfo`). A table that was read once; keeping it fresh is not its
//! task.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::sys::file;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The number that statx(2) knows it by.
    pub id: u64,
    /// The device number of what is mounted: mounts that share it share its fate.
    pub device: u64,
    /// Whether a program or another machine answers for it, or fails to.
    pub remote: bool,
    /// Whether all of it is in memory.
    pub memory: bool,
    point: PathBuf,
}

/// All mounts.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    all: Vec<Mount>,
    /// The device numbers of those that may be far away: most machines have few.
    remote: Vec<u64>,
}

/// File systems that are in memory: no disk is ever asked, and no names are kept but those that
/// exist.
const MEMORY: [&str; 4] = ["devtmpfs", "ramfs", "rootfs", "tmpfs"];

/// File systems of this machine that no block device is behind.
const LOCAL: [&str; 22] = [
    "bcachefs",
    "bpf",
    "btrfs",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "hugetlbfs",
    "mqueue",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "zfs",
];

impl Mounts {
    /// Reads a table. Lines that are none are left out.
    pub fn parse(text: &[u8]) -> Mounts {
        let mut mounts: Vec<_> = text
            .split(|&b| b == b'\n')
            .filter_map(Mount::parse)
            .collect();
        // The deepest first, and of several in one place the one on top, which came last.
        mounts.reverse();
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.point.components().count()));
        let remote = mounts.iter().filter(|mount| mount.remote);
        Mounts {
            remote: remote.map(|mount| mount.device).collect(),
            all: mounts,
        }
    }

    /// The mount that an absolute path is on, symlinks not followed.
    pub fn of(&self, path: &Path) -> Option<&Mount> {
        let bytes = path.as_os_str().as_bytes();
        // Comparing component by component costs far more than comparing bytes.
        let is_odd = |part: &[u8]| matches!(part, [b'/', b'/', _] | [b'/', b'.', b'/']);
        let has_odd = bytes.windows(3).fold(false, |odd, part| odd | is_odd(part));
        let is_on = |mount: &&Mount| match has_odd {
            true => path.starts_with(&mount.point),
            false => mount.covers(bytes),
        };
        self.all.iter().find(is_on)
    }

    /// The mount of this number.
    pub fn numbered(&self, id: u64) -> Option<&Mount> {
        self.all.iter().find(|mount| mount.id == id)
    }

    /// Whether anything of this device number is mounted.
    pub fn has(&self, device: u64) -> bool {
        self.all.iter().any(|mount| mount.device == device)
    }

    /// Whether what has this device number may be far away.
    pub fn is_remote(&self, device: u64) -> bool {
        self.remote.contains(&device)
    }
}

impl Mount {
    fn covers(&self, path: &[u8]) -> bool {
        let rest = path.strip_prefix(self.point.as_os_str().as_bytes());
        let is_root = self.point.as_os_str() == "/";
        rest.is_some_and(|rest| is_root || matches!(rest.first(), None | Some(b'/')))
    }

    fn parse(line: &[u8]) -> Option<Mount> {
        let mut words = line.split(|&b| b == b' ');
        let id = number(words.next()?)?;
        let device = words.nth(1)?;
        let at = device.iter().position(|&b| b == b':')?;
        let (major, minor) = (number(&device[..at])?, number(&device[at + 1..])?);
        let point = unescape(words.nth(1)?);
        let kind = words.skip_while(|word| *word != b"-").nth(1)?;
        let kind = String::from_utf8_lossy(kind);
        Some(Mount {
            id,
            device: file::device(major as u32, minor as u32),
            remote: is_remote(&kind, major),
            memory: MEMORY.contains(&&*kind),
            point: OsString::from_vec(point).into(),
        })
    }
}

/// A disk of our own has a device, but for a few kinds; whatever else there is may be far away.
fn is_remote(kind: &str, major: u64) -> bool {
    let has_server = kind.starts_with("fuse");
    has_server || (major == 0 && !LOCAL.contains(&kind))
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Spaces, tabs, line ends and backslashes are written as three octal digits.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        out.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n\
24 22 0:22 / /tmp rw - tmpfs tmpfs rw\n\
30 22 0:40 / /mnt/nas rw shared:9 master:2 - nfs4 nas:/export rw,hard\n\
31 22 0:41 / /srv/with\\040space\\134x rw - fuse.sshfs a@b:/ rw\n\
32 22 254:0 /srv/data /mnt/nas/local rw shared:1 - ext4 /dev/vda rw\n\
33 22 0:40 /www /var/www rw - nfs4 nas:/export rw\n\
34 22 8:1 / /mnt/ntfs rw - fuseblk /dev/sda1 rw\n\
35 22 0:44 / /mnt/new rw - somenetfs a:/b rw\n\
36 22 0:45 / /mnt/over rw - cifs //a/b rw\n\
37 36 0:46 / /mnt/over rw - tmpfs tmpfs rw\n\
not a line\n";

    fn id_of(path: &str) -> Option<u64> {
        Mounts::parse(TABLE)
            .of(Path::new(path))
            .map(|mount| mount.id)
    }

    #[test]
    fn the_longest_mount_point_counts_and_the_one_on_top() {
        for (path, id) in [
            ("/", 22),
            ("/srv/x", 22),
            ("/mnt/nas", 30),
            ("/mnt/nas/a/b", 30),
            ("/mnt/nasty", 22),
            ("/mnt/nas/local/x", 32),
            ("/srv//with space\\x/a", 31),
            ("/mnt/./nas/.a", 30),
            ("/mnt/nas/.", 30),
            ("/mnt/nas//", 30),
            ("/srv/with space\\xy", 22),
            ("/var/www/html", 33),
            ("/mnt/over/x", 37),
        ] {
            assert_eq!(id_of(path), Some(id), "{path}");
        }
        assert!(Mounts::default().of(Path::new("/")).is_none());
    }

    #[test]
    fn what_has_no_device_here_may_be_far_away() {
        let mounts = Mounts::parse(TABLE);
        let remote = |id| mounts.numbered(id).map(|mount| mount.remote);
        for id in [22, 23, 24, 32, 37] {
            assert_eq!(remote(id), Some(false), "{id}");
        }
        for id in [30, 31, 33, 34, 35, 36] {
            assert_eq!(remote(id), Some(true), "{id}");
        }
        assert_eq!(remote(99), None);
        for (id, memory) in [
            (22, false),
            (23, false),
            (24, true),
            (30, false),
            (37, true),
        ] {
            assert_eq!(mounts.numbered(id).map(|mount| mount.memory), Some(memory));
        }
    }

    #[test]
    fn bind_mounts_share_the_fate_of_their_device() {
        let mounts = Mounts::parse(TABLE);
        let device = |id| mounts.numbered(id).expect("there").device;
        assert_eq!(device(30), device(33));
        assert_eq!(device(22), device(32));
        assert!(mounts.is_remote(device(33)));
        assert!(!mounts.is_remote(device(32)));
        assert!(!mounts.is_remote(12345));
    }

    #[test]
    fn our_own_table_has_a_root() {
        let text = std::fs::read("/proc/self/mountinfo").expect("there");
        let mounts = Mounts::parse(&text);
        let root = mounts.of(Path::new("/")).expect("a root");
        let meta = file::stat(Path::new("/")).expect("there");
        assert!(root.remote || meta.device == root.device || root.device >> 8 == 0);
    }
}
