//! Each in a process of its own: there is no way back. A directory for it is made, and removed,
//! outside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::{ptr, thread};

use super::super::alone::alone;
use super::super::process::{self, Fork};
use super::*;

/// The error of a system call that takes numbers.
fn call(number: libc::c_long, arguments: [libc::c_long; 3]) -> Option<i32> {
    let [one, two, three] = arguments;
    // SAFETY: the calls tried here take numbers and null pointers, and fail.
    let result = unsafe { libc::syscall(number, one, two, three) };
    (result == -1).then(|| io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// Whether this kernel and this processor have seccomp filters; a test is skipped where not.
fn denied() -> bool {
    let denied = deny_calls(Changes::None);
    if let Err(error) = &denied {
        eprintln!("skipped: no seccomp here: {error}");
    }
    denied.is_ok()
}

#[test]
fn nothing_can_be_started() {
    alone("sys::sandbox::tests::nothing_can_be_started", || {
        assert!(Command::new("/bin/true").status().is_ok());
        if !denied() {
            return;
        }
        let error = Command::new("/bin/true").status().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        // SAFETY: the arguments are null; the call is refused before anybody looks at them.
        let result = unsafe { libc::execve(c"/bin/true".as_ptr(), ptr::null(), ptr::null()) };
        let error = io::Error::last_os_error().raw_os_error();
        assert_eq!((result, error), (-1, Some(libc::EPERM)));
        assert!(matches!(process::fork(), Err(error) if error.raw_os_error() == Some(libc::EPERM)));
    });
}

#[test]
fn what_is_listed_is_refused() {
    alone("sys::sandbox::tests::what_is_listed_is_refused", || {
        if !denied() {
            return;
        }
        let parent = i64::from(std::os::unix::process::parent_id());
        for (number, arguments) in [
            (libc::SYS_ptrace, [16, parent, 0]),
            (libc::SYS_mount, [0; 3]),
            (libc::SYS_unshare, [0; 3]),
            (libc::SYS_setuid, [0; 3]),
            (libc::SYS_bpf, [0; 3]),
            (libc::SYS_io_uring_setup, [0; 3]),
            (libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0]),
            (libc::SYS_clone, [libc::CLONE_NEWUSER.into(), 0, 0]),
            (
                libc::SYS_socket,
                [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0],
            ),
            (libc::SYS_kill, [parent, 0, 0]),
            (libc::SYS_kill, [-1, 0, 0]),
            (libc::SYS_tgkill, [parent, parent, 0]),
            (libc::SYS_ioctl, [0, libc::TIOCSTI as i64, 0]),
        ] {
            assert_eq!(
                call(number, arguments),
                Some(libc::EPERM),
                "{number} {arguments:?}"
            );
        }
        let error = fs::remove_file("/nonexistent").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    });
}

#[test]
fn numbers_of_the_other_kind_are_refused() {
    alone(
        "sys::sandbox::tests::numbers_of_the_other_kind_are_refused",
        || {
            if denied() {
                let x32 = |number| 0x4000_0000 | number;
                assert_eq!(call(x32(520), [0; 3]), Some(libc::EPERM));
                assert_eq!(call(x32(libc::SYS_getpid), [0; 3]), Some(libc::EPERM));
                assert_eq!(call(libc::SYS_clone3, [0; 3]), Some(libc::ENOSYS));
            }
        },
    );
}

#[test]
fn what_serves_goes_on() {
    alone("sys::sandbox::tests::what_serves_goes_on", || {
        if !denied() {
            return;
        }
        let thread = thread::spawn(|| fs::read("/proc/self/status").is_ok());
        assert!(thread.join().expect("joined"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("known");
        std::net::TcpStream::connect(address).expect("connected");
        listener.accept().expect("accepted");
        process::kill(process::pid(), super::super::signal::Signal::Chld).expect("to itself");
        // SAFETY: SIGCHLD is ignored by default.
        assert_eq!(unsafe { libc::raise(libc::SIGCHLD) }, 0);
        assert!(super::super::limit::get(super::super::limit::Resource::Core).is_ok());
    });
}

#[test]
fn a_crash_is_still_a_crash() {
    alone("sys::sandbox::tests::a_crash_is_still_a_crash", || {
        let Fork::Parent(child) = process::fork().expect("forked") else {
            let _ = deny_calls(Changes::None);
            // No core file of a test.
            let limit = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: the structure is valid; refused or not, the process ends in the next line.
            unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
            std::process::abort()
        };
        let exit = process::wait(child).expect("a child");
        let aborted = matches!(
            exit.status,
            process::ExitStatus::Signal {
                number: libc::SIGABRT,
                ..
            }
        );
        assert!(aborted, "{}", exit.status);
    });
}

/// Fences this process in; false where the kernel has no landlock.
fn fenced(scope: Scope, readable: &[&Path], writable: &[&Path]) -> bool {
    let mut fence = Fence::new(scope).expect("a fence");
    readable
        .iter()
        .for_each(|path| fence.allow_reading(path).expect("allowed"));
    writable
        .iter()
        .for_each(|path| fence.allow_writing(path).expect("allowed"));
    let extent = fence.close().expect("closed");
    if extent == Extent::Nothing {
        eprintln!("skipped: no landlock here");
    }
    extent != Extent::Nothing
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn refused<T>(result: io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn nothing_changes_but_beneath_what_is_granted() {
    let folder = tempfile::tempdir().expect("a folder");
    alone(
        "sys::sandbox::tests::nothing_changes_but_beneath_what_is_granted",
        || {
            let (logs, other) = (folder.path().join("all/logs"), folder.path().join("other"));
            fs::create_dir_all(&logs).expect("made");
            fs::write(&other, "text").expect("written");
            let open = append(&other).expect("opened");
            if !fenced(Scope::Changes, &[], &[&folder.path().join("all")]) {
                return;
            }
            assert!(refused(File::create(folder.path().join("new"))));
            assert!(refused(File::create("/etc/new")));
            assert!(refused(append(&other)));
            assert!(refused(fs::remove_file(&other)));
            assert!(refused(fs::create_dir(folder.path().join("directory"))));
            assert!(refused(Command::new("/bin/true").status()));
            assert!(append(&logs.join("log")).is_ok());
            assert!(
                refused(fs::remove_file(logs.join("log"))),
                "made, not removed"
            );
            assert_eq!(fs::read_to_string(&other).expect("read"), "text");
            assert!(open.metadata().is_ok() && io::Write::write(&mut &open, b"more").is_ok());
        },
    );
}

#[test]
fn reading_is_fenced_in_when_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    alone(
        "sys::sandbox::tests::reading_is_fenced_in_when_asked_for",
        || {
            let (inner, outer) = (folder.path().join("in"), folder.path().join("out"));
            fs::create_dir(&inner).expect("made");
            fs::write(inner.join("file"), "text").expect("written");
            fs::write(&outer, "text").expect("written");
            std::os::unix::fs::symlink(&outer, inner.join("link")).expect("linked");
            let held = File::open(&outer).expect("opened");
            if !fenced(Scope::All, &[&inner], &[]) {
                return;
            }
            assert!(fs::read(inner.join("file")).is_ok() && fs::read_dir(&inner).is_ok());
            assert!(refused(fs::read(&outer)));
            assert!(
                refused(fs::read(inner.join("link"))),
                "links do not lead out"
            );
            assert!(refused(fs::read("/etc/hostname")));
            assert!(refused(File::create(inner.join("new"))));
            assert!(fs::metadata(&outer).is_ok(), "what there is, is not secret");
            assert!(fs::read_link(format!("/proc/self/fd/{}", held.as_raw_fd())).is_ok());
            assert_eq!(
                io::read_to_string(&held).expect("what is held can be read"),
                "text"
            );
        },
    );
}

#[test]
fn other_processes_are_out_of_reach() {
    alone(
        "sys::sandbox::tests::other_processes_are_out_of_reach",
        || {
            use std::os::linux::net::SocketAddrExt;
            use std::os::unix::net::{SocketAddr, UnixStream};
            let name = format!("forkful-test-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(name).expect("a name");
            let _listener = UnixListener::bind_addr(&address).expect("bound");
            let fence = Fence::new(Scope::Changes).expect("a fence");
            if fence.close().expect("closed") != Extent::Whole {
                eprintln!("skipped: landlock of this kernel is older than that");
                return;
            }
            assert!(refused(UnixStream::connect_addr(&address)));
            let parent = i64::from(std::os::unix::process::parent_id());
            assert_eq!(call(libc::SYS_kill, [parent, 0, 0]), Some(libc::EPERM));
            assert_eq!(
                call(libc::SYS_kill, [std::process::id().into(), 0, 0]),
                None
            );
        },
    );
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    alone(
        "sys::sandbox::tests::a_path_that_is_not_there_is_an_error",
        || {
            let mut fence = Fence::new(Scope::All).expect("a fence");
            let error = fence.allow_reading(Path::new("/nonexistent")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(fence.allow_reading(Path::new("/dev/null")).is_ok());
        },
    );
}
