//! Lines for a syslog daemon, each a datagram (RFC 3164), over UDP or a unix socket. Nobody waits:
//! what the daemon does not take at once is lost and counted.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::losses::{self, News, Outage};
use super::{Level, process};
use crate::sys::clock;

/// Where the daemon is, and what each line says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The daemon's address.
    pub server: Server,
    /// What kind of program this is: a number of RFC 3164.
    pub facility: u8,
    /// How grave lines are that have no level of their own.
    pub severity: Level,
    /// The program's name.
    pub tag: String,
    /// The machine's name, if it is told.
    pub hostname: Option<String>,
}

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// On a UDP port.
    Udp(SocketAddr),
    /// On a unix socket.
    Unix(PathBuf),
}

/// The way to one daemon, as one log uses it.
#[derive(Debug)]
pub struct Syslog {
    settings: Settings,
    way: Mutex<Way>,
}

#[derive(Debug, Default)]
struct Way {
    socket: Option<Socket>,
    outage: Outage,
}

#[derive(Debug)]
enum Socket {
    /// Connected, so that refusals are known.
    Udp(UdpSocket),
    /// Not connected: the daemon may be another one next time.
    Unix(UnixDatagram),
}

impl Syslog {
    /// A way that is opened with the first line.
    pub fn new(settings: Settings) -> Syslog {
        Syslog {
            settings,
            way: Mutex::default(),
        }
    }

    /// Sends a line, whose end is left out.
    pub fn write(&self, level: Option<Level>, line: &[u8]) {
        let message = self.settings.message(level, line, clock::wall().seconds);
        let now = Instant::now();
        // Nothing panics with the lock held, so a poisoned one is still whole.
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        match way.send(&self.settings.server, &message) {
            Ok(()) => way.outage.end(),
            Err(error) => {
                losses::add(1);
                way.outage.lose(1, Some(error), now);
            }
        }
        let told = way.outage.tell(&self.settings.name(), now);
        drop(way);
        if let Some(News(level, text)) = told {
            process::write(level, format_args!("{text}"));
        }
    }
}

impl Way {
    /// # Errors
    /// EAGAIN where the daemon is too slow; ECONNREFUSED, ENOENT where there is none. A refusal
    /// over UDP is that of the line before, and this one is sent.
    fn send(&mut self, server: &Server, message: &[u8]) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(Socket::open(server)?),
        };
        let sent = match (socket, server) {
            (Socket::Unix(socket), Server::Unix(path)) => socket.send_to(message, path),
            (Socket::Udp(socket), _) => match socket.send(message) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    socket.send(message)?;
                    Err(error)
                }
                sent => sent,
            },
            (Socket::Unix(_), Server::Udp(_)) => Err(ErrorKind::InvalidInput.into()),
        };
        sent.map(drop)
    }
}

impl Socket {
    fn open(server: &Server) -> io::Result<Socket> {
        match server {
            Server::Unix(_) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Unix(socket))
            }
            Server::Udp(address) => {
                let any = match address {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind::<SocketAddr>(any)?;
                socket.set_nonblocking(true)?;
                socket.connect(address)?;
                Ok(Socket::Udp(socket))
            }
        }
    }
}

impl Settings {
    /// A datagram: `<190>Nov 20 18:30:01 host nginx: line`.
    fn message(&self, level: Option<Level>, line: &[u8], seconds: i64) -> Vec<u8> {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        // Emerg, the first level, is severity 0.
        let severity = level.unwrap_or(self.severity) as u8 - 1;
        let priority = u32::from(self.facility) * 8 + u32::from(severity);
        let at = clock::local(seconds);
        let month = MONTHS[usize::from(at.month - 1) % 12];
        let (day, hour, minute, second) = (at.day, at.hour, at.minute, at.second);
        let mut head = String::with_capacity(64 + line.len());
        // A string takes any write.
        let _ = write!(
            head,
            "<{priority}>{month} {day:2} {hour:02}:{minute:02}:{second:02} "
        );
        for part in self.hostname.iter() {
            let _ = write!(head, "{part} ");
        }
        let _ = write!(head, "{}: ", self.tag);
        let mut message = head.into_bytes();
        message.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        message
    }

    fn name(&self) -> String {
        match &self.server {
            Server::Udp(address) => format!("syslog:server={address}"),
            Server::Unix(path) => format!("syslog:server=unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: Server) -> Settings {
        Settings {
            server,
            facility: 23,
            severity: Level::Info,
            tag: "nginx".into(),
            hostname: Some("host".into()),
        }
    }

    fn lost(syslog: &Syslog) -> bool {
        let way = syslog.way.lock().expect("whole");
        way.outage.due().is_some()
    }

    #[test]
    fn lines_say_who_sends_them_and_how_grave_they_are() {
        let any = Server::Unix("/dev/log".into());
        let settings = settings(any);
        let shown = |settings: &Settings, level| {
            let message = settings.message(level, b"a line\n", 0);
            String::from_utf8(message).expect("text")
        };
        let text = shown(&settings, None);
        let (priority, rest) = text.split_once('>').expect("a priority");
        assert_eq!(priority, "<190");
        assert_eq!(&rest["Jan  1 00:00:00".len()..], " host nginx: a line");
        assert!(shown(&settings, Some(Level::Emerg)).starts_with("<184>"));
        assert!(shown(&settings, Some(Level::Debug)).starts_with("<191>"));
        let short = Settings {
            facility: 0,
            hostname: None,
            ..settings
        };
        let text = shown(&short, Some(Level::Error));
        assert!(
            text.starts_with("<3>") && text.ends_with(":00 nginx: a line"),
            "{text}"
        );
    }

    #[test]
    fn a_daemon_gets_whole_lines_over_udp() {
        let daemon = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let address = daemon.local_addr().expect("bound");
        let syslog = Syslog::new(settings(Server::Udp(address)));
        syslog.write(None, b"one\n");
        syslog.write(Some(Level::Crit), b"two");
        let mut buffer = [0; 100];
        let mut next = || {
            let length = daemon.recv(&mut buffer).expect("a line");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let (one, two) = (next(), next());
        assert!(
            one.starts_with("<190>") && one.ends_with(" host nginx: one"),
            "{one}"
        );
        assert!(
            two.starts_with("<186>") && two.ends_with(" host nginx: two"),
            "{two}"
        );
        drop(daemon);
        let before = losses::lost();
        (0..3).for_each(|_| syslog.write(None, b"nobody listens\n"));
        assert!(losses::lost() >= before + 2 && lost(&syslog));
    }

    #[test]
    fn a_unix_socket_may_be_another_one_next_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let syslog = Syslog::new(settings(Server::Unix(path.clone())));
        syslog.write(None, b"lost\n");
        assert!(lost(&syslog));
        for _ in 0..2 {
            let daemon = UnixDatagram::bind(&path).expect("bound");
            syslog.write(None, b"taken\n");
            let mut buffer = [0; 100];
            let length = daemon.recv(&mut buffer).expect("a line");
            assert!(buffer[..length].ends_with(b" host nginx: taken"));
            std::fs::remove_file(&path).expect("removed");
        }
    }

    #[test]
    fn a_daemon_that_reads_nothing_holds_up_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let _daemon = UnixDatagram::bind(&path).expect("bound");
        let syslog = Syslog::new(settings(Server::Unix(path)));
        (0..10_000).for_each(|_| syslog.write(None, &[b'x'; 1000]));
        assert!(lost(&syslog));
    }
}
