//! Values of variables that are kept while a request lives: what the configuration sets, and what
//! is computed once. An exchange shares them with those within it.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

/// What is known of one variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Nobody asked for it, nor set it.
    #[default]
    Nothing,
    /// It is being computed.
    Underway,
    /// It has no value.
    Missing,
    /// Its value.
    Value(Vec<u8>),
}

/// The kept values of a request; none is made before one is kept.
#[derive(Default)]
pub struct Slots(OnceCell<Rc<RefCell<Vec<Kept>>>>);

impl Slots {
    /// The same values, for an exchange within this one. `count` is how many there are.
    pub fn shared(&self, count: usize) -> Slots {
        match count {
            0 => Slots::default(),
            _ => Slots(OnceCell::from(self.all(count).clone())),
        }
    }

    /// Keeps something; gives what was kept before.
    pub fn keep(&self, count: usize, slot: usize, kept: Kept) -> Kept {
        match self.all(count).borrow_mut().get_mut(slot) {
            Some(place) => std::mem::replace(place, kept),
            None => Kept::Nothing,
        }
    }

    /// Looks at what is kept.
    pub fn look<T>(&self, slot: usize, look: impl FnOnce(&Kept) -> T) -> T {
        match self.0.get().map(|all| all.borrow()) {
            Some(all) => look(all.get(slot).unwrap_or(&Kept::Nothing)),
            None => look(&Kept::Nothing),
        }
    }

    fn all(&self, count: usize) -> &Rc<RefCell<Vec<Kept>>> {
        self.0
            .get_or_init(|| Rc::new(RefCell::new(vec![Kept::Nothing; count])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_within_share_what_is_kept() {
        let outer = Slots::default();
        assert!(outer.look(1, |kept| *kept == Kept::Nothing));
        let inner = outer.shared(2);
        inner.keep(2, 1, Kept::Value(b"x".to_vec()));
        assert!(outer.look(1, |kept| *kept == Kept::Value(b"x".to_vec())));
        assert_eq!(outer.keep(2, 1, Kept::Missing), Kept::Value(b"x".to_vec()));
        assert!(inner.look(1, |kept| *kept == Kept::Missing));
    }
}
