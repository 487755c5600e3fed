use super::super::alone::{alone, exit};
use super::super::process::{self as processes, ExitStatus, Fork, Pid, fork, wait};
use super::super::shared;
use super::*;

/// Runs `body` in a child that tells of its crash: how it ended, and what it said.
fn die(body: impl FnOnce()) -> (ExitStatus, Option<Crash>, Pid) {
    let words = &shared::map::<LastWords>(1).expect("mapped")[0];
    match fork().expect("fork") {
        Fork::Child => {
            tell(words).expect("told");
            body();
            exit(99)
        }
        Fork::Parent(child) => {
            let status = wait(child).expect("a child").status;
            (status, words.read(), child)
        }
    }
}

fn ended_by(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Signal { number, .. } => number,
        ExitStatus::Code(code) => panic!("exited with {code}"),
    }
}

#[test]
fn a_fault_is_its_own() {
    alone("sys::crash::tests::a_fault_is_its_own", || {
        let (status, crash, _) = die(|| {
            let thread = std::thread::spawn(|| {
                assert_eq!((thread_number(), thread_number()), (1, 1));
                provoked::fault();
            });
            drop(thread.join());
        });
        assert_eq!(ended_by(status), libc::SIGSEGV);
        let crash = crash.expect("last words");
        assert_eq!((crash.signal, crash.thread), (libc::SIGSEGV, 1));
        assert_eq!(crash.cause, Cause::Own(Some(8)));
        assert_eq!(crash.to_string(), "SEGV_MAPERR at 0x8");
    });
}

#[test]
fn a_full_stack_is_told_of_too() {
    alone("sys::crash::tests::a_full_stack_is_told_of_too", || {
        let (status, crash, _) = die(|| {
            provoked::overflow(0);
        });
        assert_eq!(ended_by(status), libc::SIGSEGV);
        assert!(matches!(crash.expect("words").cause, Cause::Own(Some(_))));
    });
}

#[test]
fn abort_is_its_own() {
    alone("sys::crash::tests::abort_is_its_own", || {
        let (status, crash, _) = die(|| process::abort());
        assert_eq!(ended_by(status), libc::SIGABRT);
        let crash = crash.expect("last words");
        assert_eq!(crash.cause, Cause::Own(None));
        assert_eq!(crash.to_string(), "SI_TKILL");
    });
}

#[test]
fn what_others_send_is_not() {
    alone("sys::crash::tests::what_others_send_is_not", || {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let words = &shared::map::<LastWords>(1).expect("mapped")[0];
        match fork().expect("fork") {
            Fork::Child => {
                tell(words).expect("told");
                drop(writer);
                loop {
                    std::thread::park();
                }
            }
            Fork::Parent(child) => {
                drop(writer);
                // The end of the pipe says that the handlers are there.
                io::Read::read_to_end(&mut reader, &mut Vec::new()).expect("read");
                // SAFETY: the call takes two numbers.
                unsafe { libc::kill(child.number(), libc::SIGSEGV) };
                let status = wait(child).expect("a child").status;
                assert_eq!(ended_by(status), libc::SIGSEGV);
                let crash = words.read().expect("last words");
                let own = processes::pid();
                assert_eq!(crash.cause, Cause::Sent(own.number()));
                let text = format!("SI_USER sent by process {own}");
                assert_eq!(crash.to_string(), text);
                words.clear();
                assert_eq!(words.read(), None);
            }
        }
    });
}
