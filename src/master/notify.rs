//! What the service manager is told, in the protocol of sd_notify(3): a datagram of lines to the
//! socket that the environment names. A full socket delays what is told, never the master.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use super::state::{Phase, Standing};
use crate::log;
use crate::sys::{OsError, clock, process};

/// How long after a failure the same is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// The way to the service manager, if there is one.
pub(super) struct Notify {
    manager: Option<Manager>,
    /// How often it wants to hear that the master lives.
    beat: Option<Duration>,
    next_beat: Instant,
    /// What it knows.
    told: Option<Standing>,
    /// When it is tried again to tell what it does not know.
    retry: Option<Instant>,
    reload: Reload,
}

/// The last reload.
#[derive(Clone, Copy)]
enum Reload {
    None,
    /// The generation that served when it began.
    Began(u64),
    Ended {
        succeeded: bool,
    },
}

struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// A failure was logged.
    failed: bool,
}

impl Notify {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn from_environment() -> Notify {
        let manager = env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let manager = Manager::at(name.as_bytes());
            let failed = |error| {
                log::warn!("NOTIFY_SOCKET cannot be used {}", OsError(&error));
            };
            manager.map_err(failed).ok()
        });
        Notify {
            beat: manager
                .as_ref()
                .and_then(|_| watchdog())
                .map(|time| time / 2),
            manager,
            next_beat: Instant::now(),
            told: None,
            retry: None,
            reload: Reload::None,
        }
    }

    /// Tells what has changed. A successor is silent while the service is another's.
    pub fn update(&mut self, standing: Standing, now: Instant) {
        self.follow_reload(standing);
        if standing.succeeds || self.told == Some(standing) {
            self.retry = None;
            return;
        }
        if self.retry.is_some_and(|due| due > now) {
            return;
        }
        let message = message(self.told, standing, self.reload);
        let told = self.send(&message);
        self.retry = (!told).then(|| now + RETRY);
        if told {
            self.told = Some(standing);
        }
        // From now on the successor speaks for the service.
        if told && standing.phase == Phase::Leaving && standing.successor.is_some() {
            self.manager = None;
        }
    }

    fn follow_reload(&mut self, standing: Standing) {
        self.reload = match (standing.phase, self.reload) {
            (Phase::Reloading, Reload::Began(_)) => return,
            (Phase::Reloading, _) => Reload::Began(standing.generation),
            (_, Reload::Began(before)) => Reload::Ended {
                succeeded: standing.generation != before,
            },
            _ => return,
        };
    }

    /// Says that the master lives, if it is time to. Call it in each round of its loop. A successor
    /// says so from its start: it is heard from the moment on at which the service is its own, and
    /// its predecessor may take long to leave.
    pub fn beat(&mut self, now: Instant) {
        if let Some(beat) = self.beat
            && self.next_beat <= now
        {
            self.next_beat = now + beat;
            // One that is lost is followed by another in time.
            self.send("WATCHDOG=1\n");
        }
    }

    /// When there is something to say although nothing happens.
    pub fn deadline(&self) -> Option<Instant> {
        let beat = self.beat.map(|_| self.next_beat);
        self.retry.into_iter().chain(beat).min()
    }

    /// One message, for a process without a loop.
    pub fn say(&mut self, message: &str) {
        self.send(message);
    }

    /// Whether there is nobody who waits for it any more.
    fn send(&mut self, message: &str) -> bool {
        let Some(manager) = &mut self.manager else {
            return true;
        };
        match manager
            .socket
            .send_to_addr(message.as_bytes(), &manager.address)
        {
            Ok(_) => true,
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock && !manager.failed {
                    manager.failed = true;
                    log::warn!("the service manager cannot be told {}", OsError(&error));
                }
                false
            }
        }
    }
}

impl Manager {
    /// At a path, or with `@` in front a name of the abstract namespace.
    fn at(name: &[u8]) -> io::Result<Manager> {
        let address = match name {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Manager {
            socket,
            address,
            failed: false,
        })
    }
}

/// After how much silence this process is taken for dead.
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let own = process::pid().number() as u64;
    let other = number("WATCHDOG_PID").is_some_and(|pid| pid != own);
    let time = number("WATCHDOG_USEC").filter(|&time| time > 0 && !other)?;
    Some(Duration::from_micros(time))
}

/// What is to be said, so that who knew `told` knows `now`.
fn message(told: Option<Standing>, now: Standing, reload: Reload) -> String {
    let before = told.map_or(Phase::Starting, |told| told.phase);
    let change = match (before, now.phase) {
        (Phase::Starting | Phase::Reloading, Phase::Serving) => "READY=1\n".into(),
        (Phase::Serving, Phase::Reloading) => reloading(),
        // The manager knows of no reload before it knows that the service is ready.
        (Phase::Starting, Phase::Reloading) => format!("READY=1\n{}", reloading()),
        (before, Phase::Leaving) if before != Phase::Leaving => match now.successor {
            Some(pid) => return format!("MAINPID={pid}\n"),
            None => "STOPPING=1\n".into(),
        },
        _ => String::new(),
    };
    format!("{change}STATUS={}\n", status(now, reload))
}

fn reloading() -> String {
    format!(
        "RELOADING=1\nMONOTONIC_USEC={}\n",
        clock::monotonic().as_micros()
    )
}

