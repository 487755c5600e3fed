//! A client's connection: its protocol machine, its socket, and the requests that are under way.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use super::deadlines::Deadline;
use super::disk::Disk;
use super::pace::Pace;
use super::preface::Preface;
use super::scoreboard::Tally;
use super::send;
use super::timer::Timer;
use super::waiting::{Loading, Waiting};
use crate::files::temp::RequestBody;
use crate::http::{Clock, Connection, Event, Head, Id, Method, Piece, Pool, SentBytes, Timeout};
use crate::site::answer::{Body, Response};
use crate::site::draft::Site;
use crate::site::env::Env;
use crate::site::env::Wake;
use crate::site::exchange::{Exchange, Link};
use crate::site::headers;
use crate::site::limit_rate;
use crate::site::post_action;
use crate::site::run::{Step, pull, run};
use crate::site::source::{Pull, Source};
use crate::site::traffic::Doing;
use crate::site::transport::Transport;

/// nginx's status for a request whose client went away before it was answered.
const CLIENT_GONE: u16 = 499;
/// nginx's status for a request that is closed without an answer.
const DROPPED: u16 = 444;

/// The event loop among the threads of its worker.
const LOOP: usize = 0;

/// A connection to a client.
pub struct Client {
    /// Its place among the clients.
    pub key: usize,
    /// What its requests can see of it.
    pub link: Rc<Link>,
    /// The protocol.
    pub http: Connection,
    /// Whether the socket may have more to read.
    pub readable: bool,
    /// Whether the kernel said that the client sends no more: a short read is not the last then.
    pub end_announced: bool,
    /// Whether nobody takes what is sent any more.
    pub hung_up: bool,
    /// Whether the socket may take more.
    pub writable: bool,
    /// Whether the event loop watches the socket.
    pub registered: bool,
    /// Whether it stands in the queue of those that have work left.
    pub queued: bool,
    /// Whether it stands among the idle ones.
    pub idle: bool,
    /// Its place among the deadlines.
    pub deadline: Deadline,
    /// What holds for it since its latest answer.
    pub transport: &'static Transport,
    /// Whether its sending side was shut down.
    pub shut: bool,
    /// Until when it is unclear whether the file being sent was changed: nothing is sent till then.
    pub unclear_until: Cell<Option<Instant>>,
    /// The file systems.
    pub disk: Rc<Disk>,
    /// How the file is read that is being sent.
    pub source: send::Source,
    /// The part of it that a thread reads.
    pub loading: Loading,
    /// What a request waits for.
    pub(super) waiting: Option<Box<Waiting>>,
    /// How fast the answer goes out, if that is limited.
    pub(super) pace: Option<Box<Pace>>,
    /// What has come of the header that a proxy puts before the first request.
    pub(super) preface: Option<Box<Preface>>,
    pub(super) site: &'static Site,
    pool: Rc<Pool>,
    tally: Tally,
    exchanges: VecDeque<(Id, Box<Exchange>)>,
    feeding: Option<(Id, Feed)>,
    pub(super) timer: Timer,
    nodelay: bool,
    /// What it counts as.
    doing: Option<Doing>,
    /// When the first byte of the request came that is being read.
    first_byte: Option<Instant>,
}

/// What is left of an answer's body.
enum Feed {
    /// All of it is known.
    Pieces(std::vec::IntoIter<Piece>),
    /// It is made while it is sent.
    Source(Box<dyn Source>),
}

/// What came of handing over more of it.
#[derive(PartialEq)]
enum Fed {
    /// All of it was handed over.
    Whole,
    /// There is no room, or it has to wait.
    Enough,
    /// It will never be complete.
    Broken,
}

impl Client {
    /// A connection that was just accepted.
    pub fn new(
        key: usize,
        link: Rc<Link>,
        site: &'static Site,
        pool: Rc<Pool>,
        disk: Rc<Disk>,
        tally: Tally,
    ) -> Client {
        let location = &site.servers[link.hosts.default].location;
        let now = link.clock.now();
        Client {
            key,
            http: Connection::new(location.protocol.clone(), pool.clone()),
            readable: true,
            end_announced: false,
            hung_up: false,
            writable: true,
            registered: false,
            queued: false,
            idle: false,
            deadline: Deadline::default(),
            transport: &location.values.transport,
            shut: false,
            unclear_until: Cell::new(None),
            disk,
            source: send::Source::default(),
            loading: Loading::Idle,
            waiting: None,
            pace: None,
            preface: link.hosts.proxy_protocol.then(Box::default),
            site,
            pool,
            tally,
            exchanges: VecDeque::new(),
            feeding: None,
            timer: Timer::new(now),
            nodelay: true,
            doing: None,
            first_byte: None,
            link,
        }
    }

