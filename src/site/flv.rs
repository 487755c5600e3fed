//! `flv`: Flash videos that start where the client wants to see them (`?start=`, in bytes).

use super::answer::Body;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::run::Flow;
use super::static_file;
use super::variables::argument_of;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::{Bytes, Chunk, Piece};

directives! {
    /// Whether files are Flash videos.
    pub struct Flv in "ngx_http_flv_module" with Draft {
        /// Sends a Flash video from the byte that `?start=` says, behind the header of one.
        is_here: bool = false => "flv" [LOCATION] 0, Many, "", with(flv);
    }
}

fn flv(this: &mut Flv, _: &mut Draft, _: &Call<'_>) -> Result<(), Reason> {
    this.is_here = true;
    Ok(())
}

/// What a video starts with: its version, that it has sound and pictures, and where its tags begin.
const HEADER: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// Answers with a video, or the rest of it.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    if !x.location.own.flv.is_here {
        return Flow::Next;
    }
    let opened = match static_file::opened(x, env) {
        Ok((_, opened)) => opened,
        Err(flow) => return flow,
    };
    let size = opened.meta.size;
    let start = argument_of(&x.args, b"start").and_then(value::decimal);
    let Some(start) = start.filter(|start| (1..size).contains(start)) else {
        return Flow::Answer(Box::new(static_file::content(x, opened)));
    };
    let header = Piece::Bytes(Chunk::from(Bytes::from(HEADER)));
    let body = Body::Pieces(vec![header, opened.content.piece(start..size)]);
    let mut answer = static_file::with(x, opened.meta, body);
    answer.single_range = true;
    Flow::Answer(Box::new(answer))
}
