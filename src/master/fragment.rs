//! A file that holds what stands within `http`, as those of `conf.d` do: it is read as if a plain
//! `http` block stood around it.

use super::load;
use crate::conf::diagnostic::{Diagnostics, Severity};
use crate::conf::outside::Outside;
use crate::conf::parse::{self, Start};
use crate::conf::source::Place;
use crate::conf::table::MAIN;
use crate::conf::tree::{Item, Word};

/// What stands around a fragment, but for what it says itself.
const AROUND: &str = concat!(
    include_str!("../../conf/mime.types"),
    "default_type application/octet-stream; sendfile on; tcp_nopush on;"
);

/// Blocks of which a whole configuration has at least one.
const WHOLE: [&str; 4] = ["events", "http", "mail", "stream"];

/// The directives of a whole configuration: these, or these in a block of their own.
pub fn completed(items: Vec<Item>, diagnostics: &mut Diagnostics) -> Vec<Item> {
    let Some(place) = place(&items) else {
        return items;
    };
    let what = "this file has no \"http\" block: it is read as if one stood around it";
    diagnostics.notice(Severity::Notice, Some(place), what);
    let (mut whole, within): (Vec<_>, Vec<_>) = items.into_iter().partition(is_for_main);
    let mut block = around(&within, place);
    block.extend(within);
    for (name, block) in [("events", Vec::new()), ("http", block)] {
        whole.push(Item {
            name: Word {
                text: name.into(),
                place,
            },
            args: Vec::new(),
            block: Some(block),
        });
    }
    whole
}

/// Where a fragment has its first server; none if this is a whole configuration, or neither.
fn place(items: &[Item]) -> Option<Place> {
    let is_block = |item: &Item| WHOLE.iter().any(|name| item.name.is(name));
    if items.iter().any(is_block) {
        return None;
    }
    let server = items.iter().find(|item| item.name.is("server"))?;
    Some(server.name.place)
}

fn is_for_main(item: &Item) -> bool {
    let rows = load::table().rows().iter();
    let mut rows = rows.filter(|row| item.name.is(row.name));
    rows.any(|row| row.contexts.contains(MAIN))
}

/// What the block says that the fragment does not; what is wrong with it would be said there.
fn around(within: &[Item], place: Place) -> Vec<Item> {
    let start = Start::embedded("", AROUND);
    let mut items = parse::parse(start, &Outside::system(), &mut Diagnostics::default()).items;
    items.retain(|item| !within.iter().any(|own| own.name.text == item.name.text));
    items.iter_mut().for_each(|item| settle(item, place));
    items
}

/// Gives what stands in no file a place.
fn settle(item: &mut Item, place: Place) {
    item.name.place = place;
    item.args.iter_mut().for_each(|word| word.place = place);
    for inner in item.block.iter_mut().flatten() {
        settle(inner, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(text: &str) -> (Vec<String>, usize) {
        let mut diagnostics = Diagnostics::default();
        let start = Start::embedded("test", text);
        let items = parse::parse(start, &Outside::system(), &mut diagnostics).items;
        let names = super::completed(items, &mut diagnostics);
        let names = names.iter().map(|item| item.name.str().into_owned());
        (names.collect(), diagnostics.entries().len())
    }

    #[test]
    fn servers_get_a_block_around_them() {
        let (names, said) = completed("daemon off; map $a $b {} server { root /; } gzip on;");
        assert_eq!((names.join(" "), said), ("daemon events http".into(), 1));
    }

    #[test]
    fn what_is_whole_or_unknown_stays_as_it_is() {
        for text in [
            "events {} server {}",
            "http { server {} }",
            "root /; daemon off;",
            "location / {}",
        ] {
            let (_, said) = completed(text);
            assert_eq!(said, 0, "{text}");
        }
    }
}
