//! `autoindex`: listings of directories that have no index file.

mod formats;

use super::answer::Answer;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::pages::{self, Entry, Sizes, Stamp};
use super::run::{Flow, Phase};
use super::static_file::{self, file_path};
use crate::conf::diagnostic::Reason;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::Method;
use crate::log::{Legible, Level};
use crate::sys;
use crate::sys::clock;
use crate::sys::file::Kind;

directives! {
    /// Listings of directories.
    pub struct Listing in "ngx_http_autoindex_module" with Draft {
        /// Answers with a listing where a directory has no index file.
        enabled: bool = false =>
            "autoindex" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
        /// The format of listings: `html`, or for programs `xml`, `json` or `jsonp`, which calls the
        /// function that the argument `callback` names.
        format: Format = Format::Html =>
            "autoindex_format" [HTTP | SERVER | LOCATION] 1, Clone, "html", set(format);
        /// Shows sizes in bytes; otherwise rounded.
        exact_size: bool = true =>
            "autoindex_exact_size" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Shows times in the local zone; otherwise in UTC.
        local_time: bool = false =>
            "autoindex_localtime" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// What `autoindex_format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A page for people.
    Html,
    /// JSON.
    Json,
    /// A script that calls a function with what would be the JSON.
    Jsonp,
    /// XML.
    Xml,
}

fn format(word: &Word) -> Result<Format, Reason> {
    let choices = [
        ("html", Format::Html),
        ("json", Format::Json),
        ("jsonp", Format::Jsonp),
        ("xml", Format::Xml),
    ];
    value::one_of(word, &choices)
}

/// Lists the directory, if that is wanted.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    let listing: &'static Listing = &x.location.values.listing;
    if !x.uri.ends_with(b"/") {
        return Flow::Goto(Phase::Dav);
    }
    if !listing.enabled || !matches!(x.method, Method::Get | Method::Head) {
        return Flow::Next;
    }
    let callback = match callback(x, listing.format) {
        Ok(callback) => callback,
        Err(status) => return Flow::Fail(status),
    };
    let path = file_path(x, &x.uri);
    let mut entries = match x.list(env, &path) {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => return static_file::failed(x, "opendir", &path, &error),
        Err(need) => return Flow::Wait(need),
    };
    entries.retain(|entry| !entry.name.starts_with(b"."));
    entries.sort_unstable_by(|a, b| {
        let is_file = |entry: &sys::file::Entry| entry.meta.kind != Kind::Directory;
        (is_file(a), &a.name).cmp(&(is_file(b), &b.name))
    });
    let json = |callback: Option<&[u8]>| formats::json(&entries, callback);
    Flow::Answer(Box::new(match (listing.format, callback) {
        (Format::Html, _) => Answer::bytes(200, "text/html", page(x, entries)),
        (Format::Jsonp, Some(name)) => {
            Answer::bytes(200, "application/javascript", json(Some(&name)))
        }
        (Format::Json | Format::Jsonp, _) => Answer::bytes(200, "application/json", json(None)),
        (Format::Xml, _) => Answer {
            charset: Some("utf-8".into()),
            ..Answer::bytes(200, "text/xml", formats::xml(&entries))
        },
    }))
}

/// The name of the function that a script is to call, if one is wanted.
fn callback(x: &Exchange, format: Format) -> Result<Option<Vec<u8>>, u16> {
    if format != Format::Jsonp {
        return Ok(None);
    }
    let mut arguments = x.args.split(|&byte| byte == b'&');
    let name = arguments.find_map(|argument| {
        let (name, value) = argument.split_at_checked(b"callback=".len())?;
        name.eq_ignore_ascii_case(b"callback=").then_some(value)
    });
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if name.iter().all(is_plain) {
        return Ok(Some(name.to_vec()));
    }
    let what = "client sent invalid callback name:";
    let what = format_args!("{what} \"{}\"", name.escape_ascii());
    x.log(Level::Info, what);
    Err(400)
}

fn page(x: &Exchange, entries: Vec<sys::file::Entry>) -> Vec<u8> {
    let listing = &x.location.values.listing;
    let rows = entries
        .into_iter()
        .map(|entry| row(entry, listing.local_time))
        .collect();
    let sizes = match listing.exact_size {
        true => Sizes::Exact,
        false => Sizes::Rounded,
    };
    pages::listing(&x.uri, rows, sizes)
}

fn row(entry: sys::file::Entry, local_time: bool) -> Entry {
    Entry {
        name: entry.name,
        directory: entry.meta.kind == Kind::Directory,
        size: entry.meta.size,
        modified: stamp(entry.meta.mtime, local_time),
    }
}

fn stamp(time: i64, local: bool) -> Stamp {
    let broken = if local {
        clock::local(time)
    } else {
        clock::utc(time)
    };
    Stamp {
        year: i64::from(broken.year),
        month: broken.month,
        day: broken.day,
        hour: broken.hour,
        minute: broken.minute,
    }
}

/// Refuses a directory for which there is neither an index file nor a listing.
pub fn forbidden(x: &mut Exchange) -> Flow {
    let path = file_path(x, &x.uri);
    let what = format_args!("directory index of \"{}\" is forbidden", Legible(&path));
    x.log(Level::Error, what);
    Flow::Fail(403)
}
