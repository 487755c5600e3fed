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
use crate::worker::command::START_FAILED;
use crate::worker::in_hand::InHand;
use crate::worker::scoreboard::Entry;

/// What has to be remembered from one death to the next.
pub struct Reports {
    poison: Poison,
    kills: Kills,
    unexplained: Unexplained,
}

impl Reports {
    /// Nothing has happened yet.
    pub fn new(now: Instant) -> Reports {
        Reports {
            poison: Poison::default(),
            kills: Kills::from_now(),
            unexplained: Unexplained::none(now),
        }
    }

    /// What there is to say of the end of a process. A request that is poison by it is logged.
    pub fn death(&mut self, exit: Exit, place: Option<&Place>, now: Instant) -> Death {
        let entry = place.map(Place::entry);
        let crash = entry.and_then(Entry::crash);
        let crash = crash.filter(|crash| exit.status.signal() == Some(crash.signal));
        let culprit = entry
            .zip(crash)
            .and_then(|(entry, crash)| culprit(entry, crash));
        if let Some(culprit) = &culprit
            && self.poison.crashed(culprit.identity())
        {
            log::alert!("this request is poison, it has crashed three workers: {culprit}");
        }
        let was_oom = self.was_oom(exit.status, now);
        let failed = exit.status == ExitStatus::Code(START_FAILED);
        let facts = [
            entry.filter(|_| failed).and_then(Entry::gave_up),
            crash.map(|crash| crash.to_string()),
            was_oom.then(|| "killed for lack of memory".to_owned()),
            place.map(|place| work(place, "lost")),
            culprit.as_ref().map(InHand::to_string),
        ];
        Death {
            exit,
            blamed: culprit.is_some(),
            report: facts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }

    fn was_oom(&mut self, status: ExitStatus, now: Instant) -> bool {
        const SIGKILL: i32 = 9;
        status.signal() == Some(SIGKILL) && self.unexplained.explain(self.kills.take(), now)
    }
}

/// Kills for lack of memory that explain no death so far.
struct Unexplained {
    count: u64,
    noticed: Instant,
}

impl Unexplained {
    /// How long they may wait for the death of theirs to be seen. Later ones are others': the
    /// control group may hold more than this server.
    const RECENT: Duration = Duration::from_secs(1);

    fn none(now: Instant) -> Unexplained {
        Unexplained {
            count: 0,
            noticed: now,
        }
    }

    /// Takes note of fresh ones; whether one of all explains a death of now.
    fn explain(&mut self, fresh: u64, now: Instant) -> bool {
        if now > self.noticed + Self::RECENT {
            self.count = 0;
        }
        if fresh > 0 {
            self.noticed = now;
        }
        let count = self.count + fresh;
        self.count = count.saturating_sub(1);
        count > 0
    }
}

/// The request that the thread had in hand whose own fault it was.
fn culprit(entry: &Entry, crash: Crash) -> Option<InHand> {
    match crash.cause {
        Cause::Own(_) => entry.in_hand(crash.thread),
        Cause::Sent(_) => None,
    }
}

/// Whose work it was and how much.
fn work(place: &Place, what_became: &str) -> String {
    let seen = place.snapshot();
    format!(
        "slot {}, generation {}, {} requests served, {} connections {what_became}",
        seen.slot,
        seen.generation,
        seen.served(),
        seen.connections
    )
}

/// What a worker was at whose loop stands still. Its request is quoted and blamed for nothing:
/// anything may hold up a loop.
pub fn stalled(pid: Pid, place: &Place) -> String {
    let entry = place.entry();
    let request = entry.in_hand(0).map(|request| format!(", {request}"));
    let work = work(place, "open");
    format!(
        "worker process {pid} stands still: {work}{}",
        request.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::super::scoreboard::Scoreboard;
    use super::super::state::Seat;
    use super::*;
    use crate::sys::socket::PeerAddress;

    fn exit(status: ExitStatus) -> Exit {
        let pid = Pid::new(17).expect("a process");
        Exit { pid, status }
    }

    fn by_signal(number: i32) -> Exit {
        exit(ExitStatus::Signal {
            number,
            core: false,
        })
    }

    /// A worker in the middle of a request that left these last words.
    fn place(crash: Option<Crash>) -> Place {
        let seat = Seat {
            generation: 3,
            slot: 1,
        };
        let mut scoreboard = Scoreboard::new().expect("mapped");
        let place = scoreboard.claim(seat, Instant::now()).expect("a place");
        let tally = place.tally();
        tally.connections(2);
        tally.response(200);
        let raw = b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
        tally.take(0, raw, &PeerAddress::Unix);
        crash
            .into_iter()
            .for_each(|crash| tally.last_words().pretend(crash));
        place
    }

    fn crash(code: i32, cause: Cause) -> Crash {
        let (signal, thread) = (11, 0);
        Crash {
            signal,
            code,
            thread,
            cause,
        }
    }

    const WORK: &str = "slot 1, generation 3, 1 requests served, 2 connections";
    const REQUEST: &str = "client: unix:, request: \"GET /a HTTP/1.1\", host: \"b\"";

    #[test]
    fn only_its_own_crash_blames_the_request() {
        let now = Instant::now();
        let own = crash(1, Cause::Own(Some(4096)));
        let idle = Crash { thread: 5, ..own };
        let sent = crash(0, Cause::Sent(5));
        let table = [
            (by_signal(11), Some(own), true, "SEGV_MAPERR at 0x1000, "),
            (by_signal(11), Some(idle), false, "SEGV_MAPERR at 0x1000, "),
            (
                by_signal(11),
                Some(sent),
                false,
                "SI_USER sent by process 5, ",
            ),
            (by_signal(11), None, false, ""),
            (by_signal(9), Some(own), false, ""),
            (exit(ExitStatus::Code(3)), None, false, ""),
        ];
        for (exit, crash, blamed, cause) in table {
            let place = place(crash);
            let death = Reports::new(now).death(exit, Some(&place), now);
            let request = if blamed {
                format!(", {REQUEST}")
            } else {
                String::new()
            };
            assert_eq!(death.report, format!("{cause}{WORK} lost{request}"));
            assert_eq!((death.exit, death.blamed), (exit, blamed));
        }
        let death = Reports::new(now).death(by_signal(11), None, now);
        assert_eq!(
            (death.blamed, &death.report[..]),
            (false, ""),
            "without a place"
        );
    }

    #[test]
    fn a_stall_quotes_the_request() {
        let pid = Pid::new(17).expect("a process");
        let line = stalled(pid, &place(None));
        let start = "worker process 17 stands still: ";
        assert_eq!(line, format!("{start}{WORK} open, {REQUEST}"));
    }

    #[test]
    fn each_kill_explains_one_recent_death() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut kills = Unexplained::none(start);
        assert!(!kills.explain(0, at(0)));
        assert!(kills.explain(2, at(10)));
        assert!(kills.explain(0, at(20)), "the second one's");
        assert!(!kills.explain(0, at(30)));
        assert!(kills.explain(5, at(40)));
        assert!(!kills.explain(0, at(1041)), "four were others'");
    }
}
