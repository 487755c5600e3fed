//! `server_name`: which server a host belongs to. Exact names come first, then the longest
//! wildcard in front, then the longest at the end, then patterns in their order.

use std::fmt;
use std::rc::Rc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::matching::{Matcher, TooHard};
use super::wildcard::Wildcards;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;

directives! {
    /// What a server is called.
    pub struct Names in "ngx_http_core_module" with Draft {
        /// Sets the names of the server: exact, with a leading or trailing `*`, or `~` and a
        /// pattern. The first is `$server_name`.
        list: Vec<Name> = Vec::new() => "server_name" [SERVER] 1.., Many, "\"\"", with(server_name);
    }
}

/// One name of a server.
#[derive(Clone, Debug)]
pub enum Name {
    /// `example.com`
    Exact(Vec<u8>),
    /// `*.example.com`, without the asterisk; `.example.com` is this and the exact name.
    Leading(Vec<u8>),
    /// `www.example.*`, without the asterisk.
    Trailing(Vec<u8>),
    /// `~^www\d+\.example\.com$`
    Pattern(Rc<Matcher>),
}

impl Name {
    /// The name as it is written, in lower case but for patterns.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Name::Exact(text) => text.clone(),
            Name::Leading(text) => [b"*", &text[..]].concat(),
            Name::Trailing(text) => [&text[..], b"*"].concat(),
            Name::Pattern(matcher) => [b"~", matcher.text()].concat(),
        }
    }

    /// Whether a host (in lower case) is meant.
    ///
    /// # Errors
    /// A pattern gave up.
    pub fn covers(&self, host: &[u8]) -> Result<bool, TooHard> {
        Ok(match self {
            Name::Exact(text) => host == text,
            Name::Leading(text) => host.len() > text.len() && host.ends_with(text),
            Name::Trailing(text) => host.len() > text.len() && host.starts_with(text),
            Name::Pattern(matcher) => matcher.is_match(host)?,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text().escape_ascii())
    }
}

fn server_name(this: &mut Names, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    for word in call.args() {
        parse(this, draft, word).map_err(|reason| reason.at(word.place))?;
    }
    Ok(())
}

fn parse(this: &mut Names, draft: &mut Draft, word: &Word) -> Result<(), Reason> {
    if let Some(pattern) = word.text.strip_prefix(b"~") {
        if pattern.is_empty() {
            return Err("empty regex in server name".into());
        }
        // Hosts are compared in lower case, so upper case in a pattern can only be meant loosely.
        let caseless = pattern.iter().any(u8::is_ascii_uppercase);
        this.list.push(Name::Pattern(Rc::new(Matcher::new(
            pattern, caseless, draft,
        )?)));
        return Ok(());
    }
    let text = word.text.to_ascii_lowercase();
    let text = if text == b"$hostname" {
        draft.hostname.clone()
    } else {
        text
    };
    let inner = text
        .strip_prefix(b"*.")
        .or_else(|| text.strip_prefix(b"."))
        .unwrap_or(&text);
    let inner = if inner.len() == text.len() {
        text.strip_suffix(b".*").unwrap_or(&text)
    } else {
        inner
    };
    let bare_wildcard = inner.is_empty() && !text.is_empty();
    if text.contains(&b'/') {
        // A URL in place of a name, most often; no host will match it.
        let what = format!("server name \"{}\" has suspicious symbols", word.str());
        let notices = &mut draft.diagnostics;
        notices.notice(Severity::Warning, Some(word.place), what);
    }
    if bare_wildcard || inner.contains(&b'*') {
        let shown = word.str();
        return Err(format!("invalid server name or wildcard \"{shown}\"").into());
    }
    match text.first() {
        Some(b'*') => this.list.push(Name::Leading(text[1..].to_vec())),
        Some(b'.') => {
            this.list.push(Name::Exact(text[1..].to_vec()));
            this.list.push(Name::Leading(text.clone()));
        }
        _ if text.ends_with(b".*") => {
            this.list
                .push(Name::Trailing(text[..text.len() - 1].to_vec()));
        }
        _ => this.list.push(Name::Exact(text)),
    }
    Ok(())
}

/// The names of all servers on one address.
#[derive(Debug, Default)]
pub struct NameIndex {
    names: Wildcards<usize>,
    patterns: Vec<(Rc<Matcher>, usize)>,
}

impl NameIndex {
    /// Adds a name of server `server`; `false` if another server has it already.
    pub fn add(&mut self, name: &Name, server: usize) -> bool {
        let (map, text) = match name {
            Name::Exact(text) => (&mut self.names.exact, text),
            Name::Leading(text) => (&mut self.names.leading, text),
            Name::Trailing(text) => (&mut self.names.trailing, text),
            Name::Pattern(matcher) => {
                self.patterns.push((matcher.clone(), server));
                return true;
            }
        };
        *map.entry(text.clone()).or_insert(server) == server
    }

    /// The server for `host` (in lower case); a pattern that matches leaves its captures in `x`.
    ///
    /// # Errors
    /// A pattern gave up.
    pub fn find(&self, host: &[u8], x: &Exchange) -> Result<Option<usize>, TooHard> {
        if let Some(&server) = self.names.find(host) {
            return Ok(Some(server));
        }
        if host.is_empty() {
            return Ok(None);
        }
        for (matcher, server) in &self.patterns {
            if matcher.matches(host, x)? {
                return Ok(Some(*server));
            }
        }
        Ok(None)
    }
}