    /// Takes bytes that came in.
    pub fn received(&mut self, bytes: &[u8]) {
        self.timer.moved = true;
        let bytes = match self.preface {
            None => bytes,
            Some(_) => self.take_preface(bytes),
        };
        if bytes.is_empty() {
            return;
        }
        self.first_byte.get_or_insert(self.link.clock.now());
        self.http.received(bytes);
    }

    /// So many bytes went out.
    pub fn sent(&mut self, count: u64) {
        self.timer.moved = true;
        self.tally.sent(count);
        if let Some(pace) = &mut self.pace {
            pace.sent(count, self.link.clock.now());
        }
        self.http.sent(count);
    }

    /// How many bytes may go out now; none, if it has to rest. The greatest number is no limit.
    pub fn room(&mut self) -> Option<u64> {
        match &mut self.pace {
            None => Some(u64::MAX),
            Some(pace) => pace.room(self.link.clock.now()),
        }
    }

    /// Counts as doing this from now on.
    fn turn(&mut self, doing: Option<Doing>) {
        if self.doing != doing {
            self.tally.turn(self.doing, doing);
            self.doing = doing;
        }
    }

    /// Counts as what it is doing after it was driven.
    pub fn settle(&mut self) {
        self.turn(Some(match () {
            () if self.http.is_idle() => Doing::Waiting,
            () if self.exchanges.is_empty() && self.http.timeout() == Timeout::Header => {
                Doing::Reading
            }
            () => Doing::Writing,
        }));
    }

    /// It is no connection any more.
    pub fn vanish(&mut self) {
        self.turn(None);
    }

    /// Lets the protocol and the site do what they can.
    pub fn work(&mut self) {
        loop {
            self.take_head();
            while let Some(event) = self.http.event() {
                self.happened(event);
            }
            if !self.feed() {
                return;
            }
        }
    }

    /// A head is in hand before it is read: reading it may be what goes wrong.
    fn take_head(&self) {
        let head = self.http.next_head();
        if !head.is_empty() {
            self.tally.take(LOOP, head, &self.link.peer);
        }
    }

    /// Takes the request in hand again that is being answered.
    pub fn take_up(&self) {
        if let Some(x) = self.sending() {
            self.tally.take(LOOP, x.head.raw(), &self.link.peer);
        }
    }

