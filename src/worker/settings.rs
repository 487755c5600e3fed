//! Directives that concern each worker process and its event loop.

use std::time::Duration;

use crate::conf::diagnostic::Reason;
use crate::conf::network::Network;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::site::draft::Draft;
use crate::worker::disks::Disks;

/// A few of the longest lines.
const LEAST_QUEUE: u64 = 16 << 10;

directives! {
    /// What concerns each worker process.
    pub struct Process in "ngx_core_module" with Draft {
        /// Descriptors that a worker may have open. Without it the soft limit is raised to the
        /// hard one.
        descriptors: Option<u64> = None =>
            "worker_rlimit_nofile" [MAIN] 1, Clone, "", set(some_number);
        /// The largest core file that a worker which crashes may leave, in its working directory or
        /// where the system keeps them. Without it they leave none. One that stands still and is
        /// aborted has 30 seconds to write it.
        core: Option<u64> = None => "worker_rlimit_core" [MAIN] 1, Clone, "", set(some_offset);
        /// The priority of the workers, as `nice` has it: the lower, the more of a processor they
        /// get. What is below 0 takes root.
        priority: i32 = 0 => "worker_priority" [MAIN] 1, Clone, "0", set(priority);
        /// The CPUs that workers run on: a mask for each (`0101`), or `auto` with an optional mask
        /// of those that may be used.
        affinity: Affinity = Affinity::Any =>
            "worker_cpu_affinity" [MAIN] 1.., Clone, "", with(worker_cpu_affinity);
        /// Time that a worker has to finish its requests once it was told to leave.
        shutdown_timeout: Option<Duration> = None =>
            "worker_shutdown_timeout" [MAIN] 1, Clone, "", set(some_time);
        /// Bytes of log lines that may wait, in each worker, for the disk to take them. While the
        /// disk moves, a worker waits for room rather than lose a line. When it has not moved for
        /// 200ms lines are dropped, counted, and reported in the error log.
        log_queue: usize = 1 << 20 =>
            "log_queue" [MAIN] 1, Clone, "1m", set(queue_size);
    }
}

directives! {
    /// How a worker is kept from doing anything but serving.
    pub struct Isolation in "forkful" with Draft {
        /// What workers may not do, whoever they run as. `on`: start programs, change files, manage
        /// the machine; logs may be written. `strict`: nor read outside of roots and aliases, as
        /// they are when the configuration is loaded. It has no effect with `master_process off`.
        sandbox: Sandbox = Sandbox::On =>
            "worker_sandbox" [MAIN] 1, Once, "on", set(sandbox);
    }
}

directives! {
    /// What concerns each event loop.
    pub struct Events in "ngx_event_core_module" with Draft {
        /// Connections that a worker holds at the same time. Beyond them idle ones are closed.
        connections: u64 = 512 =>
            "worker_connections" [EVENTS] 1, Clone, "512", set(connections);
        /// Accepts all waiting connections at once instead of one at a time.
        multi_accept: bool = false =>
            "multi_accept" [EVENTS] 1, Clone, "off", set(value::flag);
        /// Logs everything about connections of these clients, whatever the levels of the logs: an
        /// address, a network, a host or `unix:`.
        debugged: Vec<Network> = Vec::new() =>
            "debug_connection" [EVENTS] 1, Many, "", with(debug_connection);
    }
    also {
        /// Accepted: epoll is always used.
        "use" [EVENTS] 1, Clone, "epoll", check(method);
        /// Accepted: workers never wait for each other to accept.
        "accept_mutex" [EVENTS] 1, Clone, "off", check(value::flag);
        /// Accepted: see `accept_mutex`.
        "accept_mutex_delay" [EVENTS] 1, Clone, "500ms", check(value::milliseconds);
        /// Accepted: there is no AIO to size.
        "worker_aio_requests" [EVENTS] 1, Clone, "32", check(value::number);
    }
}

/// What concerns each worker.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The process.
    pub process: Process,
    /// What it may not do.
    pub isolation: Isolation,
    /// Its event loop.
    pub events: Events,
    /// Its file systems.
    pub disks: Disks,
}

/// What a worker gives up before it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// Nothing but its privileges.
    Off,
    /// System calls that it never makes, and changes to files.
    On,
    /// Reading, too, but for what the configuration names.
    Strict,
}

/// Which CPUs workers run on.
#[derive(Clone, Debug, PartialEq)]
pub enum Affinity {
    /// Any.
    Any,
    /// One each, of those in the mask; of all without one.
    Auto(Option<Vec<usize>>),
    /// Worker `i` on set `i`; the last set holds for all that follow.
    Sets(Vec<Vec<usize>>),
}

fn debug_connection(this: &mut Events, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let networks = draft.networks(call.arg(0), "debug_connection")?;
    this.debugged.extend(networks);
    Ok(())
}

fn connections(word: &Word) -> Result<u64, Reason> {
    match value::number(word)? {
        0 => Err(Reason::from("a worker without connections cannot serve").at(word.place)),
        count => Ok(count),
    }
}

