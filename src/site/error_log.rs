//! `error_log` within `http`: sets of logs that hold in some places.

use std::sync::Arc;

use super::draft::Draft;
use super::syslog;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::log::{self, Level, LogFile, Memory, Sink, Syslog, To};

directives! {
    /// Where errors are logged.
    pub struct ErrorLog in "ngx_core_module" with Draft {
        /// Logs errors of this level and above to a file, to `stderr`, to a syslog daemon
        /// (`syslog:server=...`), or in memory (`memory:size`); several may be given.
        set: usize = 0 => "error_log" [HTTP | SERVER | LOCATION] 1.., Replace, "", with(error_log);
    }
}

/// One `error_log`: what goes where.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The least severe level that is logged.
    pub level: Level,
    /// Where to.
    pub target: Target,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// To stderr.
    Stderr,
    /// To a file, by its number in the needs.
    File(usize),
    /// To a ring of so many bytes.
    Memory(usize),
    /// To a daemon, by its number in the draft.
    Syslog(usize),
}

impl Target {
    fn open(&self, files: &[Arc<LogFile>], daemons: &[Arc<Syslog>]) -> To {
        match self {
            Target::Stderr => To::File(LogFile::stderr()),
            Target::File(file) => To::File(files[*file].clone()),
            Target::Memory(size) => To::Memory(Memory::new(*size).into()),
            Target::Syslog(daemon) => To::Syslog(daemons[*daemon].clone()),
        }
    }
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

    /// The logs, with the files that were opened and the ways to daemons.
    pub fn open(&self, files: &[Arc<LogFile>], daemons: &[Arc<Syslog>]) -> Vec<log::ErrorLog> {
        let sink = |planned: &Planned| Sink {
            level: planned.level,
            to: planned.target.open(files, daemons),
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

/// The least room in memory: for the longest line, and what stands before it.
const LEAST_MEMORY: u64 = (2 << 10) + 64;

/// What one directive says.
///
/// # Errors
/// An unknown level, or a target that is none.
pub fn parse(draft: &mut Draft, call: &Call<'_>) -> Result<Planned, Reason> {
    let target = target(draft, call.arg(0))?;
    let level = level(&call.args()[1..])?;
    Ok(Planned { level, target })
}

fn target(draft: &mut Draft, word: &Word) -> Result<Target, Reason> {
    if word.is("stderr") {
        return Ok(Target::Stderr);
    }
    if let Some(settings) = word.text.strip_prefix(b"syslog:") {
        return syslog::parse(settings, word, draft).map(Target::Syslog);
    }
    if let Some(size) = word.text.strip_prefix(b"memory:") {
        let bytes = value::parse_size(size).filter(|bytes| *bytes >= LEAST_MEMORY);
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        let what = || format!("invalid buffer size \"{}\"", String::from_utf8_lossy(size));
        let invalid = || Reason::from(what()).at(word.place);
        return bytes.map(Target::Memory).ok_or_else(invalid);
    }
    Ok(Target::File(
        draft.needs.logs.number(draft.path(&word.text)),
    ))
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
