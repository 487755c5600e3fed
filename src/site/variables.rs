//! Variables: a registry of names that is asked while the configuration is read, and what reading
//! one costs per request: a call. Each group of variables is declared in a file of its own.

pub(super) mod connection;
mod foreign;
mod named;
mod proxy_protocol;
pub(super) mod request;
mod response;
mod slots;
mod time;

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::OnceLock;

use super::exchange::Exchange;
use super::{brotli, gzip, realip, secure_link, userid, zstd};
use crate::conf::diagnostic::Reason;
use crate::conf::source::Place;
use named::Meaning;

pub use named::Named;
pub use request::argument_of;
pub use slots::{Kept, Slots};

/// Appends a variable's value; `false` if it has none, which a log shows as `-`.
pub type Read = fn(&Exchange, &mut Vec<u8>) -> bool;

/// As [`Read`], for one of a family; the name comes without the family's prefix.
pub type ReadOne = fn(&Exchange, &[u8], &mut Vec<u8>) -> bool;

/// Takes a value that the configuration gives to a variable.
pub type Write = fn(&mut Exchange, Vec<u8>);

/// What a module declares.
pub struct Declared {
    /// Variables by name.
    pub variables: &'static [(&'static str, Read)],
    /// Families by prefix (`arg_`).
    pub families: &'static [(&'static str, ReadOne)],
    /// Those of the variables that the configuration may set, and what that does; nothing where
    /// the value is only kept for the request.
    pub settable: &'static [(&'static str, Option<Write>)],
}

const DECLARED: &[Declared] = &[
    brotli::DECLARED,
    gzip::DECLARED,
    zstd::DECLARED,
    super::body::DECLARED,
    connection::DECLARED,
    proxy_protocol::DECLARED,
    realip::DECLARED,
    secure_link::DECLARED,
    userid::DECLARED,
    request::DECLARED,
    response::DECLARED,
    super::referer::DECLARED,
    time::DECLARED,
    super::ssi::DECLARED,
    foreign::DECLARED,
    super::limit_conn::DECLARED,
    super::limit_rate::DECLARED,
    super::limit_req::DECLARED,
    super::stub_status::DECLARED,
];

/// A variable that a directive makes: `map`, `geo`, `split_clients`.
pub trait Computed: fmt::Debug {
    /// Appends its value; `false` if it has none.
    fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool;

    /// Whether it is computed anew each time, not once for a request.
    fn volatile(&self) -> bool {
        false
    }
}

/// A variable, ready to be read.
#[derive(Clone)]
pub enum Variable {
    /// One that nothing but the request decides, by its name in lower case.
    Plain(&'static str, Read),
    /// One that the configuration makes, sets or may set.
    Named(Rc<Named>),
}

impl Variable {
    /// Appends its value; `false` if it has none.
    pub fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool {
        match self {
            Variable::Plain(_, read) => read(x, out),
            Variable::Named(named) => named.write(x, out),
        }
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variable::Plain(name, _) => write!(f, "Plain({name})"),
            Variable::Named(named) => write!(f, "Named({named})"),
        }
    }
}

/// Where a directive puts the value of a variable that it sets (`set`).
#[derive(Clone, Debug)]
pub enum Target {
    /// Into the request.
    Request(Write),
    /// Among the kept values.
    Slot(usize),
}

impl Target {
    /// Sets the variable.
    pub fn set(&self, x: &mut Exchange, value: Vec<u8>) {
        match self {
            Target::Request(write) => write(x, value),
            Target::Slot(slot) => x.set_slot(*slot, Some(value)),
        }
    }
}

/// The names a configuration uses and declares.
#[derive(Default)]
pub struct Registry {
    names: HashMap<Vec<u8>, Rc<Named>>,
    slots: usize,
    /// Whether `$realpath_root` is among the names.
    pub real_root: bool,
}

impl Registry {
    /// The variable of this name. One that nobody declared until the end of the configuration is
    /// an error then: see [`Registry::unknown`].
    pub fn reference(&mut self, name: &[u8], place: Option<Place>) -> Variable {
        let name = name.to_ascii_lowercase();
        if let Some((name, read)) = plain(&name).filter(|(name, _)| change(name).is_none()) {
            self.real_root |= name == "realpath_root";
            return Variable::Plain(name, read);
        }
        let named = self.named(name);
        named.used_at(place);
        Variable::Named(named)
    }

    /// Makes a variable of this name, in place of one that another directive made; gives the slot
    /// in which its value is kept.
    ///
    /// # Errors
    /// The name is no name, or belongs to a variable that cannot be set.
    pub fn define(&mut self, name: &[u8], computed: Rc<dyn Computed>) -> Result<usize, Reason> {
        self.declared(name, |_| Meaning::Computed(computed))
    }

    /// Declares a variable that a pattern sets by a named capture.
    ///
    /// # Errors
    /// As [`Registry::define`].
    pub fn declare(&mut self, name: &[u8]) -> Result<usize, Reason> {
        self.declared(name, |_| Meaning::Capture)
    }

