//! Validators and the conditions that clients attach to them (RFC 9110 section 13).

use super::answer::{Answer, Body};
use super::compression;
use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::tree::Word;
use crate::conf::{diagnostic::Reason, value};
use crate::directives;
use crate::http::validator::{self, Decision, ModifiedSince, Validators};

directives! {
    /// Validators and conditional requests.
    pub struct Conditional in "ngx_http_core_module" with Draft {
        /// Sends an ETag made of the time and the size of a file.
        etag: bool = true => "etag" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// How If-Modified-Since is compared: not at all, for the same time, or for not before.
        modified_since: ModifiedSince = ModifiedSince::Exact =>
            "if_modified_since" [HTTP | SERVER | LOCATION] 1, Clone, "exact", set(modified_since);
    }
}

fn modified_since(word: &Word) -> Result<ModifiedSince, Reason> {
    value::one_of(
        word,
        &[
            ("off", ModifiedSince::Off),
            ("exact", ModifiedSince::Exact),
            ("before", ModifiedSince::Before),
        ],
    )
}

/// Answers 304 where the client has what it would get.
///
/// # Errors
/// 412 where the client wanted something else changed.
pub fn filter(x: &mut Exchange, answer: &mut Answer) -> Result<(), u16> {
    if answer.status != 200 {
        return Ok(());
    }
    let validators = Validators {
        etag: answer.etag.as_deref(),
        last_modified: answer.last_modified,
    };
    let modified_since = x.location.values.conditional.modified_since;
    match validator::evaluate(&x.head, validators, modified_since) {
        Decision::Proceed => Ok(()),
        Decision::PreconditionFailed => Err(412),
        Decision::NotModified => {
            compression::unchanged(x, answer);
            answer.status = 304;
            answer.content_type = None;
            answer.body = Body::Empty;
            answer.ranges = false;
            Ok(())
        }
    }
}
