//! One request and all that is known of it until its line is logged: a value that knows its phase.

mod asking;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::answer::{Answer, Response};
use super::auth_basic::Login;
use super::clock::Clock;
use super::compression::Coded;
use super::draft::Site;
use super::env::Wake;
use super::limited::Limited;
use super::location::Location;
use super::matching::{Captures, Patience};
use super::post_action::Acting;
use super::rewrite;
use super::run::Phase;
use super::server::{Endpoint, Hosts, Server};
use super::ssi::Ssi;
use super::userid;
use super::variables::{Kept, Slots};
use crate::files::temp::RequestBody;
use crate::http::{Bytes, Head, Length, ResponseHead, SentBytes};
use crate::http::{Method, proxy_protocol};
use crate::log::Level;
use crate::sys::file::Meta;
use crate::sys::random;
use crate::sys::socket::{Address, PeerAddress, Stream};

/// Internal redirects, named locations and error pages that one request may go through.
pub const MAX_REDIRECTS: u8 = 10;

/// How deep exchanges may stand in others (nginx's limit of subrequests).
pub const MAX_DEPTH: u8 = 51;

/// How many may stand in one in all (nginx's limit).
const MAX_CHILDREN: u32 = 65_535;

/// A client's connection, as far as the requests on it can see.
pub struct Link {
    /// Its number, unique in the process (`$connection`).
    pub number: u64,
    /// The socket, for what only the kernel knows of it.
    pub stream: Stream,
    /// The client.
    pub peer: PeerAddress,
    /// What listens there.
    pub endpoint: &'static Endpoint,
    /// The servers for it.
    pub hosts: &'static Hosts,
    /// When it was accepted.
    pub accepted: Instant,
    /// Requests so far, this one included (`$connection_requests`).
    pub requests: Cell<u64>,
    /// The clock of the event loop.
    pub clock: Rc<Clock>,
    /// Where it was accepted, once somebody asked.
    pub local: OnceCell<Address>,
    /// Whether everything about it is logged (`debug_connection`).
    pub debugged: bool,
    /// What a proxy said of it before the first request.
    pub proxy: OnceCell<Box<proxy_protocol::Header>>,
}

impl Link {
    /// The address the client connected to.
    pub fn local(&self) -> &Address {
        self.local.get_or_init(|| {
            self.stream
                .local_address()
                .unwrap_or_else(|_| self.endpoint.address.clone())
        })
    }
}

/// What was sent, for the log.
#[derive(Default)]
pub struct Sent {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The head of the answer; none if there was no answer.
    pub head: Option<ResponseHead>,
    /// The length that the head told.
    pub length: Option<u64>,
    /// Whether the head told that the connection stays open.
    pub keep_alive: bool,
    /// Bytes of head and body (`$bytes_sent`).
    pub bytes: u64,
    /// Bytes of the body (`$body_bytes_sent`).
    pub body: u64,
    /// Whether all of it went out (`$request_completion`).
    pub complete: bool,
}

