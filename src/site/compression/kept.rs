//! Coded bodies of files, kept so that each is coded once and not for each request. What is kept is
//! for a file as it was: whoever asks has just looked at it. It knows no encoder.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use super::encoder::Recipe;
use crate::sys::file::Meta;

/// What an entry takes beside its body, about.
const ENTRY: u64 = 256;

/// A file as it was found, and how its body is to be coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u32),
    /// Whatever is done to a file's content changes this.
    changed: (i64, u32),
    recipe: Recipe,
}

impl Key {
    /// That of a file and a recipe.
    pub fn new(meta: &Meta, recipe: Recipe) -> Key {
        Key {
            device: meta.device,
            inode: meta.inode,
            size: meta.size,
            modified: (meta.mtime, meta.mtime_nanos),
            changed: meta.changed,
            recipe,
        }
    }
}

/// Where whoever codes a body puts it, from whatever thread; nothing, if it cannot be coded.
pub type Slot = Arc<OnceLock<Option<Arc<[u8]>>>>;

/// What is known of a body.
pub enum Known {
    /// It is here.
    Here(Arc<[u8]>),
    /// Somebody codes it.
    Coming,
    /// Nobody codes it but whoever asks now, who puts it there.
    Missing(Slot),
    /// It cannot be coded.
    Failed,
}

struct Entry {
    slot: Slot,
    /// Bytes that it counts for.
    weight: u64,
    /// When somebody asked for it last.
    used: u64,
}

/// Bodies, and those that are being made. When there is no room, those go first that nobody asked
/// for in the longest time.
pub struct Kept {
    size: u64,
    bytes: u64,
    entries: HashMap<Key, Entry>,
    /// By when they were asked for.
    order: BTreeMap<u64, Key>,
    /// How often anything was asked for: the time.
    now: u64,
}

impl Kept {
    /// A store of so many bytes.
    pub fn new(size: u64) -> Kept {
        Kept {
            size,
            bytes: 0,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            now: 0,
        }
    }

    /// Bytes of the largest file that is worth coding as a whole: that it does not drive out
    /// all others.
    pub fn largest(&self) -> u64 {
        self.size / 8
    }

    /// The body for this key, or what is known of it.
    pub fn look(&mut self, key: &Key) -> Known {
        let Some(entry) = self.entries.get_mut(key) else {
            return Known::Missing(self.begin(key));
        };
        self.now += 1;
        self.order.remove(&entry.used);
        self.order.insert(self.now, *key);
        entry.used = self.now;
        match entry.slot.get() {
            Some(Some(body)) => {
                let body = body.clone();
                self.weigh(key, body.len() as u64);
                Known::Here(body)
            }
            Some(None) => {
                self.forget(key);
                Known::Failed
            }
            // Whoever had it has gone.
            None if Arc::strong_count(&entry.slot) == 1 => Known::Missing(entry.slot.clone()),
            None => Known::Coming,
        }
    }

    fn begin(&mut self, key: &Key) -> Slot {
        let slot = Slot::default();
        self.now += 1;
        let entry = Entry {
            slot: slot.clone(),
            weight: ENTRY,
            used: self.now,
        };
        self.entries.insert(*key, entry);
        self.order.insert(self.now, *key);
        self.bytes += ENTRY;
        self.make_room();
        slot
    }

    /// A body that has come counts from when it is first seen.
    fn weigh(&mut self, key: &Key, length: u64) {
        let weight = ENTRY + length;
        if let Some(entry) = self.entries.get_mut(key)
            && entry.weight != weight
        {
            self.bytes += weight - entry.weight;
            entry.weight = weight;
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        while self.bytes > self.size
            && let Some((_, key)) = self.order.pop_first()
        {
            self.forget(&key);
        }
    }

    fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Coding;
    use crate::sys::file::Kind;

    const RECIPE: Recipe = Recipe {
        coding: Coding::Gzip,
        level: 1,
        window: 15,
    };

    fn meta(inode: u64) -> Meta {
        Meta {
            size: 100,
            mtime: 1,
            mtime_nanos: 2,
            changed: (3, 4),
            kind: Kind::Regular,
            inode,
            device: 1,
            mode: 0o644,
        }
    }

    fn key(inode: u64) -> Key {
        Key::new(&meta(inode), RECIPE)
    }

    fn put(kept: &mut Kept, key: &Key, length: usize) {
        let Known::Missing(slot) = kept.look(key) else {
            panic!("it is there");
        };
        slot.set(Some(vec![0; length].into())).unwrap();
        assert!(has(kept, key));
    }

    fn has(kept: &mut Kept, key: &Key) -> bool {
        matches!(kept.look(key), Known::Here(_))
    }

    #[test]
    fn one_codes_and_the_others_wait() {
        let mut kept = Kept::new(1 << 20);
        let Known::Missing(slot) = kept.look(&key(1)) else {
            panic!("it is there");
        };
        assert!(matches!(kept.look(&key(1)), Known::Coming));
        slot.set(Some(Arc::from(*b"coded"))).unwrap();
        let Known::Here(body) = kept.look(&key(1)) else {
            panic!("it is not there");
        };
        assert_eq!(*body, *b"coded");
        assert!(!has(&mut kept, &key(2)));
    }

    #[test]
    fn somebody_else_takes_over_for_who_has_gone() {
        let mut kept = Kept::new(1 << 20);
        drop(kept.look(&key(1)));
        let Known::Missing(slot) = kept.look(&key(1)) else {
            panic!("nobody took over");
        };
        slot.set(None).unwrap();
        assert!(matches!(kept.look(&key(1)), Known::Failed));
        assert!(matches!(kept.look(&key(1)), Known::Missing(_)));
    }

    #[test]
    fn whatever_changes_is_another_body() {
        let mut kept = Kept::new(1 << 20);
        put(&mut kept, &key(1), 10);
        let others = [
            Meta {
                size: 99,
                ..meta(1)
            },
            Meta {
                mtime: 0,
                ..meta(1)
            },
            Meta {
                mtime_nanos: 0,
                ..meta(1)
            },
            Meta {
                changed: (3, 5),
                ..meta(1)
            },
            Meta {
                device: 2,
                ..meta(1)
            },
            meta(2),
        ];
        for meta in others {
            assert!(!has(&mut kept, &Key::new(&meta, RECIPE)), "{meta:?}");
        }
        let harder = Recipe { level: 2, ..RECIPE };
        assert!(!has(&mut kept, &Key::new(&meta(1), harder)));
        assert!(has(
            &mut kept,
            &Key::new(&Meta { mode: 0, ..meta(1) }, RECIPE)
        ));
    }

    #[test]
    fn the_size_is_kept_to_and_what_is_used_stays() {
        let mut kept = Kept::new(10 * (ENTRY + 1000));
        for inode in 0..10 {
            put(&mut kept, &key(inode), 1000);
        }
        for inode in 10..15 {
            assert!(has(&mut kept, &key(0)));
            put(&mut kept, &key(inode), 1000);
            assert!(kept.bytes <= kept.size, "{inode}");
        }
        assert!(has(&mut kept, &key(0)));
        assert!(kept.entries.len() <= 10 && kept.order.len() == kept.entries.len());
        put(&mut kept, &key(99), 900);
        assert!(kept.bytes <= kept.size);
    }

    #[test]
    fn what_does_not_fit_is_handed_out_and_not_kept() {
        let mut kept = Kept::new(1000);
        put(&mut kept, &key(1), 5000);
        assert_eq!(kept.bytes, 0);
        assert!(!has(&mut kept, &key(1)));
    }
}
