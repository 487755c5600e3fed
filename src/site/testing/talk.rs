//! A client's conversation with a site: bytes in, bytes out, no socket between.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::disk::Disk;
use crate::files::temp::RequestBody;
use crate::files::{Found, Query};
use crate::http::{self, Connection, Event, Id, Method};
use crate::site::answer::{Body, Response};
use crate::site::draft::Site;
use crate::site::env::{Env, Need, Wake};
use crate::site::exchange::{Exchange, Link};
use crate::site::headers;
use crate::site::post_action;
use crate::site::run::{Step, pull, run};
use crate::site::source::Pull;
use crate::sys::file;

/// A file system that answers at once, or not.
pub struct Reach<'a> {
    /// The files.
    pub disk: &'a Disk,
    /// Whether it answers at once.
    pub at_hand: bool,
    /// All that it was asked.
    pub asked: &'a mut Vec<Query>,
}

impl Env for Reach<'_> {
    fn look(&mut self, query: &Query) -> Option<Found> {
        self.asked.push(query.clone());
        self.at_hand.then(|| self.disk.look(query))
    }

    fn is_remote(&self, _: u64) -> bool {
        false
    }

    fn begin(&mut self, mut x: Box<Exchange>) {
        let mut why = Wake::Start;
        loop {
            match run(&mut x, self, why) {
                Step::Wait(need) => why = self.meet(&x, need),
                Step::Answer(response) => break x.answered(response.head, response.length),
                Step::Drop => break,
            }
        }
        if let Err(again) = post_action::end(x) {
            self.begin(again);
        }
    }

    fn read(&mut self, file: &File, range: Range<u64>) -> Option<io::Result<Vec<u8>>> {
        self.at_hand.then(|| file::read(file, range))
    }
}

impl Reach<'_> {
    /// Lets come what an exchange waits for.
    fn meet(&mut self, x: &Exchange, need: Need) -> Wake {
        match need {
            Need::Lookup(query) => {
                assert!(!self.at_hand, "{query:?} was at hand");
                Wake::Found(self.disk.look(&query))
            }
            Need::Job(job) => Wake::Done((job.run)()),
            Need::Turn => Wake::Time,
            Need::Until(time) => {
                let clock = x.clock();
                clock.set(time, clock.wall() + (time - clock.now()));
                Wake::Time
            }
            Need::Body(_) | Need::RequestBody(_) => panic!("a body is the connection's"),
        }
    }
}

/// A connection, as its worker would drive it.
pub struct Talk<'a> {
    /// What is served.
    pub site: &'static Site,
    /// The files.
    pub disk: Reach<'a>,
    /// What requests see of the connection.
    pub link: Rc<Link>,
    /// The protocol.
    pub http: Connection,
    /// Requests under way.
    pub exchanges: Vec<(Id, Exchange)>,
    /// The body that is being kept.
    pub keeping: Option<Vec<u8>>,
    /// What came back so far.
    pub received: Vec<u8>,
}

impl Talk<'_> {
    /// Sends a request and the end of the stream; all that comes back.
    pub fn talk(mut self, request: &str) -> String {
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
                Some(Event::End(id)) => match self.keeping.take() {
                    Some(body) => self.run(id, Wake::Kept(RequestBody::Memory(body))),
                    None => self.run(id, Wake::Body(Ok(()))),
                },
                Some(Event::Broken(id, fault)) => self.run(id, Wake::Body(Err(fault))),
                Some(Event::Gone(id, sent)) => {
                    let at = self.exchanges.iter().position(|(known, _)| *known == id);
                    let (_, mut x) = self.exchanges.remove(at.expect("a request"));
                    x.ended(sent, 0);
                    if let Err(again) = post_action::end(Box::new(x)) {
                        self.disk.begin(again);
                    }
                }
                Some(Event::Data(_, bytes)) => {
                    self.keeping
                        .get_or_insert_default()
                        .extend_from_slice(&bytes);
                }
                None => {}
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
                Step::Answer(response) => {
                    return answer(&mut self.http, id, x, *response, &mut self.disk);
                }
                Step::Wait(Need::Body(limit)) => {
                    self.http.body_limit(id, limit);
                    return self.http.discard_body(id);
                }
                Step::Wait(Need::RequestBody(keep)) => {
                    self.keeping = Some(Vec::new());
                    self.http.body_limit(id, keep.limit);
                    return self.http.accept_body(id);
                }
                Step::Wait(need) => why = self.disk.meet(x, need),
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

fn answer(
    http: &mut Connection,
    id: Id,
    x: &mut Exchange,
    response: Response,
    disk: &mut Reach<'_>,
) {
    let Response { head, length, body } = response;
    let date = x.clock().date();
    http.answer(id, &head, length, &http::Clock { date: &date });
    x.answered(head, length);
    match body {
        Body::Source(_) if x.head.method() == Method::Head => {}
        Body::Source(mut source) => loop {
            match pull(x, &mut *source, disk) {
                Pull::Piece(piece) => http.piece(id, piece),
                Pull::Wait(need) => {
                    let why = disk.meet(x, need);
                    x.wake(why);
                }
                Pull::End => break,
                Pull::Failed => return http.close(),
            }
        },
        body => body
            .into_pieces()
            .into_iter()
            .for_each(|piece| http.piece(id, piece)),
    }
    http.finish(id, &headers::trailers(x));
}
