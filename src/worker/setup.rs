//! What a worker is given, and how it becomes one: limits, user and groups, capabilities, sandbox,
//! threads, then the loop, then it says that it is ready.

use std::rc::Rc;
use std::time::Duration;
use std::{io, panic};

use super::command::START_FAILED;
use super::event_loop::Worker;
use super::sandbox::{self, Enclosure};
use super::scoreboard::Tally;
use super::settings::Settings;
use crate::log::{self, LogFiles};
use crate::site::draft::Site;
use crate::sys::channel::Channel;
use crate::sys::limit::{self, Limit, Resource};
use crate::sys::privilege::{self, Identity};
use crate::sys::signal::{self, Signal, Signals};
use crate::sys::socket::Listener;
use crate::sys::{OsError, cpu, crash};

/// How long the logs may hold up an end that came suddenly.
const PANIC_LIMIT: Duration = Duration::from_millis(500);

/// All that a worker needs to serve.
pub struct Setup {
    /// Its number among the workers, from 0.
    pub slot: usize,
    /// How many there are.
    pub workers: usize,
    /// What it serves.
    pub site: &'static Site,
    /// What concerns it.
    pub settings: Settings,
    /// Who it is to be.
    pub who: Who,
    /// What it may be told to accept from.
    pub sockets: Vec<Socket>,
    /// What it is left with; none if nothing is kept from it.
    pub enclosure: Option<Enclosure>,
    /// The logs, in the order that the master knows them by.
    pub logs: LogFiles,
    /// To the master; none if there is none.
    pub channel: Option<Channel>,
    /// Where it says what it does.
    pub tally: Tally,
}

/// A socket that listens, and what answers there.
#[derive(Clone)]
pub struct Socket {
    /// The socket.
    pub listener: Rc<Listener>,
    /// The endpoint's number in the site.
    pub endpoint: usize,
    /// The slot that it belongs to; none for one that all workers share.
    pub slot: Option<usize>,
}

/// Who a worker is to be.
pub enum Who {
    /// Whoever started it, with all that it may do.
    Unchanged,
    /// Whoever started it, without capabilities.
    Powerless,
    /// Somebody else, for good.
    Other(Identity),
}

/// Becomes a worker and serves until it is time to leave. Returns the code to exit with.
///
/// Signals are expected to be blocked, and nobody else in this process to catch them.
pub fn run(setup: Setup) -> i32 {
    report_panics();
    if let Err(error) = crash::tell(setup.tally.last_words()) {
        log::alert!("sigaction() failed {}", OsError(&error));
    }
    let tally = setup.tally;
    match begin(setup) {
        Ok(worker) => worker.run(),
        Err(why) => {
            log::emerg!("{why}");
            tally.give_up(&why);
            log::finish(PANIC_LIMIT);
            START_FAILED
        }
    }
}

/// A panic ends the process; stderr may be nowhere by now.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        log::alert!("worker process panicked: {panic}");
        log::finish(PANIC_LIMIT);
    }));
}

fn begin(mut setup: Setup) -> Result<Worker, String> {
    prepare(&setup)?;
    setup.enclosure = None;
    start_log_thread(&setup.settings);
    let signals =
        catch_signals().map_err(|error| format!("signals cannot be caught {}", OsError(&error)))?;
    Worker::new(setup, signals)
        .map_err(|error| format!("epoll_create() failed {}", OsError(&error)))
}

/// A worker that may have no thread writes its logs itself.
fn start_log_thread(settings: &Settings) {
    if let Err(error) = log::start(settings.process.log_queue) {
        log::alert!("the log thread cannot be started {}", OsError(&error));
    }
}

fn catch_signals() -> io::Result<Signals> {
    let signals = Signals::new(&Signal::CATCHABLE)?;
    signal::ignore_sigpipe()?;
    signal::unblock_all()?;
    Ok(signals)
}

fn prepare(setup: &Setup) -> Result<(), String> {
    limit(setup);
    for socket in &setup.sockets {
        // Accepted connections inherit it; a unix socket has no such option and needs none.
        let _ = socket.listener.set_nodelay();
    }
    become_who(setup)?;
    sandbox::enter(setup);
    Ok(())
}

/// Limits that cannot be set as asked for are for the log.
fn limit(setup: &Setup) {
    let process = &setup.settings.process;
    limit_descriptors(&setup.settings);
    if let Some(size) = process.core
        && let Err(error) = limit::set(Resource::Core, Limit::of(size))
    {
        log::alert!("setrlimit(RLIMIT_CORE, {size}) failed {}", OsError(&error));
    }
    if process.priority != 0
        && let Err(error) = limit::set_priority(process.priority)
    {
        log::alert!(
            "setpriority({}) failed {}",
            process.priority,
            OsError(&error)
        );
    }
    let allowed = cpu::affinity().unwrap_or_default();
    if let Some(cpus) = process.affinity.cpus(setup.slot, &allowed)
        && let Err(error) = cpu::set_affinity(&cpus)
    {
        log::alert!("sched_setaffinity() failed {}", OsError(&error));
    }
}

/// User, groups, capabilities. The worker ends where one of them fails.
fn become_who(setup: &Setup) -> Result<(), String> {
    privilege::set_no_new_privileges()
        .map_err(|error| format!("prctl(PR_SET_NO_NEW_PRIVS) failed {}", OsError(&error)))?;
    match &setup.who {
        Who::Unchanged => return Ok(()),
        Who::Powerless => privilege::drop_capabilities(),
        Who::Other(identity) => privilege::drop_privileges(identity),
    }
    .map_err(|error| error.to_string())?;
    privilege::set_umask();
    // Who stays who it is may leave one by default.
    if let Err(error) = privilege::set_dumpable(setup.settings.process.core.is_some()) {
        log::alert!("prctl(PR_SET_DUMPABLE) failed {}", OsError(&error));
    }
    Ok(())
}

/// A worker that gets fewer descriptors than it was promised goes on: that is for the log.
fn limit_descriptors(settings: &Settings) {
    let result = match settings.process.descriptors {
        None => limit::raise_descriptors().map(drop),
        Some(count) => limit::set(Resource::Descriptors, Limit::of(count)),
    };
    if let Err(error) = result {
        log::alert!("setrlimit(RLIMIT_NOFILE) failed {}", OsError(&error));
    }
    let available = limit::get(Resource::Descriptors).map_or(u64::MAX, |limit| limit.soft);
    if settings.events.connections > available {
        let wanted = settings.events.connections;
        log::warn!("{wanted} worker_connections exceed open file resource limit: {available}");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::{env, fs};

    use super::*;
    use crate::log::{ErrorLog, Level, Sink, To};

    const MARK: &str = "FORKFUL_TEST_PANIC";

    #[test]
    fn the_last_words_of_a_panic_are_in_the_log() {
        if let Some(path) = env::var_os(MARK) {
            let log = LogFiles::default().open(path.as_ref()).expect("opened");
            let level = Level::Alert;
            log::install();
            log::set_default(ErrorLog::new(vec![Sink {
                level,
                to: To::File(log),
            }]));
            log::start(1 << 20).expect("a thread");
            report_panics();
            panic!("on purpose");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("error.log");
        let name = "worker::setup::tests::the_last_words_of_a_panic_are_in_the_log";
        let output = Command::new(env::current_exe().expect("the test binary"))
            .args([name, "--exact"])
            .env(MARK, &path)
            .output();
        assert!(!output.expect("started").status.success());
        let log = fs::read_to_string(&path).expect("read");
        assert!(
            log.contains("worker process panicked") && log.contains("on purpose"),
            "{log}"
        );
    }
}
