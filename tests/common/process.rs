//! Processes as a test sees them: children and descriptors from /proc, signals, commands with a deadline.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::{LIMIT, within};

/// Sends a signal to a process that is still there, or has just gone.
pub fn signal(pid: u32, signal: Signal) {
    let _gone_is_fine = kill(Pid::from_raw(pid.cast_signed()), signal);
}

/// The direct children of a process, zombies included, oldest first.
pub fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// What the open descriptors of a process point to.
pub fn descriptors(pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process exists");
    entries
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect()
}

/// Ends a child: TERM, and KILL for it and its children once a deadline has passed.
/// Returns whether TERM was enough.
pub fn stop(child: &mut Child) -> bool {
    let workers = children(child.id());
    signal(child.id(), Signal::SIGTERM);
    let ended = within(LIMIT, || child.try_wait().unwrap());
    if ended.is_none() {
        workers
            .into_iter()
            .for_each(|pid| signal(pid, Signal::SIGKILL));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended.is_some()
}

/// Runs a command to its end, which must come within [`LIMIT`].
pub fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    if within(LIMIT, || child.try_wait().unwrap()).is_none() {
        stop(&mut child);
        panic!("it does not end: {command:?}");
    }
    child.wait_with_output().unwrap()
}

/// Copies a program to where it can be executed at once: while this process writes to a file, a
/// child of another test may have it open for a moment, and then it cannot be executed.
pub fn install(from: &Path, to: &Path) {
    let mut command = Command::new("install");
    let output = run(command.args(["-m", "755"]).arg(from).arg(to));
    assert!(output.status.success(), "{output:?}");
}

/// The same of a script.
pub fn install_script(text: &str, to: &Path) {
    let source = to.with_extension("text");
    fs::write(&source, text).unwrap();
    install(&source, to);
}

/// Whether a tool that a test compares with exists.
pub fn tool_is_installed(path: &str) -> bool {
    Path::new(path).exists()
}
