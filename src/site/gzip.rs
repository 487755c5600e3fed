//! `gzip` and its family: what is coded with gzip, and for whom. The coding itself is done where
//! all codings are, in `compression`.

use std::rc::Rc;

use super::answer::Answer;
use super::compression::{Offer, Ratio};
use super::draft::Draft;
use super::exchange::Exchange;
use super::typeset::TypeSet;
use super::variables::Declared;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::pattern::Pattern;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::{Coding, Version, date};
use crate::log::Level;

directives! {
    /// Coding with gzip.
    pub struct Gzip in "ngx_http_gzip_module" with Draft {
        /// Codes answers with gzip, for clients that take it.
        enabled: bool = false =>
            "gzip" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", set(value::flag);
        /// Codes answers of these media types, and of `text/html`; `*` is all.
        types: TypeSet = TypeSet::of(&["text/html"]) =>
            "gzip_types" [HTTP | SERVER | LOCATION] 1.., Replace, "text/html", with(types);
        /// How hard to try, from 1 to 9. A file, which is coded once and kept, gets at least 6.
        level: i32 = 1 => "gzip_comp_level" [HTTP | SERVER | LOCATION] 1, Clone, "1", set(level);
        /// How far back repetitions are found: 512 bytes to 32k, a power of 2.
        window: u32 = 15 => "gzip_window" [HTTP | SERVER | LOCATION] 1, Clone, "32k", set(window);
        /// Leaves shorter answers alone, in bytes.
        min_length: u64 = 20 =>
            "gzip_min_length" [HTTP | SERVER | LOCATION] 1, Clone, "20", set(value::size);
        /// Says `Vary: Accept-Encoding` where the answer depends on it, whatever the coding.
        vary: bool = false =>
            "gzip_vary" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
        /// Codes nothing for clients of an older version of HTTP.
        version: Version = Version::Http11 =>
            "gzip_http_version" [HTTP | SERVER | LOCATION] 1, Clone, "1.1", set(version);
        /// Which answers are coded for clients behind a proxy, which its `Via` shows.
        proxied: Proxied = Proxied(OFF) =>
            "gzip_proxied" [HTTP | SERVER | LOCATION] 1.., Replace, "off", with(proxied);
        /// Codes nothing for clients whose `User-Agent` matches; `msie6` stands for those of
        /// Internet Explorer up to 6.
        disabled: Disabled = Disabled::default() =>
            "gzip_disable" [HTTP | SERVER | LOCATION] 1.., Replace, "", with(disable);
    }
    also {
        /// Accepted: buffers size themselves.
        "gzip_buffers" [HTTP | SERVER | LOCATION] 2, Clone, "32 4k", with(buffers);
        /// Accepted: the encoder sizes its tables itself.
        "gzip_hash" [HTTP | SERVER | LOCATION] 1, Clone, "64k", check(hash);
        /// Accepted: whole bodies are coded as a whole anyway.
        "postpone_gzipping" [HTTP | SERVER | LOCATION] 1, Clone, "0", check(value::size);
        /// Accepted: nothing is buffered that could be sent.
        "gzip_no_buffer" [HTTP | SERVER | LOCATION] 1, Clone, "off", check(value::flag);
    }
}

/// The variables of this module.
pub const DECLARED: Declared = Declared {
    variables: &[("gzip_ratio", |x, out| Ratio::write(x, Coding::Gzip, 2, out))],
    families: &[],
    settable: &[],
};

fn types(this: &mut Gzip, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

fn level(word: &Word) -> Result<i32, Reason> {
    bounded(word, 1, 9)
}

/// A level between two others.
pub fn bounded(word: &Word, least: i32, most: i32) -> Result<i32, Reason> {
    let number = i32::try_from(value::number(word)?).ok();
    number
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| {
            let what = format!("value must be between {least} and {most}");
            Reason::from(what).at(word.place)
        })
}

/// The exponent of a size that is a power of 2 within bounds, which are exponents, too.
pub fn exponent(word: &Word, least: u32, most: u32, wanted: &str) -> Result<u32, Reason> {
    let size = value::size(word)?;
    let known = (least..=most).find(|exponent| 1 << exponent == size);
    known.ok_or_else(|| Reason::directive(wanted).at(word.place))
}

fn window(word: &Word) -> Result<u32, Reason> {
    exponent(word, 9, 15, "must be 512, 1k, 2k, 4k, 8k, 16k, or 32k")
}

