//! Tests that fork run alone: the test runner itself has threads.

use std::thread;

use super::super::alone::{alone, exit};
use super::*;

/// Forks and runs `body` in the child, which ends with the code returned.
fn child(body: impl FnOnce() -> i32) -> Pid {
    match fork().expect("fork") {
        Fork::Parent(pid) => pid,
        Fork::Child => exit(body()),
    }
}

/// Waits in the child for a signal that ends it.
fn pause() -> i32 {
    // SAFETY: the call takes nothing.
    unsafe { libc::pause() }
}

#[test]
fn exit_codes_and_signals() {
    alone("sys::process::tests::exit_codes_and_signals", || {
        assert_eq!(wait_any(), None);
        let pid = child(|| 7);
        assert_eq!(
            wait(pid),
            Some(Exit {
                pid,
                status: ExitStatus::Code(7)
            })
        );

        let pid = child(pause);
        assert_eq!(wait_any(), None, "a running child is not reaped");
        kill(pid, Signal::Kill).expect("kill");
        let status = ExitStatus::Signal {
            number: 9,
            core: false,
        };
        assert_eq!(wait(pid), Some(Exit { pid, status }));
        assert_eq!(status.to_string(), "exited on signal 9");
        assert_eq!(
            kill(pid, Signal::Term).unwrap_err().raw_os_error(),
            Some(libc::ESRCH)
        );
    });
}

#[test]
fn only_a_child_that_was_not_reaped_is_killed() {
    let name = "sys::process::tests::only_a_child_that_was_not_reaped_is_killed";
    alone(name, || {
        let pid = child(pause);
        assert!(is_child(pid));
        kill_child(pid, Signal::Kill).expect("kill");
        let ended = || {
            fs::read_to_string(format!("/proc/{pid}/stat"))
                .unwrap()
                .contains(") Z ")
        };
        while !ended() {
            thread::yield_now();
        }
        kill_child(pid, Signal::Kill).expect("it takes one as long as it is not reaped");
        assert!(wait(pid).is_some());
        kill_child(pid, Signal::Kill).expect("nothing is sent");
        // Who is no child may be anybody.
        kill_child(super::pid(), Signal::Kill).expect("nothing is sent");
    });
}

#[test]
fn real_time_signals_are_reported() {
    alone(
        "sys::process::tests::real_time_signals_are_reported",
        || {
            let number = libc::SIGRTMIN() + 3;
            let pid = child(pause);
            // SAFETY: the call takes two numbers.
            assert_eq!(unsafe { libc::kill(pid.number(), number) }, 0);
            let exit = wait(pid).expect("a child");
            assert_eq!(
                exit.status,
                ExitStatus::Signal {
                    number,
                    core: false
                }
            );
        },
    );
}

#[test]
fn fork_is_refused_with_threads() {
    alone("sys::process::tests::fork_is_refused_with_threads", || {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || wait.recv());
        let error = fork().unwrap_err().to_string();
        assert_eq!(error, "fork is refused: the process has 2 threads");
        drop(go);
        let _ = thread.join().expect("thread");
    });
}

#[test]
fn daemon_reports_readiness_or_its_code() {
    alone(
        "sys::process::tests::daemon_reports_readiness_or_its_code",
        || {
            let started = |ready: bool| {
                child(move || match daemonize() {
                    Ok(readiness) if ready => readiness.ready().map_or(3, |()| 0),
                    Ok(_) => 5,
                    Err(_) => 4,
                })
            };
            let (good, bad) = (started(true), started(false));
            assert_eq!(wait(good).expect("child").status, ExitStatus::Code(0));
            assert_eq!(wait(bad).expect("child").status, ExitStatus::Code(5));
        },
    );
}

#[test]
fn environment_is_replaced() {
    alone("sys::process::tests::environment_is_replaced", || {
        let wanted = vec![("ONE".into(), "1".into()), ("TZ".into(), "UTC".into())];
        replace_environment(&wanted).expect("replaced");
        let mut seen: Vec<_> = env::vars_os().collect();
        seen.sort();
        assert_eq!(seen, wanted);
        assert!(replace_environment(&[("A=B".into(), "1".into())]).is_err());
    });
}

#[test]
fn no_pid_names_a_group() {
    assert_eq!(Pid::new(0), None);
    assert_eq!(Pid::new(-1), None);
    assert_eq!(Pid::new(12).map(|pid| pid.to_string()), Some("12".into()));
}

#[test]
fn a_process_can_be_made_to_end_with_its_parent() {
    alone(
        "sys::process::tests::a_process_can_be_made_to_end_with_its_parent",
        || {
            assert!(end_with(pid()).is_err(), "it is not its own parent");
            let (mut said, mut say) = io::pipe().expect("a pipe");
            let parent = child(|| {
                let parent = pid();
                child(|| {
                    end_with(parent).expect("set");
                    say.write_all(b"s").expect("said");
                    pause()
                });
                pause()
            });
            drop(say);
            said.read_exact(&mut [0]).expect("set");
            kill(parent, Signal::Kill).expect("kill");
            wait(parent).expect("a child");
            // The end of the grandchild closes the pipe.
            assert_eq!(said.read(&mut [0]).expect("read"), 0);
        },
    );
}

#[test]
fn errors_can_be_written_elsewhere() {
    alone(
        "sys::process::tests::errors_can_be_written_elsewhere",
        || {
            let (mut read, written) = io::pipe().expect("a pipe");
            let child = child(|| {
                redirect_stderr(&written).expect("redirected");
                i32::from(io::stderr().write_all(b"words").is_err())
            });
            drop(written);
            let mut words = Vec::new();
            read.read_to_end(&mut words).expect("read");
            assert_eq!(words, b"words");
            assert_eq!(wait(child).expect("a child").status, ExitStatus::Code(0));
        },
    );
}