fn status(now: Standing, reload: Reload) -> String {
    let workers = match now.workers {
        1 => "1 worker".into(),
        count => format!("{count} workers"),
    };
    let last = match reload {
        Reload::Ended { succeeded: true } => ", last reload succeeded",
        Reload::Ended { succeeded: false } => ", last reload failed",
        _ => "",
    };
    let serving = format!("{workers}, generation {}{last}", now.generation);
    match now.phase {
        Phase::Starting => "starting".into(),
        Phase::Serving => serving,
        Phase::Reloading => format!("reloading, {serving}"),
        Phase::Leaving => format!("leaving, {workers} left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::Pid;

    fn standing(phase: Phase, generation: u64) -> Standing {
        Standing {
            phase,
            generation,
            workers: 2,
            succeeds: false,
            successor: None,
        }
    }

    /// A master's side and the manager's.
    fn pair(name: &str) -> (Notify, UnixDatagram) {
        let name = format!("forkful-test-{}-{name}", process::pid());
        let address = SocketAddr::from_abstract_name(&name).expect("short");
        let manager = UnixDatagram::bind_addr(&address).expect("free");
        manager.set_nonblocking(true).expect("set");
        let notify = Notify {
            manager: Some(Manager::at(format!("@{name}").as_bytes()).expect("made")),
            beat: None,
            next_beat: Instant::now(),
            told: None,
            retry: None,
            reload: Reload::None,
        };
        (notify, manager)
    }

    fn received(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 4096];
        let one = || manager.recv(&mut buffer).ok();
        let lengths: Vec<_> = std::iter::repeat_with(one).map_while(|it| it).collect();
        assert!(lengths.len() <= 1, "one datagram for each change");
        let text = String::from_utf8_lossy(&buffer[..lengths.first().copied().unwrap_or(0)]);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let (mut notify, manager) = pair("changes");
        let now = Instant::now();
        let mut told = |standing| {
            notify.update(standing, now);
            notify.update(standing, now);
            received(&manager)
        };
        assert_eq!(told(standing(Phase::Starting, 1)), ["STATUS=starting"]);
        let ready = told(standing(Phase::Serving, 1));
        assert_eq!(ready, ["READY=1", "STATUS=2 workers, generation 1"]);
        let reloading = told(standing(Phase::Reloading, 1));
        assert_eq!(reloading[0], "RELOADING=1");
        assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
        let status = "STATUS=2 workers, generation 2, last reload succeeded";
        assert_eq!(told(standing(Phase::Serving, 2)), ["READY=1", status]);
        told(standing(Phase::Reloading, 2));
        let status = "STATUS=2 workers, generation 2, last reload failed";
        assert_eq!(told(standing(Phase::Serving, 2)), ["READY=1", status]);
        let leaving = told(standing(Phase::Leaving, 2));
        assert_eq!(leaving, ["STOPPING=1", "STATUS=leaving, 2 workers left"]);
    }

    #[test]
    fn a_successor_speaks_once_it_is_alone() {
        let (mut notify, manager) = pair("successor");
        let now = Instant::now();
        let serving = standing(Phase::Serving, 1);
        let succeeds = Standing {
            succeeds: true,
            ..serving
        };
        notify.update(succeeds, now);
        assert_eq!(received(&manager), [""; 0]);
        notify.update(serving, now);
        assert_eq!(received(&manager)[0], "READY=1");
        let leaving = Standing {
            successor: Pid::new(77),
            ..standing(Phase::Leaving, 1)
        };
        notify.update(leaving, now);
        assert_eq!(received(&manager), ["MAINPID=77"]);
        notify.update(
            Standing {
                workers: 0,
                ..leaving
            },
            now,
        );
        assert_eq!(
            received(&manager),
            [""; 0],
            "the service is the successor's"
        );
    }

    #[test]
    fn a_successor_beats_beside_its_predecessor() {
        let (mut notify, manager) = pair("beats");
        let now = Instant::now();
        notify.beat = Some(RETRY);
        notify.next_beat = now;
        notify.update(
            Standing {
                succeeds: true,
                ..standing(Phase::Serving, 1)
            },
            now,
        );
        notify.beat(now);
        notify.beat(now);
        assert_eq!(received(&manager), ["WATCHDOG=1"]);
        assert_eq!(notify.deadline(), Some(now + RETRY));
    }

    #[test]
    fn a_full_socket_delays_only_what_is_told() {
        let (mut notify, manager) = pair("full");
        let now = Instant::now();
        while notify.send("x") {}
        notify.update(standing(Phase::Starting, 1), now);
        notify.update(standing(Phase::Serving, 1), now);
        assert_eq!(notify.deadline(), Some(now + RETRY));
        let mut buffer = [0; 16];
        while manager.recv(&mut buffer).is_ok() {}
        notify.update(standing(Phase::Serving, 1), now + RETRY);
        assert_eq!(received(&manager)[0], "READY=1");
        assert_eq!(notify.deadline(), None);
    }

    #[test]
    fn only_sockets_of_this_machine_are_used() {
        for name in ["vsock:2:1234", "relative", ""] {
            assert!(Manager::at(name.as_bytes()).is_err(), "{name}");
        }
        assert!(Manager::at(b"/run/systemd/notify").is_ok());
    }
}