fn hash(word: &Word) -> Result<u32, Reason> {
    let wanted = "must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k";
    exponent(word, 9, 17, wanted)
}

fn buffers(_: &mut Gzip, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    value::buffers(call.arg(0), call.arg(1)).map(drop)
}

fn version(word: &Word) -> Result<Version, Reason> {
    value::one_of(word, &[("1.0", Version::Http10), ("1.1", Version::Http11)])
}

/// Kinds of answers, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied(u16);

const OFF: u16 = 1;
const EXPIRED: u16 = 1 << 1;
const NO_CACHE: u16 = 1 << 2;
const NO_STORE: u16 = 1 << 3;
const PRIVATE: u16 = 1 << 4;
const NO_LAST_MODIFIED: u16 = 1 << 5;
const NO_ETAG: u16 = 1 << 6;
const AUTH: u16 = 1 << 7;
const ANY: u16 = 1 << 8;

const KINDS: [(&str, u16); 9] = [
    ("off", OFF),
    ("expired", EXPIRED),
    ("no-cache", NO_CACHE),
    ("no-store", NO_STORE),
    ("private", PRIVATE),
    ("no_last_modified", NO_LAST_MODIFIED),
    ("no_etag", NO_ETAG),
    ("auth", AUTH),
    ("any", ANY),
];

impl Proxied {
    fn has(self, kind: u16) -> bool {
        self.0 & kind != 0
    }
}

fn proxied(this: &mut Gzip, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.proxied = Proxied(0);
    }
    for word in call.args() {
        let kind = value::one_of(word, &KINDS)?;
        if this.proxied.has(kind) {
            let what = format!("duplicate value \"{}\"", word.str());
            let diagnostics = &mut draft.diagnostics;
            diagnostics.notice(Severity::Warning, Some(word.place), what);
        }
        this.proxied.0 |= kind;
    }
    Ok(())
}

/// Clients that get nothing coded.
#[derive(Clone, Default)]
pub struct Disabled {
    msie6: bool,
    patterns: Rc<Vec<Pattern>>,
}

impl std::fmt::Debug for Disabled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disabled({}, {})", self.msie6, self.patterns.len())
    }
}

fn disable(this: &mut Gzip, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.disabled = Disabled::default();
    }
    for word in call.args() {
        match &word.text[..] {
            b"msie6" => this.disabled.msie6 = true,
            // No server of ours is short of memory by nginx's measure.
            b"degradation" => {}
            text => {
                let limit = usize::try_from(draft.match_limit).unwrap_or(usize::MAX);
                let pattern = Pattern::new(text, true, limit).map_err(|it| it.at(word.place))?;
                Rc::make_mut(&mut this.disabled.patterns).push(pattern);
            }
        }
    }
    Ok(())
}

impl Gzip {
    /// What is offered here.
    pub fn offer(&self) -> Offer<'_> {
        Offer {
            types: &self.types,
            min_length: self.min_length,
            level: self.level,
            window: self.window,
        }
    }

    /// Whether an answer may be coded with gzip, for all that is said but what its client takes.
    pub fn allows(&self, x: &Exchange, answer: &Answer) -> bool {
        x.head.version() >= self.version
            && (x.head.field("via").is_none() || self.allows_proxied(x, answer))
            && !self.is_disabled(x)
    }

    fn allows_proxied(&self, x: &Exchange, answer: &Answer) -> bool {
        let on = |kind| self.proxied.has(kind);
        let field = |name: &str| {
            let mut fields = answer.fields.iter();
            let found = fields.find(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes()));
            found.map(|(_, value)| &**value)
        };
        if on(OFF) {
            return false;
        }
        if on(ANY) || (on(AUTH) && x.head.field("authorization").is_some()) {
            return true;
        }
        if let Some(expires) = field("expires") {
            let now = x.clock().wall().as_secs() as i64;
            return on(EXPIRED) && date::parse(expires).is_some_and(|time| time < now);
        }
        if let Some(control) = field("cache-control") {
            let says = |word: &str| {
                let mut words = control.split(|&b| b == b',').map(<[u8]>::trim_ascii);
                words.any(|it| it.eq_ignore_ascii_case(word.as_bytes()))
            };
            return (on(NO_CACHE) && says("no-cache"))
                || (on(NO_STORE) && says("no-store"))
                || (on(PRIVATE) && says("private"));
        }
        let has_date = on(NO_LAST_MODIFIED) && field("last-modified").is_some();
        let has_etag = on(NO_ETAG) && answer.etag.is_some();
        !has_date && !has_etag
    }

    fn is_disabled(&self, x: &Exchange) -> bool {
        let Disabled { msie6, patterns } = &self.disabled;
        if !msie6 && patterns.is_empty() {
            return false;
        }
        let Some(agent) = x.head.field("user-agent") else {
            return false;
        };
        let matches = |pattern: &Pattern| {
            pattern.is_match(agent).unwrap_or_else(|error| {
                x.log(Level::Error, format_args!("gzip_disable: {error}"));
                true
            })
        };
        (*msie6 && is_msie6(agent)) || patterns.iter().any(matches)
    }
}

