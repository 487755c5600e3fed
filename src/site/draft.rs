//! A site while it is read, and the site once it is whole: servers, endpoints, logs.
//!
//! Loading has two halves, so that `site` never sees a socket: [`plan`] reads the configuration
//! and says what it needs; [`Draft::open`] takes what was opened for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::access_log::{self, Format};
use super::body;
use super::charset::Charsets;
use super::compression::{self, Kept};
use super::endpoints;
use super::error_log::ErrorLogs;
use super::location::Location;
use super::numbering::Numbering;
use super::reach::Reach;
use super::scope::{self, Scope};
use super::server::{Endpoint, Server};
use super::syslog;
use super::traffic::Board;
use super::transport::DEFAULT_POOL;
use super::variables::{Named, Registry};
use super::zones::{self, Zone};
use crate::conf::diagnostic::{Diagnostics, Reason, Severity};
use crate::conf::network::Network;
use crate::conf::outside::Outside;
use crate::conf::pattern;
use crate::conf::source::Place;
use crate::conf::table::{HTTP, Shared};
use crate::conf::tree::{Item, Word};
use crate::files::open::{self, OpenFiles};
use crate::files::temp::TempDir;
use crate::log::{ErrorLog, Keep, LogFile, Syslog, Writer};
use crate::sys::socket::{Address, Options};

/// What is known before the configuration is read.
#[derive(Clone, Debug)]
pub struct World {
    /// What relative paths start from.
    pub prefix: PathBuf,
    /// The directory of the configuration file, from which some start instead.
    pub directory: PathBuf,
    /// The name of this machine, in lower case.
    pub hostname: Vec<u8>,
    /// Whether ports below 1024 can be bound; decides the default port.
    pub privileged: bool,
    /// What else is asked of the system.
    pub outside: Rc<Outside>,
}

/// A socket that the site wants to listen.
#[derive(Clone, Debug)]
pub struct ListenerNeed {
    /// Where.
    pub address: Address,
    /// Its options.
    pub options: Options,
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// What asks for it.
    pub place: Option<Place>,
}

/// What has to be opened for a site.
#[derive(Debug, Default)]
pub struct Needs {
    /// Sockets; endpoint `i` of the site listens on socket `i`.
    pub listeners: Vec<ListenerNeed>,
    /// Log files.
    pub logs: Numbering<PathBuf>,
    /// What workers reach by path.
    pub reach: Reach,
    /// Directories of temporary files.
    pub temp_dirs: Numbering<TempDir>,
    /// Zones of shared memory; zone `i` of the site is zone `i`.
    pub zones: Vec<zones::Need>,
    /// Pools of threads by name, each where it is named first; the default comes first.
    pub pools: Vec<(Vec<u8>, Option<Place>)>,
}

/// A site while it is read.
pub struct Draft {
    /// Errors and notices so far.
    pub diagnostics: Diagnostics,
    /// Names of variables so far.
    pub variables: Registry,
    /// What has to be opened, so far.
    pub needs: Needs,
    /// The name of this machine.
    pub hostname: Vec<u8>,
    /// Steps a pattern may take.
    pub match_limit: u64,
    /// Formats of access logs by name.
    pub formats: HashMap<Vec<u8>, Format>,
    /// Access logs, each path and buffer once.
    pub access_logs: Numbering<access_log::Target>,
    /// How logs are kept open whose paths have variables; the first keeps none.
    pub log_families: Numbering<Keep>,
    /// Syslog daemons, each way of speaking to one once.
    pub daemons: Numbering<syslog::Settings>,
    /// Sets of error logs.
    pub error_logs: ErrorLogs,
    /// Charsets so far, and the tables between them.
    pub charsets: Charsets,
    /// Servers so far.
    pub servers: Vec<Server>,
    /// Where requests are logged of which the configuration says nothing; known at the end.
    pub default_access_log: Option<access_log::Log>,
    /// What will listen; known at the end.
    pub endpoints: Vec<Endpoint>,
    /// Which block is being read, counted; setters see by it what their own block has set.
    pub block: u64,
    /// The path that an `alias` in this block replaces; none in a block that may not have one.
    pub alias_of: Option<AliasOf>,
    /// Whether a directive of this name may stand anywhere, also outside `http`.
    pub known: fn(&str) -> bool,
    /// Whether answers of slow file systems may be kept.
    pub keeps_files: bool,
    /// Bytes of coded files that a worker keeps.
    pub compressed_cache: u64,
    /// How much each `open_file_cache` keeps.
    pub open_files: Vec<open::Limits>,
    world: World,
}

/// What an `alias` replaces.
#[derive(Clone, Debug)]
pub enum AliasOf {
    /// So many bytes at the start of the path.
    Bytes(usize),
    /// The whole path: the location is a pattern.
    All,
}

impl Shared for Draft {
    fn diagnostics(&mut self) -> &mut Diagnostics {
        &mut self.diagnostics
    }

