//! Lines that a log did not take: counted, and told at a bounded rate. Not who writes them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Level;
use crate::sys::OsError;

/// The time between two complaints about one log.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long a log must have taken every line before it counts as well again.
const SETTLED: Duration = Duration::from_secs(1);

static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines that this process has lost, of all logs.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Counts anew: what was lost before a fork is another process's.
pub(super) fn forget() {
    LOST.store(0, Ordering::Relaxed);
}

/// Counts these lines as lost; returns how many there are. Of the first of them a part may have
/// been written.
pub(super) fn count(lines: &[u8]) -> u64 {
    let lines = number(lines);
    add(lines);
    lines
}

/// Counts so many lines as lost.
pub(super) fn add(lines: u64) {
    LOST.fetch_add(lines, Ordering::Relaxed);
}

/// The number of lines.
pub(super) fn number(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// What one log has lost since it was last well.
#[derive(Debug, Default)]
pub(super) struct Outage {
    lines: u64,
    /// Why the latest were lost; none for a log that takes no lines and gives no error.
    error: Option<io::Error>,
    latest: Option<Instant>,
    /// Whether it has taken lines since the latest loss.
    moves: bool,
    complained: Option<Instant>,
}

impl Outage {
    /// Lines are lost.
    pub fn lose(&mut self, lines: u64, error: Option<io::Error>, now: Instant) {
        self.lines += lines;
        self.error = error;
        self.latest = Some(now);
        self.moves = false;
    }

    /// The log has taken lines.
    pub fn end(&mut self) {
        self.moves = true;
    }

    /// When there will be something to tell; a time that has passed is now.
    pub fn due(&self) -> Option<Instant> {
        let latest = self.latest.filter(|_| self.lines > 0)?;
        let complaint = self.complained.map_or(latest, |last| last + INTERVAL);
        let settled = self.moves.then_some(latest + SETTLED);
        Some(settled.map_or(complaint, |settled| settled.min(complaint)))
    }

    /// What there is to tell about the log of this name. The count is that of the whole outage,
    /// until its end was told.
    pub fn tell(&mut self, log: &str, now: Instant) -> Option<News> {
        self.due().filter(|due| *due <= now)?;
        if self.moves {
            return self.close(log);
        }
        self.complained = Some(now);
        let lost = lines(self.lines);
        let text = match &self.error {
            Some(error) => format!(
                "write() to \"{log}\" failed {}, {lost} lost",
                OsError(error)
            ),
            None => format!("\"{log}\" takes no lines, {lost} lost"),
        };
        Some(News(Level::Alert, text))
    }

    /// Ends the account of the outage, if there is one.
    pub fn close(&mut self, log: &str) -> Option<News> {
        let lost = Some(std::mem::take(&mut self.lines)).filter(|&lines| lines > 0)?;
        Some(match self.moves {
            true => again(log, lost),
            false => {
                let text = format!("\"{log}\" takes no lines, {} were lost", lines(lost));
                News(Level::Alert, text)
            }
        })
    }
}

/// The end of an outage.
pub(super) fn again(log: &str, lost: u64) -> News {
    let text = format!("\"{log}\" takes lines again, {} were lost", lines(lost));
    News(Level::Error, text)
}

/// Something to tell, and how grave it is.
#[derive(Debug)]
pub(super) struct News(pub Level, pub String);

fn lines(count: u64) -> String {
    let lines = if count == 1 { "line" } else { "lines" };
    format!("{count} {lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(outage: &mut Outage, at: Instant) -> String {
        outage.tell("/log", at).map_or(String::new(), |news| news.1)
    }

    #[test]
    fn a_failure_is_told_at_once_then_once_a_minute() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let full = || Some(io::Error::from_raw_os_error(28));
        let mut outage = Outage::default();
        assert_eq!(outage.due(), None);
        outage.lose(1, full(), at(0));
        let failed = "write() to \"/log\" failed (28: No space left on device)";
        assert_eq!(told(&mut outage, at(0)), format!("{failed}, 1 line lost"));
        outage.lose(3, full(), at(59));
        assert_eq!(told(&mut outage, at(59)), "");
        assert_eq!(outage.due(), Some(at(60)));
        assert_eq!(told(&mut outage, at(60)), format!("{failed}, 4 lines lost"));
    }

    #[test]
    fn its_end_is_told_when_it_lasts() {
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        let mut outage = Outage::default();
        outage.lose(2, None, at(0));
        assert_eq!(
            told(&mut outage, at(0)),
            "\"/log\" takes no lines, 2 lines lost"
        );
        outage.end();
        outage.lose(1, None, at(9));
        assert_eq!(told(&mut outage, at(15)), "", "it had not ended");
        outage.end();
        assert_eq!(told(&mut outage, at(18)), "", "it may not have ended");
        let again = "\"/log\" takes lines again, 3 lines were lost";
        assert_eq!(told(&mut outage, at(19)), again);
        assert_eq!(outage.due(), None);
    }

    #[test]
    fn lines_are_counted_by_their_ends() {
        let before = lost();
        assert_eq!(count(b"end\none\ntwo\n"), 3);
        assert!(lost() >= before + 3);
    }
}
