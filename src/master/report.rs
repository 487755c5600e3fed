//! What is known of a worker's end beyond how it ended: from its entry on the scoreboard and from
//! the kernel. Not what follows from it.

use std::time::{Duration, Instant};

use super::poison::Poison;
use super::scoreboard::Place;
use super::state::Death;
use crate::log;
use crate::sys::crash::{Cause, Crash};
use crate::sys::oom::Kills;
use crate::sys::process::{Exit, ExitStatus, Pid};
use crate::worker::in_hand::InHand;
use crate::worker::scoreboard::Entry;

const SIGKILL: i32 = 9;
/// How long before a death is noticed a kill may have been counted that explains it.
const RECENT: Duration = Duration::from_secs(1);

/// What has to be remembered from one death to the next.
pub struct Reports {
    poison: Poison,
    kills: Kills,
    /// Counted kills that explain no death so far, and when they were noticed.
    unexplained: (u64, Instant),
}

impl Reports {
    /// Nothing has happened yet.
    pub fn new(now: Instant) -> Reports {
        Reports {
            poison: Poison::default(),
            kills: Kills::from_now(),
            unexplained: (0, now),
        }
    }

    /// What there is to say of the end of a process.
    pub fn death(&mut self, exit: Exit, place: Option<&Place>, now: Instant) -> Death {
        let was_killed = matches!(
            exit.status,
            ExitStatus::Signal {
                number: SIGKILL,
                ..
            }
        );
        let was_oom = was_killed && self.was_oom(now);
        let Some(entry) = place.map(Place::entry) else {
            let report = if was_oom { OUT_OF_MEMORY } else { "" }.into();
            let blamed = false;
            return Death {
                exit,
                blamed,
                report,
            };
        };
        let crash = entry.crash().filter(|crash| ended_by(&exit, crash));
        let culprit = crash.as_ref().and_then(|crash| culprit(crash, entry));
        if let Some(culprit) = &culprit
            && self.poison.crashed(culprit.identity())
        {
            log::alert!("this request is poison, it has crashed three workers: {culprit}");
        }
        let cause = crash.map(|crash| crash.to_string());
        let cause = cause.or(was_oom.then(|| OUT_OF_MEMORY.to_owned()));
        let work = work(entry, "lost");
        let facts = [cause, Some(work), culprit.as_ref().map(InHand::to_string)];
        Death {
            exit,
            blamed: culprit.is_some(),
            report: facts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }

    /// Whether the kernel has counted a kill that no other death explains.
    fn was_oom(&mut self, now: Instant) -> bool {
        let (left, noticed) = self.unexplained;
        let left = if now <= noticed + RECENT { left } else { 0 };
        let fresh = self.kills.take();
        let noticed = if fresh > 0 { now } else { noticed };
        let count = left + fresh;
        self.unexplained = (count.saturating_sub(1), noticed);
        count > 0
    }
}

const OUT_OF_MEMORY: &str = "killed for lack of memory";

/// Words of a signal that another one overtook say nothing of this end.
fn ended_by(exit: &Exit, crash: &Crash) -> bool {
    matches!(exit.status, ExitStatus::Signal { number, .. } if number == crash.signal)
}

/// The request that the thread had in hand whose own fault it was.
fn culprit(crash: &Crash, entry: &Entry) -> Option<InHand> {
    match crash.cause {
        Cause::Own(_) => entry.in_hand(crash.thread),
        Cause::Sent(_) => None,
    }
}

/// Whose work it was and how much.
fn work(entry: &Entry, what_became: &str) -> String {
    let seen = entry.snapshot();
    format!(
        "slot {}, generation {}, {} requests served, {} connections {what_became}",
        seen.slot,
        seen.generation,
        seen.served(),
        seen.connections
    )
}

/// The line about a worker that is to be aborted because its loop stands still. Its request is
/// quoted, and blamed for nothing: anything may hold up a loop.
pub fn stalled(pid: Pid, place: Option<&Place>) -> String {
    let Some(entry) = place.map(Place::entry) else {
        return format!("worker process {pid} stands still, aborting it");
    };
    let work = work(entry, "open");
    let request = entry.in_hand(0).map(|request| format!(", {request}"));
    let request = request.unwrap_or_default();
    format!("worker process {pid} stands still, aborting it: {work}{request}")
}