    /// Declares a variable that a directive sets, and how that is done.
    ///
    /// # Errors
    /// As [`Registry::define`].
    pub fn target(&mut self, name: &[u8]) -> Result<Target, Reason> {
        self.target_before(name, |unknown| Meaning::Set(Box::new(unknown)))
    }

    /// As [`Registry::target`], for a variable that has no value until it is set; one of `target`
    /// has an empty one.
    ///
    /// # Errors
    /// As [`Registry::define`].
    pub fn late_target(&mut self, name: &[u8]) -> Result<Target, Reason> {
        self.target_before(name, |_| Meaning::Capture)
    }

    /// A target; `before` is what a variable means that nothing else is known of.
    fn target_before(
        &mut self,
        name: &[u8],
        before: fn(Meaning) -> Meaning,
    ) -> Result<Target, Reason> {
        let name = name.to_ascii_lowercase();
        let slot = self.declared(&name, |meaning| match meaning {
            Meaning::Unknown(_) => before(meaning),
            Meaning::One(..) => Meaning::Set(Box::new(meaning)),
            other => other,
        })?;
        Ok(match str::from_utf8(&name).ok().and_then(change) {
            Some(Some(write)) => Target::Request(write),
            _ => Target::Slot(slot),
        })
    }

    fn declared(
        &mut self,
        name: &[u8],
        become_: impl FnOnce(Meaning) -> Meaning,
    ) -> Result<usize, Reason> {
        let name = name.to_ascii_lowercase();
        if name.is_empty() {
            return Err("invalid variable name \"$\"".into());
        }
        if plain(&name).is_some_and(|(name, _)| change(name).is_none()) {
            let name = String::from_utf8_lossy(&name);
            return Err(format!("the duplicate \"{name}\" variable").into());
        }
        let named = self.named(name);
        named.become_(become_);
        Ok(named.slot(&mut self.slots))
    }

    /// Lets a name pass that a directive would have declared, had it not been refused.
    pub fn excuse(&mut self, name: &[u8]) {
        self.named(name.to_ascii_lowercase()).excuse();
    }

    /// How many slots an exchange needs.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The variables that were used, made or set, by name.
    pub fn into_names(self) -> HashMap<Vec<u8>, Rc<Named>> {
        self.names
    }

    /// The names that were used and never declared, with where they were used first.
    pub fn unknown(&self) -> Vec<(String, Option<Place>)> {
        let mut unknown: Vec<_> = self
            .names
            .values()
            .filter_map(|named| Some((named.to_string(), named.unknown_at()?)))
            .collect();
        unknown.sort_by_key(|(_, place)| place.map(|p| (p.source, p.line, p.column)));
        unknown
    }

    fn named(&mut self, name: Vec<u8>) -> Rc<Named> {
        let known = self.names.entry(name);
        let name = known.key().clone();
        known.or_insert_with(|| Rc::new(Named::new(name))).clone()
    }
}

/// The variable of this name while a request runs; none if there is none. Only for names that come
/// with the request's answer (`<!--# echo var="..." -->`): the configuration's are looked up once.
pub fn find(x: &Exchange, name: &[u8]) -> Option<Variable> {
    let name = name.to_ascii_lowercase();
    if let Some(named) = x.site.variables.get(&name) {
        return Some(Variable::Named(named.clone()));
    }
    if let Some((name, read)) = plain(&name) {
        return Some(Variable::Plain(name, read));
    }
    let family = one_of_family(&name).is_some();
    family.then(|| Variable::Named(Rc::new(Named::new(name))))
}

fn plain(name: &[u8]) -> Option<(&'static str, Read)> {
    static BY_NAME: OnceLock<HashMap<&'static [u8], (&'static str, Read)>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let all = DECLARED.iter().flat_map(|declared| declared.variables);
        all.map(|row| (row.0.as_bytes(), *row)).collect()
    });
    by_name.get(name).copied()
}

/// What setting a predefined variable does; none if it cannot be set.
fn change(name: &str) -> Option<Option<Write>> {
    let mut settable = DECLARED.iter().flat_map(|declared| declared.settable);
    settable.find_map(|(known, write)| (*known == name).then_some(*write))
}

/// How one of a family is read, and the length of the family's prefix.
fn one_of_family(name: &[u8]) -> Option<(ReadOne, usize)> {
    let mut families = DECLARED.iter().flat_map(|declared| declared.families);
    families.find_map(|(prefix, read)| {
        name.starts_with(prefix.as_bytes())
            .then_some((*read, prefix.len()))
    })
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
            let mut registry = Registry::default();
            registry.reference(name.as_bytes(), None);
            assert_eq!(registry.unknown(), [], "{name}");
        }
    }

    #[test]
    fn knows_what_was_never_declared() {
        let mut registry = Registry::default();
        assert!(matches!(
            registry.reference(b"URI", None),
            Variable::Plain("uri", _)
        ));
        for name in [&b"arg_a"[..], b"captured", b"typo"] {
            registry.reference(name, None);
        }
        assert_eq!(registry.declare(b"Captured").unwrap(), 0);
        assert!(registry.declare(b"uri").is_err());
        assert_eq!(registry.unknown(), [("typo".to_owned(), None)]);
        assert_eq!(registry.slots(), 1);
    }
}
