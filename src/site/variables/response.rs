//! Variables of the answer: of the one that is being made while its fields are added, later of the
//! one that was sent. Before there is one they are empty.

use std::io::Write;

use super::request::same_name;
use super::{Declared, Exchange};
use crate::http::date;
use crate::http::digits::decimal;

pub const DECLARED: Declared = Declared {
    variables: &[
        ("body_bytes_sent", |x, out| {
            decimal(out, x.sent.body);
            true
        }),
        ("bytes_sent", |x, out| {
            decimal(out, x.sent.bytes);
            true
        }),
        ("request_completion", request_completion),
        // Those of a family that nothing may set.
        ("sent_http_cache_control", |x, out| {
            sent_field(x, b"cache_control", out)
        }),
        ("sent_http_connection", |x, out| {
            sent_field(x, b"connection", out)
        }),
        ("sent_http_content_length", |x, out| {
            sent_field(x, b"content_length", out)
        }),
        ("sent_http_content_type", |x, out| {
            sent_field(x, b"content_type", out)
        }),
        ("sent_http_keep_alive", |x, out| {
            sent_field(x, b"keep_alive", out)
        }),
        ("sent_http_last_modified", |x, out| {
            sent_field(x, b"last_modified", out)
        }),
        ("sent_http_link", |x, out| sent_field(x, b"link", out)),
        ("sent_http_location", |x, out| {
            sent_field(x, b"location", out)
        }),
        ("sent_http_transfer_encoding", |x, out| {
            sent_field(x, b"transfer_encoding", out)
        }),
        ("status", status),
    ],
    families: &[
        ("sent_http_", sent_field),
        ("sent_trailer_", |_, _, _| false),
    ],
    settable: &[],
};

fn request_completion(x: &Exchange, out: &mut Vec<u8>) -> bool {
    if x.sent.complete {
        out.extend_from_slice(b"OK");
    }
    true
}

fn status(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let made = x.error_status.unwrap_or(x.answer.status);
    let status = if x.sent.status > 0 {
        x.sent.status
    } else {
        made
    };
    write!(out, "{status:03}").is_ok()
}

/// `$sent_http_name`: a field of the answer, those that are written with the head included.
fn sent_field(x: &Exchange, name: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(head) = &x.sent.head else {
        return made_field(x, name, out);
    };
    let mut put = |value: &[u8]| {
        out.extend_from_slice(value);
        true
    };
    match name {
        b"content_type" => head.content_type.as_deref().is_some_and(put),
        b"content_length" => x.sent.length.is_some_and(|n| put(n.to_string().as_bytes())),
        b"connection" => put(if x.sent.keep_alive {
            b"keep-alive"
        } else {
            b"close"
        }),
        b"keep_alive" => match head.keep_alive_header {
            Some(seconds) if x.sent.keep_alive => put(format!("timeout={seconds}").as_bytes()),
            _ => false,
        },
        b"last_modified" => head
            .last_modified
            .is_some_and(|time| put(&date::format(time))),
        b"location" if head.location.is_some() => head.location.as_deref().is_some_and(put),
        _ => other_field(head.fields.iter().map(|(n, v)| (&**n, &**v)), name, out),
    }
}

fn made_field(x: &Exchange, name: &[u8], out: &mut Vec<u8>) -> bool {
    let answer = &x.answer;
    let mut put = |value: &[u8]| {
        out.extend_from_slice(value);
        true
    };
    match name {
        b"content_type" => answer.content_type.as_deref().is_some_and(put),
        b"content_length" => {
            let length = answer.body.len();
            length.is_some_and(|length| put(length.to_string().as_bytes()))
        }
        b"last_modified" if answer.last_modified.is_some() => answer
            .last_modified
            .is_some_and(|time| put(&date::format(time))),
        b"etag" if answer.etag.is_some() => answer.etag.as_deref().is_some_and(put),
        _ => other_field(answer.fields.iter().map(|(n, v)| (&**n, &**v)), name, out),
    }
}

fn other_field<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    name: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let mut found = false;
    for (_, value) in fields.filter(|(field, _)| same_name(field, name)) {
        if found {
            out.extend_from_slice(b", ");
        }
        found = true;
        out.extend_from_slice(value);
    }
    found
}
