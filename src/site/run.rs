//! The phases of a request, from its head to its answer. nginx's order, read top to bottom.
//! A phase that has to wait is resumed where it waited, never rerun from the top.

use std::time::Instant;

use super::answer::{Answer, Response};
use super::env::{Env, Need, Wake};
use super::exchange::Exchange;
use super::location::Location;
use super::satisfy::{self, Progress};
use super::source::{Pull, Source};
use super::{
    body, dav, empty_gif, error_page, filter, flv, gzip_static, index, limit_conn, limit_req,
    listing, locate, mirror, mp4, post_action, random_index, realip, rewrite, static_file,
    stub_status, try_files,
};
use crate::http::Coding;
use crate::log::Level;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its server is to be found.
    Start,
    /// Its body is to be read where the server wants it before anything else.
    EarlyBody,
    /// Who it comes from, as far as the server says.
    PostRead,
    /// What the server says for all its requests.
    ServerRewrite,
    /// Its location is to be found.
    Locate,
    /// Its body is to be read, where only its end tells whether it is one.
    Body,
    /// What the location says for all its requests.
    Rewrite,
    /// Who it comes from, as far as only the location says.
    Preaccess,
    /// How often it may be asked for.
    LimitReq,
    /// How many may have it at the same time.
    LimitConn,
    /// Who may see it.
    Access(Progress),
    /// It may not be seen without a password, and that is to be told at this time.
    Refuse(Instant),
    /// `try_files`: this one is next.
    TryFiles(usize),
    /// What is done beside it.
    Mirror,
    /// What answers in place of files.
    Handler,
    /// A picture of nothing.
    EmptyGif,
    /// Any file of a directory.
    RandomIndex,
    /// A film.
    Mp4,
    /// A Flash video.
    Flv,
    /// Index files: this one is next.
    Index(usize),
    /// Whether there is a directory at all, once its first index file is missing.
    Directory,
    /// A listing.
    Listing,
    /// A change of files.
    Dav,
    /// Files coded beforehand: this one is next.
    Precompressed(usize),
    /// A file.
    File,
    /// A file coded beforehand that is decoded, since there is no other.
    Decoded(Coding),
    /// The answer's body is to be coded.
    Code,
    /// It is over.
    PostAction,
}

