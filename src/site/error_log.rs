//! `error_log` within `http`: sets of logs that hold in some places.

use std::sync::Arc;

use super::draft::Draft;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;
use crate::log::{self, Level, LogFile, Sink};

directives! {
    /// Where errors are logged.
    pub struct ErrorLog in "ngx_core_module" with Draft {
        /// Logs errors of this level and above to a file or to `stderr`; several may be given.
        set: usize = 0 => "error_log" [HTTP | SERVER | LOCATION] 1.., Replace, "", with(error_log);
    }
}

/// One `error_log`: what goes where.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The least severe level that is logged.
    pub level: Level,
    /// The log file's number in the needs; none for stderr.
    pub file: Option<usize>,
}

/// All sets of error logs of a configuration; the first is the process's.
#[derive(Debug, Default)]
pub struct ErrorLogs {
    sets: Vec<Vec<Planned>>,
}

impl ErrorLogs {
    /// Sets what holds where nothing else is said.
    pub fn set_default(&mut self, logs: Vec<Planned>) {
        match self.sets.first_mut() {
            Some(first) => *first = logs,
            None => self.sets.push(logs),
        }
    }

    /// The logs, with the files that were opened.
    pub fn open(&self, files: &[Arc<LogFile>]) -> Vec<log::ErrorLog> {
        let sink = |planned: &Planned| Sink {
            level: planned.level,
            log: match planned.file {
                Some(file) => files[file].clone(),
                None => LogFile::stderr(),
            },
        };
        self.sets
            .iter()
            .map(|set| log::ErrorLog::new(set.iter().map(sink).collect()))
            .collect()
    }
}

/// What nginx can debug on its own.
const DEBUG_PARTS: [&str; 8] = [
    "debug_core",
    "debug_alloc",
    "debug_mutex",
    "debug_event",
    "debug_http",
    "debug_mail",
    "debug_stream",
    "debug",
];

/// What one directive says.
///
/// # Errors
/// An unknown level, or a target that is not supported.
pub fn parse(draft: &mut Draft, call: &Call<'_>) -> Result<Planned, Reason> {
    let target = call.arg(0);
    if target.text.starts_with(b"syslog:") || target.text.starts_with(b"memory:") {
        let what = format!("logging to \"{}\" is not supported", target.str());
        return Err(Reason::from(what).at(target.place));
    }
    let level = level(&call.args()[1..])?;
    let file = match &target.text[..] {
        b"stderr" => None,
        path => Some(draft.needs.logs.number(draft.path(path))),
    };
    Ok(Planned { level, file })
}

/// The level; nginx's `debug_http` and its like are all of `debug`, and may be several.
fn level(words: &[Word]) -> Result<Level, Reason> {
    let is_part = |word: &Word| DEBUG_PARTS.iter().any(|part| word.is(part));
    match words {
        [] => Ok(Level::Error),
        words if words.iter().all(is_part) => Ok(Level::Debug),
        [word] => {
            let level = word.str().parse();
            level.map_err(|_| Reason::about("invalid log level", word))
        }
        [_, more, ..] => Err(Reason::about("invalid log level", more)),
    }
}

fn error_log(this: &mut ErrorLog, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let planned = parse(draft, call)?;
    if call.first {
        draft.error_logs.sets.push(Vec::new());
        this.set = draft.error_logs.sets.len() - 1;
    }
    draft.error_logs.sets[this.set].push(planned);
    Ok(())
}
