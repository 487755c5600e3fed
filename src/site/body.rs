//! Bodies of requests. All are discarded here; their size is limited all the same.

use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;

use super::draft::Draft;
use super::env::Need;
use super::exchange::Exchange;
use super::run::Flow;
use crate::http::Framing;
use crate::log::Level;

directives! {
    /// Bodies of requests.
    pub struct Body in "ngx_http_core_module" with Draft {
        /// Bytes a request body may have; past it the answer is 413. 0 turns the limit off.
        max_size: u64 = 1 << 20 =>
            "client_max_body_size" [HTTP | SERVER | LOCATION] 1, Clone, "1m", set(value::offset);
    }
    also {
        /// Accepted: no body is kept in memory.
        "client_body_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "16k", check(value::size);
        /// Accepted: no body is written to a file, so the directory is not made.
        "client_body_temp_path" [HTTP | SERVER | LOCATION] 1..=4, Clone, "client_body_temp",
            with(temp_path);
    }
}

fn temp_path(_: &mut Body, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let is_level = |word: &Word| value::decimal(&word.text).is_some_and(|level| level > 0);
    if call.args()[1..].iter().all(is_level) {
        Ok(())
    } else {
        Err(Reason::directive("invalid value"))
    }
}

/// Refuses a body that is too large, and has one of unknown length read first: whether it is well
/// formed and within the limit, only its end tells. One of known length is dropped as it comes.
pub fn discard(x: &mut Exchange) -> Flow {
    if x.must_close {
        // This is the page of an error after which nothing more is read.
        return Flow::Next;
    }
    let limit = Some(x.location.values.body.max_size).filter(|&limit| limit > 0);
    match x.head.framing() {
        Framing::Length(length) if limit.is_some_and(|limit| length > limit) => {
            let what = format_args!("client intended to send too large body: {length} bytes");
            x.log(Level::Error, what);
            Flow::Fail(413)
        }
        Framing::Chunked if x.is_first_pass() => Flow::Wait(Need::Body(limit)),
        _ => Flow::Next,
    }
}
