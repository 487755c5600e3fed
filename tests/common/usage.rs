//! What a process uses, from /proc: processor time, memory of its own.

use std::fs;
use std::time::Duration;

use super::process::descriptors;

/// The time that all threads of a process have been on a processor.
pub fn processor_time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process exists");
    let time = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(time).sum())
}

/// Bytes that a process has written to and shares with no other.
pub fn private_memory(pid: u32) -> u64 {
    memory(pid, "Private_Dirty:")
}

/// Bytes that belong to no file, those included that forked processes still share.
pub fn anonymous_memory(pid: u32) -> u64 {
    memory(pid, "Anonymous:")
}

fn memory(pid: u32, what: &str) -> u64 {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(path).expect("the process exists");
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.expect("a size").parse::<u64>().unwrap() * 1024
}

/// What a process must not gather over time.
#[derive(Debug)]
pub struct Holdings {
    /// Open descriptors.
    pub descriptors: usize,
    /// Bytes of anonymous memory.
    pub memory: u64,
}

impl Holdings {
    /// Those of a process now.
    pub fn of(pid: u32) -> Holdings {
        Holdings {
            descriptors: descriptors(pid).len(),
            memory: anonymous_memory(pid),
        }
    }
}
