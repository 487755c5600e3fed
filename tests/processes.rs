//! How many processes there are and what they start with.

mod common;

use std::fs;
use std::os::unix::net::UnixStream;

use common::{SITE, Setup, TestServer, is_forkful, wait_until};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

fn site(main: &str) -> TestServer {
    Setup::with_main(main, SITE)
        .file("html/f.txt", "content")
        .start()
}

#[test]
fn as_many_workers_as_asked_for() {
    let server = site("worker_processes 3;");
    wait_until("there are three", || {
        (server.workers().len() == 3).then_some(())
    });
    assert_eq!(server.get("/f.txt").text(), "content");
}

#[test]
fn auto_is_no_more_than_the_processors_allow() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let allowed = (0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap())
        .count();
    let server = site("worker_processes auto;");
    assert_eq!(server.get("/f.txt").text(), "content");
    let workers = server.workers().len();
    assert!(
        (1..=allowed).contains(&workers) || !is_forkful(),
        "{workers} of {allowed}"
    );
}

#[test]
fn a_worker_can_be_bound_to_a_processor() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    if !allowed.is_set(0).unwrap() {
        return;
    }
    let server = site("worker_processes 1; worker_cpu_affinity 1;");
    assert_eq!(server.get("/f.txt").text(), "content");
    let worker = Pid::from_raw(server.workers()[0].cast_signed());
    let bound = sched_getaffinity(worker).unwrap();
    let cpus: Vec<usize> = (0..CpuSet::count())
        .filter(|cpu| bound.is_set(*cpu).unwrap())
        .collect();
    assert_eq!(cpus, [0]);
}

#[test]
fn without_a_master_one_process_serves() {
    if !is_forkful() {
        return; // nginx 1.22 crashes when it inherits sockets then
    }
    let server = Setup::with_main("master_process off;", SITE)
        .file("html/f.txt", "content")
        .spawn();
    assert_eq!(server.get("/f.txt").text(), "content");
    assert_eq!(server.workers(), []);
    assert_eq!(
        fs::read_to_string(server.path("pid")).unwrap(),
        format!("{}\n", server.pid())
    );
}

#[test]
fn without_a_master_logs_are_reopened_and_nothing_is_left() {
    if !is_forkful() {
        return; // nginx 1.22 crashes when it inherits sockets then
    }
    let site = "server { listen unix:%PREFIX%/socket; return 200; }";
    let mut server = Setup::with_main("master_process off;", site).spawn();
    wait_until("it serves", || {
        UnixStream::connect(server.path("socket")).ok()
    });
    fs::rename(server.path("error.log"), server.path("error.log.1")).unwrap();
    server.signal(Signal::SIGUSR1);
    wait_until("the log is open again", || {
        server.path("error.log").exists().then_some(())
    });
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
    assert!(!server.path("pid").exists(), "the pid file is left");
    assert!(!server.path("socket").exists(), "the socket is left");
}

#[test]
fn workers_run_in_the_working_directory() {
    let server = Setup::with_main("worker_processes 1; working_directory %PREFIX%/html;", SITE)
        .file("html/f.txt", "content")
        .start();
    assert_eq!(server.get("/f.txt").text(), "content");
    let directory = fs::read_link(format!("/proc/{}/cwd", server.workers()[0])).unwrap();
    assert_eq!(directory, server.path("html"));
}

#[test]
fn without_a_limit_the_soft_limit_of_descriptors_is_raised_to_the_hard_one() {
    if !is_forkful() {
        return; // nginx leaves it as it is
    }
    let server = site("worker_processes 1;");
    server.get("/f.txt");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.workers()[0])).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let values: Vec<&str> = files.split_whitespace().collect();
    assert_eq!(values[3], values[4], "{files}");
}

#[test]
fn a_clean_life_is_a_quiet_one() {
    let server = site("worker_processes 2;");
    assert_eq!(server.get("/f.txt").text(), "content");
    server.reload();
    let log = server.finish();
    for level in ["[alert]", "[emerg]", "[crit]", "[error]", "[warn]"] {
        assert!(!log.contains(level), "{log}");
    }
}
