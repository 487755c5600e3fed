//! Tells a reload from a closed terminal: both arrive as SIGHUP.

use std::fs::{self, File};

use super::state::Event;
use crate::sys::signal::Signal;

/// What is known of the terminal of a master in the foreground.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// It was there at the start, and its end concerns us.
    held: bool,
}

impl Terminal {
    /// For a process without a terminal, such as a daemon: SIGHUP is always a reload.
    pub const NONE: Terminal = Terminal { held: false };

    /// The terminal of this process. One that was started by nohup (SIGHUP ignored) outlives it.
    pub fn of_process() -> Terminal {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Terminal {
            held: is_open() && !ignores_hangup(&status),
        }
    }

    /// What a SIGHUP means that arrives now.
    pub fn hangup(self) -> Event {
        meaning(self.held, is_open())
    }
}

/// After a terminal was closed, its processes cannot open it any more.
fn is_open() -> bool {
    File::open("/dev/tty").is_ok()
}

fn meaning(held: bool, open: bool) -> Event {
    if held && !open {
        Event::TerminalClosed
    } else {
        Event::Signal(Signal::Hup)
    }
}

/// Whether the mask of ignored signals in `/proc/PID/status` holds SIGHUP.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (Signal::Hup.number() - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_terminal_is_no_reload() {
        for (held, open, closed) in [
            (true, false, true),
            (true, true, false),
            (false, false, false),
            (false, true, false),
        ] {
            let event = meaning(held, open);
            assert_eq!(
                matches!(event, Event::TerminalClosed),
                closed,
                "{held} {open}"
            );
            assert_eq!(matches!(event, Event::Signal(Signal::Hup)), !closed);
        }
    }

    #[test]
    fn nohup_is_seen() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t{mask}\nSigIgn:\t{mask}\n");
        assert!(ignores_hangup(&status("0000000000001001")));
        assert!(!ignores_hangup(&status("0000000000001000")));
        assert!(!ignores_hangup(""));
    }
}
