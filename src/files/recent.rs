//! A map that knows which of its entries was used longest ago.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use slab::Slab;

/// Where a list ends.
const NONE: usize = usize::MAX;

/// The map. Every operation takes the same time however many entries there are.
pub struct Recent<K, V> {
    places: HashMap<Rc<K>, usize>,
    entries: Slab<Entry<K, V>>,
    newest: usize,
    oldest: usize,
}

struct Entry<K, V> {
    key: Rc<K>,
    value: V,
    newer: usize,
    older: usize,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Recent {
            places: HashMap::new(),
            entries: Slab::new(),
            newest: NONE,
            oldest: NONE,
        }
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key, which is used with that.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = *self.places.get(key)?;
        if place != self.newest {
            self.unlink(place);
            self.link(place);
        }
        Some(&mut self.entries[place].value)
    }

    /// Adds an entry, which is used with that; one that has the key is replaced.
    pub fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        let key = Rc::new(key);
        let place = self.entries.insert(Entry {
            key: key.clone(),
            value,
            newer: NONE,
            older: NONE,
        });
        self.places.insert(key, place);
        self.link(place);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.places.remove(key)?;
        self.unlink(place);
        Some(self.entries.remove(place).value)
    }

    /// The value that was used longest ago.
    pub fn oldest(&self) -> Option<&V> {
        self.entries.get(self.oldest).map(|entry| &entry.value)
    }

    /// Takes out the entry that was used longest ago.
    pub fn remove_oldest(&mut self) -> Option<V> {
        let key = self.entries.get(self.oldest)?.key.clone();
        self.remove(&key)
    }

    /// Puts an entry that is in no list where the newest is.
    fn link(&mut self, place: usize) {
        let older = std::mem::replace(&mut self.newest, place);
        let entry = &mut self.entries[place];
        (entry.newer, entry.older) = (NONE, older);
        match self.entries.get_mut(older) {
            Some(older) => older.newer = place,
            None => self.oldest = place,
        }
    }

    fn unlink(&mut self, place: usize) {
        let Entry { newer, older, .. } = self.entries[place];
        match self.entries.get_mut(newer) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(older) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_used_becomes_the_newest() {
        let mut recent = Recent::default();
        for key in [1, 2, 3] {
            recent.insert(key, key * 10);
        }
        assert_eq!(recent.get_mut(&1), Some(&mut 10));
        assert_eq!(recent.oldest(), Some(&20));
        recent.insert(2, 21);
        assert_eq!(recent.remove(&4), None);
        let order: Vec<_> = std::iter::from_fn(|| recent.remove_oldest()).collect();
        assert_eq!(order, [30, 10, 21]);
        assert!(recent.is_empty() && recent.oldest().is_none());
    }

    proptest! {
        /// Beside a plain list of pairs, the newest last.
        #[test]
        fn it_does_what_a_list_would(steps in prop::collection::vec((0..4, 0..8), 0..200)) {
            let mut recent = Recent::default();
            let mut list: Vec<(i32, usize)> = Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let at = list.iter().position(|(known, _)| *known == key);
                let entry = at.filter(|_| step < 3).map(|at| list.remove(at));
                match step {
                    0 => {
                        recent.insert(key, number);
                        list.push((key, number));
                    }
                    1 => {
                        prop_assert_eq!(recent.get_mut(&key).copied(), entry.map(|(_, value)| value));
                        list.extend(entry);
                    }
                    2 => prop_assert_eq!(recent.remove(&key), entry.map(|(_, value)| value)),
                    _ => {
                        let oldest = (!list.is_empty()).then(|| list.remove(0));
                        prop_assert_eq!(recent.remove_oldest(), oldest.map(|(_, value)| value));
                    }
                }
                prop_assert_eq!(recent.len(), list.len());
                prop_assert_eq!(recent.oldest(), list.first().map(|(_, value)| value));
            }
        }
    }
}
