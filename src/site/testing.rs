//! What tests of this layer stand on: a site from a text, files in memory, and a client that sends
//! bytes and reads bytes. Each request is made twice: with the answers of the file system at hand,
//! and with each of them late. Both must answer the same and ask the same, which shows that an
//! exchange goes on where it waited.

mod disk;
mod talk;

use std::cell::{Cell, OnceCell};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::draft::{Draft, Site, World};
use super::error_log::{Planned, Target};
use super::exchange::Link;
use super::server::Endpoint;
use super::zones::{Need, Zone};
use crate::conf::diagnostic::{Entry, Severity};
use crate::conf::outside::Outside;
use crate::conf::parse::{self, Start};
use crate::files::Query;
use crate::http::proxy_protocol::{Header, Read};
use crate::http::{Connection, Pool};
use crate::log::{Level, LogFiles};
use crate::sys::socket::{Address, PeerAddress};
use disk::{CHANGED, Disk, Node};
use talk::{Reach, Talk};

/// The time at which all requests are made: ten days after all files were changed.
const NOW: Duration = Duration::from_secs(CHANGED as u64 + 864_000);

/// A site, its files, and how clients come to it.
pub struct Kit {
    site: &'static Site,
    disk: Disk,
    folder: tempfile::TempDir,
    peer: PeerAddress,
    local: Address,
    proxy: OnceCell<Box<Header>>,
}

/// What is said about a configuration: `error: ...` and `warning: ...` lines with their place.
pub fn said(http: &str) -> Vec<String> {
    let draft = draft(Path::new("/prefix"), &format!("access_log off; {http}"));
    lines(&draft)
}

fn lines(draft: &Draft) -> Vec<String> {
    let line = |entry: &Entry| {
        let severity = match entry.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        format!("{severity}: {}", entry.message)
    };
    draft.diagnostics.entries().iter().map(line).collect()
}

/// The draft of a configuration; its error log is `error.log`.
pub fn draft(prefix: &Path, http: &str) -> Draft {
    let mut draft = Draft::new(World {
        prefix: prefix.to_owned(),
        directory: prefix.join("conf"),
        hostname: b"machine".to_vec(),
        privileged: true,
        outside: Outside::system().into(),
    });
    let log = draft.needs.logs.number(prefix.join("error.log"));
    draft.error_logs.set_default(vec![Planned {
        level: Level::Info,
        target: Target::File(log),
    }]);
    let items = parse::parse(
        Start::embedded("test", http),
        &Outside::system(),
        &mut draft.diagnostics,
    )
    .items;
    draft.read(&items);
    draft
}

/// A site from the text of an `http` block; it logs no requests unless the text says so.
pub fn site(http: &str) -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    let draft = draft(folder.path(), &format!("access_log off; {http}"));
    let lines = lines(&draft);
    assert!(!draft.diagnostics.errors(), "{lines:?}");
    let mut files = LogFiles::default();
    let open = |path: &PathBuf| files.open(path).expect("a log");
    let files: Vec<_> = draft.needs.logs.things().iter().map(open).collect();
    let zone = |need: &Need| Rc::new(Zone::map(need.clone()).expect("mapped"));
    let zones = draft.needs.zones.iter().map(zone).collect();
    let site: &'static Site = Box::leak(Box::new(draft.open(&files, zones)));
    Kit {
        site,
        disk: Disk::default(),
        folder,
        peer: PeerAddress::Ip(([192, 0, 2, 1], 40_000).into()),
        proxy: OnceCell::new(),
        local: site.endpoints[0].address.clone(),
    }
}

/// A site with one server, from what stands in its block.
pub fn server(text: &str) -> Kit {
    site(&format!("server {{ listen 80; {text} }}"))
}

impl Kit {
    /// Adds a file, and the directories above it.
    pub fn file(self, path: &str, content: &str) -> Kit {
        self.add(path, Node::file(content))
    }

    /// Adds files that contain their paths.
    pub fn files(self, paths: &[&str]) -> Kit {
        paths.iter().fold(self, |kit, path| kit.file(path, path))
    }

    /// Adds a FIFO, or something of the kind.
    pub fn special(self, path: &str) -> Kit {
        self.add(path, Node::Special)
    }

    /// Adds something that the server may not look at.
    pub fn closed(self, path: &str) -> Kit {
        self.add(path, Node::Closed)
    }

    fn add(mut self, path: &str, node: Node) -> Kit {
        self.disk.add(path, node);
        self
    }

