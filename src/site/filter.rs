//! What happens to every answer before it goes out, in nginx's order: conditions, fields, ranges.

use super::answer::{Answer, Body, Response};
use super::exchange::Exchange;
use super::transport::Transport;
use super::{addition, conditional, headers, ranges, redirect};
use crate::http::{Length, ResponseHead, multipart};

/// Turns an answer into a response.
///
/// # Errors
/// The status of the error that is the answer instead: 412, 416.
pub fn apply(x: &mut Exchange, mut answer: Answer) -> Result<Response, u16> {
    if let Some(status) = x.error_status {
        answer.status = status;
    }
    conditional::filter(x, &mut answer)?;
    headers::filter(x, &mut answer);
    addition::filter(x, &mut answer);
    ranges::filter(x, &mut answer)?;
    redirect::filter(x, &mut answer);
    explain(x, &mut answer);
    Ok(respond(x, answer))
}

/// Adds what a status requires (RFC 9110 sections 15.5.6 and 15.5.17), whatever page it has.
fn explain(x: &Exchange, answer: &mut Answer) {
    let (name, value) = match (answer.status, x.unsatisfied) {
        (405, _) => ("Allow", "GET, HEAD".into()),
        (416, Some(size)) => ("Content-Range", multipart::unsatisfied_range(size).into()),
        _ => return,
    };
    answer.fields.push((name.into(), value));
}

fn respond(x: &mut Exchange, answer: Answer) -> Response {
    let bodiless = crate::http::status::is_bodiless(answer.status);
    let transport: &'static Transport = &x.location.values.transport;
    let keep_alive = transport.keeps_alive(x) && !x.must_close;
    let mut fields = answer.fields;
    if let Some(etag) = answer.etag {
        fields.insert(0, ("ETag".into(), etag.into()));
    }
    for challenge in std::mem::take(&mut x.challenges).into_iter().rev() {
        fields.insert(0, ("WWW-Authenticate".into(), challenge));
    }
    let head = ResponseHead {
        status: answer.status,
        reason: None,
        server: x.location.values.tokens.name(x),
        content_type: answer.content_type.filter(|t| !bodiless && !t.is_empty()),
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
        Some(length) => Length::Known(length),
        None => Length::Unknown,
    };
    let body = if bodiless { Body::Empty } else { answer.body };
    Response { head, length, body }
}
