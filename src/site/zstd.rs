//! `zstd` and its family, under the names of the module that nginx's users know. The coding itself
//! is done where all codings are, in `compression`.

use super::compression::{Offer, Ratio};
use super::draft::Draft;
use super::gzip_static::{Use, when};
use super::typeset::TypeSet;
use super::variables::Declared;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::Coding;

directives! {
    /// Coding with zstd.
    pub struct Zstd in "ngx_http_zstd_filter_module" with Draft {
        /// Codes answers with zstd, for clients that take it.
        enabled: bool = false =>
            "zstd" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", set(value::flag);
        /// Codes answers of these media types, and of `text/html`; `*` is all.
        types: TypeSet = TypeSet::of(&["text/html"]) =>
            "zstd_types" [HTTP | SERVER | LOCATION] 1.., Replace, "text/html", with(types);
        /// How hard to try, from -131072 to 22, but not 0. A file, which is coded once and kept,
        /// gets at least 9.
        level: i32 = 1 => "zstd_comp_level" [HTTP | SERVER | LOCATION] 1, Clone, "1", set(level);
        /// Leaves shorter answers alone, in bytes.
        min_length: u64 = 20 =>
            "zstd_min_length" [HTTP | SERVER | LOCATION] 1, Clone, "20", set(value::size);
    }
    also {
        /// Accepted: buffers size themselves.
        "zstd_buffers" [HTTP | SERVER | LOCATION] 2, Clone, "32 4k", with(buffers);
    }
}

directives! {
    /// Files coded with zstd beforehand.
    pub struct ZstdStatic in "ngx_http_zstd_static_module" with Draft {
        /// Answers with the file of the same name and `.zst`, if there is one, to clients that take
        /// it; with `always`, to all.
        when: Use = Use::Never =>
            "zstd_static" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(when);
    }
}

/// The variables of this module.
pub const DECLARED: Declared = Declared {
    variables: &[("zstd_ratio", |x, out| Ratio::write(x, Coding::Zstd, 3, out))],
    families: &[],
    settable: &[],
};

fn types(this: &mut Zstd, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

const LEAST: i32 = -(1 << 17);
const MOST: i32 = 22;

fn level(word: &Word) -> Result<i32, Reason> {
    let (digits, sign) = match &word.text[..] {
        [b'-', digits @ ..] => (digits, -1),
        digits => (digits, 1),
    };
    let invalid = || Reason::directive("invalid number").at(word.place);
    let number = value::decimal(digits).ok_or_else(invalid)?;
    let level = i32::try_from(number).ok().map(|number| sign * number);
    let known = level.filter(|&level| level != 0 && (LEAST..=MOST).contains(&level));
    known.ok_or_else(|| {
        let what = format!("zstd compress level must between {LEAST} and {MOST} excluding 0");
        Reason::from(what).at(word.place)
    })
}

fn buffers(_: &mut Zstd, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    value::buffers(call.arg(0), call.arg(1)).map(drop)
}

impl Zstd {
    /// What is offered here.
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            types: &self.types,
            min_length: self.min_length,
            level: self.level,
            window: 0,
        }
    }
}
