//! From texts to a plan: parse, tables, what the site needs. Nothing is opened here but the texts.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::OnceLock;

use super::fragment;
use super::settings::{Settings, User};
use super::temp_dirs;
use crate::conf::diagnostic::{Entry, Reason, Severity};
use crate::conf::outside::Outside;
use crate::conf::parse::{self, Start};
use crate::conf::source::Sources;
use crate::conf::table::{
    Arity, Call, Directive, EVENTS, Holds, Inherit, MAIN, Setter, Shape, Table,
};
use crate::conf::tree::{Item, Tree};
use crate::log::{self, Level};
use crate::site::draft::{Draft, World};
use crate::site::error_log::{Planned, Target};
use crate::site::{scope, unbuilt};
use crate::sys::{OsError, file, privilege};
use crate::worker;
use crate::worker::disks::{Disks, FileCache, Pools};
use crate::worker::settings::Sandbox;

/// nginx's default for `pid` and the directory that it and the default error log stand in.
const PID: &str = "logs/nginx.pid";
const ERROR_LOG: &str = "logs/error.log";
/// The text of `-g`, as the parser names it; it is no file.
const COMMAND_LINE: &str = "command line";

/// Which configuration is loaded, and how. The same for each reload.
#[derive(Clone, Debug)]
pub struct Request {
    /// The texts.
    pub start: Start,
    /// What relative paths in the configuration start from.
    pub prefix: PathBuf,
    /// `-e`: the error log unless the configuration names one.
    pub error_log: Option<PathBuf>,
    /// Whether workers stay who they are where no `user` is named, instead of becoming `nobody`.
    pub keep_user: bool,
    /// What a start in the foreground says is served, if anything.
    pub subject: Option<PathBuf>,
}

/// A configuration that was read; what is wrong with it is in the draft's diagnostics.
pub struct Plan {
    /// The texts it was read from.
    pub sources: Sources,
    /// The site and what it needs.
    pub draft: Draft,
    /// What concerns the process.
    pub settings: Settings,
    /// What concerns each worker.
    pub worker: worker::settings::Settings,
    /// Where the number of the master is to be written; `None` for nowhere.
    pub pid: Option<PathBuf>,
    /// The number of workers, and where it comes from.
    pub(super) workers: (usize, Option<String>),
    pub(super) request: Request,
}

/// What the top level of a configuration is read into.
#[derive(Default)]
pub struct Top {
    settings: Settings,
    worker: worker::settings::Settings,
}

impl Holds<Settings> for Top {
    fn module(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl Holds<worker::settings::Process> for Top {
    fn module(&mut self) -> &mut worker::settings::Process {
        &mut self.worker.process
    }
}

impl Holds<worker::settings::Isolation> for Top {
    fn module(&mut self) -> &mut worker::settings::Isolation {
        &mut self.worker.isolation
    }
}

impl Holds<Pools> for Top {
    fn module(&mut self) -> &mut Pools {
        &mut self.worker.disks.pools
    }
}

impl Holds<FileCache> for Top {
    fn module(&mut self) -> &mut FileCache {
        &mut self.worker.disks.cache
    }
}

impl Holds<worker::settings::Events> for Top {
    fn module(&mut self) -> &mut worker::settings::Events {
        &mut self.worker.events
    }
}

/// The directives of the top level and of `events`.
pub fn table() -> &'static Table<Top, Draft> {
    static TABLE: OnceLock<Table<Top, Draft>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows = Settings::directives();
        rows.extend(worker::settings::Process::directives());
        rows.extend(worker::settings::Isolation::directives());
        rows.extend(worker::settings::Events::directives());
        rows.extend(Pools::directives());
        rows.extend(FileCache::directives());
        rows.push(block(
            "events",
            "ngx_event_core_module",
            "How connections are waited for.",
            events,
        ));
        rows.push(block(
            "http",
            "ngx_http_core_module",
            "What is served over HTTP.",
            http,
        ));
        Table::new(rows, unbuilt::stranger)
    })
}

