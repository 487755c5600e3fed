//! A variable that the configuration makes, sets or may set, and how its value is found.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::{Computed, Kept, Read, ReadOne, one_of_family, plain};
use crate::conf::source::Place;
use crate::log::Level;
use crate::site::exchange::Exchange;

/// A variable by its name.
pub struct Named {
    name: Vec<u8>,
    meaning: RefCell<Meaning>,
    /// Where its value is kept, if it ever is.
    slot: Cell<Option<usize>>,
}

/// Where its value comes from, unless one is kept.
pub enum Meaning {
    /// From nowhere yet; where it was used first.
    Unknown(Option<Place>),
    /// From the request: one that may be set all the same.
    Changeable(Read),
    /// From the request: one of a family with a prefix of this length.
    One(ReadOne, usize),
    /// It is computed.
    Computed(Rc<dyn Computed>),
    /// A pattern sets it.
    Capture,
    /// A directive sets it, in place of what it was.
    Set(Box<Meaning>),
    /// Whoever was to set it was refused.
    Excused,
}

impl Named {
    /// A name (in lower case) of which nothing is said yet.
    pub fn new(name: Vec<u8>) -> Named {
        let meaning = match (plain(&name), one_of_family(&name)) {
            (Some((_, read)), _) => Meaning::Changeable(read),
            (_, Some((read, prefix))) => Meaning::One(read, prefix),
            _ => Meaning::Unknown(None),
        };
        Named {
            name,
            meaning: RefCell::new(meaning),
            slot: Cell::new(None),
        }
    }

    /// Notes where it is used.
    pub fn used_at(&self, place: Option<Place>) {
        if let Meaning::Unknown(first) = &mut *self.meaning.borrow_mut() {
            *first = first.or(place);
        }
    }

    /// Where it was used first, if nobody declared it.
    pub fn unknown_at(&self) -> Option<Option<Place>> {
        match &*self.meaning.borrow() {
            Meaning::Unknown(place) => Some(*place),
            _ => None,
        }
    }

    /// Gives it another meaning.
    pub fn become_(&self, other: impl FnOnce(Meaning) -> Meaning) {
        self.meaning
            .replace_with(|meaning| other(std::mem::replace(meaning, Meaning::Excused)));
    }

    /// Lets it pass, if nobody declared it.
    pub fn excuse(&self) {
        self.become_(|meaning| match meaning {
            Meaning::Unknown(_) => Meaning::Excused,
            other => other,
        });
    }

    /// Where its value is kept: one of `slots`, of which there may be one more then.
    pub fn slot(&self, slots: &mut usize) -> usize {
        self.slot.get().unwrap_or_else(|| {
            self.slot.set(Some(*slots));
            *slots += 1;
            *slots - 1
        })
    }

    /// Appends its value; `false` if it has none.
    pub fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool {
        let slot = self.slot.get();
        let kept = slot.and_then(|slot| {
            x.slots.look(slot, |kept| match kept {
                Kept::Nothing => None,
                Kept::Underway => Some(self.turn_back(x)),
                Kept::Missing => Some(false),
                Kept::Value(value) => {
                    out.extend_from_slice(value);
                    Some(true)
                }
            })
        });
        kept.unwrap_or_else(|| match &*self.meaning.borrow() {
            Meaning::Computed(computed) => self.compute(x, &**computed, out),
            Meaning::Set(before) => self.unset(x, before, out),
            meaning => self.read(meaning, x, out),
        })
    }

    fn read(&self, meaning: &Meaning, x: &Exchange, out: &mut Vec<u8>) -> bool {
        match meaning {
            Meaning::Changeable(read) => read(x, out),
            Meaning::One(read, prefix) => read(x, &self.name[*prefix..], out),
            _ => false,
        }
    }

    /// The value of a variable that nothing has set yet: what it was without `set`, or empty.
    fn unset(&self, x: &Exchange, before: &Meaning, out: &mut Vec<u8>) -> bool {
        if !matches!(before, Meaning::Unknown(_)) {
            return self.read(before, x, out);
        }
        if x.location.values.rewriting.warns {
            let what = format_args!("using uninitialized \"{self}\" variable");
            x.log(Level::Warn, what);
        }
        self.keep(x, Kept::Value(Vec::new()));
        true
    }

    fn compute(&self, x: &Exchange, computed: &dyn Computed, out: &mut Vec<u8>) -> bool {
        self.keep(x, Kept::Underway);
        let mut value = Vec::new();
        let found = computed.write(x, &mut value);
        out.extend_from_slice(&value);
        self.keep(
            x,
            match found {
                _ if computed.volatile() => Kept::Nothing,
                true => Kept::Value(value),
                false => Kept::Missing,
            },
        );
        found
    }

    /// Its value rests on itself.
    fn turn_back(&self, x: &Exchange) -> bool {
        let what = format_args!("cycle while evaluating variable \"{self}\"");
        x.log(Level::Error, what);
        false
    }

    fn keep(&self, x: &Exchange, kept: Kept) {
        if let Some(slot) = self.slot.get() {
            x.slots.keep(x.site.slots, slot, kept);
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name.escape_ascii())
    }
}
