//! The error log of the process or of a location: where lines go, and from which level on.

use std::fmt;
use std::sync::Arc;

use super::line::Line;
use super::{Level, LogFile, Memory, Syslog};

/// One `error_log` directive.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Lines of this level and graver ones are written.
    pub level: Level,
    /// Where to.
    pub to: To,
}

/// Where lines of an error log go.
#[derive(Clone, Debug)]
pub enum To {
    /// To a file, or to stderr.
    File(Arc<LogFile>),
    /// To a ring in memory.
    Memory(Arc<Memory>),
    /// To a syslog daemon.
    Syslog(Arc<Syslog>),
}

impl To {
    fn write(&self, level: Level, line: &[u8]) {
        match self {
            To::File(log) => log.write(line),
            To::Memory(memory) => memory.write(line),
            To::Syslog(syslog) => syslog.write(Some(level), line),
        }
    }
}

/// The sinks that hold in one place of the configuration. A clone is cheap and is the same log.
#[derive(Clone, Debug)]
pub struct ErrorLog {
    sinks: Arc<[Sink]>,
    least_grave: Option<Level>,
}

impl ErrorLog {
    /// A log that writes to all of these; to none of none.
    pub fn new(sinks: Vec<Sink>) -> ErrorLog {
        let least_grave = sinks.iter().map(|sink| sink.level).max();
        ErrorLog {
            sinks: sinks.into(),
            least_grave,
        }
    }

    /// Whether anybody would read a line of this level: ask before making an expensive message.
    pub fn enabled(&self, level: Level) -> bool {
        self.least_grave.is_some_and(|least| level <= least)
    }

    /// Writes one line, about a connection or about none, to each sink.
    pub fn write(&self, level: Level, connection: Option<u64>, message: fmt::Arguments<'_>) {
        if self.enabled(level) {
            self.write_from(level, level, connection, message);
        }
    }

    /// As [`ErrorLog::write`], to all sinks, whatever their levels (nginx: `debug_connection`).
    pub fn write_to_all(&self, level: Level, connection: u64, message: fmt::Arguments<'_>) {
        self.write_from(Level::Emerg, level, Some(connection), message);
    }

    /// To the sinks that are `least` grave or less.
    fn write_from(
        &self,
        least: Level,
        level: Level,
        connection: Option<u64>,
        message: fmt::Arguments<'_>,
    ) {
        let mut line = Line::dated(level, connection, message);
        let line = line.finish();
        for sink in self.sinks.iter().filter(|sink| least <= sink.level) {
            sink.to.write(level, line);
        }
    }

    /// The least grave level that is written.
    pub(super) fn least_grave(&self) -> Option<Level> {
        self.least_grave
    }

    /// Whether lines of this level are seen on stderr.
    pub(super) fn reaches_stderr(&self, level: Level) -> bool {
        let is_stderr = |to: &To| matches!(to, To::File(log) if log.is_stderr());
        let reaches = |sink: &Sink| level <= sink.level && is_stderr(&sink.to);
        self.sinks.iter().any(reaches)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::LogFiles;
    use super::*;

    #[test]
    fn each_sink_has_its_level() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut files = LogFiles::default();
        let mut sink = |name: &str, level| {
            let log = files.open(&folder.path().join(name)).expect("opened");
            Sink {
                level,
                to: To::File(log),
            }
        };
        let log = ErrorLog::new(vec![sink("all", Level::Info), sink("grave", Level::Crit)]);
        assert!(log.enabled(Level::Info) && !log.enabled(Level::Debug));
        log.write(Level::Debug, None, format_args!("unseen"));
        log.write(Level::Info, Some(3), format_args!("seen\nonce"));
        log.write(Level::Alert, None, format_args!("seen twice"));

        log.write_to_all(Level::Debug, 3, format_args!("seen all the same"));

        let read = |name| fs::read_to_string(folder.path().join(name)).expect("read");
        assert_eq!(read("all").lines().count(), 3);
        assert!(read("all").contains(": *3 seen\\x0Aonce\n"));
        assert_eq!(read("grave").lines().count(), 2);
        assert!(read("grave").contains(" [alert] "));
    }

    #[test]
    fn no_sink_writes_nothing() {
        assert!(!ErrorLog::new(Vec::new()).enabled(Level::Emerg));
    }
}
