//! A location: what holds for the requests whose path it covers, and how locations are looked up.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::exchange::Exchange;
use super::matching::{Matcher, TooHard};
use super::{Own, Values};
use crate::http;

/// How a location says which requests are its own.
#[derive(Debug)]
pub enum Name {
    /// All of a server's that no location takes.
    Server,
    /// `location = /path`
    Exact(Vec<u8>),
    /// `location /path`, and `location ^~ /path`, after which no patterns are tried.
    Prefix {
        /// The path.
        path: Vec<u8>,
        /// Whether patterns are left out.
        final_: bool,
    },
    /// `location ~ pattern` and `location ~* pattern`
    Pattern {
        /// The pattern.
        matcher: Matcher,
        /// The pattern as written.
        text: Vec<u8>,
    },
    /// `location @name`
    Named(Vec<u8>),
    /// `limit_except` in a location.
    LimitExcept,
    /// `if` in a location.
    If,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Name::Server | Name::LimitExcept | Name::If => b"",
            Name::Exact(text) | Name::Named(text) => &text[..],
            Name::Prefix { path, .. } => path,
            Name::Pattern { text, .. } => text,
        };
        write!(f, "{}", text.escape_ascii())
    }
}

/// What holds for the requests of one location.
#[derive(Debug)]
pub struct Location {
    /// Which requests are its own.
    pub name: Name,
    /// Values it has or inherited.
    pub values: Values,
    /// What of these concerns the protocol.
    pub protocol: Rc<http::Limits>,
    /// Values that only it has.
    pub own: Own,
    /// Locations within.
    pub nested: Locations,
    /// What holds instead for other methods than these (`limit_except`).
    pub except: Option<Box<super::limit_except::LimitExcept>>,
}

#[derive(Debug)]
struct Prefix {
    location: Location,
    /// The longest other prefix that this one starts with.
    shorter: Option<usize>,
}

/// The locations of one level, ready to be searched.
#[derive(Debug, Default)]
pub struct Locations {
    exact: HashMap<Vec<u8>, Location>,
    /// In the order of their paths.
    prefixes: Vec<Prefix>,
    /// In the order of the configuration.
    patterns: Vec<Location>,
}

impl Locations {
    /// Makes locations searchable; no two have the same name.
    pub fn new(locations: Vec<Location>) -> Locations {
        let mut all = Locations::default();
        for location in locations {
            match &location.name {
                Name::Exact(path) => drop(all.exact.insert(path.clone(), location)),
                Name::Prefix { .. } => all.prefixes.push(Prefix {
                    location,
                    shorter: None,
                }),
                _ => all.patterns.push(location),
            }
        }
        all.prefixes.sort_by(|a, b| a.path().cmp(b.path()));
        for index in 1..all.prefixes.len() {
            let path = all.prefixes[index].path().to_vec();
            all.prefixes[index].shorter = all.covering(&path, Some(index - 1));
        }
        all
    }

    /// The location for a path, in nginx's order: an exact name ends the search; the longest
    /// prefix is kept and searched within; then patterns are tried, unless that prefix forbids it.
    ///
    /// # Errors
    /// A pattern gave up.
    pub fn find<'a>(&'a self, x: &Exchange) -> Result<Option<&'a Location>, TooHard> {
        Ok(self.search(x)?.map(|(location, _)| location))
    }

    /// The location, and whether it ends the search on the levels around, too.
    fn search<'a>(&'a self, x: &Exchange) -> Result<Option<(&'a Location, bool)>, TooHard> {
        if let Some(location) = self.exact.get(&x.uri) {
            return Ok(Some((location, true)));
        }
        let prefix = self.longest_prefix(&x.uri);
        let mut found = prefix.map(|location| (location, false));
        if let Some(prefix) = prefix {
            found = prefix.nested.search(x)?.or(found);
            let forbids = matches!(prefix.name, Name::Prefix { final_: true, .. });
            if forbids || matches!(found, Some((_, true))) {
                return Ok(found);
            }
        }
        match self.first_pattern(x)? {
            Some(location) => Ok(Some((location.nested.find(x)?.unwrap_or(location), true))),
            None => Ok(found),
        }
    }

    fn first_pattern<'a>(&'a self, x: &Exchange) -> Result<Option<&'a Location>, TooHard> {
        let found = self.patterns.iter().find_map(|location| {
            let Name::Pattern { matcher, .. } = &location.name else {
                return None;
            };
            match matcher.matches(&x.uri, x) {
                Ok(true) => Some(Ok(location)),
                Ok(false) => None,
                Err(too_hard) => Some(Err(too_hard)),
            }
        });
        found.transpose()
    }

    fn longest_prefix(&self, path: &[u8]) -> Option<&Location> {
        let after = self
            .prefixes
            .partition_point(|prefix| prefix.path() <= path);
        let index = self.covering(path, after.checked_sub(1))?;
        Some(&self.prefixes[index].location)
    }

    /// The longest prefix of `path` among `start` and the prefixes of `start`. The greatest path
    /// that is not above `path` shares every prefix that covers it, so that is where to start.
    fn covering(&self, path: &[u8], start: Option<usize>) -> Option<usize> {
        let mut at = start;
        while let Some(index) = at {
            if path.starts_with(self.prefixes[index].path()) {
                break;
            }
            at = self.prefixes[index].shorter;
        }
        at
    }
}

impl Prefix {
    fn path(&self) -> &[u8] {
        match &self.location.name {
            Name::Prefix { path, .. } => path,
            _ => b"",
        }
    }
}
