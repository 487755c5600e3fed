//! What an answer says of its charset, and text made into another one: `charset`,
//! `source_charset`, `charset_map`.

mod recoder;
mod table;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use super::answer::Answer;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::source::{Input, Pull, Source};
use super::typeset::TypeSet;
use super::variables::Variable;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::{Bytes, Chunk, Piece};
use crate::log::Level;
use recoder::Recoder;
use table::Recoding;

pub use table::Charsets;

directives! {
    /// Charsets.
    pub struct Charset in "ngx_http_charset_module" with Draft {
        /// The charset that `Content-Type` tells, and that text is made into: a name, a variable or
        /// `off`.
        to: Choice = Choice::Off =>
            "charset" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", with(charset);
        /// The charset that text is in; where it is not that of `charset`, a `charset_map` between
        /// the two says how it is made into that.
        from: Choice = Choice::Off =>
            "source_charset" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "", with(source_charset);
        /// Makes text into another charset also where its own is known already.
        overrides: bool = false =>
            "override_charset" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", set(value::flag);
        /// The media types that `charset` is for, besides text/html.
        types: TypeSet = TypeSet::of(&[
            "text/html", "text/xml", "text/plain", "text/vnd.wap.wml", "application/javascript",
            "application/rss+xml",
        ]) => "charset_types" [HTTP | SERVER | LOCATION] 1.., Replace,
            "text/html text/xml text/plain text/vnd.wap.wml application/javascript application/rss+xml",
            with(charset_types);
    }
    also {
        /// How bytes of one charset become those of another, both ways:
        /// `charset_map koi8-r utf-8 { C0 D18E; }`.
        "charset_map" [HTTP] 2, Many, "", block(charset_map);
    }
}

/// What `charset` or `source_charset` says.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Nothing.
    Off,
    /// The charset of this number.
    Number(usize),
    /// The one that this variable names.
    Variable(Variable),
}

impl Choice {
    fn number(&self) -> Option<usize> {
        match self {
            Choice::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Name and number of what it says for a request; a name that the configuration does not name
    /// has no number.
    fn named(&self, x: &Exchange) -> Option<Named> {
        match self {
            Choice::Off => None,
            Choice::Number(number) => Some(Named {
                name: x.site.charsets.name(*number).to_vec().into(),
                number: Some(*number),
            }),
            Choice::Variable(variable) => {
                let mut name = Vec::new();
                variable.write(x, &mut name).then(|| Named::new(x, &name))
            }
        }
    }
}

fn choice(draft: &mut Draft, word: &Word) -> Result<Choice, Reason> {
    let Some(variable) = word.text.strip_prefix(b"$") else {
        return Ok(Choice::Number(draft.charsets.number(&word.text)));
    };
    if variable.is_empty() {
        return Err(Reason::about("invalid variable name", word));
    }
    let variable = draft.variables.reference(variable, Some(word.place));
    Ok(Choice::Variable(variable))
}

fn charset(this: &mut Charset, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    this.to = match word.is("off") {
        true => Choice::Off,
        false => choice(draft, word)?,
    };
    this.note(draft);
    Ok(())
}

fn source_charset(this: &mut Charset, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.from = choice(draft, call.arg(0))?;
    this.note(draft);
    Ok(())
}

fn charset_types(this: &mut Charset, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

fn charset_map(_: &mut Charset, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    draft.charsets.map(call.arg(0), call.arg(1), call.block())
}

impl Charset {
    /// Notes what this block wants to be made into what, for which there has to be a table.
    fn note(&self, draft: &mut Draft) {
        let pair = self.from.number().zip(self.to.number());
        draft.charsets.want(draft.block, pair);
    }
}

/// A charset by its name, and by its number if the configuration names it.
struct Named {
    name: Bytes,
    number: Option<usize>,
}

impl Named {
    fn new(x: &Exchange, name: &[u8]) -> Named {
        Named {
            name: name.to_vec().into(),
            number: x.site.charsets.find(name),
        }
    }

    /// Whether both mean the same charset.
    fn is(&self, other: &Named) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
    }
}

/// Says the charset of an answer, and makes the text into it.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    let charset: &'static Charset = &x.location.values.charset;
    if matches!(charset.to, Choice::Off) && x.main_charset.is_none() {
        return;
    }
    let Some(to) = wanted(x, charset, answer) else {
        return;
    };
    let from = match &answer.charset {
        Some(known) => Some(Named::new(x, known)),
        None => charset.from.named(x),
    };
    let Some(from) = from.filter(|from| !from.is(&to)) else {
        return say(x, answer, &to);
    };
    let is_encoded = |(name, _): &(Bytes, Bytes)| name.eq_ignore_ascii_case(b"content-encoding");
    if answer.fields.iter().any(is_encoded) {
        return;
    }
    let Some(recoding) = between(x, &from, &to) else {
        let what = format_args!(
            "no \"charset_map\" between the charsets \"{}\" and \"{}\"",
            from.name.escape_ascii(),
            to.name.escape_ascii()
        );
        return x.log(Level::Error, what);
    };
    say(x, answer, &to);
    recode(answer, recoding.clone());
}

/// The charset that an answer is to be in: of one within another, the other's.
fn wanted(x: &Exchange, charset: &Charset, answer: &Answer) -> Option<Named> {
    let media = answer.content_type.as_deref().filter(|it| !it.is_empty())?;
    if x.is_child() {
        let main = x.main_charset.as_deref()?;
        return Some(Named::new(x, main));
    }
    let takes = match answer.charset {
        Some(_) => charset.overrides,
        None => charset.types.contains(Some(media)),
    };
    charset.to.named(x).filter(|_| takes)
}

fn between(x: &Exchange, from: &Named, to: &Named) -> Option<&'static Recoding> {
    x.site.charsets.recoding(from.number?, to.number?)
}

fn say(x: &mut Exchange, answer: &mut Answer, to: &Named) {
    if x.is_child() {
        return;
    }
    // Old browsers took it for that of the page behind the redirect.
    let redirects = matches!(answer.status, 301 | 302);
    answer.charset = (!redirects && !to.name.is_empty()).then(|| to.name.clone());
    x.main_charset = answer.charset.as_deref().map(Rc::from);
}

fn recode(answer: &mut Answer, recoding: Recoding) {
    if let Recoding::Bytes(table) = recoding {
        return answer.map(table);
    }
    answer.transform(|input| Recoded {
        recoder: Some(Recoder::new(recoding)),
        input,
    });
}

/// A body in another charset.
struct Recoded {
    /// None once the text has ended.
    recoder: Option<Recoder>,
    input: Input,
}

impl Source for Recoded {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        while let Some(recoder) = &mut self.recoder {
            let chunk: Chunk = match self.input.next(x, env) {
                Ok(Some(chunk)) => recoder.next(chunk),
                Ok(None) => {
                    let rest = recoder.end();
                    self.recoder = None;
                    rest
                }
                Err(stop) => return stop.into(),
            };
            if !chunk.is_empty() {
                return Pull::Piece(Piece::Bytes(chunk));
            }
        }
        Pull::End
    }
}