    /// Has no request in hand any more.
    pub fn put_down(&self) {
        self.tally.put_down(LOOP);
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Head(id, head) => self.begin(id, head),
            Event::Data(_, bytes) => self.body_came(&bytes),
            Event::End(id) => self.body_ended(id, Ok(())),
            Event::Broken(id, fault) => self.body_ended(id, Err(fault)),
            Event::Gone(id, sent) => self.end(id, sent),
        }
    }

    fn begin(&mut self, id: Id, head: Head) {
        self.timer.turned = true;
        self.turn(Some(Doing::Writing));
        self.tally.request();
        self.link.requests.set(self.link.requests.get() + 1);
        let now = self.link.clock.now();
        let first_byte = self.first_byte.take();
        let mut x = Exchange::new(
            head,
            self.link.clone(),
            self.site,
            first_byte.unwrap_or(now),
        );
        x.pipelined = first_byte.is_none();
        self.exchanges.push_back((id, Box::new(x)));
        self.run(id, Wake::Start);
    }

    /// Goes on with an exchange that has what it waited for.
    pub(super) fn resume(&mut self, id: Id, why: Wake) {
        let is_answered = self.feeding.as_ref().is_some_and(|(fed, _)| *fed == id);
        if !is_answered {
            return self.run(id, why);
        }
        self.resume_feeding(id, why);
    }

    /// Runs an exchange as far as it goes.
    fn run(&mut self, id: Id, mut why: Wake) {
        if !matches!(why, Wake::Start) {
            self.take_up();
        }
        loop {
            let disk = self.disk.clone();
            let Some(x) = self.exchange(id) else {
                return;
            };
            match run(x, &mut &*disk, why) {
                Step::Answer(response) => return self.answer(id, *response),
                Step::Wait(need) => {
                    let pool = x.location.values.transport.aio.pool();
                    match self.wait(id, need, pool) {
                        Some(answer) => why = answer,
                        None => return,
                    }
                }
                Step::Drop => {
                    x.sent.status = DROPPED;
                    return self.http.close();
                }
            }
        }
    }

    pub(super) fn exchange(&mut self, id: Id) -> Option<&mut Exchange> {
        let mut all = self.exchanges.iter_mut();
        all.find(|(known, _)| *known == id).map(|(_, x)| &mut **x)
    }

    fn answer(&mut self, id: Id, response: Response) {
        let Some((_, x)) = self.exchanges.iter_mut().find(|(known, _)| *known == id) else {
            return;
        };
        #[cfg(debug_assertions)]
        super::crash_route::follow(&x.head);
        let Response { head, length, body } = response;
        self.transport = &x.location.values.transport;
        self.http.set_limits(x.location.protocol.clone());
        if self.transport.tcp_nodelay != self.nodelay {
            self.nodelay = self.transport.tcp_nodelay;
            // A unix socket has no such option and needs none.
            let _ = self.link.stream.set_nodelay(self.nodelay);
        }
        let date = self.link.clock.date();
        self.http.answer(id, &head, length, &Clock { date: &date });
        x.answered(head, length);
        let pace = limit_rate::of(x);
        self.pace = pace.map(|pace| Box::new(Pace::new(pace, x.started)));
        let device = x.promised.map_or(0, |meta| meta.device);
        self.source = send::Source::of(device, self.transport, &self.disk);
        self.loading = Loading::Idle;
        let feed = match body {
            Body::Source(source) => Feed::Source(source),
            body => Feed::Pieces(body.into_pieces().into_iter()),
        };
        self.feeding = Some((id, feed));
    }

    /// Hands over pieces of the answer, as many as there is room for; whether that ended it.
    fn feed(&mut self) -> bool {
        if self.waiting.is_some() {
            return false;
        }
        let Some((id, mut feed)) = self.feeding.take() else {
            return false;
        };
        let fed = match &mut feed {
            Feed::Pieces(pieces) => self.feed_pieces(id, pieces),
            Feed::Source(source) => self.feed_source(id, &mut **source),
        };
        match fed {
            Fed::Enough => self.feeding = Some((id, feed)),
            Fed::Whole => {
                let trailers = self.exchange(id).map(|x| headers::trailers(x));
                self.http.finish(id, &trailers.unwrap_or_default());
            }
            Fed::Broken => self.http.abort(id),
        }
        fed != Fed::Enough
    }

    fn has_room(&self, id: Id) -> bool {
        self.http.room().is_some_and(|(whose, _)| whose == id)
    }

    fn feed_pieces(&mut self, id: Id, pieces: &mut std::vec::IntoIter<Piece>) -> Fed {
        while !pieces.as_slice().is_empty() {
            if !self.has_room(id) {
                return Fed::Enough;
            }
            if let Some(piece) = pieces.next() {
                self.http.piece(id, piece);
            }
        }
        Fed::Whole
    }

    fn feed_source(&mut self, id: Id, source: &mut dyn Source) -> Fed {
        let disk = self.disk.clone();
        while self.has_room(id) {
            let Some(x) = self.exchange(id) else {
                return Fed::Broken;
            };
            if x.head.method() == Method::Head {
                return Fed::Whole;
            }
            let pool = x.location.values.transport.aio.pool();
            match pull(x, source, &mut &*disk) {
                Pull::Piece(piece) => self.http.piece(id, piece),
                Pull::End => return Fed::Whole,
                Pull::Failed => return Fed::Broken,
                Pull::Wait(need) => match self.wait(id, need, pool) {
                    Some(why) => self.resume_feeding(id, why),
                    None => return Fed::Enough,
                },
            }
        }
        Fed::Enough
    }

    fn resume_feeding(&mut self, id: Id, why: Wake) {
        if let Some(x) = self.exchange(id) {
            x.wake(why);
        }
    }

    fn end(&mut self, id: Id, sent: SentBytes) {
        let Some(at) = self.exchanges.iter().position(|(known, _)| *known == id) else {
            return;
        };
        let Some((_, mut x)) = self.exchanges.remove(at) else {
            return;
        };
        self.turn(None);
        self.pace = None;
        x.ended(sent, CLIENT_GONE);
        self.tally.response(x.sent.status);
        self.wait_no_more(id);
        if self
            .feeding
            .as_ref()
            .is_some_and(|(feeding, _)| *feeding == id)
        {
            self.feeding = None;
        }
        match post_action::end(x) {
            Ok(x) => self.put_away(*x),
            Err(again) => (&*self.disk).begin(again),
        }
    }

    /// Gives back what an exchange had for which nothing is left to be done.
    fn put_away(&self, mut x: Exchange) {
        if let Some(body) = x.request_body.take()
            && let RequestBody::File { .. } = *body
        {
            self.disk.drop_elsewhere(Box::new(body));
        }
        self.pool.recycle(x.head);
    }

    /// Whether something that runs beside it still has its socket.
    pub fn is_left_behind(&self) -> bool {
        Rc::strong_count(&self.link) > 1 + self.exchanges.len()
    }

    /// Nothing more can be received. Also a request of which only the start came is logged.
    pub fn broken(&mut self) {
        self.http.ended();
        self.work();
        self.close();
    }

    /// Ends everything at once; its requests are logged as far as they got.
    pub fn close(&mut self) {
        self.http.close();
        self.work();
    }

    /// The exchange whose answer is being sent.
    pub fn sending(&self) -> Option<&Exchange> {
        self.exchanges.front().map(|(_, x)| &**x)
    }
}
