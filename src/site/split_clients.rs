//! `split_clients`: a variable that divides clients into groups, each a share of all.

use std::rc::Rc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::map::variable_name;
use super::template::Template;
use super::variables::Computed;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Item;
use crate::conf::value;
use crate::directives;

directives! {
    /// Groups of clients.
    pub struct SplitClients in "ngx_http_split_clients_module" with Draft {}
    also {
        /// Makes a variable that is one of several values, each for a share of all texts:
        /// `split_clients text $variable { 0.5% a; * b; }`. The same text has the same value.
        "split_clients" [HTTP] 2, Many, "", block(split_clients);
    }
}

#[derive(Debug)]
struct Split {
    source: Template,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    /// Texts with a hash below this belong to it; none: all that are left.
    below: Option<u32>,
    value: Vec<u8>,
}

/// All, in hundredths of a percent.
const ALL: u64 = 10_000;

fn split_clients(_: &mut SplitClients, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let source = Template::compile(call.arg(0), draft)?;
    let name = variable_name(call.arg(1))?;
    let groups = groups(call.block())?;
    let defined = draft
        .variables
        .define(name, Rc::new(Split { source, groups }));
    defined
        .map(drop)
        .map_err(|reason| reason.at(call.arg(1).place))
}

fn groups(items: &[Item]) -> Result<Vec<Group>, Reason> {
    let (mut sum, mut last) = (0, 0u64);
    let mut groups = Vec::new();
    for item in items {
        let at = |reason: Reason| reason.at(item.name.place);
        if item.block.is_some() {
            return Err(at("unexpected \"{\"".into()));
        }
        let share = share(&item.name.text)
            .ok_or_else(|| Reason::about("invalid percent value", &item.name))?;
        let Some(value) = item.args.first() else {
            return Err(at(Reason::around(
                "invalid number of arguments in ",
                " directive",
            )));
        };
        sum = share.map_or(ALL, |share| sum + share);
        if sum > ALL {
            return Err("percent total is greater than 100%".into());
        }
        groups.push(Group {
            below: share.map(|share| {
                last += share * u64::from(u32::MAX) / ALL;
                last as u32
            }),
            value: value.text.clone(),
        });
    }
    Ok(groups)
}

/// A share in hundredths of a percent, or `*` for what is left.
fn share(text: &[u8]) -> Option<Option<u64>> {
    if text == b"*" {
        return Some(None);
    }
    let number = text.strip_suffix(b"%")?;
    let dot = number.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match dot {
        Some(dot) => (&number[..dot], &number[dot + 1..]),
        None => (number, &b""[..]),
    };
    if number.is_empty() || fraction.len() > 2 {
        return None;
    }
    let digits = [whole, fraction, &b"00"[fraction.len()..]].concat();
    value::decimal(&digits)
        .filter(|&share| share > 0)
        .map(|share| Some(share.min(ALL + 1)))
}

impl Computed for Split {
    fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool {
        let hash = murmur2(&self.source.value(x));
        let is_in = |group: &&Group| group.below.is_none_or(|below| hash < below);
        if let Some(group) = self.groups.iter().find(is_in) {
            out.extend_from_slice(&group.value);
        }
        true
    }
}

/// MurmurHash2 with the length as its seed, so that nginx and we put a text into the same group.
fn murmur2(text: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = text.len() as u32;
    let (words, rest) = text.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_nginx_reads_them() {
        for (text, expected) in [
            ("*", Some(None)),
            ("50%", Some(Some(5000))),
            ("0.5%", Some(Some(50))),
            (".5%", Some(Some(50))),
            ("1.%", Some(Some(100))),
            ("1.25%", Some(Some(125))),
            ("100%", Some(Some(10000))),
            ("50", None),
            ("0%", None),
            ("%", None),
            ("", None),
            ("-1%", None),
            ("0.001%", None),
            ("1.2.3%", None),
            ("x%", None),
        ] {
            assert_eq!(share(text.as_bytes()), expected, "{text}");
        }
    }
}
