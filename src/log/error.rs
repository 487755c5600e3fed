//! The error log of the process or of a location: where lines go, and from which level on.

use std::fmt;
use std::sync::Arc;

use super::line::Line;
use super::{Level, LogFile};

/// One `error_log` directive.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Lines of this level and graver ones are written.
    pub level: Level,
    /// Where to.
    pub log: Arc<LogFile>,
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
        if !self.enabled(level) {
            return;
        }
        let mut line = Line::dated(level, connection, message);
        let line = line.finish();
        for sink in self.sinks.iter().filter(|sink| level <= sink.level) {
            sink.log.write(line);
        }
    }

    /// The least grave level that is written.
    pub(super) fn least_grave(&self) -> Option<Level> {
        self.least_grave
    }

    /// Whether lines of this level are seen on stderr.
    pub(super) fn reaches_stderr(&self, level: Level) -> bool {
        let reaches = |sink: &Sink| level <= sink.level && sink.log.is_stderr();
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
            Sink { level, log }
        };
        let log = ErrorLog::new(vec![sink("all", Level::Info), sink("grave", Level::Crit)]);
        assert!(log.enabled(Level::Info) && !log.enabled(Level::Debug));
        log.write(Level::Debug, None, format_args!("unseen"));
        log.write(Level::Info, Some(3), format_args!("seen\nonce"));
        log.write(Level::Alert, None, format_args!("seen twice"));

        let read = |name| fs::read_to_string(folder.path().join(name)).expect("read");
        assert_eq!(read("all").lines().count(), 2);
        assert!(read("all").contains(": *3 seen\\x0Aonce\n"));
        assert_eq!(read("grave").lines().count(), 1);
        assert!(read("grave").contains(" [alert] "));
    }

    #[test]
    fn no_sink_writes_nothing() {
        assert!(!ErrorLog::new(Vec::new()).enabled(Level::Emerg));
    }
}