    fn knows(&self, name: &str) -> bool {
        (self.known)(name)
    }

    /// What it names may be variables that it would have set: `map $a $b`, `set $a b`, and the
    /// named captures of a pattern.
    fn refused(&mut self, item: &Item) {
        for word in iter::once(&item.name).chain(&item.args) {
            let name = word.text.strip_prefix(b"$").into_iter();
            for name in name.chain(pattern::names_within(&word.text)) {
                self.variables.excuse(name);
            }
        }
        for inner in item.block.iter().flatten() {
            self.refused(inner);
        }
    }
}

impl Draft {
    /// Nothing read yet.
    pub fn new(world: World) -> Draft {
        let mut variables = Registry::default();
        Draft {
            diagnostics: Diagnostics::default(),
            needs: Needs {
                reach: Reach {
                    prefix: world.prefix.clone(),
                    ..Reach::default()
                },
                pools: vec![(DEFAULT_POOL.into(), None)],
                ..Needs::default()
            },
            hostname: world.hostname.clone(),
            match_limit: super::matching::LIMIT,
            formats: access_log::formats(&mut variables),
            variables,
            access_logs: Numbering::default(),
            log_families: Numbering::from(Keep::NONE),
            daemons: Numbering::default(),
            error_logs: ErrorLogs::default(),
            charsets: Charsets::default(),
            servers: Vec::new(),
            default_access_log: None,
            endpoints: Vec::new(),
            block: 0,
            alias_of: None,
            known: |_| false,
            keeps_files: true,
            compressed_cache: compression::KEPT,
            open_files: Vec::new(),
            world,
        }
    }

    /// What the configuration asks of the system.
    pub fn outside(&self) -> &Outside {
        &self.world.outside
    }

    /// The networks that a word names: `unix:`, an address, one in CIDR form, or a host.
    ///
    /// # Errors
    /// `host not found in set_real_ip_from "name"`.
    pub fn networks(&mut self, word: &Word, directive: &str) -> Result<Vec<Network>, Reason> {
        let outside = &self.world.outside;
        Network::parse_or_resolve(word, directive, outside, &mut self.diagnostics)
    }

    /// A path of the configuration; a relative one starts from the prefix.
    pub fn path(&self, text: &[u8]) -> PathBuf {
        self.world
            .prefix
            .join(Path::new(std::ffi::OsStr::from_bytes(text)))
    }

    /// A path of the configuration; a relative one starts from the directory of its main file.
    pub fn path_beside(&self, text: &[u8]) -> PathBuf {
        let directory = self.world.prefix.join(&self.world.directory);
        directory.join(Path::new(std::ffi::OsStr::from_bytes(text)))
    }

    /// Whether the directory that this path is in exists.
    pub fn has_directory(&self, path: &Path) -> bool {
        path.parent()
            .is_some_and(|parent| self.outside().is_directory(parent))
    }

    /// The number of the log file at one of nginx's default paths; none where its directory does
    /// not exist, and then it is said what happens `otherwise`.
    pub fn default_log(&mut self, path: &str, otherwise: &str) -> Option<usize> {
        let path = self.path(path.as_bytes());
        if self.has_directory(&path) {
            return Some(self.needs.logs.number(path));
        }
        let what = format!("\"{}\" has no directory, {otherwise}", path.display());
        self.diagnostics.notice(Severity::Notice, None, what);
        None
    }

    /// Where files are unless `root` says otherwise.
    pub(super) fn default_root(&self) -> PathBuf {
        self.path(b"html")
    }

    /// Where bodies of requests are kept unless `client_body_temp_path` says otherwise.
    pub(super) fn default_temp(&self) -> TempDir {
        body::default_temp(self.path(b""))
    }

    /// The number of the pool of threads of this name.
    pub fn pool(&mut self, name: &[u8], place: Place) -> usize {
        let pools = &mut self.needs.pools;
        let known = pools.iter().position(|(known, _)| known == name);
        known.unwrap_or_else(|| {
            pools.push((name.to_vec(), Some(place)));
            pools.len() - 1
        })
    }

    /// The port where a server listens that does not say where.
    pub fn default_port(&self) -> u16 {
        if self.world.privileged { 80 } else { 8000 }
    }

    /// Reads the `http` block; what is wrong with it is in [`Draft::diagnostics`].
    pub fn read(&mut self, http: &[Item]) {
        scope::read(&Scope::default(), self, http, HTTP);
        self.endpoints = endpoints::assemble(self);
        self.default_access_log = access_log::plan_default(self);
        let default_root = self.default_root();
        if self.outside().is_directory(&default_root) {
            self.needs.reach.reads.number(default_root);
        }
        if let Some(missing) = self.charsets.missing() {
            self.diagnostics.error(None, missing);
        }
        self.require_zones();
        for (name, place) in self.variables.unknown() {
            self.diagnostics
                .error(place, Reason::from(format!("unknown \"{name}\" variable")));
        }
    }

