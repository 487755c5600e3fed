//! Server-side includes: commands in pages, `<!--# include virtual="/x" -->`, replaced by what they
//! say.

mod command;
mod encoding;
mod expression;
mod include;
mod memory;
mod page;
mod parse;
#[cfg(test)]
mod tests;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::typeset::TypeSet;
use super::variables::Declared;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::sys::clock;
use page::Page;

pub use memory::Ssi;
pub use parse::{Parser, Part};

directives! {
    /// Server-side includes.
    pub struct Includes in "ngx_http_ssi_module" with Draft {
        /// Carries out the commands in pages (server-side includes).
        enabled: bool = false =>
            "ssi" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", set(value::flag);
        /// Shows nothing in place of a command that is wrong.
        silent: bool = false =>
            "ssi_silent_errors" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
        /// How long a parameter's value in a command may be. nginx documents 256 as the default, and
        /// keeps to 255.
        value_length: u64 = 255 =>
            "ssi_value_length" [HTTP | SERVER | LOCATION] 1, Clone, "255", set(value::size);
        /// The media types of pages that commands are carried out in, besides text/html.
        types: TypeSet = TypeSet::of(&["text/html"]) =>
            "ssi_types" [HTTP | SERVER | LOCATION] 1.., Replace, "text/html", with(types);
        /// Keeps `Last-Modified`, and a weak `ETag`, of pages with commands.
        last_modified: bool = false =>
            "ssi_last_modified" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
    also {
        /// Accepted: what stands between commands is never copied.
        "ssi_min_file_chunk" [HTTP | SERVER | LOCATION] 1, Clone, "1k", check(value::size);
        /// Accepted: there are no such buffers here.
        "ssi_ignore_recycled_buffers" [HTTP | SERVER | LOCATION] 1, Clone, "off", check(value::flag);
    }
}

/// `$date_local` and `$date_gmt`: the time, as `config timefmt` says.
pub const DECLARED: Declared = Declared {
    variables: &[("date_gmt", date_gmt), ("date_local", date_local)],
    families: &[],
    settable: &[],
};

fn types(this: &mut Includes, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

/// Has the commands in a page carried out, if it is of a type for that.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    let includes: &'static Includes = &x.location.values.ssi;
    if !includes.enabled
        || answer.body.is_empty()
        || !includes.types.contains(answer.content_type.as_deref())
    {
        return;
    }
    x.ssi.get_or_insert_default();
    if includes.last_modified {
        answer.weaken_etag();
    } else {
        answer.forget_validators();
    }
    answer.transform(|input| Page::new(includes, input));
}

fn date_gmt(x: &Exchange, out: &mut Vec<u8>) -> bool {
    date(x, clock::Zone::Utc, out)
}

fn date_local(x: &Exchange, out: &mut Vec<u8>) -> bool {
    date(x, clock::Zone::Local, out)
}

fn date(x: &Exchange, zone: clock::Zone, out: &mut Vec<u8>) -> bool {
    let format = x.ssi.as_ref().and_then(|ssi| ssi.time_format.as_deref());
    let format = format.unwrap_or(b"%A, %d-%b-%Y %H:%M:%S %Z");
    let now = x.clock().wall().as_secs() as i64;
    match format {
        // That of strftime takes the broken-down time for local time.
        b"%s" => out.extend_from_slice(now.to_string().as_bytes()),
        format => out.extend(clock::formatted(format, now, zone)),
    }
    true
}