    /// Clients come from there.
    pub fn from(mut self, peer: &str) -> Kit {
        self.peer = match peer {
            "unix:" => PeerAddress::Unix,
            ip => PeerAddress::Ip(
                (ip.parse::<std::net::IpAddr>().expect("an address"), 40_000).into(),
            ),
        };
        self
    }

    /// A proxy says this of connections, in its header.
    pub fn through(mut self, header: &[u8]) -> Kit {
        if let Ok(Read::Header(Some(header), _)) = Header::read(header) {
            self.proxy = OnceCell::from(Box::new(header));
        }
        self
    }

    /// Clients come to this address.
    pub fn to(mut self, local: &str) -> Kit {
        self.local = Address::Ip(local.parse().expect("an address"));
        self
    }

    /// GET of a target from host `a`.
    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "")
    }

    /// A request with more fields.
    pub fn ask(&self, method: &str, target: &str, fields: &str) -> Answer {
        self.send(&format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
        ))
    }

    /// GET of a target from a host.
    pub fn get_from(&self, host: &str, target: &str) -> Answer {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    /// Sends bytes; the answer is the same whether the file system is quick or not.
    pub fn send(&self, request: &str) -> Answer {
        let mut asked = Vec::new();
        let quick = self.connection(&mut asked, true).talk(request);
        let mut asked_late = Vec::new();
        let late = self.connection(&mut asked_late, false).talk(request);
        assert_eq!(quick, late, "{request}");
        assert_eq!(asked, asked_late, "{request}");
        Answer::from(quick)
    }

    /// Sends bytes whose answer is another one each time.
    pub fn once(&self, request: &str) -> Answer {
        Answer::from(self.connection(&mut Vec::new(), true).talk(request))
    }

    /// The last line of a log.
    pub fn logged(&self, name: &str) -> String {
        for log in &self.site.access_logs {
            log.borrow_mut().flush();
        }
        let text = std::fs::read_to_string(self.folder.path().join(name)).expect("a log");
        text.lines().last().unwrap_or_default().to_owned()
    }

    fn connection<'a>(&'a self, asked: &'a mut Vec<Query>, at_hand: bool) -> Talk<'a> {
        let clock = Rc::new(Clock::new());
        let now = Instant::now();
        clock.set(now, NOW);
        let endpoint = self.endpoint();
        let hosts = endpoint.hosts(|| self.local.ip().map(|local| local.ip().to_canonical()));
        let (stream, _) = UnixStream::pair().expect("a pair of sockets");
        let link = Link {
            number: 1,
            stream: stream.into(),
            peer: self.peer,
            endpoint,
            hosts,
            accepted: now,
            requests: Cell::new(0),
            clock,
            local: OnceCell::from(self.local.clone()),
            debugged: false,
            proxy: self.proxy.clone(),
        };
        let limits = self.site.servers[hosts.default].location.protocol.clone();
        Talk {
            site: self.site,
            disk: Reach {
                disk: &self.disk,
                at_hand,
                asked,
            },
            link: Rc::new(link),
            http: Connection::new(limits, Rc::new(Pool::default())),
            exchanges: Vec::new(),
            keeping: None,
            received: Vec::new(),
        }
    }

    fn endpoint(&self) -> &'static Endpoint {
        let port = |address: &Address| address.ip().map(|ip| ip.port());
        let here = |e: &&Endpoint| e.address == self.local;
        let near = |e: &&Endpoint| port(&e.address) == port(&self.local);
        let endpoints = &self.site.endpoints;
        endpoints
            .iter()
            .find(here)
            .or_else(|| endpoints.iter().find(near))
            .expect("an endpoint")
    }
}

/// What came back.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The status; 0 for none.
    pub status: u16,
    /// Status line and fields, as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl From<String> for Answer {
    fn from(wire: String) -> Answer {
        let (head, body) = wire.split_once("\r\n\r\n").unwrap_or((&wire, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl Answer {
    /// The value of a field; the first, if there are several.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).first().copied()
    }

    /// All values of a field.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The names of all fields, in their order.
    pub fn names(&self) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| Some(line.split_once(": ")?.0))
            .collect()
    }

    /// Status and body in one line; of an answer with a location, that instead of the body; of the
    /// server's own pages, the status alone.
    pub fn brief(&self) -> String {
        match self.field("Location") {
            Some(location) => format!("{} {location}", self.status),
            None if self.body.starts_with("<!DOCTYPE") || self.body.is_empty() => {
                self.status.to_string()
            }
            None => format!("{} {}", self.status, self.body),
        }
    }
}
