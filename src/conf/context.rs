//! Where a directive may stand, and with how many arguments.

use std::fmt;
use std::ops::{BitOr, RangeFrom, RangeInclusive};

/// A set of the blocks a directive may stand in, as nginx names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contexts(u16);

/// The top level of the configuration.
pub const MAIN: Contexts = Contexts(1);
/// `events { }`
pub const EVENTS: Contexts = Contexts(1 << 1);
/// `http { }`
pub const HTTP: Contexts = Contexts(1 << 2);
/// `server { }`
pub const SERVER: Contexts = Contexts(1 << 3);
/// `location { }`
pub const LOCATION: Contexts = Contexts(1 << 4);
/// `if { }` in a `server { }`
pub const SERVER_IF: Contexts = Contexts(1 << 5);
/// `if { }` in a `location { }`
pub const LOCATION_IF: Contexts = Contexts(1 << 6);
/// `limit_except { }`
pub const LIMIT_EXCEPT: Contexts = Contexts(1 << 7);

const CONTEXT_NAMES: [(Contexts, &str); 8] = [
    (MAIN, "main"),
    (EVENTS, "events"),
    (HTTP, "http"),
    (SERVER, "server"),
    (LOCATION, "location"),
    (SERVER_IF, "if in server"),
    (LOCATION_IF, "if in location"),
    (LIMIT_EXCEPT, "limit_except"),
];

impl Contexts {
    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Contexts) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the contexts, in nginx's spelling.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        CONTEXT_NAMES
            .iter()
            .filter(move |(c, _)| self.contains(*c))
            .map(|(_, name)| *name)
    }
}

impl BitOr for Contexts {
    type Output = Contexts;
    fn bitor(self, other: Contexts) -> Contexts {
        Contexts(self.0 | other.0)
    }
}

/// How many arguments a directive takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arity {
    least: usize,
    most: usize,
}

impl Arity {
    pub(super) fn admits(self, count: usize) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

impl From<usize> for Arity {
    fn from(exactly: usize) -> Arity {
        Arity {
            least: exactly,
            most: exactly,
        }
    }
}

impl From<RangeInclusive<usize>> for Arity {
    fn from(range: RangeInclusive<usize>) -> Arity {
        Arity {
            least: *range.start(),
            most: *range.end(),
        }
    }
}

impl From<RangeFrom<usize>> for Arity {
    fn from(range: RangeFrom<usize>) -> Arity {
        Arity {
            least: range.start,
            most: usize::MAX,
        }
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, usize::MAX) => write!(f, "{least} or more"),
            (least, most) if least == most => write!(f, "{least}"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}
