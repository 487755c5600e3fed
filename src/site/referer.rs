//! `valid_referers`: pages that may link here, and `$invalid_referer` for requests from others. It
//! keeps no one out: a client can say what it wants.

use std::rc::Rc;

use super::Values;
use super::draft::Draft;
use super::exchange::Exchange;
use super::matching::TooHard;
use super::variables::Declared;
use super::wildcard::Wildcards;
use crate::conf::diagnostic::{Entry, Reason};
use crate::conf::pattern::Pattern;
use crate::conf::source::Place;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;

directives! {
    /// Pages that may link here.
    pub struct Referers in "ngx_http_referer_module" with Draft {
        /// Pages whose links leave `$invalid_referer` empty: `none` for requests without the field,
        /// `blocked` for a field without a scheme, `server_names`, hosts with a path or a wildcard,
        /// and patterns after `~`.
        valid: Valid = Valid::default() =>
            "valid_referers" [SERVER | LOCATION] 1.., Replace, "", with(valid_referers);
    }
    also {
        /// Accepted: our tables size themselves.
        "referer_hash_max_size" [SERVER | LOCATION] 1, Clone, "2048", check(value::number);
        /// Accepted: our tables size themselves.
        "referer_hash_bucket_size" [SERVER | LOCATION] 1, Clone, "64", check(value::number);
    }
}

/// Whether the page that links here may.
pub const DECLARED: Declared = Declared {
    variables: &[("invalid_referer", invalid_referer)],
    families: &[],
    settable: &[("invalid_referer", None)],
};

/// The pages of one block.
#[derive(Clone, Debug, Default)]
pub struct Valid {
    none: bool,
    blocked: bool,
    server_names: bool,
    /// Hosts, with what their paths have to start with.
    hosts: Rc<Wildcards<Vec<u8>>>,
    patterns: Vec<Pattern>,
    place: Option<Place>,
}

/// The longest host that is looked up.
const LONGEST_HOST: usize = 256;

/// The shortest field that may hold a scheme and a host: `http://i.ru`.
const SHORTEST: usize = 11;

const NOT_ONE: &str = "the \"none\" or \"blocked\" referers are specified in the \
                       \"valid_referers\" directive without any valid referer";

fn valid_referers(this: &mut Referers, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.valid = Valid::default();
    }
    this.valid.place = Some(call.item.name.place);
    for word in call.args() {
        this.valid
            .add(word, draft)
            .map_err(|reason| reason.at(word.place))?;
    }
    Ok(())
}

impl Valid {
    fn add(&mut self, word: &Word, draft: &mut Draft) -> Result<(), Reason> {
        match &word.text[..] {
            b"" => return Err(Reason::about("invalid referer", word)),
            b"none" => self.none = true,
            b"blocked" => self.blocked = true,
            b"server_names" => self.server_names = true,
            b"~" => return Err(Reason::about("empty regex in", word)),
            [b'~', pattern @ ..] => {
                let limit = usize::try_from(draft.match_limit).unwrap_or(usize::MAX);
                self.patterns.push(Pattern::new(pattern, true, limit)?);
            }
            text => {
                let slash = text.iter().position(|&byte| byte == b'/');
                let (host, path) = text.split_at(slash.unwrap_or(text.len()));
                Rc::make_mut(&mut self.hosts)
                    .add(host, path.to_vec())
                    .map_err(|refused| refused.reason(host))?;
            }
        }
        Ok(())
    }

    /// Whether it says anything of pages with a name.
    fn is_plain(&self) -> bool {
        (self.none || self.blocked) && !self.server_names && self.hosts.is_empty()
    }

    fn admit(&self, x: &Exchange) -> Result<bool, TooHard> {
        if self.hosts.is_empty() && self.patterns.is_empty() && !self.server_names {
            return Ok(true);
        }
        let Some(referer) = x.head.field("referer") else {
            return Ok(self.none);
        };
        let Some(page) = without_scheme(referer) else {
            return Ok(self.blocked);
        };
        let end = page.iter().position(|byte| b"/:".contains(byte));
        let (host, rest) = page.split_at(end.unwrap_or(page.len()));
        if host.len() > LONGEST_HOST {
            return Ok(false);
        }
        let host = host.to_ascii_lowercase();
        if let Some(path) = self.hosts.find(&host) {
            let slash = rest.iter().position(|&byte| byte == b'/');
            return Ok(rest[slash.unwrap_or(rest.len())..].starts_with(path));
        }
        if self.server_names {
            for name in &x.server.location.own.names.list {
                if name.covers(&host)? {
                    return Ok(true);
                }
            }
        }
        for pattern in &self.patterns {
            if pattern.is_match(page).map_err(|_| TooHard)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Refuses a block that says nothing of pages with a name; once, if blocks within have it too.
pub fn settle(values: &Values, draft: &mut Draft) {
    let valid = &values.referers.valid;
    let known = |entry: &Entry| entry.place == valid.place && entry.message == NOT_ONE;
    if valid.is_plain() && !draft.diagnostics.entries().iter().any(known) {
        draft.diagnostics.error(valid.place, NOT_ONE);
    }
}

fn without_scheme(referer: &[u8]) -> Option<&[u8]> {
    let scheme = |scheme: &[u8]| {
        let (start, rest) = referer.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let page = scheme(b"http://").or_else(|| scheme(b"https://"));
    page.filter(|_| referer.len() >= SHORTEST)
}

/// Empty, or `1` if the page that links here is none of those that may.
fn invalid_referer(x: &Exchange, out: &mut Vec<u8>) -> bool {
    match x.location.values.referers.valid.admit(x) {
        Ok(true) => {}
        Ok(false) => out.push(b'1'),
        Err(TooHard) => x.give_up("referer"),
    }
    true
}
