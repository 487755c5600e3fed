//! `empty_gif`: a transparent picture of one pixel, for pages that count their readers.

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::run::Flow;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;
use crate::http::Method;

directives! {
    /// Whether the answer is a picture of nothing.
    pub struct EmptyGif in "ngx_http_empty_gif_module" with Draft {
        /// Answers with a transparent picture of one pixel.
        enabled: bool = false => "empty_gif" [LOCATION] 0, Many, "", with(empty_gif);
    }
}

/// A GIF (version 89a) of one transparent pixel.
const PICTURE: &[u8; 43] =
    b"GIF89a\x01\0\x01\0\x80\x01\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\x01\0,\
    \0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;";

/// It never changes: nginx's date, Mon, 28 Sep 1970 06:00:00 GMT.
const CHANGED: i64 = 23_349_600;

fn empty_gif(this: &mut EmptyGif, _: &mut Draft, _: &Call<'_>) -> Result<(), Reason> {
    this.enabled = true;
    Ok(())
}

/// Answers with the picture, if that is wanted.
pub fn run(x: &Exchange) -> Flow {
    if !x.location.own.empty_gif.enabled {
        return Flow::Next;
    }
    if !matches!(x.method, Method::Get | Method::Head) {
        return Flow::Fail(405);
    }
    let picture = Answer::bytes(200, "image/gif", PICTURE.to_vec());
    Flow::Answer(Box::new(Answer {
        last_modified: Some(CHANGED),
        ..picture
    }))
}
