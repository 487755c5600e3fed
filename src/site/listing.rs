//! `autoindex`: listings of directories that have no index file.

use super::answer::Answer;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::pages::{self, Entry, Sizes, Stamp};
use super::run::{Flow, Phase};
use super::static_file::{self, file_path};
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
        /// Shows sizes in bytes; otherwise rounded.
        exact_size: bool = true =>
            "autoindex_exact_size" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Shows times in the local zone; otherwise in UTC.
        local_time: bool = false =>
            "autoindex_localtime" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// Lists the directory, if that is wanted.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    let listing: &'static Listing = &x.location.values.listing;
    if !x.uri.ends_with(b"/") {
        return Flow::Goto(Phase::Precompressed(0));
    }
    if !listing.enabled || !matches!(x.method, Method::Get | Method::Head) {
        return Flow::Next;
    }
    let path = file_path(x, &x.uri);
    let entries = match x.list(env, &path) {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => return static_file::failed(x, "opendir", &path, &error),
        Err(need) => return Flow::Wait(need),
    };
    let shown = entries
        .into_iter()
        .filter(|entry| !entry.name.starts_with(b"."));
    let rows = shown.map(|entry| row(entry, listing.local_time)).collect();
    let sizes = if listing.exact_size {
        Sizes::Exact
    } else {
        Sizes::Rounded
    };
    let page = pages::listing(&x.uri, rows, sizes);
    Flow::Answer(Box::new(Answer::bytes(200, "text/html", page)))
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
