//! Variables: a registry of names that is asked while the configuration is read, and what reading
//! one costs per request: a call. Each group of variables is declared in a file of its own.

pub(super) mod connection;
mod foreign;
mod proxy_protocol;
mod request;
mod response;
mod time;

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::OnceLock;

use super::exchange::Exchange;
use super::realip;
use crate::conf::diagnostic::Reason;
use crate::conf::source::Place;

/// Appends a variable's value; `false` if it has none, which a log shows as `-`.
pub type Read = fn(&Exchange, &mut Vec<u8>) -> bool;

/// As [`Read`], for one of a family; the name comes without the family's prefix.
pub type ReadOne = fn(&Exchange, &[u8], &mut Vec<u8>) -> bool;

/// What a module declares.
pub struct Declared {
    /// Variables by name.
    pub variables: &'static [(&'static str, Read)],
    /// Families by prefix (`arg_`).
    pub families: &'static [(&'static str, ReadOne)],
}

const DECLARED: &[Declared] = &[
    connection::DECLARED,
    proxy_protocol::DECLARED,
    realip::DECLARED,
    request::DECLARED,
    response::DECLARED,
    time::DECLARED,
    foreign::DECLARED,
];

/// A variable, ready to be read.
#[derive(Clone)]
pub enum Variable {
    /// One that is computed, by its name in lower case.
    Plain(&'static str, Read),
    /// One of a family.
    One(ReadOne, Rc<[u8]>),
    /// One that the configuration sets, such as a named capture.
    Slot(usize),
}

impl Variable {
    /// Appends its value; `false` if it has none.
    pub fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool {
        match self {
            Variable::Plain(_, read) => read(x, out),
            Variable::One(read, name) => read(x, name, out),
            Variable::Slot(index) => match x.slots.get(*index) {
                Some(Some(value)) => {
                    out.extend_from_slice(value);
                    true
                }
                _ => false,
            },
        }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variable::Plain(name, _) => write!(f, "Plain({name})"),
            Variable::One(_, name) => write!(f, "One({})", name.escape_ascii()),
            Variable::Slot(index) => write!(f, "Slot({index})"),
        }
    }
}

struct Slot {
    index: usize,
    declared: bool,
    used_at: Option<Place>,
}

/// The names a configuration uses and declares.
#[derive(Default)]
pub struct Registry {
    slots: HashMap<Vec<u8>, Slot>,
    /// Whether `$realpath_root` is among the names.
    pub real_root: bool,
}

impl Registry {
    /// The variable of this name. One that nobody declared until the end of the configuration is
    /// an error then: see [`Registry::unknown`].
    pub fn reference(&mut self, name: &[u8], place: Option<Place>) -> Variable {
        let name = name.to_ascii_lowercase();
        if let Some((name, read)) = plain(&name) {
            self.real_root |= name == "realpath_root";
            return Variable::Plain(name, read);
        }
        if let Some((read, rest)) = one_of_family(&name) {
            return Variable::One(read, rest.into());
        }
        let slot = self.slot(name);
        slot.used_at = slot.used_at.or(place);
        Variable::Slot(slot.index)
    }

    /// Declares a variable that a pattern sets by a named capture.
    ///
    /// # Errors
    /// The name belongs to a variable that cannot be set.
    pub fn declare(&mut self, name: &[u8]) -> Result<usize, Reason> {
        let name = name.to_ascii_lowercase();
        if plain(&name).is_some() {
            return Err(format!("the duplicate \"{}\" variable", name.escape_ascii()).into());
        }
        let slot = self.slot(name);
        slot.declared = true;
        Ok(slot.index)
    }

    /// Lets a name pass that a directive would have declared, had it not been refused.
    pub fn excuse(&mut self, name: &[u8]) {
        self.slot(name.to_ascii_lowercase()).declared = true;
    }

    /// How many slots an exchange needs.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The names that were used and never declared, with where they were used first.
    pub fn unknown(&self) -> Vec<(String, Option<Place>)> {
        let mut unknown: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.declared)
            .map(|(name, slot)| (name.escape_ascii().to_string(), slot.used_at))
            .collect();
        unknown.sort_by_key(|(_, place)| place.map(|p| (p.source, p.line, p.column)));
        unknown
    }

    fn slot(&mut self, name: Vec<u8>) -> &mut Slot {
        let index = self.slots.len();
        self.slots.entry(name).or_insert(Slot {
            index,
            declared: false,
            used_at: None,
        })
    }
}

fn plain(name: &[u8]) -> Option<(&'static str, Read)> {
    static BY_NAME: OnceLock<HashMap<&'static [u8], (&'static str, Read)>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let all = DECLARED.iter().flat_map(|declared| declared.variables);
        all.map(|row| (row.0.as_bytes(), *row)).collect()
    });
    by_name.get(name).copied()
}

fn one_of_family(name: &[u8]) -> Option<(ReadOne, &[u8])> {
    let mut families = DECLARED.iter().flat_map(|declared| declared.families);
    families.find_map(|(prefix, read)| Some((*read, name.strip_prefix(prefix.as_bytes())?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_declared_once() {
        let mut names: Vec<_> = DECLARED
            .iter()
            .flat_map(|d| d.variables)
            .map(|(name, _)| *name)
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn knows_what_nginx_knows() {
        for name in include_str!("../../tests/data/variables.txt").lines() {
            let variable = Registry::default().reference(name.as_bytes(), None);
            assert!(!matches!(variable, Variable::Slot(_)), "{name}");
        }
    }

    #[test]
    fn knows_what_was_never_declared() {
        let mut registry = Registry::default();
        assert!(matches!(
            registry.reference(b"URI", None),
            Variable::Plain("uri", _)
        ));
        assert!(matches!(
            registry.reference(b"arg_a", None),
            Variable::One(..)
        ));
        assert!(matches!(
            registry.reference(b"captured", None),
            Variable::Slot(0)
        ));
        assert!(matches!(
            registry.reference(b"typo", None),
            Variable::Slot(1)
        ));
        assert_eq!(registry.declare(b"captured").unwrap(), 0);
        assert!(registry.declare(b"uri").is_err());
        assert_eq!(registry.unknown(), [("typo".to_owned(), None)]);
        assert_eq!(registry.slots(), 2);
    }
}
