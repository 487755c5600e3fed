//! A configuration with its logs opened, ready to be served. It touches no socket.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::children::LogTable;
use super::listeners::Wanted;
use super::load::{self, Plan, Request, has_no_place};
use super::pid_file::PidFile;
use super::settings::Settings;
use super::state::Terms;
use super::temp_dirs;
use super::zones;
use crate::conf::outside::Outside;
use crate::log::{self, LogFiles};
use crate::site::draft::Site;
use crate::site::zones::Zone;
use crate::sys::OsError;
use crate::sys::process::Workplace;
use crate::worker;

/// How long the core of an aborted worker may take to write.
const LONGEST_DUMP: Duration = Duration::from_secs(30);

/// All that a master and its workers serve with.
pub struct Loaded {
    /// The number of workers.
    pub workers: usize,
    /// What concerns the process.
    pub settings: Settings,
    /// What concerns each worker.
    pub worker: worker::settings::Settings,
    /// The sockets; endpoint `i` of the site listens on socket `i`.
    pub listeners: Vec<Wanted>,
    /// The logs.
    pub logs: LogFiles,
    /// Where the number of the master is written.
    pub pid: Option<PathBuf>,
    /// What is served.
    pub site: Site,
    /// What its workers are left with.
    pub enclosure: Option<worker::Enclosure>,
    /// Where its workers run, if the configuration says; they tell why it cannot be entered.
    pub(super) workplace: Option<io::Result<Workplace>>,
    pub(super) request: Request,
}

impl Loaded {
    /// Opens the logs of a plan that has no errors, and maps the zones that it needs and are not
    /// `held` already.
    ///
    /// # Errors
    /// In nginx's words: `open() "/x/error.log" failed (2: No such file or directory)`.
    pub fn open(plan: Plan, held: &[Rc<Zone>]) -> Result<Loaded, String> {
        let Plan {
            mut draft,
            settings,
            worker,
            pid,
            workers,
            request,
            ..
        } = plan;
        let mut logs = LogFiles::default();
        let open = |path: &PathBuf| {
            let failed = |e| format!("open() \"{}\" failed {}", path.display(), OsError(&e));
            logs.open(path).map_err(failed)
        };
        let files = draft
            .needs
            .logs
            .things()
            .iter()
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        let wanted = std::mem::take(&mut draft.needs.listeners)
            .into_iter()
            .map(|need| Wanted {
                address: need.address,
                options: need.options,
                backlog: need.backlog,
            });
        let listeners = wanted.collect();
        let zones = zones::map(&draft.needs.zones, held)?;
        let (site, workers) = (draft.open(&files, zones), workers.0);
        temp_dirs::make(&site.temp_dirs, &settings.who())?;
        let directory = settings.working_directory.as_deref();
        let enclosure = worker::Enclosure::plan(&worker, &site, directory);
        let workplace = directory.map(Workplace::open);
        Ok(Loaded {
            workers,
            settings,
            worker,
            listeners,
            logs,
            pid,
            site,
            enclosure,
            workplace,
            request,
        })
    }

    /// What takes the place of this one, from what its checker read. What is said about it goes to
    /// the log of this one.
    ///
    /// # Errors
    /// One line.
    pub(super) fn reload(
        &self,
        outside: Outside,
        held: &[Rc<Zone>],
    ) -> Result<Loaded, Vec<String>> {
        let plan = load::read_from(&self.request, outside.into());
        load::write(&plan.messages());
        if plan.draft.diagnostics.errors() {
            return Err(vec!["the configuration is not what was checked".into()]);
        }
        Loaded::open(plan, held).map_err(|why| vec![why])
    }

    /// What the master needs to know to run it.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            workers: self.workers,
            probation: self.settings.reload_probation,
            generations: self.settings.worker_generations,
            stall: self.settings.worker_stall_timeout,
            check: self.settings.reload_timeout,
            dump: match self.worker.process.core {
                None | Some(0) => Duration::ZERO,
                Some(_) => LONGEST_DUMP,
            },
        }
    }

    /// From now on the process logs where this configuration says.
    pub fn make_current(&self) {
        if let Some(log) = self.site.error_logs.first() {
            log::set_default(log.clone());
        }
    }

    /// Writes the pid file, if there is to be one.
    ///
    /// # Errors
    /// Those of [`PidFile::write`].
    pub(super) fn write_pid(&self) -> Result<Option<PidFile>, String> {
        let Some(path) = &self.pid else {
            return Ok(None);
        };
        if has_no_place(&self.settings, path) {
            let name = path.display();
            log::notice!("\"{name}\" is not written: its file system is read-only");
            return Ok(None);
        }
        PidFile::write(path).map(Some)
    }

    /// The paths of its logs, in the order of their table.
    pub(super) fn log_table(&self) -> LogTable {
        self.logs
            .iter()
            .map(|log| log.path().to_owned())
            .collect::<Vec<_>>()
            .into()
    }

    /// What a start in the foreground says on the terminal: where to open the site.
    pub fn announcement(&self) -> Option<String> {
        let subject = self
            .request
            .subject
            .as_ref()
            .filter(|_| !self.settings.daemon)?;
        let address = self
            .listeners
            .iter()
            .find_map(|wanted| wanted.address.ip())?;
        Some(format!("serving {} on {}", subject.display(), url(address)))
    }
}

/// What a browser on this machine opens.
fn url(mut address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(_) if address.ip().is_unspecified() => address.set_ip([127, 0, 0, 1].into()),
        SocketAddr::V6(_) if address.ip().is_unspecified() => {
            address.set_ip(Ipv6Addr::LOCALHOST.into());
        }
        _ => {}
    }
    match address.port() {
        80 => format!("http://{}/", address.to_string().trim_end_matches(":80")),
        _ => format!("http://{address}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_open() {
        for (address, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("0.0.0.0:80", "http://127.0.0.1/"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/"),
            ("[::]:80", "http://[::1]/"),
            ("[::1]:8080", "http://[::1]:8080/"),
        ] {
            assert_eq!(url(address.parse().expect("an address")), expected);
        }
    }
}