    /// The site, with what was opened for it: one log file for each of [`Needs::logs`], and its
    /// zones; without those nothing can be served that needs one.
    pub fn open(mut self, files: &[Arc<LogFile>], zones: Vec<Rc<Zone>>) -> Site {
        let daemons = self.daemons.things().iter().cloned();
        let daemons: Vec<_> = daemons.map(|it| Arc::new(Syslog::new(it))).collect();
        let error_logs = self.error_logs.open(files, &daemons);
        let (default_root, default_temp) = (self.default_root(), self.default_temp());
        // A worker that is told to reopen its logs, and not by the master, finds them by path.
        for path in self.needs.logs.things() {
            self.needs.reach.writes.number(path.clone());
        }
        let writer = |target: &access_log::Target| RefCell::new(target.open(files));
        let open_files = |limits| RefCell::new(OpenFiles::new(limits));
        let family = |keep: &Keep| LogFile::family(Path::new("access_log"), *keep);
        Site {
            access_logs: self.access_logs.things().iter().map(writer).collect(),
            log_families: self.log_families.things().iter().map(family).collect(),
            error_logs,
            daemons,
            slots: self.variables.slots(),
            real_root: self.variables.real_root,
            variables: self.variables.into_names(),
            charsets: self.charsets,
            zones,
            traffic: None,
            pools: self.needs.pools.into_iter().map(|(name, _)| name).collect(),
            keeps_files: self.keeps_files,
            kept: RefCell::new(Kept::new(self.compressed_cache)),
            coding_memory: compression::Memory::default(),
            open_files: self.open_files.into_iter().map(open_files).collect(),
            hostname: self.hostname,
            default_root,
            default_temp,
            keeps_bodies: !self.needs.temp_dirs.things().is_empty(),
            temp_dirs: self.needs.temp_dirs.things().to_vec(),
            reach: self.needs.reach,
            default_access_log: self.default_access_log,
            endpoints: self.endpoints,
            servers: self.servers,
        }
    }
}

/// All that is served: read-only once the workers run, but for the buffers of its logs.
pub struct Site {
    /// What listens, and who answers there.
    pub endpoints: Vec<Endpoint>,
    /// All servers.
    pub servers: Vec<Server>,
    /// Writers of access logs.
    pub access_logs: Vec<RefCell<Writer>>,
    /// Access logs whose paths have variables.
    pub log_families: Vec<Arc<LogFile>>,
    /// Where requests are logged of which the configuration says nothing.
    pub default_access_log: Option<access_log::Log>,
    /// Syslog daemons.
    pub daemons: Vec<Arc<Syslog>>,
    /// Sets of error logs; the first is the process's.
    pub error_logs: Vec<ErrorLog>,
    /// Charsets, and the tables between them.
    pub charsets: Charsets,
    /// Variables that an exchange has room for.
    pub slots: usize,
    /// Variables that the configuration uses, makes or sets, by name.
    pub variables: HashMap<Vec<u8>, Rc<Named>>,
    /// Whether anything asks for `$realpath_root`.
    pub real_root: bool,
    /// What the workers are doing; it is theirs to say where.
    pub traffic: Option<Board>,
    /// Zones of shared memory, by their numbers.
    pub zones: Vec<Rc<Zone>>,
    /// Names of the pools of threads that locations use, the default first.
    pub pools: Vec<Vec<u8>>,
    /// Whether answers of slow file systems may be kept.
    pub keeps_files: bool,
    /// Coded files.
    pub kept: RefCell<Kept>,
    /// Bytes that are in use for coding.
    pub coding_memory: compression::Memory,
    /// Files that each `open_file_cache` keeps.
    pub open_files: Vec<RefCell<OpenFiles>>,
    /// The name of this machine.
    pub hostname: Vec<u8>,
    /// The directory of files where no `root` is set.
    pub default_root: PathBuf,
    /// Where bodies of requests are kept where no `client_body_temp_path` is set.
    pub default_temp: TempDir,
    /// Whether some bodies of requests are kept.
    pub keeps_bodies: bool,
    /// Directories of temporary files.
    pub temp_dirs: Vec<TempDir>,
    /// What workers reach by path.
    pub reach: Reach,
}

impl Site {
    /// The numbers of access logs that are flushed by time.
    pub fn timed_logs(&self) -> Vec<usize> {
        let timed = |(_, writer): &(usize, &RefCell<Writer>)| writer.borrow().is_timed();
        self.access_logs
            .iter()
            .enumerate()
            .filter(timed)
            .map(|(number, _)| number)
            .collect()
    }

    /// The error log of a location.
    pub fn error_log(&self, location: &Location) -> &ErrorLog {
        &self.error_logs[location.values.error_log.set]
    }
}
