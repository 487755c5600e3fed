//! Shared memory zones: what the workers of all generations know together. A zone is mapped by the
//! master, and kept for as long as a configuration or a worker has it. What is in one is told by
//! the module that declares it, as words; those are changed in a way that survives the death of a
//! worker at any moment. A zone does not outlive the master: its successor begins with empty ones.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::diagnostic::Reason;
use crate::conf::source::Place;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::log::Level;
use crate::sys::shared::Region;

/// nginx refuses zones of fewer bytes: eight pages.
const LEAST: u64 = 8 * 4096;

/// What a zone is used for.
pub struct Kind {
    /// The directive that declares such zones.
    pub directive: &'static str,
    /// Gives back what this process holds, which is gone.
    pub forget: fn(&[AtomicU64], u32),
}

/// A zone as the configuration wants it.
#[derive(Clone)]
pub struct Need {
    /// Its name.
    pub name: Vec<u8>,
    /// Bytes; 0 while only its users are known.
    pub size: u64,
    /// What it is used for.
    pub kind: &'static Kind,
    /// The text of its key; none while only its users are known.
    pub key: Option<Vec<u8>>,
    /// Where it is named first.
    pub place: Place,
}

/// A zone that is mapped.
pub struct Zone {
    need: Need,
    /// When it began; its times are counted from there.
    born: Instant,
    /// Without knowing it nobody can choose keys that get into each other's way.
    seed: RandomState,
    words: Region<AtomicU64>,
}

impl Zone {
    /// Maps a zone; it is empty.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn map(need: Need) -> io::Result<Zone> {
        let words = usize::try_from(need.size / size_of::<u64>() as u64);
        let words = Region::map(words.map_err(|_| io::ErrorKind::OutOfMemory)?)?;
        Ok(Zone {
            need,
            born: Instant::now(),
            seed: RandomState::new(),
            words,
        })
    }

    /// Whether it is what is wanted: name, size, kind and key agree.
    pub fn suits(&self, need: &Need) -> bool {
        let Need {
            name, size, key, ..
        } = &self.need;
        let same_kind = self.need.kind.directive == need.kind.directive;
        same_kind && (name, size, key) == (&need.name, &need.size, &need.key)
    }

    /// Its name, printable.
    pub fn name(&self) -> impl std::fmt::Display {
        self.need.name.escape_ascii()
    }

    /// What is in it.
    pub fn words(&self) -> &[AtomicU64] {
        &self.words
    }

    /// A number that stands for a key, never 0. That two of a zone's keys share one is as good as
    /// impossible.
    pub fn number(&self, key: &[u8]) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write(key);
        hasher.finish().max(1)
    }

    /// A time as its words tell it: nanoseconds since it was mapped, never 0.
    pub fn time(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.born).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).max(1)
    }

    /// Gives back what this process holds, which is gone.
    pub fn forget(&self, process: u32) {
        (self.need.kind.forget)(&self.words, process);
    }
}

/// A name and a size, from `zone=name:size`; the word is blamed for either.
///
/// # Errors
/// In nginx's words.
pub fn declared(word: &Word) -> Result<Option<(Vec<u8>, u64)>, Reason> {
    let Some(text) = word.text.strip_prefix(b"zone=") else {
        return Ok(None);
    };
    let invalid = || Reason::about("invalid zone size", word);
    let colon = text.iter().position(|&byte| byte == b':');
    let (name, size) = text.split_at(colon.ok_or_else(invalid)?);
    let size = value::parse_size(&size[1..]).ok_or_else(invalid)?;
    if size < LEAST {
        let what = format!("zone \"{}\" is too small", word.str());
        return Err(Reason::from(what).at(word.place));
    }
    Ok(Some((name.to_vec(), size)))
}

impl Draft {
    /// The number of the zone of this name, used for this.
    ///
    /// # Errors
    /// It is used for something else.
    pub fn zone(
        &mut self,
        name: &[u8],
        kind: &'static Kind,
        place: Place,
    ) -> Result<usize, Reason> {
        let zones = &mut self.needs.zones;
        let Some(number) = zones.iter().position(|zone| zone.name == name) else {
            zones.push(Need {
                name: name.to_vec(),
                size: 0,
                kind,
                key: None,
                place,
            });
            return Ok(zones.len() - 1);
        };
        if zones[number].kind.directive != kind.directive {
            let name = name.escape_ascii();
            let what = "is already declared for a different use";
            return Err(format!("the shared memory zone \"{name}\" {what}").into());
        }
        Ok(number)
    }

    /// The number of a zone that is declared here, with its size and its key.
    ///
    /// # Errors
    /// It is declared already, or used for something else.
    pub fn declare_zone(
        &mut self,
        (name, size): (Vec<u8>, u64),
        kind: &'static Kind,
        key: &Word,
    ) -> Result<usize, Reason> {
        let number = self.zone(&name, kind, key.place)?;
        let zone = &mut self.needs.zones[number];
        let name = name.escape_ascii();
        if zone.size != 0 && zone.size != size {
            let what = format!("the size {size} of shared memory zone \"{name}\"");
            let declared = zone.size;
            return Err(format!("{what} conflicts with already declared size {declared}").into());
        }
        if let Some(bound) = &zone.key {
            let (directive, bound) = (kind.directive, bound.escape_ascii());
            let what = format!("{directive} \"{name}\" is already bound to key \"{bound}\"");
            return Err(what.into());
        }
        zone.size = size;
        zone.key = Some(key.text.clone());
        Ok(number)
    }

    /// Blames whoever uses a zone that nobody declares.
    pub(super) fn require_zones(&mut self) {
        for zone in self.needs.zones.iter().filter(|zone| zone.size == 0) {
            let what = format!(
                "zero size shared memory zone \"{}\"",
                zone.name.escape_ascii()
            );
            self.diagnostics.error(Some(zone.place), Reason::from(what));
        }
    }
}

impl std::fmt::Debug for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, name) = (self.kind.directive, self.name.escape_ascii());
        write!(f, "{kind} \"{name}\" of {} bytes", self.size)
    }
}

/// The level that refused requests are logged at.
///
/// # Errors
/// As [`value::one_of`].
pub(super) fn level(word: &Word) -> Result<Level, Reason> {
    let levels = [Level::Info, Level::Notice, Level::Warn, Level::Error];
    value::one_of(word, &levels.map(|level| (level.name(), level)))
}

/// The status of refused requests.
///
/// # Errors
/// In nginx's words.
pub(super) fn status(word: &Word) -> Result<u16, Reason> {
    let status = u16::try_from(value::number(word)?).ok();
    let refuses = status.filter(|status| (400..=599).contains(status));
    refuses.ok_or_else(|| Reason::from("value must be between 400 and 599").at(word.place))
}

/// Whether a key has more bytes than it may have: then it is not counted, and that is logged.
pub(super) fn too_long(x: &Exchange, key: &[u8], text: &[u8], most: usize) -> bool {
    if key.len() > most {
        let (text, key) = (text.escape_ascii(), key.escape_ascii());
        let what = format_args!("the value of the \"{text}\" key is more than {most} bytes");
        x.log(Level::Error, format_args!("{what}: \"{key}\""));
        return true;
    }
    false
}