fn block(
    name: &'static str,
    module: &'static str,
    doc: &'static str,
    set: Setter<Top, Draft>,
) -> Directive<Top, Draft> {
    Directive {
        name,
        module,
        contexts: MAIN,
        arity: Arity::from(0),
        shape: Shape::Scope,
        inherit: Inherit::Once,
        default: "",
        doc,
        set,
    }
}

fn events(top: &mut Top, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    table().apply(top, draft, call.block(), EVENTS);
    Ok(())
}

fn http(_: &mut Top, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    draft.read(call.block());
    Ok(())
}

/// Whether a module of this name has any directives here.
pub fn is_built_in(module: &[u8]) -> bool {
    let top = table().rows().iter().map(|row| row.module);
    let within = scope::table().rows().iter().map(|row| row.module);
    top.chain(within).any(|name| name.as_bytes() == module)
}

/// Reads a configuration. Opens nothing but its texts.
pub fn read(request: &Request) -> Plan {
    read_from(request, Outside::system().into())
}

/// The same, with whatever the system is asked for answered by `outside`.
pub fn read_from(request: &Request, outside: Rc<Outside>) -> Plan {
    let mut draft = Draft::new(World {
        prefix: request.prefix.clone(),
        directory: request.start.prefix.clone(),
        hostname: outside.host_name().to_ascii_lowercase(),
        privileged: privilege::is_root(),
        outside: Rc::clone(&outside),
    });
    draft.known = |name| table().knows(name) || scope::table().knows(name);
    let start = request.start.clone();
    let Tree { sources, items } = parse::parse(start, &outside, &mut draft.diagnostics);
    let items = fragment::completed(items, &mut draft.diagnostics);
    // The first set of logs is the process's, whatever is read first.
    draft.error_logs.set_default(Vec::new());
    let mut top = Top::default();
    table().apply(&mut top, &mut draft, &items, MAIN);
    require_events(&items, &mut draft);
    require_pools(&top.worker.disks, &mut draft);
    let Top {
        mut settings,
        worker,
    } = top;
    if worker.isolation.sandbox == Sandbox::Strict {
        require_known_paths(&mut draft);
    }
    fill_in(&mut settings, request, &mut draft);
    let pid = pid_path(&settings, &mut draft, &request.prefix);
    let workers = settings.workers();
    for question in outside.missing() {
        draft.diagnostics.error(None, question);
    }
    draft.diagnostics.sort();
    Plan {
        sources,
        draft,
        settings,
        worker,
        pid,
        workers,
        request: request.clone(),
    }
}

/// As in nginx, a configuration without this block is refused; it tells a fragment from a whole.
fn require_events(items: &[Item], draft: &mut Draft) {
    if !draft.diagnostics.errors() && !items.iter().any(|item| item.name.is("events")) {
        draft
            .diagnostics
            .error(None, "no \"events\" section in configuration");
    }
}

/// What may be read is settled before there is a request.
fn require_known_paths(draft: &mut Draft) {
    let what = "\"worker_sandbox strict\" has to know where files are, and this path begins with a \
                variable";
    for place in std::mem::take(&mut draft.needs.reach.anywhere) {
        draft.diagnostics.error(Some(place), what);
    }
}

/// Every pool of threads that a location uses has to be declared, before or after it.
fn require_pools(disks: &Disks, draft: &mut Draft) {
    let needs = std::mem::take(&mut draft.needs.pools);
    for (name, place) in needs.iter().filter(|(name, _)| disks.pool(name).is_none()) {
        let what = format!("unknown thread pool \"{}\"", name.escape_ascii());
        draft.diagnostics.error(*place, Reason::from(what));
    }
    draft.needs.pools = needs;
}

/// What holds where the configuration says nothing.
fn fill_in(settings: &mut Settings, request: &Request, draft: &mut Draft) {
    if request.keep_user && settings.user == User::Default {
        settings.user = User::Keep;
    }
    if let Err(why) = settings.find_user(draft.outside()) {
        draft.diagnostics.error(None, why);
    }
    if settings.error_log.is_empty() {
        settings.error_log.push(default_error_log(request, draft));
    }
    draft.error_logs.set_default(settings.error_log.clone());
}

