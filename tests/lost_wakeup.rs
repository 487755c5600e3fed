//! A connection wakes one worker of those that share a listener. If that one dies before it accepts,
//! another must come for the connection, though nothing else wakes it.

mod common;

use std::process::Command;

use common::{
    Client, Setup, TestServer, is_forkful, run, signal, skip, tool_is_installed, wait_until,
};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Sets how a process is scheduled.
const CHRT: &str = "/usr/bin/chrt";
/// Deaths of a slot after which it stays empty for a while.
const DEATHS: usize = 4;
/// Times that the victim may be faster than its death.
const ATTEMPTS: usize = 5;

#[test]
fn another_worker_takes_what_the_dead_one_was_woken_for() {
    if !is_forkful() {
        return; // nginx leaves it to the replacement, which comes at once
    }
    if !tool_is_installed(CHRT) {
        return skip("chrt is not installed");
    }
    let taken = (0..ATTEMPTS).any(|_| is_taken_by_another());
    assert!(taken, "the victim was always faster than its death");
}

/// One attempt; false if the victim accepted the connection before it died.
fn is_taken_by_another() -> bool {
    let mut server = site();
    server.expect_log("signal 9");
    let [_, mut other] = server.workers()[..] else {
        panic!("two workers")
    };
    for _ in 1..DEATHS {
        kill(&server, the_one_beside(&server, other));
    }
    let victim = the_one_beside(&server, other);
    // Who watches the listener for the longest time is woken first: that is the victim from now on.
    kill(&server, other);
    other = the_one_beside(&server, victim);
    is_admitted_beside(&server, victim, other);

    make_slow(victim);
    let mut client = Client::connect(server.address());
    signal(victim, Signal::SIGKILL);
    let asked = client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = asked.map_err(|error| error.to_string());
    match answer.and_then(|()| client.try_response(false)) {
        Ok(answer) => assert_eq!(answer.text(), other.to_string(), "not by the replacement"),
        Err(_) => return false,
    }
    true
}

fn site() -> TestServer {
    let config = "server { listen %LISTEN%; return 200 \"$pid\"; }";
    let server = Setup::with_main("worker_processes 2;", config).start();
    wait_until("two workers are there", || {
        (server.workers().len() == 2).then_some(())
    });
    server
}

/// Waits for a worker beside this one.
fn the_one_beside(server: &TestServer, one: u32) -> u32 {
    wait_until("there is another worker", || {
        let workers = server.workers();
        workers
            .into_iter()
            .find(|pid| *pid != one && state(*pid) == 'S')
    })
}

fn kill(server: &TestServer, pid: u32) {
    signal(pid, Signal::SIGKILL);
    wait_until("it is gone", || {
        (!server.workers().contains(&pid)).then_some(())
    });
}

fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.unwrap_or('X')
}

/// Waits until the other serves, which it does not while the first one is there to be woken.
fn is_admitted_beside(server: &TestServer, first: u32, other: u32) {
    signal(first, Signal::SIGSTOP);
    wait_until("it is stopped", || (state(first) == 'T').then_some(()));
    assert_eq!(server.get("/").text(), other.to_string());
    signal(first, Signal::SIGCONT);
    wait_until("it waits again", || (state(first) == 'S').then_some(()));
}

/// Makes a process wait for the processor until this thread is done with it.
fn make_slow(pid: u32) {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap());
    let mut one = CpuSet::new();
    one.set(first.expect("there is a processor")).unwrap();
    for pid in [0, pid.cast_signed()] {
        sched_setaffinity(Pid::from_raw(pid), &one).unwrap();
    }
    let mut idle = Command::new(CHRT);
    idle.args(["--idle", "--pid", "0", &pid.to_string()]);
    assert!(run(&mut idle).status.success());
}
