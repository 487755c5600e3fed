//! `brotli` and its family, under the names of the module that nginx's users know. The coding itself
//! is done where all codings are, in `compression`.

use super::compression::{Offer, Ratio};
use super::draft::Draft;
use super::gzip::{bounded, exponent};
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
    /// Coding with brotli.
    pub struct Brotli in "ngx_http_brotli_filter_module" with Draft {
        /// Codes answers with brotli, for clients that take it.
        enabled: bool = false =>
            "brotli" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", set(value::flag);
        /// Codes answers of these media types, and of `text/html`; `*` is all.
        types: TypeSet = TypeSet::of(&["text/html"]) =>
            "brotli_types" [HTTP | SERVER | LOCATION] 1.., Replace, "text/html", with(types);
        /// How hard to try, from 0 to 11. A file, which is coded once and kept, gets at least 6.
        level: i32 = 6 => "brotli_comp_level" [HTTP | SERVER | LOCATION] 1, Clone, "6", set(level);
        /// How far back repetitions are found: 1k to 16m, a power of 2.
        window: u32 = 19 =>
            "brotli_window" [HTTP | SERVER | LOCATION] 1, Clone, "512k", set(window);
        /// Leaves shorter answers alone, in bytes.
        min_length: u64 = 20 =>
            "brotli_min_length" [HTTP | SERVER | LOCATION] 1, Clone, "20", set(value::size);
    }
    also {
        /// Accepted: buffers size themselves.
        "brotli_buffers" [HTTP | SERVER | LOCATION] 2, Clone, "32 4k", with(buffers);
    }
}

directives! {
    /// Files coded with brotli beforehand.
    pub struct BrotliStatic in "ngx_http_brotli_static_module" with Draft {
        /// Answers with the file of the same name and `.br`, if there is one, to clients that take
        /// it; with `always`, to all.
        when: Use = Use::Never =>
            "brotli_static" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(when);
    }
}

/// The variables of this module.
pub const DECLARED: Declared = Declared {
    variables: &[("brotli_ratio", |x, out| {
        Ratio::write(x, Coding::Brotli, 2, out)
    })],
    families: &[],
    settable: &[],
};

fn types(this: &mut Brotli, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

fn level(word: &Word) -> Result<i32, Reason> {
    bounded(word, 0, 11)
}

fn window(word: &Word) -> Result<u32, Reason> {
    let wanted = "must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m";
    exponent(word, 10, 24, wanted)
}

fn buffers(_: &mut Brotli, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    value::buffers(call.arg(0), call.arg(1)).map(drop)
}

impl Brotli {
    /// What is offered here.
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            types: &self.types,
            min_length: self.min_length,
            level: self.level,
            window: self.window,
        }
    }
}
