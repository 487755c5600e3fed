//! `open_file_cache` and its family: which answers of the file system are used again.

use std::time::{Duration, Instant};

use super::draft::{Draft, Site};
use super::env::Env;
use super::exchange::Exchange;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::files::open::{Limits, Terms};
use crate::files::{Found, Query};

directives! {
    /// Which answers of the file system are used again.
    pub struct OpenFileCache in "ngx_http_core_module" with Draft {
        /// Keeps up to `max` files of this machine's own disks open, and what is known of
        /// directories, until nobody has asked for them for `inactive` (60s). `off` turns
        /// `file_cache` off as well, wherever it stands.
        cache: Option<usize> = None =>
            "open_file_cache" [HTTP | SERVER | LOCATION] 1..=2, Clone, "", with(open_file_cache);
        /// Age up to which a file that `open_file_cache` keeps is sent without being looked up.
        valid: Duration = Duration::from_secs(60) =>
            "open_file_cache_valid" [HTTP | SERVER | LOCATION] 1, Clone, "60s", set(value::seconds);
        /// How often a file must have been asked for, with no pause of `inactive`, to be kept open.
        min_uses: u64 = 1 =>
            "open_file_cache_min_uses" [HTTP | SERVER | LOCATION] 1, Clone, "1", set(value::number);
        /// Whether `open_file_cache` also keeps that a file is missing or may not be read.
        errors: bool = false =>
            "open_file_cache_errors" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
    also {
        /// Accepted: it says how changes are seen on systems that have kqueue.
        "open_file_cache_events" [HTTP | SERVER | LOCATION] 1, Clone, "off", check(value::flag);
    }
}

fn open_file_cache(
    this: &mut OpenFileCache,
    draft: &mut Draft,
    call: &Call<'_>,
) -> Result<(), Reason> {
    let (mut max, mut is_off) = (None, false);
    let mut idle = Duration::from_secs(60);
    for word in call.args() {
        let invalid = || {
            let after = format!(" parameter \"{}\"", word.str());
            Reason::around("invalid ", &after).at(word.place)
        };
        if let Some(count) = word.text.strip_prefix(b"max=") {
            let count = value::decimal(count).filter(|&count| count > 0);
            max = Some(count.ok_or_else(invalid)?);
        } else if let Some(time) = word.text.strip_prefix(b"inactive=") {
            idle = value::parse_seconds(time).ok_or_else(invalid)?;
        } else if word.text == b"off" {
            is_off = true;
        } else {
            return Err(invalid());
        }
    }
    this.cache = None;
    if is_off {
        draft.keeps_files = false;
        return Ok(());
    }
    let max = max.ok_or_else(|| Reason::around("", " must have the \"max\" parameter"))?;
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    this.cache = Some(draft.open_files.len());
    draft.open_files.push(Limits { max, idle });
    Ok(())
}

impl OpenFileCache {
    fn terms(&self) -> Terms {
        Terms {
            valid: self.valid,
            min_uses: self.min_uses,
            errors: self.errors,
        }
    }
}

/// The answer to a question, if it is kept.
pub fn answer(x: &Exchange, query: &Query) -> Option<Found> {
    let settings = &x.location.values.open_files;
    let mut cache = x.site.open_files[settings.cache?].borrow_mut();
    cache.answer(query, settings.terms(), x.clock().now())
}

/// When a worker will have something to forget.
pub fn deadline(site: &Site) -> Option<Instant> {
    let all = site.open_files.iter();
    all.filter_map(|files| files.borrow().deadline()).min()
}

/// Forgets and closes what nobody asked for lately.
pub fn expire(site: &Site, now: Instant) {
    for files in &site.open_files {
        let mut files = files.borrow_mut();
        if files.deadline().is_some_and(|due| due <= now) {
            files.expire(now);
        }
    }
}

/// Keeps an answer about this machine's own disks, if answers are kept. Far ones are kept elsewhere:
/// to close one may take as long as to open it.
pub fn keep(x: &Exchange, env: &dyn Env, query: &Query, found: &Found) {
    let settings = &x.location.values.open_files;
    if let Some(cache) = settings.cache
        && !found.meta().is_some_and(|meta| env.is_remote(meta.device))
    {
        let mut cache = x.site.open_files[cache].borrow_mut();
        cache.keep(query, found, settings.terms(), x.clock().now());
    }
}

#[cfg(test)]
mod tests {
    use crate::site::testing::said;

    #[test]
    fn arguments_are_judged_as_nginx_does() {
        let missing = "\"open_file_cache\" must have the \"max\" parameter";
        for (text, expected) in [
            ("open_file_cache max=5", ""),
            ("open_file_cache inactive=1h max=5", ""),
            ("open_file_cache off max=5", ""),
            ("open_file_cache max=5 max=6", ""),
            ("open_file_cache_events on", ""),
            (
                "open_file_cache on",
                "invalid \"open_file_cache\" parameter \"on\"",
            ),
            (
                "open_file_cache OFF",
                "invalid \"open_file_cache\" parameter \"OFF\"",
            ),
            (
                "open_file_cache max=0",
                "invalid \"open_file_cache\" parameter \"max=0\"",
            ),
            (
                "open_file_cache max=",
                "invalid \"open_file_cache\" parameter \"max=\"",
            ),
            ("open_file_cache inactive=1", missing),
            (
                "open_file_cache max=5 inactive=1ms",
                "invalid \"open_file_cache\" parameter \"inactive=1ms\"",
            ),
            (
                "open_file_cache_valid x",
                "\"open_file_cache_valid\" directive invalid value",
            ),
            (
                "open_file_cache_min_uses -1",
                "\"open_file_cache_min_uses\" directive invalid number",
            ),
        ] {
            let said = said(&format!("server {{ listen 80; {text}; }}"));
            let said = said
                .first()
                .map_or("", |line| line.trim_start_matches("error: "));
            assert_eq!(said, expected, "{text}");
        }
    }
}
