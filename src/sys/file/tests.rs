use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use nix::unistd::{Uid, geteuid, getuid, mkfifo, seteuid};
use tempfile::TempDir;

use super::super::alone::alone;
use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn what_was_opened_is_described() {
    let folder = folder();
    let path = folder.path().join("a");
    fs::write(&path, "12345").expect("written");
    let (file, meta) = open(&path).expect("opened");
    assert_eq!((meta.size, meta.kind), (5, Kind::Regular));
    assert_eq!(meta, stat(&path).expect("there"));
    assert!(meta.mtime > 1_600_000_000);
    fs::rename(&path, folder.path().join("b")).expect("renamed");
    let mut buffer = [0; 8];
    assert_eq!(pread(&file, &mut buffer, 1).expect("read"), 4);
    assert_eq!(&buffer[..4], b"2345");
    assert_eq!(pread(&file, &mut buffer, 9).expect("past the end"), 0);
    assert_eq!(open(folder.path()).expect("opened").1.kind, Kind::Directory);
}

#[test]
fn special_files_never_block() {
    let folder = folder();
    let fifo = folder.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).expect("a FIFO");
    assert_eq!(open(&fifo).expect("opened").1.kind, Kind::Other);
    assert_eq!(
        open(Path::new("/dev/null")).expect("opened").1.kind,
        Kind::Other
    );
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).expect("bound");
    assert_eq!(open(&socket).unwrap_err().raw_os_error(), Some(libc::ENXIO));
}

#[test]
fn listings_follow_symlinks_and_show_broken_ones() {
    let folder = folder();
    fs::write(folder.path().join("file"), "123").expect("written");
    fs::create_dir(folder.path().join("dir")).expect("made");
    symlink("file", folder.path().join("link")).expect("linked");
    symlink("nowhere", folder.path().join("broken")).expect("linked");
    let mut entries = list(folder.path()).expect("listed");
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<_> = entries
        .iter()
        .map(|e| (e.name.as_slice(), e.meta.kind))
        .collect();
    let names: [(&[u8], Kind); 4] = [
        (b"broken", Kind::Other),
        (b"dir", Kind::Directory),
        (b"file", Kind::Regular),
        (b"link", Kind::Regular),
    ];
    assert_eq!(seen, names);
    assert_eq!(entries[3].meta.size, 3);
}

#[test]
fn logs_are_appended_to_and_swapped_in_place() {
    let folder = folder();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fs::write(&one, "old\n").expect("written");
    let mut log = open_log(&one).expect("opened");
    log.write_all(b"first\n").expect("written");
    let number = log.as_raw_fd();
    dup_over(open_log(&two).expect("opened").as_fd(), log.as_fd()).expect("swapped");
    log.write_all(b"second\n").expect("written");
    assert_eq!(log.as_raw_fd(), number);
    assert_eq!(fs::read(&one).expect("read"), b"old\nfirst\n");
    assert_eq!(fs::read(&two).expect("read"), b"second\n");
}

#[test]
fn small_files_are_replaced_whole() {
    let folder = folder();
    let path = folder.path().join("pid");
    for text in ["12345\n", "1\n"] {
        write_atomically(&path, text.as_bytes()).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), text);
    }
    assert_eq!(
        list(folder.path()).expect("listed").len(),
        1,
        "nothing is left beside it"
    );
    assert!(write_atomically(&folder.path().join("none/pid"), b"1").is_err());
}

#[test]
fn symlinks_are_replaced_and_devices_written() {
    let folder = folder();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    fs::write(&target, "precious").expect("written");
    symlink(&target, &link).expect("linked");
    write_atomically(&link, b"1").expect("written");
    assert_eq!(fs::read(&target).expect("read"), b"precious");
    assert!(fs::symlink_metadata(&link).expect("there").is_file());

    let null = folder.path().join("null");
    symlink("/dev/null", &null).expect("linked");
    for path in [null.as_path(), Path::new("/dev/null")] {
        write_atomically(path, b"1").expect("written");
        assert_eq!(stat(path).expect("there").kind, Kind::Other);
    }
}

#[test]
fn a_file_that_cannot_be_replaced_is_written() {
    let own = "sys::file::tests::a_file_that_cannot_be_replaced_is_written";
    alone(own, || {
        let folder = folder();
        let place = |name| folder.path().join(name);
        fs::write(place("pid"), "1234567\n").expect("written");
        fs::write(place("target"), "precious").expect("written");
        symlink("target", place("link")).expect("linked");
        for name in ["pid", "target"] {
            fs::set_permissions(place(name), Permissions::from_mode(0o666)).expect("set");
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).expect("set");
        if geteuid().is_root() {
            seteuid(Uid::from_raw(65534)).expect("another user");
        }
        write_atomically(&place("pid"), b"1\n").expect("written");
        assert_eq!(fs::read(place("pid")).expect("read"), b"1\n");
        let refused = write_atomically(&place("link"), b"1\n").expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(fs::read(place("target")).expect("read"), b"precious");
        let refused = write_atomically(&place("new"), b"1\n").expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        if getuid().is_root() {
            seteuid(Uid::from_raw(0)).expect("root again");
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
    });
}

#[test]
fn a_log_that_nobody_reads_is_an_error_and_not_a_wait() {
    let folder = folder();
    let path = folder.path().join("fifo");
    mkfifo(&path, Mode::S_IRWXU).expect("made");
    let error = open_log(&path).expect_err("refused");
    assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
    let (_reader, _) = open(&path).expect("opened");
    let log = open_log(&path).expect("opened");
    let flags = OFlag::from_bits_retain(fcntl(&log, FcntlArg::F_GETFL).expect("flags"));
    assert!(flags.contains(OFlag::O_APPEND) && !flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn what_could_be_written_is_told_without_doing_it() {
    let folder = folder();
    let place = |name| folder.path().join(name);
    fs::write(place("old"), "").expect("written");
    check_writable(&place("old")).expect("a file");
    check_writable(&place("new")).expect("no file yet");
    assert!(!place("new").exists(), "it was made");
    for (name, expected) in [
        ("none/new", libc::ENOENT),
        ("old/new", libc::ENOTDIR),
        (".", libc::EISDIR),
    ] {
        let error = check_writable(&place(name)).expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(expected), "{name}");
    }
}