/// One request on its way to its answer.
pub struct Exchange {
    /// The request's head, as received.
    pub head: Head,
    /// The connection it came on.
    pub link: Rc<Link>,
    /// Who it comes from: the other end of the connection, or whom a trusted proxy names.
    pub client: PeerAddress,
    /// The whole configuration.
    pub site: &'static Site,
    /// The server that answers.
    pub server: &'static Server,
    /// The location that answers; the server's own until one is found.
    pub location: &'static Location,
    /// The method, which an error page may turn to GET.
    pub method: Method,
    /// The path: decoded, normalised (`$uri`).
    pub uri: Vec<u8>,
    /// The query, without `?` (`$args`).
    pub args: Vec<u8>,
    /// Whether an internal redirect led here.
    pub internal: bool,
    /// When its first byte was seen.
    pub started: Instant,
    /// What the file was like that was promised in the head.
    pub promised: Option<Meta>,
    /// Whether it came right behind another (`$pipe`).
    pub pipelined: bool,
    /// Captures of the latest pattern that matched.
    pub captures: RefCell<Captures>,
    /// The status to answer with in place of 200, while an error page is made.
    pub error_status: Option<u16>,
    /// What is known of the cookie that identifies its client, once somebody asked.
    pub(super) uid: OnceCell<Box<userid::Seen>>,
    /// The answer while fields are added to it.
    pub answer: Answer,
    /// What was sent.
    pub sent: Sent,
    id: OnceCell<[u8; 16]>,
    /// Its body, if it was kept.
    pub request_body: Option<Arc<RequestBody>>,
    pub(super) phase: Phase,
    pub(super) redirects_left: u8,
    pub(super) in_error_page: bool,
    /// Values of variables that are kept.
    pub(super) slots: Slots,
    /// The connection is to be closed after the answer, whatever the client wants.
    pub(super) must_close: bool,
    /// The size of the file of which a part was asked for that does not exist.
    pub(super) unsatisfied: Option<u64>,
    /// Where the redirect leads that is the answer.
    pub(super) leads_to: Option<Vec<u8>>,
    /// An error was answered.
    pub(super) failed: bool,
    /// It is over, and does what is to be done then.
    pub(super) acting: Option<Acting>,
    /// What asks for a password, if the answer is to.
    pub(super) challenges: Vec<Bytes>,
    /// A password that is being checked.
    pub(super) login: Option<Box<Login>>,
    /// The directory of files, and what it is without symlinks, if somebody may ask.
    pub(super) real_root: Option<(PathBuf, PathBuf)>,
    /// `try_files` found a name below an `alias` that replaces the whole path.
    pub(super) alias_keeps_uri: bool,
    /// The charset of its answer; of one within another, that one's.
    pub(super) main_charset: Option<Rc<[u8]>>,
    /// What its pages remember.
    pub(super) ssi: Option<Box<Ssi>>,
    /// Whether a variable's value is unknown.
    pub(super) patience: Cell<Patience>,
    /// How its answer is coded.
    pub(super) coded: Coded,
    /// What limits have said.
    pub(super) limited: Limited,
    /// How far the instructions of a block were followed, while it waits there.
    pub(super) rewriting: Option<Box<rewrite::Run>>,
    /// What it was woken with and has not looked at yet.
    woken: Option<Wake>,
    /// How many exchanges it stands in.
    depth: u8,
    /// All that stand in the same one, once one does.
    family: OnceCell<Rc<Family>>,
    /// The exchange in it that runs now.
    pub(super) child: Option<Box<Exchange>>,
    /// The exchange in it that has ended, and its answer; none if it is closed without one.
    pub(super) child_answer: Option<(Box<Exchange>, Option<Box<Response>>)>,
}

/// An exchange and all that stand in it.
#[derive(Default)]
struct Family {
    /// How many have stood in it so far.
    children: Cell<u32>,
    /// Whether it was said that there are too many.
    told: Cell<bool>,
}

/// An exchange would stand in too many others.
#[derive(Debug)]
pub struct TooDeep;

impl Exchange {
    /// The exchange for a request that came over `link`.
    pub fn new(head: Head, link: Rc<Link>, site: &'static Site, started: Instant) -> Exchange {
        let server = &site.servers[link.hosts.default];
        Exchange {
            method: head.method(),
            head,
            client: link.peer,
            site,
            server,
            location: &server.location,
            uri: Vec::new(),
            args: Vec::new(),
            internal: false,
            started,
            promised: None,
            pipelined: false,
            captures: RefCell::default(),
            error_status: None,
            uid: OnceCell::new(),
            answer: Answer::default(),
            sent: Sent::default(),
            id: OnceCell::new(),
            request_body: None,
            phase: Phase::Start,
            redirects_left: MAX_REDIRECTS,
            in_error_page: false,
            slots: Slots::default(),
            must_close: false,
            unsatisfied: None,
            leads_to: None,
            failed: false,
            acting: None,
            challenges: Vec::new(),
            login: None,
            real_root: None,
            alias_keeps_uri: false,
            main_charset: None,
            ssi: None,
            patience: Cell::default(),
            coded: Coded::default(),
            limited: Limited::default(),
            rewriting: None,
            woken: None,
            depth: 0,
            family: OnceCell::new(),
            child: None,
            child_answer: None,
            link,
        }
    }

    /// An exchange within this one: a GET of another path with the same head, from the inside.
    ///
    /// # Errors
    /// It would stand in too many others.
    pub fn child(&self, uri: Vec<u8>, args: Vec<u8>) -> Result<Box<Exchange>, TooDeep> {
        let family = self.family.get_or_init(Rc::default);
        if self.depth >= MAX_DEPTH || family.children.get() >= MAX_CHILDREN {
            // A page that contains itself twice would say so more often than anybody reads.
            if !family.told.replace(true) {
                let what = "subrequests cycle while processing";
                let what = format_args!("{what} \"{}\"", uri.escape_ascii());
                self.log(Level::Error, what);
            }
            return Err(TooDeep);
        }
        family.children.set(family.children.get() + 1);
        let mut child = Exchange::new(
            self.head.clone(),
            self.link.clone(),
            self.site,
            self.link.clock.now(),
        );
        child.client = self.client;
        child.server = self.server;
        child.location = &self.server.location;
        child.method = Method::Get;
        (child.uri, child.args) = (uri, args);
        child.internal = true;
        child.id = OnceCell::from(*self.id());
        child.request_body.clone_from(&self.request_body);
        child.phase = Phase::ServerRewrite;
        child.slots = self.slots.shared(self.site.slots);
        child.main_charset = self.main_charset.clone();
        child.ssi = self.ssi.as_ref().map(|ssi| Box::new(ssi.within()));
        child.limited = self.limited.shared();
        child.depth = self.depth + 1;
        child.family = OnceCell::from(family.clone());
        Ok(Box::new(child))
    }

