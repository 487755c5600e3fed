//! Ranges of IPv4 addresses and their values. They are kept apart by the first half of the address,
//! as in nginx, whose rules about ranges that overlap hold within each part.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::table::Table;

/// The ranges of one `geo`.
#[derive(Debug, Default)]
pub struct Ranges(BTreeMap<u16, Vec<Span>>);

/// A range within a part: the second halves of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u16,
    last: u16,
    value: u32,
}

/// Two ranges that overlap, and neither is within the older one: the older one, as it stands now.
#[derive(Debug, PartialEq, Eq)]
pub struct Overlap(pub Ipv4Addr, pub Ipv4Addr);

impl Ranges {
    /// Adds a range, which may stand within an older one and takes its place there; gives the value
    /// of one that was the same.
    ///
    /// # Errors
    /// It overlaps an older one otherwise.
    pub fn add(&mut self, first: u32, last: u32, value: u32) -> Result<Option<u32>, Overlap> {
        let mut old = None;
        for (part, first, last) in parts(first, last) {
            let spans = self.0.entry(part).or_default();
            let span = Span { first, last, value };
            let replaced = insert(spans, span).map_err(|older| {
                let address = |half| Ipv4Addr::from_bits(u32::from(part) << 16 | u32::from(half));
                Overlap(address(older.first), address(older.last))
            })?;
            old = old.or(replaced);
        }
        Ok(old)
    }

    /// Removes a range; whether all of it was there.
    pub fn remove(&mut self, first: u32, last: u32) -> bool {
        let mut whole = true;
        for (part, first, last) in parts(first, last) {
            let spans = self.0.entry(part).or_default();
            let same = |span: &Span| (span.first, span.last) == (first, last);
            match spans.iter().position(same) {
                Some(at) => drop(spans.remove(at)),
                None => whole = false,
            }
        }
        whole
    }

    /// The table; `default` is the value of what is in no range.
    pub fn table(&self, default: u32) -> Table<u32> {
        let mut table = Table::new(default);
        for (part, spans) in &self.0 {
            let address = |half| u32::from(*part) << 16 | u32::from(half);
            for span in spans {
                table.push(address(span.first), span.value);
                if let Some(behind) = address(span.last).checked_add(1) {
                    table.push(behind, default);
                }
            }
        }
        table
    }
}

/// The parts that a range has a share of, and these shares.
fn parts(first: u32, last: u32) -> impl Iterator<Item = (u16, u16, u16)> {
    let halves = |address: u32| ((address >> 16) as u16, address as u16);
    let ((first_part, first), (last_part, last)) = (halves(first), halves(last));
    (first_part..=last_part).map(move |part| {
        let start = if part == first_part { first } else { 0 };
        let end = if part == last_part { last } else { u16::MAX };
        (part, start, end)
    })
}

/// Adds a span to others in their order; gives the value of one that was the same.
///
/// # Errors
/// The one that it overlaps without being within.
fn insert(spans: &mut Vec<Span>, new: Span) -> Result<Option<u32>, Span> {
    let behind = spans.partition_point(|span| span.first <= new.last);
    let overlapping = |at: &usize| spans[*at].last >= new.first;
    let Some(at) = behind.checked_sub(1).filter(overlapping) else {
        spans.insert(behind, new);
        return Ok(None);
    };
    let old = spans[at];
    if (old.first, old.last) == (new.first, new.last) {
        spans[at] = new;
        return Ok(Some(old.value));
    }
    if new.first < old.first || new.last > old.last {
        return Err(old);
    }
    let before = (old.first < new.first).then(|| Span {
        last: new.first - 1,
        ..old
    });
    let rest = (new.last < old.last).then(|| Span {
        first: new.last + 1,
        ..old
    });
    spans.splice(at..=at, before.into_iter().chain([new]).chain(rest));
    Ok(None)
}
