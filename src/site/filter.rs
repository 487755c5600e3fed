//! What happens to every answer before it goes out, in nginx's order: conditions, fields, ranges.

use super::answer::{Answer, Body, Response};
use super::env::{Env, Need};
use super::exchange::Exchange;
use super::run::{Flow, Phase};
use super::transport::Transport;
use super::{
    addition, charset, compression, conditional, dav, gunzip, headers, ranges, redirect, ssi, sub,
    userid,
};
use crate::http::{Length, Method, ResponseHead, Version, multipart};

/// Why there is no response yet.
pub enum Halt {
    /// This error is the answer instead: 412, 416.
    Fail(u16),
    /// The filters have to wait.
    Wait(Need),
}

impl From<u16> for Halt {
    fn from(status: u16) -> Halt {
        Halt::Fail(status)
    }
}

impl From<Halt> for Flow {
    fn from(halt: Halt) -> Flow {
        match halt {
            Halt::Fail(status) => Flow::Fail(status),
            Halt::Wait(need) => Flow::Wait(need),
        }
    }
}

/// Turns an answer into a response.
///
/// # Errors
/// Another one is the answer, or it has to wait.
pub fn apply(x: &mut Exchange, env: &mut dyn Env, mut answer: Answer) -> Result<Response, Halt> {
    if let Some(status) = x.error_status {
        answer.status = status;
    }
    if !x.is_child() {
        conditional::filter(x, &mut answer)?;
        headers::filter(x, &mut answer);
        userid::filter(x, &mut answer);
    }
    gunzip::filter(x, &mut answer);
    sub::filter(x, &mut answer);
    charset::filter(x, &mut answer);
    ssi::filter(x, &mut answer);
    // What stands around the body is not for those before.
    addition::filter(x, &mut answer);
    code(x, env, answer)
}

/// The filters from the content coding on, which may wait.
///
/// # Errors
/// As [`apply`].
pub fn code(x: &mut Exchange, env: &mut dyn Env, mut answer: Answer) -> Result<Response, Halt> {
    if let Err(need) = compression::filter(x, env, &mut answer) {
        x.answer = answer;
        x.phase = Phase::Code;
        return Err(Halt::Wait(need));
    }
    if !x.is_child() {
        // A part of a file is mapped as the whole is.
        let table = answer.unmap();
        ranges::filter(x, &mut answer)?;
        table.into_iter().for_each(|table| answer.map(table));
    }
    redirect::filter(x, &mut answer);
    explain(x, &mut answer);
    Ok(respond(x, answer))
}

/// Goes on with the answer whose filters waited.
pub fn resume(x: &mut Exchange) -> Flow {
    Flow::Code(Box::new(std::mem::take(&mut x.answer)))
}

/// Adds what a status requires (RFC 9110 sections 15.5.6 and 15.5.17), whatever page it has.
fn explain(x: &Exchange, answer: &mut Answer) {
    let (name, value) = match (answer.status, x.unsatisfied) {
        (405, _) => ("Allow", dav::allowed(x).into()),
        (416, Some(size)) => ("Content-Range", multipart::unsatisfied_range(size).into()),
        _ => return,
    };
    answer.fields.push((name.into(), value));
}

fn respond(x: &mut Exchange, answer: Answer) -> Response {
    let bodiless = crate::http::status::is_bodiless(answer.status);
    let transport: &'static Transport = &x.location.values.transport;
    let keep_alive = transport.keeps_alive(x) && !x.must_close;
    let media = answer.media().filter(|_| !bodiless);
    let mut fields = answer.fields;
    if let Some(etag) = answer.etag {
        fields.insert(0, ("ETag".into(), etag.into()));
    }
    for challenge in std::mem::take(&mut x.challenges).into_iter().rev() {
        fields.insert(0, ("WWW-Authenticate".into(), challenge));
    }
    if x.coded.varies && x.location.values.gzip.vary {
        fields.insert(0, ("Vary".into(), "Accept-Encoding".into()));
    }
    let head = ResponseHead {
        status: answer.status,
        reason: None,
        server: x.location.values.tokens.name(x),
        content_type: media,
        // An error page was changed when it was; the error was not.
        last_modified: answer
            .last_modified
            .filter(|_| matches!(answer.status, 200 | 206 | 304)),
        location: answer.location,
        fields,
        keep_alive,
        keep_alive_header: transport.told_timeout(),
    };
    let length = match answer.body.len() {
        _ if bodiless => Length::None,
        Some(length) if !ends_in_trailers(x, answer.status) => Length::Known(length),
        _ if transport.chunked => Length::Unknown,
        _ => Length::ToTheEnd,
    };
    let body = if bodiless {
        Body::Empty
    } else {
        answer.body.made()
    };
    Response { head, length, body }
}

/// Whether an answer has fields at its end; one of known length can go without.
fn ends_in_trailers(x: &Exchange, status: u16) -> bool {
    x.location.values.headers.expect_trailers(status)
        && x.location.values.transport.chunked
        && x.head.version() == Version::Http11
        && x.head.method() != Method::Head
}