/// Whether this is Internet Explorer up to 6, but for its second service pack.
fn is_msie6(agent: &[u8]) -> bool {
    let find = |what: &[u8], text: &[u8]| text.windows(what.len()).position(|it| it == what);
    let Some(at) = find(b"MSIE ", agent) else {
        return false;
    };
    match &agent[at + 5..] {
        [b'4' | b'5', b'.', _, ..] => true,
        [b'6', b'.', _, rest @ ..] => find(b"SV1", rest).is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing;

    #[test]
    fn what_is_wrong_is_said_as_nginx_says_it() {
        for (text, expected) in [
            ("gzip_comp_level 0", "value must be between 1 and 9"),
            ("gzip_comp_level 10", "value must be between 1 and 9"),
            (
                "gzip_comp_level x",
                "\"gzip_comp_level\" directive invalid number",
            ),
            (
                "gzip_window 300",
                "\"gzip_window\" directive must be 512, 1k, 2k, 4k, 8k, 16k, or 32k",
            ),
            ("gzip_window x", "\"gzip_window\" directive invalid value"),
            (
                "gzip_hash 200",
                "\"gzip_hash\" directive must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k",
            ),
            ("gzip_proxied x", "invalid value \"x\""),
            ("gzip_http_version 1.2", "invalid value \"1.2\""),
            ("gzip_static x", "invalid value \"x\""),
            (
                "gzip_buffers x 1k",
                "\"gzip_buffers\" directive invalid value",
            ),
            (
                "gunzip_buffers 0 1k",
                "\"gunzip_buffers\" directive invalid value",
            ),
            (
                "gzip_min_length x",
                "\"gzip_min_length\" directive invalid value",
            ),
            ("brotli_comp_level 12", "value must be between 0 and 11"),
            (
                "brotli_window 512",
                "\"brotli_window\" directive must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, \
                 512k, 1m, 2m, 4m, 8m or 16m",
            ),
            ("brotli_static x", "invalid value \"x\""),
            (
                "zstd_comp_level 0",
                "zstd compress level must between -131072 and 22 excluding 0",
            ),
            (
                "zstd_comp_level -x",
                "\"zstd_comp_level\" directive invalid number",
            ),
            ("compressed_cache 1m", "invalid parameter \"1m\""),
        ] {
            assert_eq!(
                testing::said(&format!("{text};")),
                [format!("error: {expected}")]
            );
        }
        for (text, expected) in [
            ("gzip_types text/html", "duplicate MIME type \"text/html\""),
            ("brotli_types a/b A/B", "duplicate MIME type \"a/b\""),
            ("gzip_proxied any any", "duplicate value \"any\""),
        ] {
            assert_eq!(
                testing::said(&format!("{text};")),
                [format!("warning: {expected}")]
            );
        }
        let fine = "gzip_disable msie6 degradation a; gzip_disable b; gzip_types * a/b a/b;
                    gzip_window 512; gzip_hash 128k; zstd_comp_level -5; gzip_static Always;";
        assert_eq!(testing::said(fine), [""; 0]);
    }

    #[test]
    fn old_browsers_are_known_by_their_names() {
        for (agent, expected) in [
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", true),
            (
                "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)",
                false,
            ),
            ("MSIE 5.5;", true),
            ("MSIE 4.0", true),
            ("MSIE 7.0; x", false),
            ("MSIE 6.", false),
            ("MSIE 6", false),
            ("", false),
        ] {
            assert_eq!(is_msie6(agent.as_bytes()), expected, "{agent}");
        }
    }
}
