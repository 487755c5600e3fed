//! The lines of a `geo` block, in nginx's words where they are wrong.

use std::net::Ipv4Addr;

use super::networks::Networks;
use super::ranges::{Overlap, Ranges};
use super::table::Table;
use super::{Lookup, Network, Variable};
use crate::conf::diagnostic::{Diagnostics, Reason, Severity};
use crate::conf::tree::{Item, Word};
use crate::site::numbering::Numbering;

/// What was read so far.
#[derive(Default)]
pub struct Reading {
    values: Numbering<Vec<u8>>,
    default: Option<u32>,
    networks: Networks,
    /// None while networks are told instead.
    ranges: Option<Ranges>,
    proxies: Vec<Network>,
    recursive: bool,
}

impl Reading {
    /// Takes a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, item: &Item, diagnostics: &mut Diagnostics) -> Result<(), Reason> {
        if item.block.is_some() {
            return Err("unexpected \"{\"".into());
        }
        match (&item.name.text[..], &item.args[..]) {
            (b"ranges", []) => self.begin_ranges(),
            (b"proxy_recursive", []) => {
                self.recursive = true;
                Ok(())
            }
            (b"proxy", [word]) => {
                self.proxies.push(network(word, diagnostics)?);
                Ok(())
            }
            (b"default", [value]) => {
                self.set_default(value, diagnostics);
                Ok(())
            }
            (b"delete", [word]) => self.delete(word, diagnostics),
            (_, [value]) => self.add(&item.name, value, diagnostics),
            _ => Err("invalid number of the geo parameters".into()),
        }
    }

    fn begin_ranges(&mut self) -> Result<(), Reason> {
        if !self.networks.is_empty() || self.default.is_some() && self.ranges.is_none() {
            let what = "the \"ranges\" directive must be the first directive inside \"geo\" block";
            return Err(what.into());
        }
        self.ranges.get_or_insert_default();
        Ok(())
    }

    fn set_default(&mut self, word: &Word, diagnostics: &mut Diagnostics) {
        let value = self.value(word);
        if let Some(old) = self.default.replace(value) {
            let (new, old) = (word.str(), self.shown(old));
            let what = match self.ranges {
                Some(_) => {
                    format!("duplicate default geo range value: \"{new}\", old value: \"{old}\"")
                }
                None => duplicate("network", "default", &new, &old),
            };
            diagnostics.notice(Severity::Warning, Some(word.place), what);
        }
    }

    fn add(
        &mut self,
        name: &Word,
        value: &Word,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reason> {
        let number = self.value(value);
        let (what, old) = match &mut self.ranges {
            Some(ranges) => {
                let (first, last) = range(name)?;
                let old = ranges
                    .add(first, last, number)
                    .map_err(|Overlap(first, last)| {
                        let what = format!("range \"{}\" overlaps \"{first}-{last}\"", name.str());
                        Reason::from(what).at(name.place)
                    })?;
                ("range", old)
            }
            None => (
                "network",
                self.networks.add(network(name, diagnostics)?, number),
            ),
        };
        if let Some(old) = old {
            let what = duplicate(what, &name.str(), &value.str(), &self.shown(old));
            diagnostics.notice(Severity::Warning, Some(name.place), what);
        }
        Ok(())
    }

    fn delete(&mut self, word: &Word, diagnostics: &mut Diagnostics) -> Result<(), Reason> {
        let (what, was_there) = match &mut self.ranges {
            Some(ranges) => {
                let (first, last) = range(word)?;
                ("address range", ranges.remove(first, last))
            }
            None => {
                let network = network(word, diagnostics)?;
                ("network", self.networks.remove(network).is_some())
            }
        };
        if !was_there {
            let what = format!("no {what} \"{}\" to delete", word.str());
            diagnostics.notice(Severity::Warning, Some(word.place), what);
        }
        Ok(())
    }

    /// The number of a value: few are written, and often.
    fn value(&mut self, word: &Word) -> u32 {
        let number = self.values.number(word.text.clone());
        u32::try_from(number).expect("fewer lines than a configuration may have bytes")
    }

    fn shown(&self, value: u32) -> String {
        let value = &self.values.things()[value as usize];
        String::from_utf8_lossy(value).into_owned()
    }

    /// All of it, ready to be looked up. The value where nothing is told is empty.
    pub fn finish(mut self, address: Option<Variable>) -> Lookup {
        let empty = || self.values.number(Vec::new()) as u32;
        let default = self.default.unwrap_or_else(empty);
        let (v4, v6): (Table<u32>, _) = match &self.ranges {
            Some(ranges) => (ranges.table(default), None),
            None => {
                let (v4, v6) = self.networks.tables(default);
                (v4, Some(v6))
            }
        };
        Lookup {
            address,
            proxies: self.proxies,
            recursive: self.recursive,
            v4,
            v6,
            values: self.values.things().to_vec(),
        }
    }
}

fn duplicate(what: &str, name: &str, new: &str, old: &str) -> String {
    format!("duplicate {what} \"{name}\", value: \"{new}\", old value: \"{old}\"")
}

fn network(word: &Word, diagnostics: &mut Diagnostics) -> Result<Network, Reason> {
    Network::parse(word, diagnostics).map_err(|_| Reason::about("invalid network", word))
}

/// The first and the last address of a range.
fn range(word: &Word) -> Result<(u32, u32), Reason> {
    let text = word.str();
    let address = |text: &str| text.parse().ok().map(Ipv4Addr::to_bits);
    let bounds = text.split_once('-');
    let bounds = bounds.and_then(|(first, last)| Some((address(first)?, address(last)?)));
    bounds
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| Reason::about("invalid range", word))
}
