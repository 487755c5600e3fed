//! Parts of a file (RFC 9110 section 14).

use super::answer::{Answer, Body};
use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::value;
use crate::directives;
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
    let max = x.location.values.ranges.max;
    if answer.status != 200 || !answer.ranges || max == 0 || x.is_child() {
        return Ok(());
    }
    let (Body::File(..) | Body::Pieces(_), Some(size)) = (&answer.body, answer.body.len()) else {
        return Ok(());
    };
    // Ranges are defined for GET alone (RFC 9110 section 14.2).
    let asked = match x.head.method() {
        Method::Get if answer.single_range => asked(x, answer, size, max.min(1)),
        Method::Get => asked(x, answer, size, max),
        _ => Asked::Whole,
    };
    match asked {
        Asked::Whole => answer.fields.push(("Accept-Ranges".into(), "bytes".into())),
        Asked::One(range) => {
            let value = multipart::content_range(&range, size);
            answer.fields.push(("Content-Range".into(), value.into()));
            answer.body = Body::Pieces(part(std::mem::take(&mut answer.body), range));
            answer.status = 206;
        }
        Asked::Many(ranges) => several(answer, &ranges, size),
        Asked::Unsatisfiable => {
            x.unsatisfied = Some(size);
            return Err(416);
        }
    }
    Ok(())
}

/// A part of a body.
fn part(body: Body, range: Range<u64>) -> Vec<Piece> {
    let Body::File(content, _) = body else {
        return cut(body.into_pieces(), range);
    };
    vec![content.piece(range)]
}

fn cut(mut pieces: Vec<Piece>, range: Range<u64>) -> Vec<Piece> {
    let mut start = 0;
    pieces.retain_mut(|piece| {
        let end = start + piece.len();
        piece.truncate(range.end.saturating_sub(start));
        piece.advance(range.start.saturating_sub(start));
        start = end;
        !piece.is_empty()
    });
    pieces
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

fn several(answer: &mut Answer, ranges: &[Range<u64>], size: u64) {
    let Body::File(content, _) = std::mem::take(&mut answer.body) else {
        return;
    };
    let mut boundary = [0; 8];
    // Without entropy it is only easier to guess.
    random::fill(&mut boundary).unwrap_or_default();
    let multipart = Multipart::new(
        u64::from_ne_bytes(boundary),
        answer.media().as_deref(),
        size,
    );
    let mut pieces = Vec::with_capacity(2 * ranges.len() + 1);
    for range in ranges {
        pieces.push(Piece::Bytes(Bytes::from(multipart.part_head(range)).into()));
        pieces.push(content.piece(range.clone()));
    }
    pieces.push(Piece::Bytes(Bytes::from(multipart.end()).into()));
    answer.content_type = Some(multipart.content_type().into());
    answer.charset = None;
    answer.body = Body::Pieces(pieces);
    answer.status = 206;
}