    /// A number that is drawn when somebody asks (`$request_id`).
    pub fn id(&self) -> &[u8; 16] {
        self.id.get_or_init(|| {
            let mut id = [0; 16];
            // Without entropy it is only easier to guess.
            random::fill(&mut id).unwrap_or_default();
            id
        })
    }

    /// Whether it stands in another one.
    pub fn is_child(&self) -> bool {
        self.depth > 0
    }

    /// The clock of the event loop.
    pub fn clock(&self) -> &Clock {
        &self.link.clock
    }

    /// Whether the path came with something percent-encoded, or with a `+`: what is taken from it
    /// is then encoded again where it is to stand in a query.
    pub fn is_escaped(&self) -> bool {
        !self.is_child() && self.head.path().iter().any(|byte| b"%+".contains(byte))
    }

    /// Whether nothing has led to another path or location yet, so that the body of the request is
    /// still to be looked at.
    pub(super) fn is_first_pass(&self) -> bool {
        self.redirects_left == MAX_REDIRECTS && !self.is_child()
    }

    /// Takes note that the request goes on elsewhere; `false` if it did so too often.
    pub(super) fn spend_redirect(&mut self) -> bool {
        match self.redirects_left.checked_sub(1) {
            Some(left) => self.redirects_left = left,
            None => return false,
        }
        true
    }

    /// Sets a variable that is kept; none is one without a value.
    pub fn set_slot(&self, slot: usize, value: Option<Vec<u8>>) {
        let kept = value.map_or(Kept::Missing, Kept::Value);
        self.slots.keep(self.site.slots, slot, kept);
    }

    /// Notes the head that is going out.
    pub fn answered(&mut self, head: ResponseHead, length: Length) {
        self.sent.status = head.status;
        self.sent.length = match length {
            Length::Known(length) => Some(length),
            _ => None,
        };
        self.sent.keep_alive = head.keep_alive && self.head.keep_alive();
        self.sent.head = Some(head);
    }

    /// Notes how it ended; `unanswered` is its status if it had no answer.
    pub fn ended(&mut self, sent: SentBytes, unanswered: u16) {
        if self.sent.status == 0 {
            self.sent.status = unanswered;
        }
        self.sent.bytes = sent.total;
        self.sent.body = sent.body;
        self.sent.complete = sent.complete;
    }

    /// Writes a line to the error log of its location, with what identifies the request unless it is
    /// for who follows it closely.
    pub fn log(&self, level: Level, what: fmt::Arguments<'_>) {
        match level {
            _ if !self.logs(level) => {}
            Level::Debug => self.write_log(level, what),
            level => self.write_log(level, format_args!("{what}{}", Who(self))),
        }
    }

    /// Whether anybody would read a line of this level: ask before making an expensive message.
    pub fn logs(&self, level: Level) -> bool {
        self.link.debugged || self.site.error_log(self.location).enabled(level)
    }

    fn write_log(&self, level: Level, what: fmt::Arguments<'_>) {
        let log = self.site.error_log(self.location);
        match self.link.debugged {
            true => log.write_to_all(level, self.link.number, what),
            false => log.write(level, Some(self.link.number), what),
        }
    }
}

/// Identifies a request at the end of a line, as nginx does.
struct Who<'a>(&'a Exchange);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let x = self.0;
        write!(
            f,
            ", client: {}, server: {}",
            x.client,
            x.server.name.escape_ascii()
        )?;
        let line = x.head.request_line();
        if !line.is_empty() {
            write!(f, ", request: \"{}\"", line.escape_ascii())?;
        }
        if x.is_child() {
            write!(f, ", subrequest: \"{}\"", x.uri.escape_ascii())?;
        }
        if let Some(host) = x.head.field("host") {
            write!(f, ", host: \"{}\"", host.escape_ascii())?;
        }
        if let Some(referrer) = x.head.field("referer") {
            write!(f, ", referrer: \"{}\"", referrer.escape_ascii())?;
        }
        Ok(())
    }
}
