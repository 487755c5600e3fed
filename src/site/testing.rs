//! What tests of this layer stand on: a site from a text, files in memory, and a client that sends
//! bytes and reads bytes. Each request is made twice: with the answers of the file system at hand,
//! and with each of them late. Both must answer the same and ask the same, which shows that an
//! exchange goes on where it waited.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::access_log;
use super::answer::{Body, Response};
use super::clock::Clock;
use super::draft::{Draft, Site, World};
use super::endpoints::canonical;
use super::env::{Env, Need, Wake};
use super::error_log::Planned;
use super::exchange::{Exchange, Link};
use super::run::{Step, run};
use crate::conf::diagnostic::Severity;
use crate::conf::parse::{self, Start};
use crate::conf::tree::Item;
use crate::files::{Found, Opened, Query};
use crate::http::{self, Chunk, Connection, Event, Id, Piece, Pool};
use crate::log::{Level, LogFiles};
use crate::sys::file::{self, Entry, Kind, Meta};
use crate::sys::socket::{Address, PeerAddress};

/// When every file was changed last.
pub const CHANGED: i64 = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
/// The time at which all requests are made: ten days later.
pub const NOW: Duration = Duration::from_secs(CHANGED as u64 + 864_000);

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;

/// What a name in memory stands for.
enum Node {
    File(Rc<File>, u64),
    Directory,
    Special,
    /// Nobody may look at it.
    Closed,
}

/// Files in memory, by their path.
#[derive(Default)]
struct Disk(BTreeMap<PathBuf, Node>);

/// A site, its files, and how clients come to it.
pub struct Kit {
    site: &'static Site,
    disk: Disk,
    folder: tempfile::TempDir,
    peer: PeerAddress,
    local: Address,
}

/// What is said about a configuration: `error: ...` and `warning: ...` lines with their place.
pub fn said(http: &str) -> Vec<String> {
    let (draft, _) = draft(Path::new("/prefix"), &format!("access_log off; {http}"));
    lines(&draft)
}

fn lines(draft: &Draft) -> Vec<String> {
    let line = |entry: &crate::conf::diagnostic::Entry| {
        let severity = match entry.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        format!("{severity}: {}", entry.message)
    };
    draft.diagnostics.entries().iter().map(line).collect()
}

/// The draft of a configuration, and the number of its error log.
pub fn draft(prefix: &Path, http: &str) -> (Draft, usize) {
    let mut draft = Draft::new(World {
        prefix: prefix.to_owned(),
        hostname: b"machine".to_vec(),
        privileged: true,
    });
    let log = draft.needs.logs.number(prefix.join("error.log"));
    draft.error_logs.set_default(vec![Planned {
        level: Level::Info,
        file: Some(log),
    }]);
    let items: Vec<Item> =
        parse::parse(Start::embedded("test", http), &mut draft.diagnostics).items;
    draft.read(&items);
    (draft, log)
}

/// A site from the text of an `http` block; it logs no requests unless the text says so.
pub fn site(http: &str) -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    let (draft, _) = draft(folder.path(), &format!("access_log off; {http}"));
    let lines = lines(&draft);
    assert!(!draft.diagnostics.errors(), "{lines:?}");
    let mut files = LogFiles::default();
    let open = |path: &PathBuf| files.open(path).expect("a log");
    let files: Vec<_> = draft.needs.logs.things().iter().map(open).collect();
    let site: &'static Site = Box::leak(Box::new(draft.open(&files)));
    Kit {
        site,
        disk: Disk::default(),
        folder,
        peer: PeerAddress::Ip(([192, 0, 2, 1], 40_000).into()),
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
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content.as_bytes()).expect("written");
        self.add(path, Node::File(Rc::new(file), content.len() as u64))
    }

    /// Adds empty files.
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
        for above in Path::new(path).ancestors().skip(1) {
            let known = self.disk.0.entry(above.to_owned());
            known.or_insert(Node::Directory);
        }
        self.disk.0.insert(path.into(), node);
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
            log.borrow_mut().flush(Instant::now());
        }
        let text = std::fs::read_to_string(self.folder.path().join(name)).expect("a log");
        text.lines().last().unwrap_or_default().to_owned()
    }

    fn connection<'a>(&'a self, asked: &'a mut Vec<Query>, at_hand: bool) -> Talk<'a> {
        let clock = Rc::new(Clock::new());
        let now = Instant::now();
        clock.set(now, NOW);
        let endpoint = self.endpoint();
        let hosts = endpoint.hosts(|| self.local.ip().map(|local| canonical(local.ip())));
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
            received: Vec::new(),
        }
    }

    fn endpoint(&self) -> &'static super::server::Endpoint {
        let port = |address: &Address| address.ip().map(|ip| ip.port());
        let here = |e: &&super::server::Endpoint| e.address == self.local;
        let near = |e: &&super::server::Endpoint| port(&e.address) == port(&self.local);
        let endpoints = &self.site.endpoints;
        endpoints
            .iter()
            .find(here)
            .or_else(|| endpoints.iter().find(near))
            .expect("an endpoint")
    }
}

/// A file system that answers at once, or not.
struct Reach<'a> {
    disk: &'a Disk,
    at_hand: bool,
    asked: &'a mut Vec<Query>,
}

impl Env for Reach<'_> {
    fn look(&mut self, query: &Query) -> Option<Found> {
        self.asked.push(query.clone());
        self.at_hand.then(|| self.disk.look(query))
    }
}