/// What a phase decided.
pub enum Flow {
    /// Go on with the next phase.
    Next,
    /// Go on there.
    Goto(Phase),
    /// Start over with another path and query, inside.
    Internal {
        /// The path.
        uri: Vec<u8>,
        /// The query.
        args: Vec<u8>,
    },
    /// Go on in a named location.
    Named(&'static Location),
    /// This is the answer.
    Answer(Box<Answer>),
    /// This is the answer, and its filters waited to code it.
    Code(Box<Answer>),
    /// Answer with this error.
    Fail(u16),
    /// Wait.
    Wait(Need),
    /// Run an exchange within this one, then this phase again.
    Child(Box<Exchange>),
    /// Close the connection without a word (`return 444`).
    Drop,
}

impl Flow {
    /// Starts over with a path that may have a query behind it.
    pub fn internal(mut uri: Vec<u8>) -> Flow {
        let mut args = Vec::new();
        if let Some(at) = uri.iter().position(|&b| b == b'?') {
            args = uri.split_off(at + 1);
            uri.truncate(at);
        }
        Flow::Internal { uri, args }
    }
}

/// What came of running an exchange.
pub enum Step {
    /// Its answer.
    Answer(Box<Response>),
    /// It waits.
    Wait(Need),
    /// Its connection is to be closed without an answer.
    Drop,
}

/// Runs an exchange until it has an answer or has to wait.
pub fn run(x: &mut Exchange, env: &mut dyn Env, why: Wake) -> Step {
    let mut flow = match x.child.take() {
        Some(child) => within(x, env, child, why),
        None => resume(x, env, why),
    };
    loop {
        if x.is_given_up() {
            flow = Flow::Fail(500);
        }
        flow = match flow {
            Flow::Next => {
                x.phase = following(x.phase);
                phase(x, env)
            }
            Flow::Goto(next) => {
                x.phase = next;
                phase(x, env)
            }
            Flow::Internal { uri, args } => redirect(x, uri, args),
            Flow::Named(location) => enter_named(x, location),
            Flow::Fail(status) => error_page::answer(x, status),
            Flow::Answer(answer) => match filter::apply(x, env, *answer) {
                Ok(_) if x.is_given_up() => Flow::Fail(500),
                Ok(response) => return answered(x, response),
                Err(halt) => halt.into(),
            },
            Flow::Code(answer) => match filter::code(x, env, *answer) {
                Ok(_) if x.is_given_up() => Flow::Fail(500),
                Ok(response) => return answered(x, response),
                Err(halt) => halt.into(),
            },
            Flow::Child(child) => within(x, env, child, Wake::Start),
            Flow::Wait(need) => return Step::Wait(need),
            Flow::Drop => return Step::Drop,
        };
    }
}

fn answered(x: &Exchange, response: Response) -> Step {
    let (status, uri) = (response.head.status, x.uri.escape_ascii());
    let what = format_args!("http finalize request: {status}, \"{uri}\"");
    x.log(Level::Debug, what);
    Step::Answer(Box::new(response))
}

fn resume(x: &mut Exchange, env: &mut dyn Env, why: Wake) -> Flow {
    match why {
        Wake::Start => phase(x, env),
        Wake::Refused if x.phase != Phase::Code => Flow::Fail(503),
        Wake::Body(Ok(())) => Flow::Next,
        Wake::Body(Err(fault)) => {
            x.log(Level::Info, format_args!("{}", fault.reason));
            Flow::Fail(fault.status)
        }
        Wake::Kept(body) => {
            x.request_body = Some(body.into());
            phase(x, env)
        }
        why => {
            x.wake(why);
            phase(x, env)
        }
    }
}

/// Runs an exchange within another one, then the phase that wanted it.
fn within(x: &mut Exchange, env: &mut dyn Env, mut child: Box<Exchange>, why: Wake) -> Flow {
    let response = match run(&mut child, env, why) {
        Step::Wait(need) => {
            x.child = Some(child);
            return Flow::Wait(need);
        }
        Step::Answer(response) => Some(response),
        Step::Drop => None,
    };
    x.child_answer = Some((child, response));
    phase(x, env)
}

/// Runs an exchange that stands in the body of `x`, which was woken for it.
pub fn inner(child: &mut Exchange, x: &mut Exchange, env: &mut dyn Env) -> Step {
    let why = x.woken().unwrap_or(Wake::Start);
    run(child, env, why)
}

/// Pulls the next piece of the body of an exchange, which was woken if it waited.
pub fn pull(x: &mut Exchange, source: &mut dyn Source, env: &mut dyn Env) -> Pull {
    if x.is_refused() {
        return Pull::Failed;
    }
    source.pull(x, env)
}

fn phase(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    match x.phase {
        Phase::Start => locate::server(x),
        Phase::EarlyBody => body::early(x),
        Phase::PostRead | Phase::Preaccess => realip::run(x),
        Phase::ServerRewrite => rewrite::server(x, env),
        Phase::Locate => locate::location(x),
        Phase::Body => body::discard(x),
        Phase::Rewrite => rewrite::location(x, env),
        Phase::LimitReq => limit_req::check(x),
        Phase::LimitConn => limit_conn::check(x),
        Phase::Access(progress) => satisfy::check(x, progress),
        Phase::Refuse(time) => satisfy::refuse_at(x, time),
        Phase::TryFiles(at) => try_files::run(x, env, at),
        Phase::Mirror => mirror::run(x, env),
        Phase::Handler => stub_status::run(x),
        Phase::EmptyGif => empty_gif::run(x),
        Phase::RandomIndex => random_index::run(x, env),
        Phase::Mp4 => mp4::run(x, env),
        Phase::Flv => flv::run(x, env),
        Phase::Index(at) => index::run(x, env, at),
        Phase::Directory => index::directory(x, env),
        Phase::Listing => listing::run(x, env),
        Phase::Dav => dav::run(x),
        Phase::Precompressed(at) => gzip_static::run(x, env, at),
        Phase::File => static_file::run(x, env),
        Phase::Decoded(coding) => gzip_static::decoded(x, env, coding),
        Phase::Code => filter::resume(x),
        Phase::PostAction => post_action::run(x),
    }
}

fn following(phase: Phase) -> Phase {
    match phase {
        Phase::Start => Phase::EarlyBody,
        Phase::EarlyBody => Phase::PostRead,
        Phase::PostRead => Phase::ServerRewrite,
        Phase::ServerRewrite => Phase::Locate,
        Phase::Locate => Phase::Body,
        Phase::Body => Phase::Rewrite,
        Phase::Rewrite => Phase::Preaccess,
        Phase::Preaccess => Phase::LimitReq,
        Phase::LimitReq => Phase::LimitConn,
        Phase::LimitConn => Phase::Access(Progress::default()),
        Phase::Access(_) | Phase::Refuse(_) => Phase::TryFiles(0),
        Phase::TryFiles(_) => Phase::Mirror,
        Phase::Mirror => Phase::Handler,
        Phase::Handler => Phase::EmptyGif,
        Phase::EmptyGif => Phase::Mp4,
        Phase::Mp4 => Phase::Flv,
        Phase::Flv => Phase::RandomIndex,
        Phase::RandomIndex => Phase::Index(0),
        Phase::Directory => Phase::Index(1),
        Phase::Index(_) => Phase::Listing,
        Phase::Listing => Phase::Dav,
        Phase::Dav => Phase::Precompressed(0),
        Phase::Precompressed(_) | Phase::File => Phase::File,
        Phase::Decoded(_) | Phase::Code | Phase::PostAction => phase,
    }
}

fn redirect(x: &mut Exchange, uri: Vec<u8>, args: Vec<u8>) -> Flow {
    x.internal = true;
    if !x.spend_redirect() {
        let what = "rewrite or internal redirection cycle while internally redirecting to";
        x.log(
            Level::Error,
            format_args!("{what} \"{}\"", uri.escape_ascii()),
        );
        return Flow::Fail(500);
    }
    x.uri = uri;
    x.args = args;
    x.location = &x.server.location;
    Flow::Goto(Phase::ServerRewrite)
}

fn enter_named(x: &mut Exchange, location: &'static Location) -> Flow {
    x.internal = true;
    if !x.spend_redirect() {
        let what = "rewrite or internal redirection cycle while redirect to named location";
        x.log(Level::Error, format_args!("{what} \"{}\"", location.name));
        return Flow::Fail(500);
    }
    locate::enter(x, location);
    Flow::Goto(Phase::Rewrite)
}
