//! Directives that concern file systems: pools of threads, and what is kept of slow answers.

use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::files::cache;
use crate::site::draft::Draft;
use crate::site::transport::DEFAULT_POOL;
use crate::worker::pool;

directives! {
    /// Pools of threads.
    pub struct Pools in "ngx_thread_pool_module" with Draft {
        /// A pool of threads for what can block: cold files, listings, disks that do not answer.
        /// Each worker has its own. One file system holds at most half its threads, and
        /// `max_queue` of its jobs wait for them; requests beyond that are answered with 503.
        list: Vec<Pool> = vec![Pool::default()] =>
            "thread_pool" [MAIN] 2..=3, Many, "default threads=32 max_queue=65536",
            with(thread_pool);
    }
}

directives! {
    /// What is kept of answers of remote file systems.
    pub struct FileCache in "forkful" with Draft {
        /// Files of network and FUSE file systems, up to `max`, with small contents up to `size`
        /// in all: used without a check for `valid`; served while a check is outstanding for
        /// longer than `grace`, up to an age of `stale`.
        limits: cache::Limits = cache::Limits::default() =>
            "file_cache" [MAIN] 1.., Once, "max=20000 size=64m valid=1s grace=100ms stale=10m",
            with(file_cache);
    }
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Disks {
    /// Pools of threads.
    pub pools: Pools,
    /// What is kept.
    pub cache: FileCache,
}

/// One pool of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: Vec<u8>,
    /// How large it may become.
    pub limits: pool::Limits,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            name: DEFAULT_POOL.into(),
            limits: pool::Limits::default(),
        }
    }
}

impl Disks {
    /// The pool of this name.
    pub fn pool(&self, name: &[u8]) -> Option<&Pool> {
        self.pools.list.iter().find(|pool| pool.name == name)
    }
}

fn thread_pool(this: &mut Pools, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let name = &call.arg(0).text;
    let mut limits = pool::Limits::default();
    let mut threads = None;
    for word in &call.args()[1..] {
        let invalid = |what: &str| Reason::about(&format!("invalid {what} value"), word);
        match parameter(word)? {
            (b"threads", value) => {
                let count =
                    value::decimal(value).filter(|count| (1..=MOST_THREADS).contains(count));
                threads = Some(count.ok_or_else(|| invalid("threads"))?);
            }
            (b"max_queue", value) => {
                let count = value::decimal(value).ok_or_else(|| invalid("max_queue"))?;
                limits.max_queue = usize::try_from(count).unwrap_or(usize::MAX);
            }
            _ => return Err(Reason::about("invalid parameter", word)),
        }
    }
    let missing = || Reason::around("", " must have \"threads\" parameter");
    limits.threads = threads.ok_or_else(missing)? as usize;
    let pool = Pool {
        name: name.clone(),
        limits,
    };
    match this.list.iter_mut().find(|known| known.name == *name) {
        Some(known) if name == DEFAULT_POOL => *known = pool,
        Some(_) => return Err(Reason::about("duplicate thread pool", call.arg(0))),
        None => this.list.push(pool),
    }
    Ok(())
}

/// More threads than any disk has use for; a slip of the pen must not exhaust the machine.
const MOST_THREADS: u64 = 4096;

fn file_cache(this: &mut FileCache, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let limits = &mut this.limits;
    for word in call.args() {
        let invalid = || Reason::about("invalid parameter", word);
        let (name, value) = parameter(word)?;
        let time = || value::parse_milliseconds(value).ok_or_else(invalid);
        let count = || {
            value::decimal(value)
                .filter(|&count| count > 0)
                .ok_or_else(invalid)
        };
        match name {
            b"max" => limits.max = usize::try_from(count()?).unwrap_or(usize::MAX),
            b"size" => limits.size = value::parse_size(value).ok_or_else(invalid)?,
            b"valid" => limits.valid = time()?,
            b"grace" => limits.grace = time()?,
            b"stale" => limits.stale = time()?,
            _ => return Err(invalid()),
        }
    }
    Ok(())
}

fn parameter(word: &Word) -> Result<(&[u8], &[u8]), Reason> {
    let at = word.text.iter().position(|&byte| byte == b'=');
    let at = at.ok_or_else(|| Reason::about("invalid parameter", word))?;
    Ok((&word.text[..at], &word.text[at + 1..]))
}
