use std::fs;
use std::io::Read;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::sys::at_hand;

/// A tree with links in every position: `t/real/f`, `t/to -> real`, `t/real/link -> f`,
/// `t/real/out -> /etc/passwd`, `t/real/up -> ../real`.
struct Tree {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

fn tree() -> Tree {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("there");
    let real = root.join("real");
    fs::create_dir_all(real.join("deep")).expect("made");
    fs::write(real.join("f"), "file").expect("written");
    fs::write(real.join("deep/f"), "deep").expect("written");
    symlink("real", root.join("to")).expect("linked");
    symlink("f", real.join("link")).expect("linked");
    symlink("/etc/passwd", real.join("out")).expect("linked");
    symlink("../real", real.join("up")).expect("linked");
    symlink("gone", real.join("broken")).expect("linked");
    Tree {
        _folder: folder,
        root,
    }
}

impl Tree {
    fn guard(&self, links: Links, trusted: &str) -> Guard {
        let trusted = match trusted {
            "" => 0,
            name => self.root.join(name).as_os_str().len(),
        };
        Guard { links, trusted }
    }

    /// What is read of a path, or the number of the error; asked with each of the ways.
    fn ask(&self, name: &str, guard: Guard) -> Result<String, i32> {
        let path = PathBuf::from(format!("{}/{name}", self.root.display()));
        let read = |lookup| {
            let (mut file, meta) = open(&path, guard, lookup).map_err(number)?;
            assert_eq!(stat(&path, guard, lookup).map_err(number), Ok(meta));
            let mut text = String::new();
            match meta.kind {
                super::super::Kind::Directory => text.push('/'),
                _ => drop(file.read_to_string(&mut text).expect("read")),
            }
            Ok(text)
        };
        let found = read(Lookup::Disk);
        if at_hand::is_supported() {
            let cached = read(Lookup::Cache);
            // Not every file system lets the kernel remember what is not there.
            assert!(cached == found || cached == Err(libc::EAGAIN), "{cached:?}");
        }
        let status = stat(&path, guard, Lookup::Disk).map_err(number);
        assert_eq!(status.err(), found.clone().err(), "{name}");
        // What is done where the kernel has no openat2(2).
        let (start, rest) = split(path.as_os_str().as_bytes(), guard.trusted);
        let start = Lookup::Disk.open(None, start, OFlag::O_PATH | OFlag::O_DIRECTORY, 0);
        let walk = |start| walk(start, rest, guard.links, Lookup::Disk, OFlag::O_RDONLY);
        assert_eq!(
            start.and_then(walk).map_err(number).err(),
            found.clone().err()
        );
        found
    }
}

fn number(error: io::Error) -> i32 {
    error.raw_os_error().expect("the kernel's")
}

#[test]
fn no_link_is_followed_in_any_position() {
    let tree = tree();
    for (name, expected) in [
        ("real/f", Ok("file")),
        ("real//./deep/../f", Ok("file")),
        ("real", Ok("/")),
        ("real/", Ok("/")),
        ("to", Err(libc::ELOOP)),
        ("to/", Err(libc::ELOOP)),
        ("to/f", Err(libc::ELOOP)),
        ("real/link", Err(libc::ELOOP)),
        ("real/out", Err(libc::ELOOP)),
        ("real/broken", Err(libc::ELOOP)),
        ("real/up/f", Err(libc::ELOOP)),
        ("real/up/../real/f", Err(libc::ELOOP)),
        ("real/none", Err(libc::ENOENT)),
        ("real/f/", Err(libc::ENOTDIR)),
        ("real/f/x", Err(libc::ENOTDIR)),
    ] {
        let found = tree.ask(name, tree.guard(Links::Refused, ""));
        assert_eq!(found.as_deref().map_err(|&error| error), expected, "{name}");
    }
}

#[test]
fn what_is_trusted_may_be_a_link() {
    let tree = tree();
    for (name, trusted, expected) in [
        ("to/f", "to", Ok("file")),
        ("to//f", "to", Ok("file")),
        ("to/", "to", Ok("/")),
        ("to/link", "to", Err(libc::ELOOP)),
        ("to/deep/f", "to", Ok("deep")),
        ("real/up/f", "real", Err(libc::ELOOP)),
        ("real/up/f", "real/up", Ok("file")),
        ("none/f", "none", Err(libc::ENOENT)),
    ] {
        let found = tree.ask(name, tree.guard(Links::Refused, trusted));
        assert_eq!(found.as_deref().map_err(|&error| error), expected, "{name}");
    }
}

#[test]
fn a_link_is_followed_to_what_its_owner_has() {
    let tree = tree();
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let real = tree.root.join("real");
    for path in [&real, &real.join("f"), &real.join("deep")] {
        chown(path, Some(1000), None).expect("root may");
    }
    for (name, owner) in [("to", 1000), ("real/link", 1000), ("real/up", 0)] {
        lchown(tree.root.join(name), Some(owner), None).expect("root may");
    }
    lchown(real.join("out"), Some(1000), None).expect("root may");
    for (name, expected) in [
        ("real/f", Ok("file")),
        ("to/f", Ok("file")),
        ("to/link", Ok("file")),
        ("to/", Ok("/")),
        ("to", Ok("/")),
        ("real/deep/f", Ok("deep")),
        ("real/out", Err(libc::ELOOP)),
        ("to/out", Err(libc::ELOOP)),
        ("real/up/f", Err(libc::ELOOP)),
        ("real/broken", Err(libc::ENOENT)),
    ] {
        let found = tree.ask(name, tree.guard(Links::OfTheOwner, ""));
        assert_eq!(found.as_deref().map_err(|&error| error), expected, "{name}");
    }
}

/// Exchanges a name for a link to a secret, over and over, while it is asked for.
fn never_shows_the_secret(links: Links, rounds: usize) {
    let tree = tree();
    let real = tree.root.join("real");
    let secret = tree.root.join("secret");
    fs::create_dir(&secret).expect("made");
    fs::write(secret.join("f"), "secret").expect("written");
    if nix::unistd::geteuid().is_root() {
        for path in [&secret, &secret.join("f")] {
            chown(path, Some(1001), None).expect("root may");
        }
    } else if links == Links::OfTheOwner {
        return;
    }
    let done = AtomicBool::new(false);
    let guard = tree.guard(links, "");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for (target, name) in [("deep", "x"), ("../secret", "x"), ("../secret/f", "deep/x")]
                {
                    let (name, new) = (real.join(name), real.join("new"));
                    symlink(target, &new).expect("linked");
                    fs::rename(&new, &name).expect("renamed");
                }
                fs::write(real.join("new"), "plain").expect("written");
                fs::rename(real.join("new"), real.join("deep/x")).expect("renamed");
            }
        });
        for round in 0..rounds {
            let name = ["real/x/f", "real/deep/x"][round % 2];
            let path = tree.root.join(name);
            if let Ok((mut file, _)) = open(&path, guard, Lookup::Disk) {
                let mut text = String::new();
                file.read_to_string(&mut text).expect("read");
                assert_ne!(text, "secret");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn exchanged_names_never_show_a_secret() {
    never_shows_the_secret(Links::Refused, 20_000);
    never_shows_the_secret(Links::OfTheOwner, 20_000);
}