/// The error log of a configuration that names none: that of `-e`, nginx's, or stderr.
fn default_error_log(request: &Request, draft: &mut Draft) -> Planned {
    let file = match &request.error_log {
        Some(named) if named.as_os_str() == "stderr" => None,
        Some(named) => Some(draft.needs.logs.number(request.prefix.join(named))),
        None => draft.default_log(ERROR_LOG, "errors go to stderr"),
    };
    Planned {
        level: Level::Error,
        target: file.map_or(Target::Stderr, Target::File),
    }
}

/// nginx's default is written only where its directory exists and is on no read-only file system.
fn pid_path(settings: &Settings, draft: &mut Draft, prefix: &Path) -> Option<PathBuf> {
    if let Some(path) = &settings.pid {
        return Some(draft.path(path.as_os_str().as_encoded_bytes()));
    }
    let path = prefix.join(PID);
    if !draft.has_directory(&path) {
        return None;
    }
    let read_only = |error: &io::Error| error.kind() == io::ErrorKind::ReadOnlyFilesystem;
    if file::check_writable(&path).is_err_and(|error| read_only(&error)) {
        let name = path.display();
        let what = format!("\"{name}\" is not written: its file system is read-only");
        draft.diagnostics.notice(Severity::Notice, None, what);
        return None;
    }
    Some(path)
}

/// Whether the pid file is nginx's default and its file system is read-only: then there is none.
pub(super) fn has_no_place(settings: &Settings, pid: &Path) -> bool {
    let read_only = |error: io::Error| error.kind() == io::ErrorKind::ReadOnlyFilesystem;
    settings.pid.is_none() && file::check_writable(pid).is_err_and(read_only)
}

impl Plan {
    /// Where `-s` looks for the number of the master.
    pub fn pid_or_default(&self) -> PathBuf {
        self.pid
            .clone()
            .unwrap_or_else(|| self.request.prefix.join(PID))
    }

    /// What was said about it, in lines for the log.
    pub fn messages(&self) -> Vec<(Level, String)> {
        let diagnostics = &self.draft.diagnostics;
        let line = |entry: &Entry| (level(entry.severity), entry.headline(&self.sources));
        let summary = diagnostics.summary().map(|more| (Level::Emerg, more));
        let count = self.workers.1.clone().map(|count| (Level::Notice, count));
        diagnostics
            .entries()
            .iter()
            .map(line)
            .chain(summary)
            .chain(count)
            .collect()
    }

    /// Looks whether its logs and its pid file could be opened, and opens none.
    ///
    /// # Errors
    /// In nginx's words: `open() "/x/error.log" failed (2: No such file or directory)`.
    pub fn check_files(&self) -> Result<(), String> {
        let check = |path: &PathBuf| {
            let failed = |e| format!("open() \"{}\" failed {}", path.display(), OsError(&e));
            file::check_writable(path).map_err(failed)
        };
        let logs = self.draft.needs.logs.things();
        let pid = self.pid.iter();
        let pid = pid.filter(|path| !has_no_place(&self.settings, path));
        logs.iter().chain(pid).try_for_each(check)?;
        temp_dirs::check(self.draft.needs.temp_dirs.things())
    }

    /// Every file it was read from, each after a line with its name (`-T`).
    pub fn dump(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for source in self
            .sources
            .iter()
            .filter(|source| source.name != Path::new(COMMAND_LINE))
        {
            text.extend(format!("# configuration file {}:\n", source.name.display()).into_bytes());
            text.extend_from_slice(&source.text);
            text.push(b'\n');
        }
        text
    }
}

/// Writes such lines to the process's log.
pub fn write(lines: &[(Level, String)]) {
    for (level, text) in lines {
        log::write(*level, format_args!("{text}"));
    }
}

/// The level that nginx logs such a thing at.
pub fn level(severity: Severity) -> Level {
    match severity {
        Severity::Error => Level::Emerg,
        Severity::Warning => Level::Warn,
        Severity::Notice => Level::Notice,
    }
}

#[cfg(test)]
mod tests;