/// A client's conversation with the site.
struct Talk<'a> {
    site: &'static Site,
    disk: Reach<'a>,
    link: Rc<Link>,
    http: Connection,
    exchanges: Vec<(Id, Exchange)>,
    received: Vec<u8>,
}

impl Talk<'_> {
    /// Sends a request and the end of the stream; all that comes back.
    fn talk(mut self, request: &str) -> String {
        self.http.received(request.as_bytes());
        self.work();
        self.http.ended();
        self.work();
        String::from_utf8_lossy(&self.received).into_owned()
    }

    fn work(&mut self) {
        loop {
            let event = self.http.event();
            let idle = event.is_none();
            match event {
                Some(Event::Head(id, head)) => {
                    self.link.requests.set(self.link.requests.get() + 1);
                    let now = self.link.clock.now();
                    let x = Exchange::new(head, self.link.clone(), self.site, now);
                    self.exchanges.push((id, x));
                    self.run(id, Wake::Start);
                }
                Some(Event::End(id)) => self.run(id, Wake::Body(Ok(()))),
                Some(Event::Broken(id, fault)) => self.run(id, Wake::Body(Err(fault))),
                Some(Event::Gone(id, sent)) => {
                    let at = self.exchanges.iter().position(|(known, _)| *known == id);
                    let (_, mut x) = self.exchanges.remove(at.expect("a request"));
                    x.ended(sent, 0);
                    access_log::write(&x);
                }
                Some(Event::Data(..)) | None => {}
            }
            if !self.receive() && idle {
                return;
            }
        }
    }

    fn run(&mut self, id: Id, mut why: Wake) {
        let (_, x) = self
            .exchanges
            .iter_mut()
            .find(|(known, _)| *known == id)
            .expect("a request");
        loop {
            match run(x, &mut self.disk, why) {
                Step::Answer(response) => return answer(&mut self.http, id, x, *response),
                Step::Wait(Need::Lookup(query)) => {
                    assert!(!self.disk.at_hand, "{query:?} was at hand");
                    why = Wake::Found(self.disk.disk.look(&query));
                }
                Step::Wait(Need::Body(limit)) => {
                    self.http.body_limit(id, limit);
                    return self.http.discard_body(id);
                }
                Step::Drop => return self.http.close(),
            }
        }
    }

    fn receive(&mut self) -> bool {
        let pieces = self.http.output();
        let before = self.received.len();
        for slice in pieces.slices() {
            self.received.extend_from_slice(slice);
        }
        if let Some((file, range)) = &pieces.file {
            let mut content = vec![0; (range.end - range.start) as usize];
            file::pread(file, &mut content, range.start).expect("read");
            self.received.extend(content);
        }
        let count = self.received.len() - before;
        self.http.sent(count as u64);
        count > 0
    }
}

fn answer(http: &mut Connection, id: Id, x: &mut Exchange, response: Response) {
    let Response { head, length, body } = response;
    let date = x.clock().date();
    http.answer(id, &head, length, &http::Clock { date: &date });
    x.answered(head, length);
    let pieces = match body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => vec![Piece::Bytes(Chunk::from(bytes))],
        Body::File(file, meta) => vec![Piece::File {
            file,
            range: 0..meta.size,
        }],
        Body::Pieces(pieces) => pieces,
    };
    for piece in pieces {
        http.piece(id, piece);
    }
    http.finish(id, &Vec::new());
}

impl Disk {
    fn look(&self, query: &Query) -> Found {
        match query {
            Query::Open(path) => Found::Opened(self.open(path)),
            Query::Stat(path) => Found::Meta(self.find(path).map(Node::meta)),
            Query::List(path) => Found::Entries(self.list(path)),
        }
    }

    fn find(&self, path: &Path) -> io::Result<&Node> {
        let above = path
            .ancestors()
            .skip(1)
            .filter_map(|above| self.0.get(above));
        let slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        for node in above.chain(self.0.get(path).filter(|_| slash)) {
            match node {
                Node::Directory => {}
                Node::Closed => return Err(io::Error::from_raw_os_error(EACCES)),
                _ => return Err(io::Error::from_raw_os_error(ENOTDIR)),
            }
        }
        self.0
            .get(path)
            .ok_or_else(|| io::Error::from_raw_os_error(ENOENT))
    }

    fn open(&self, path: &Path) -> io::Result<Opened> {
        let node = self.find(path)?;
        let file = match node {
            Node::File(file, _) => file.clone(),
            Node::Closed => return Err(io::Error::from_raw_os_error(EACCES)),
            _ => Rc::new(tempfile::tempfile()?),
        };
        Ok(Opened {
            file,
            meta: node.meta(),
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        if matches!(self.find(path)?, Node::Closed) {
            return Err(io::Error::from_raw_os_error(EACCES));
        }
        let within = self
            .0
            .iter()
            .filter(|(name, _)| name.parent() == Some(path));
        let entry = |(name, node): (&PathBuf, &Node)| Entry {
            name: name
                .file_name()
                .expect("a name")
                .as_encoded_bytes()
                .to_vec(),
            meta: node.meta(),
        };
        Ok(within.map(entry).collect())
    }
}

impl Node {
    fn meta(&self) -> Meta {
        let (kind, size) = match self {
            Node::File(_, size) => (Kind::Regular, *size),
            Node::Directory | Node::Closed => (Kind::Directory, 4096),
            Node::Special => (Kind::Other, 0),
        };
        Meta {
            size,
            mtime: CHANGED,
            mtime_nanos: 0,
            kind,
            inode: 1,
            device: 1,
            mode: 0o644,
        }
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
