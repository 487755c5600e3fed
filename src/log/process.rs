//! The error log of the whole process, behind the `log` crate's macros, and what a start says on
//! stderr.

use std::fmt;
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard};

use super::line::Line;
use super::{ErrorLog, Level, LogFile, file};

struct Process {
    /// None before any is known.
    log: Option<ErrorLog>,
    /// Whether somebody who started the program still watches stderr.
    starting: bool,
}

static PROCESS: RwLock<Process> = RwLock::new(Process {
    log: None,
    starting: true,
});

/// Nothing panics with the lock held, so a poisoned one is still whole.
fn process() -> RwLockReadGuard<'static, Process> {
    PROCESS.read().unwrap_or_else(PoisonError::into_inner)
}

fn change(change: impl FnOnce(&mut Process)) {
    let mut process = PROCESS.write().unwrap_or_else(PoisonError::into_inner);
    change(&mut process);
    let starting = process.starting.then_some(Level::Warn);
    let least = process
        .log
        .as_ref()
        .and_then(ErrorLog::least_grave)
        .max(starting);
    log::set_max_level(least.map_or(log::LevelFilter::Off, |level| {
        level.nearest().to_level_filter()
    }));
}

/// Makes the macros of [`crate::log`] write to the process's log. Once, at the start of the
/// program.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails when the program has a logger already, which then is what was wanted.
        let _ = log::set_logger(&Logger);
        change(|_| ());
    });
}

/// Makes `log` the process's own, in place of the one before.
pub fn set_default(log: ErrorLog) {
    change(|process| process.log = Some(log));
}

/// The process's own log; one without sinks before any is known.
pub fn default() -> ErrorLog {
    process()
        .log
        .clone()
        .unwrap_or_else(|| ErrorLog::new(Vec::new()))
}

/// Ends the start: from now on nothing is repeated on stderr, and nobody who does not read a stream
/// is waited for.
pub fn started() {
    file::hurry();
    change(|process| process.starting = false);
}

/// Writes `forkful: [emerg] message` to stderr and nothing to the log.
pub fn startup(level: Level, message: fmt::Arguments<'_>) {
    LogFile::stderr().write(Line::startup(level, message).finish());
}

/// Writes a line to the process's log, as the macros do. During the start warnings and graver ones
/// are repeated on stderr, as nginx does.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    // Not with the lock held: a log that loses lines tells it here.
    let (log, starting) = {
        let process = process();
        (process.log.clone(), process.starting)
    };
    if let Some(log) = &log {
        log.write(level, None, message);
    }
    let seen = log.as_ref().is_some_and(|log| log.reaches_stderr(level));
    if starting && level <= Level::Warn && !seen {
        startup(level, message);
    }
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if let Some(level) = Level::of(record) {
            write(level, *record.args());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process::Command};

    use super::super::{LogFiles, Sink, To};
    use super::*;

    const MARK: &str = "FORKFUL_TEST_LOG";

    /// What a program does in its life; its stderr is looked at by the test.
    fn live(path: &str) {
        install();
        crate::log::emerg!("before any log, {}", 1);
        crate::log::notice!("unseen");
        let log = LogFiles::default().open(path.as_ref()).expect("opened");
        set_default(ErrorLog::new(vec![Sink {
            level: Level::Notice,
            to: To::File(log),
        }]));
        crate::log::warn!("in both");
        crate::log::notice!("in the log");
        crate::log::info!("in none");
        started();
        let number = 7;
        crate::log::alert!("in the log, later: {number}");
        set_default(ErrorLog::new(vec![Sink {
            level: Level::Debug,
            to: To::File(LogFile::stderr()),
        }]));
        crate::log::debug!("dated on stderr");
    }

    #[test]
    fn what_goes_where() {
        if let Ok(path) = env::var(MARK) {
            return live(&path);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("error.log");
        let output = Command::new(env::current_exe().expect("the test binary"))
            .args([
                "log::process::tests::what_goes_where",
                "--exact",
                "--nocapture",
            ])
            .env(MARK, &path)
            .output()
            .expect("started");
        let errors = String::from_utf8(output.stderr).expect("text");
        let errors: Vec<_> = errors.lines().collect();
        assert_eq!(
            errors[..2],
            [
                "forkful: [emerg] before any log, 1",
                "forkful: [warn] in both"
            ]
        );
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors[2].ends_with(": dated on stderr") && errors[2].contains(" [debug] "));
        let log = fs::read_to_string(&path).expect("read");
        let messages: Vec<_> = log
            .lines()
            .filter_map(|line| line.split_once(": "))
            .collect();
        let messages: Vec<_> = messages.into_iter().map(|(_, message)| message).collect();
        assert_eq!(messages, ["in both", "in the log", "in the log, later: 7"]);
    }
}
