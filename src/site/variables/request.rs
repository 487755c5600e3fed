//! Variables of the request as it was received and as it is being processed.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use super::connection::remote_addr;
use super::{Declared, Exchange};
use crate::site::auth_basic::Credentials;
use crate::site::root;
use crate::sys::at_hand;

pub const DECLARED: Declared = Declared {
    variables: &[
        ("args", args),
        ("content_length", |x, out| field(x, b"content_length", out)),
        ("content_type", |x, out| field(x, b"content_type", out)),
        ("document_root", document_root),
        ("document_uri", uri),
        ("fastcgi_script_name", uri),
        ("host", host),
        // Those of a family that nothing may set.
        ("http_cookie", |x, out| field(x, b"cookie", out)),
        ("http_host", |x, out| field(x, b"host", out)),
        ("http_referer", |x, out| field(x, b"referer", out)),
        ("http_user_agent", |x, out| field(x, b"user_agent", out)),
        ("http_via", |x, out| field(x, b"via", out)),
        ("http_x_forwarded_for", |x, out| {
            field(x, b"x_forwarded_for", out)
        }),
        ("https", empty),
        ("is_args", is_args),
        ("is_request_port", is_request_port),
        ("proxy_add_x_forwarded_for", forwarded_for),
        ("query_string", args),
        ("realpath_root", realpath_root),
        ("remote_user", remote_user),
        ("request", request),
        ("request_filename", request_filename),
        ("request_id", request_id),
        ("request_length", request_length),
        ("request_method", request_method),
        ("request_port", request_port),
        ("request_time", request_time),
        ("request_uri", request_uri),
        ("scheme", scheme),
        ("server_name", server_name),
        ("server_protocol", server_protocol),
        ("uri", uri),
    ],
    families: &[("arg_", argument), ("cookie_", cookie), ("http_", field)],
    settable: &[("args", Some(|x, value| x.args = value))],
};

fn put(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(text);
    true
}

fn empty(_: &Exchange, _: &mut Vec<u8>) -> bool {
    true
}

fn args(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(&x.args, out) && !x.args.is_empty()
}

fn is_args(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(if x.args.is_empty() { b"" } else { b"?" }, out)
}

/// `$http_name`: all fields of that name, joined; `_` in the name stands for `-`.
fn field(x: &Exchange, name: &[u8], out: &mut Vec<u8>) -> bool {
    let separator: &[u8] = if name == b"cookie" { b"; " } else { b", " };
    let mut found = false;
    for (_, value) in x.head.fields().filter(|(field, _)| same_name(field, name)) {
        if found {
            out.extend_from_slice(separator);
        }
        found = true;
        out.extend_from_slice(value);
    }
    found
}

/// `X-Forwarded-For` as a proxy would send it on: with the client's address at its end.
fn forwarded_for(x: &Exchange, out: &mut Vec<u8>) -> bool {
    if field(x, b"x_forwarded_for", out) {
        out.extend_from_slice(b", ");
    }
    remote_addr(x, out)
}

/// Whether a field is the one that a variable names.
pub fn same_name(field: &[u8], variable: &[u8]) -> bool {
    field.len() == variable.len()
        && field.iter().zip(variable).all(|(f, v)| match f {
            b'-' => *v == b'_',
            f => f.to_ascii_lowercase() == *v,
        })
}

fn argument(x: &Exchange, name: &[u8], out: &mut Vec<u8>) -> bool {
    argument_of(&x.args, name).is_some_and(|value| put(value, out))
}

/// The value of an argument in a query: of the first that has one.
pub fn argument_of<'a>(args: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    args.split(|&b| b == b'&').find_map(|pair| {
        let (key, value) = split_once(pair, b'=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn cookie(x: &Exchange, name: &[u8], out: &mut Vec<u8>) -> bool {
    find_cookie(x, name).is_some_and(|(_, value)| put(value, out))
}

