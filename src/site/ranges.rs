//! Parts of a file (RFC 9110 section 14).

use super::answer::{Answer, Body};
use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::value;
use crate::directives;
use crate::files::Content;
use crate::http::multipart::{self, Multipart};
use crate::http::range::{self, Ranges as Asked};
use crate::http::validator::{self, Validators};
use crate::http::{Bytes, Method, Piece};
use crate::sys::random;
use std::ops::Range;

directives! {
    /// Parts of a file.
    pub struct Ranges in "ngx_http_core_module" with Draft {
        /// How many ranges one request may ask for; 0 turns them off. Past it all is sent.
        max: u64 = u64::MAX => "max_ranges" [HTTP | SERVER | LOCATION] 1, Clone, "", set(value::number);
    }
}

/// Cuts an answer down to what was asked for.
///
/// # Errors
/// 416 where nothing asked for exists; `Content-Range` is then to be sent with the error.
pub fn filter(x: &mut Exchange, answer: &mut Answer) -> Result<(), u16> {
    let Body::File(content, meta) = &answer.body else {
        return Ok(());
    };
    let max = x.location.values.ranges.max;
    // Ranges are defined for GET alone (RFC 9110 section 14.2).
    let defined = x.head.method() == Method::Get;
    if answer.status != 200 || !answer.ranges || max == 0 {
        return Ok(());
    }
    let (content, size) = (content.clone(), meta.size);
    let asked = if defined {
        asked(x, answer, size, max)
    } else {
        Asked::Whole
    };
    match asked {
        Asked::Whole => answer.fields.push(("Accept-Ranges".into(), "bytes".into())),
        Asked::One(range) => {
            let value = multipart::content_range(&range, size);
            answer.fields.push(("Content-Range".into(), value.into()));
            answer.body = Body::Pieces(vec![content.piece(range)]);
            answer.status = 206;
        }
        Asked::Many(ranges) => several(answer, &content, &ranges, size),
        Asked::Unsatisfiable => {
            x.unsatisfied = Some(size);
            return Err(416);
        }
    }
    Ok(())
}

fn asked(x: &Exchange, answer: &Answer, size: u64, max: u64) -> Asked {
    let Some(value) = x.head.field("range") else {
        return Asked::Whole;
    };
    let validators = Validators {
        etag: answer.etag.as_deref(),
        last_modified: answer.last_modified,
    };
    if !validator::range_applies(&x.head, validators) {
        return Asked::Whole;
    }
    range::parse(value, size, max)
}

fn several(answer: &mut Answer, content: &Content, ranges: &[Range<u64>], size: u64) {
    let mut boundary = [0; 8];
    // Without entropy it is only easier to guess.
    random::fill(&mut boundary).unwrap_or_default();
    let multipart = Multipart::new(
        u64::from_ne_bytes(boundary),
        answer.content_type.as_deref(),
        size,
    );
    let mut pieces = Vec::with_capacity(2 * ranges.len() + 1);
    for range in ranges {
        pieces.push(Piece::Bytes(Bytes::from(multipart.part_head(range)).into()));
        pieces.push(content.piece(range.clone()));
    }
    pieces.push(Piece::Bytes(Bytes::from(multipart.end()).into()));
    answer.content_type = Some(multipart.content_type().into());
    answer.body = Body::Pieces(pieces);
    answer.status = 206;
}