fn sandbox(word: &Word) -> Result<Sandbox, Reason> {
    let choices = [
        ("off", Sandbox::Off),
        ("on", Sandbox::On),
        ("strict", Sandbox::Strict),
    ];
    value::one_of(word, &choices)
}

/// As in nginx with either sign, and of any size: the system takes what is nearest.
fn priority(word: &Word) -> Result<i32, Reason> {
    let (sign, digits) = match &word.text[..] {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let number = value::decimal(digits).and_then(|number| i32::try_from(number).ok());
    let invalid = || Reason::from(format!("invalid number \"{}\"", word.str())).at(word.place);
    number.map(|number| sign * number).ok_or_else(invalid)
}

fn some_offset(word: &Word) -> Result<Option<u64>, Reason> {
    value::offset(word).map(Some)
}

fn some_number(word: &Word) -> Result<Option<u64>, Reason> {
    value::number(word).map(Some)
}

fn some_time(word: &Word) -> Result<Option<Duration>, Reason> {
    value::milliseconds(word).map(Some)
}

fn queue_size(word: &Word) -> Result<usize, Reason> {
    let size = value::size(word)?;
    if size < LEAST_QUEUE {
        return Err(Reason::from("a queue of less than 16k is too small").at(word.place));
    }
    usize::try_from(size).map_err(|_| Reason::about("invalid size", word))
}

fn method(word: &Word) -> Result<(), Reason> {
    match &word.text[..] {
        b"epoll" => Ok(()),
        _ => Err(Reason::from(format!("invalid event type \"{}\"", word.str())).at(word.place)),
    }
}

fn worker_cpu_affinity(this: &mut Process, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let args = call.args();
    this.affinity = match args {
        [auto] if auto.is("auto") => Affinity::Auto(None),
        [auto, set] if auto.is("auto") => Affinity::Auto(Some(mask(set)?)),
        sets => Affinity::Sets(sets.iter().map(mask).collect::<Result<_, _>>()?),
    };
    Ok(())
}

/// CPUs of a mask like `0101`; the last digit is CPU 0.
fn mask(word: &Word) -> Result<Vec<usize>, Reason> {
    let bits: Vec<u8> = word
        .text
        .iter()
        .copied()
        .filter(|&digit| digit != b' ')
        .collect();
    if let Some(wrong) = bits.iter().find(|digit| !matches!(digit, b'0' | b'1')) {
        let what = format!(
            "invalid character \"{}\" in \"worker_cpu_affinity\"",
            wrong.escape_ascii()
        );
        return Err(Reason::from(what).at(word.place));
    }
    Ok(bits
        .iter()
        .rev()
        .enumerate()
        .filter(|(_, bit)| **bit == b'1')
        .map(|(cpu, _)| cpu)
        .collect())
}

impl Affinity {
    /// The CPUs for a worker; none for any. `allowed` are those the process may use.
    pub fn cpus(&self, slot: usize, allowed: &[usize]) -> Option<Vec<usize>> {
        match self {
            Affinity::Any => None,
            Affinity::Sets(sets) => sets.get(slot).or(sets.last()).cloned(),
            Affinity::Auto(set) => {
                let usable: Vec<usize> = match set {
                    Some(set) => allowed
                        .iter()
                        .copied()
                        .filter(|cpu| set.contains(cpu))
                        .collect(),
                    None => allowed.to_vec(),
                };
                let cpu = usable.get(slot.checked_rem(usable.len())?)?;
                Some(vec![*cpu])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word {
            text: text.into(),
            place: Default::default(),
        }
    }

    #[test]
    fn priorities_have_a_sign() {
        for (text, expected) in [("-10", -10), ("+5", 5), ("0", 0), ("19", 19)] {
            assert_eq!(priority(&word(text)), Ok(expected));
        }
        for wrong in ["", "-", "--1", "high", "99999999999"] {
            assert!(priority(&word(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn masks_are_read_from_the_right() {
        assert_eq!(mask(&word("0101")).unwrap(), [0, 2]);
        assert_eq!(mask(&word("1000")).unwrap(), [3]);
        assert!(mask(&word("0121")).is_err());
    }

    #[test]
    fn each_worker_gets_its_cpus() {
        let allowed = [1, 2, 5];
        assert_eq!(Affinity::Any.cpus(0, &allowed), None);
        assert_eq!(Affinity::Auto(None).cpus(4, &allowed), Some(vec![2]));
        assert_eq!(
            Affinity::Auto(Some(vec![5])).cpus(1, &allowed),
            Some(vec![5])
        );
        assert_eq!(Affinity::Auto(Some(vec![9])).cpus(1, &allowed), None);
        let sets = Affinity::Sets(vec![vec![0], vec![1, 2]]);
        assert_eq!(sets.cpus(0, &allowed), Some(vec![0]));
        assert_eq!(sets.cpus(7, &allowed), Some(vec![1, 2]));
    }
}
