//! A file as the answer, and what stands in its way.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::answer::{Answer, Body};
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::listing;
use super::redirect;
use super::run::{Flow, Phase};
use super::symlinks;
use crate::conf::value;
use crate::directives;
use crate::files::Opened;
use crate::http::path::{self, Escape};
use crate::http::{Method, validator};
use crate::log::{Legible, Level};
use crate::sys::OsError;
use crate::sys::file::{Absence, Kind, Meta};

directives! {
    /// Files as answers.
    pub struct StaticFile in "ngx_http_core_module" with Draft {
        /// Logs files that were asked for and do not exist.
        log_not_found: bool = true =>
            "log_not_found" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
    }
}

/// The path of the file for a request's path.
pub fn file_path(x: &Exchange, uri: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(128);
    x.location.values.root.write_path(x, uri, &mut out);
    PathBuf::from(OsString::from_vec(out))
}

/// Answers with the file that the request's path names.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    if !matches!(x.method, Method::Get | Method::Head | Method::Post) {
        return Flow::Fail(405);
    }
    if x.uri.ends_with(b"/") {
        return listing::forbidden(x);
    }
    let path = file_path(x, &x.uri);
    match x.open(env, &path) {
        Ok(Ok(opened)) => answer(x, &path, opened),
        Ok(Err(error)) => match x.coded.witness.take() {
            Some(coding) if Absence::of(&error) == Absence::Missing => {
                Flow::Goto(Phase::Decoded(coding))
            }
            _ => failed(x, symlinks::call(x, "open"), &path, &error),
        },
        Err(need) => Flow::Wait(need),
    }
}

fn answer(x: &mut Exchange, path: &Path, opened: Opened) -> Flow {
    match opened.meta.kind {
        Kind::Directory => return to_directory(x),
        Kind::Other => return irregular(x, Level::Error, path),
        Kind::Regular => {}
    }
    if x.method == Method::Post {
        return Flow::Fail(405);
    }
    Flow::Answer(Box::new(content(x, opened)))
}

/// The content of a regular file as the answer.
pub fn content(x: &mut Exchange, opened: Opened) -> Answer {
    let meta = opened.meta;
    with(x, meta, Body::File(opened.content, meta))
}

/// The answer with a body that is made of a file.
pub fn with(x: &mut Exchange, meta: Meta, body: Body) -> Answer {
    x.promised = Some(meta);
    let values = &x.location.values;
    let size = body.len().filter(|_| values.conditional.etag);
    Answer {
        status: 200,
        content_type: Some(values.mime.of(&x.uri)),
        last_modified: Some(meta.mtime),
        etag: size.map(|size| validator::etag_of(meta.mtime, size)),
        body,
        ranges: true,
        ..Answer::default()
    }
}

/// The file that the request's path names, for modules that send parts of files.
///
/// # Errors
/// What is to be done instead: wait for it, answer with an error, or leave it to other modules.
pub fn opened(x: &mut Exchange, env: &mut dyn Env) -> Result<(PathBuf, Opened), Flow> {
    if !matches!(x.method, Method::Get | Method::Head) {
        return Err(Flow::Fail(405));
    }
    if x.uri.ends_with(b"/") {
        return Err(Flow::Next);
    }
    let path = file_path(x, &x.uri);
    match x.open(env, &path).map_err(Flow::Wait)? {
        Ok(opened) if opened.meta.kind == Kind::Regular => Ok((path, opened)),
        Ok(_) => Err(Flow::Next),
        Err(error) => Err(failed(x, symlinks::call(x, "open"), &path, &error)),
    }
}

/// Answers for what is neither a file nor a directory.
pub fn irregular(x: &Exchange, level: Level, path: &Path) -> Flow {
    let what = format_args!("\"{}\" is not a regular file", Legible(path));
    x.log(level, what);
    Flow::Fail(404)
}

/// A directory is named with a slash at the end, so that relative links in its index hold.
fn to_directory(x: &mut Exchange) -> Flow {
    let mut uri = path::escape(&x.uri, Escape::Uri).into_owned();
    if uri.starts_with(b"//") {
        // A browser would take what follows for a host (RFC 3986 section 4.2).
        uri.splice(1..2, *b"%2F");
    }
    uri.push(b'/');
    if !x.args.is_empty() {
        uri.push(b'?');
        uri.extend_from_slice(&x.args);
    }
    redirect::answer(x, 301, uri)
}

/// Answers for a file that cannot be had.
pub fn failed(x: &mut Exchange, call: &str, path: &Path, error: &io::Error) -> Flow {
    let (status, level) = match Absence::of(error) {
        Absence::Missing => (404, Level::Error),
        Absence::Forbidden => (403, Level::Error),
        Absence::Failed => (500, Level::Crit),
    };
    if status != 404 || x.location.values.static_file.log_not_found {
        x.log(
            level,
            format_args!("{call}() \"{}\" failed {}", Legible(path), OsError(error)),
        );
    }
    Flow::Fail(status)
}