/// The first cookie of this name: the field that it stands in, and its value.
pub fn find_cookie<'a>(x: &'a Exchange, name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut fields = x
        .head
        .fields()
        .filter(|(field, _)| field.eq_ignore_ascii_case(b"cookie"));
    fields.find_map(|(_, field)| Some((field, cookie_in(field, name)?)))
}

/// A cookie may stand behind `;` or `,`; its value goes on until `;`, as nginx reads it.
fn cookie_in<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = field.trim_ascii_start();
    loop {
        if let Some((key, value)) = rest.split_at_checked(name.len())
            && key.eq_ignore_ascii_case(name)
            && let Some(value) = value.trim_ascii_start().strip_prefix(b"=")
        {
            return value
                .split(|&b| b == b';')
                .next()
                .map(<[u8]>::trim_ascii_start);
        }
        let next = rest.iter().position(|b| b";,".contains(b))?;
        rest = rest[next + 1..].trim_ascii_start();
    }
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let index = text.iter().position(|&b| b == at)?;
    Some((&text[..index], &text[index + 1..]))
}

fn document_root(x: &Exchange, out: &mut Vec<u8>) -> bool {
    x.location.values.root.write_root(x, out);
    true
}

/// As it was found before the phase that asks. A request that came to none has what the kernel
/// knows without asking a disk.
fn realpath_root(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let root = root::directory(x);
    match &x.real_root {
        Some((of, real)) if *of == root => put(real.as_os_str().as_bytes(), out),
        _ => match at_hand::real_path(&root) {
            Ok(real) => put(real.as_os_str().as_bytes(), out),
            Err(_) => false,
        },
    }
}

/// The host of the request; else the name of the server.
fn host(x: &Exchange, out: &mut Vec<u8>) -> bool {
    match x.head.host() {
        Some(host) if !host.is_empty() => put(host, out),
        _ => server_name(x, out),
    }
}

fn request_port(x: &Exchange, out: &mut Vec<u8>) -> bool {
    x.head
        .port()
        .is_none_or(|port| write!(out, "{port}").is_ok())
}

fn is_request_port(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(if x.head.port().is_some() { b":" } else { b"" }, out)
}

/// The user of Basic credentials (RFC 7617), checked or not.
fn remote_user(x: &Exchange, out: &mut Vec<u8>) -> bool {
    Credentials::of(&x.head).is_some_and(|shown| put(&shown.user, out))
}

fn request(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(x.head.request_line(), out)
}

fn request_filename(x: &Exchange, out: &mut Vec<u8>) -> bool {
    x.location.values.root.write_path(x, &x.uri, out);
    true
}

fn request_id(x: &Exchange, out: &mut Vec<u8>) -> bool {
    x.id().iter().all(|byte| write!(out, "{byte:02x}").is_ok())
}

/// Bytes of the head, and of a body that was kept: one that is dropped counts for nothing, as in
/// nginx. For a request from within nothing was received.
fn request_length(x: &Exchange, out: &mut Vec<u8>) -> bool {
    if x.is_child() {
        return put(b"0", out);
    }
    let body = x.request_body.as_ref().map_or(0, |body| body.len());
    write!(out, "{}", x.head.len() as u64 + body).is_ok()
}

/// The method as it was sent, also for a request from within, unless this is an error page, which
/// is got.
fn request_method(x: &Exchange, out: &mut Vec<u8>) -> bool {
    if x.method == x.head.method() || x.is_child() {
        put(x.head.method_name(), out)
    } else {
        put(b"GET", out)
    }
}

fn request_time(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let time = x.clock().now().saturating_duration_since(x.started);
    write!(out, "{}.{:03}", time.as_secs(), time.subsec_millis()).is_ok()
}

fn request_uri(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(x.head.request_uri(), out)
}

fn scheme(_: &Exchange, out: &mut Vec<u8>) -> bool {
    put(b"http", out)
}

fn server_name(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(&x.server.name, out)
}

fn server_protocol(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(x.head.version_text(), out)
}

fn uri(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put(&x.uri, out)
}
