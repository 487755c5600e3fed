//! Strings of an answer replaced by others: `sub_filter`.

mod search;
#[cfg(test)]
mod tests;

use super::answer::Answer;
use super::draft::Draft;
use super::env::{Env, Need};
use super::exchange::Exchange;
use super::source::{Input, Pull, Source};
use super::template::Template;
use super::typeset::TypeSet;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::{Bytes, Chunk, Piece};
use search::{Part, Search, Strings};

directives! {
    /// Strings replaced in answers.
    pub struct Sub in "ngx_http_sub_module" with Draft {
        /// Replaces a string, whatever its case, by another; both may have variables.
        pairs: Pairs = Pairs::default() =>
            "sub_filter" [HTTP | SERVER | LOCATION] 2, Replace, "", with(sub_filter);
        /// The media types of answers that strings are replaced in, besides text/html.
        types: TypeSet = TypeSet::of(&["text/html"]) =>
            "sub_filter_types" [HTTP | SERVER | LOCATION] 1.., Replace, "text/html", with(types);
        /// Replaces each string once; otherwise wherever it stands.
        once: bool = true =>
            "sub_filter_once" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Keeps `Last-Modified`, and a weak `ETag`, of what was replaced in.
        last_modified: bool = false =>
            "sub_filter_last_modified" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// Strings and their replacements.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    strings: Vec<Template>,
    replacements: Vec<Template>,
    /// The strings, if none of them depends on the request.
    fixed: Option<Strings>,
}

fn sub_filter(this: &mut Sub, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.pairs = Pairs::default();
    }
    if call.arg(0).text.is_empty() {
        return Err("empty search pattern".into());
    }
    let pairs = &mut this.pairs;
    pairs.strings.push(Template::compile(call.arg(0), draft)?);
    pairs
        .replacements
        .push(Template::compile(call.arg(1), draft)?);
    let fixed = |string: &Template| string.fixed().map(<[u8]>::to_vec);
    let fixed: Option<Vec<_>> = pairs.strings.iter().map(fixed).collect();
    pairs.fixed = fixed.map(Strings::new);
    Ok(())
}

fn types(this: &mut Sub, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

/// Has strings of the answer replaced, if it is of a type for that.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    let sub: &'static Sub = &x.location.values.sub;
    if sub.pairs.strings.is_empty()
        || answer.body.is_empty()
        || !sub.types.contains(answer.content_type.as_deref())
    {
        return;
    }
    let (strings, replacements) = sub.pairs.of(x);
    if strings.is_empty() {
        return;
    }
    if sub.last_modified {
        answer.weaken_etag();
    } else {
        answer.forget_validators();
    }
    answer.transform(|input| Replaced {
        search: Search::new(strings, sub.once),
        replacements,
        input,
        ended: false,
        searched: 0,
    });
}

impl Pairs {
    /// The strings for a request, without those that are empty, and what they are replaced by.
    fn of(&'static self, x: &Exchange) -> (Strings, Vec<Replacement>) {
        if let Some(strings) = &self.fixed {
            let replacements = self.replacements.iter().map(Replacement::Unknown);
            return (strings.clone(), replacements.collect());
        }
        let strings = self.strings.iter().map(|string| string.value(x).to_vec());
        let (strings, replacements): (Vec<_>, _) = strings
            .zip(self.replacements.iter().map(Replacement::Unknown))
            .filter(|(string, _)| !string.is_empty())
            .unzip();
        (Strings::new(strings), replacements)
    }
}

/// What a string is replaced by: known once it was found for the first time.
enum Replacement {
    Unknown(&'static Template),
    Known(Bytes),
}

impl Replacement {
    fn text(&mut self, x: &Exchange) -> Chunk {
        if let Replacement::Unknown(template) = self {
            let text: std::sync::Arc<[u8]> = template.value(x).as_ref().into();
            *self = Replacement::Known(text.into());
        }
        match self {
            Replacement::Known(text) => Chunk::from(text.clone()),
            Replacement::Unknown(_) => Chunk::from(Bytes::EMPTY),
        }
    }
}

/// A body with strings replaced.
struct Replaced {
    search: Search,
    replacements: Vec<Replacement>,
    input: Input,
    ended: bool,
    /// Bytes that were searched in this turn.
    searched: usize,
}

/// Bytes that are searched in one turn.
const SHARE: usize = 32 << 10;

/// Parts of fewer bytes are sent together.
const SMALL: usize = 4 << 10;

impl Source for Replaced {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        let mut out = Vec::new();
        loop {
            let part = match self.search.part() {
                Some(Part::Text(text)) => text,
                Some(Part::Match(index)) => self.replacements[index].text(x),
                None if !out.is_empty() => return Pull::Piece(Piece::Bytes(out.into())),
                None if self.ended => return Pull::End,
                None if self.searched >= SHARE => {
                    self.searched = 0;
                    return Pull::Wait(Need::Turn);
                }
                None => match self.input.next(x, env) {
                    Ok(Some(chunk)) => {
                        self.searched += chunk.len();
                        self.search.go_on(chunk);
                        continue;
                    }
                    Ok(None) => {
                        self.search.end();
                        self.ended = true;
                        continue;
                    }
                    Err(stop) => return stop.into(),
                },
            };
            if out.is_empty() && part.len() >= SMALL {
                return Pull::Piece(Piece::Bytes(part));
            }
            out.extend_from_slice(&part);
            if out.len() >= SMALL {
                return Pull::Piece(Piece::Bytes(out.into()));
            }
        }
    }
}
