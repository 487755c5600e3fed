//! Numbers for things that many parts of a configuration name: each thing once, in the order of
//! their first mention.

use std::collections::HashMap;
use std::hash::Hash;

/// Things with numbers, from 0.
#[derive(Debug)]
pub struct Numbering<T> {
    things: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbering<T> {
    fn default() -> Self {
        Numbering {
            things: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> From<T> for Numbering<T> {
    /// With this thing as the first.
    fn from(first: T) -> Self {
        let mut numbering = Numbering::default();
        numbering.number(first);
        numbering
    }
}

impl<T: Clone + Eq + Hash> Numbering<T> {
    /// The number of a thing.
    pub fn number(&mut self, thing: T) -> usize {
        *self.numbers.entry(thing).or_insert_with_key(|thing| {
            self.things.push(thing.clone());
            self.things.len() - 1
        })
    }

    /// All things, in the order of their numbers.
    pub fn things(&self) -> &[T] {
        &self.things
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_one_number() {
        let mut numbering = Numbering::default();
        assert_eq!(
            ["a", "b", "a", "c"].map(|thing| numbering.number(thing)),
            [0, 1, 0, 2]
        );
        assert_eq!(numbering.things(), ["a", "b", "c"]);
    }
}
