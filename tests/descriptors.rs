//! Descriptors: none is gathered by connections or reloads, and none reaches another program.

mod common;

use std::fs;
use std::path::PathBuf;

use common::{
    Load, Reuse, SITE, Setup, TestServer, children, descriptors, is_forkful, private_memory,
    scaled_count, wait_until,
};
use nix::sys::signal::Signal;

fn site(main: &str) -> TestServer {
    let probation = match is_forkful() {
        true => "reload_probation 20ms;",
        false => "", // nginx has none
    };
    Setup::with_main(&format!("{main} {probation}"), SITE)
        .file("html/f.txt", "content")
        .start()
}

/// Sockets that a process has open.
fn sockets(pid: u32) -> usize {
    let paths = descriptors(pid);
    let is_socket = |path: &&PathBuf| path.to_string_lossy().starts_with("socket:");
    paths.iter().filter(is_socket).count()
}

/// Waits until a worker has its listener and its channel only.
fn has_no_client(worker: u32) {
    let own = if is_forkful() { 2 } else { 3 };
    wait_until("no client is left", || {
        (sockets(worker) <= own).then_some(())
    });
}

/// Waits until a process has as many descriptors as before, and no more children than `workers`.
fn settles(pid: u32, before: usize, workers: usize) {
    wait_until("nothing is left over", || {
        let settled = descriptors(pid).len() <= before && children(pid).len() <= workers;
        settled.then_some(())
    });
}

#[test]
fn reloads_leave_none() {
    let server = site("worker_processes 2;");
    server.reload();
    settles(server.pid(), usize::MAX, 2);
    let (open, memory) = (
        descriptors(server.pid()).len(),
        private_memory(server.pid()),
    );
    for _ in 0..scaled_count(1000, 10) {
        server.reload();
    }
    settles(server.pid(), open, 2);
    let grown = private_memory(server.pid()).saturating_sub(memory);
    assert!(grown < 1 << 20, "the master grew by {grown} bytes");
    let worker = server.workers()[0];
    assert_eq!(server.get("/f.txt").text(), "content");
    has_no_client(worker);
}

#[test]
fn a_storm_of_reloads_leaves_none() {
    let server = site("worker_processes 2; worker_shutdown_timeout 2s;");
    server.reload();
    settles(server.pid(), usize::MAX, 2);
    let (open, memory) = (
        descriptors(server.pid()).len(),
        private_memory(server.pid()),
    );
    let first = server.workers();
    let load = Load::start(server.address(), 4, Reuse::Never, "content");
    for _ in 0..100 {
        server.signal(Signal::SIGHUP);
        load.wait_for_more();
    }
    wait_until("all workers are new", || {
        let now = server.workers();
        (now.len() == 2 && now.iter().all(|pid| !first.contains(pid))).then_some(())
    });
    let (answered, failures) = load.finish();
    assert!(failures.is_empty(), "{answered} answered, {failures:?}");
    settles(server.pid(), open, 2);
    let grown = private_memory(server.pid()).saturating_sub(memory);
    assert!(grown < 1 << 20, "the master grew by {grown} bytes");
}

#[test]
fn connections_leave_none() {
    let server = site("worker_processes 1;");
    server.get("/f.txt");
    let worker = server.workers()[0];
    has_no_client(worker);
    let open = descriptors(worker).len();
    let mut asked = 0;
    while asked < scaled_count(100_000, 2000) {
        let load = Load::start(server.address(), 4, Reuse::Never, "content");
        while load.answered() < 1000 {
            load.wait_for_more();
        }
        let (answered, failures) = load.finish();
        assert!(failures.is_empty(), "{failures:?}");
        asked += answered;
    }
    has_no_client(worker);
    let left = descriptors(worker).len();
    assert!(left <= open, "{left} instead of {open}");
}

/// Descriptors of a process that a program it starts would get.
fn inheritable(pid: u32) -> Vec<u32> {
    let numbers = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let info = fs::read_to_string(&path).ok()?;
            let flags = info
                .lines()
                .find_map(|line| line.strip_prefix("flags:\t"))?;
            let closed_on_exec = u32::from_str_radix(flags, 8).unwrap() & 0o2000000 != 0;
            (!closed_on_exec).then(|| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        });
    numbers.collect()
}

#[test]
fn every_one_closes_on_exec() {
    // What the test was started with, the server was started with, too.
    let ours = inheritable(std::process::id());
    let server = site("worker_processes 1;");
    let mut client = server.connect();
    assert_eq!(client.get("/f.txt").text(), "content");
    for pid in [vec![server.pid()], server.workers()].concat() {
        let mut open = inheritable(pid);
        open.retain(|number| *number > 2 && !ours.contains(number));
        assert!(open.is_empty() || !is_forkful(), "process {pid}: {open:?}");
    }
}
