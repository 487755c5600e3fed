//! `gunzip`: what is coded already, decoded for clients that do not take it. Beside gzip it decodes
//! all codings that there are files of.

use super::answer::Answer;
use super::compression::{self, Decoder, Progress};
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::source::{Input, Pull, Source};
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::{Bytes, Chunk, Piece};
use std::io;

directives! {
    /// Decoding.
    pub struct Gunzip in "ngx_http_gunzip_module" with Draft {
        /// Decodes coded answers for clients that do not take the coding.
        enabled: bool = false =>
            "gunzip" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
    also {
        /// Accepted: buffers size themselves.
        "gunzip_buffers" [HTTP | SERVER | LOCATION] 2, Clone, "32 4k", with(buffers);
    }
}

fn buffers(_: &mut Gunzip, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    value::buffers(call.arg(0), call.arg(1)).map(drop)
}

/// Bytes that are decoded in one go.
const STEP: usize = 16 << 10;

/// Whether an answer is coded, and decoded here for its client.
pub fn applies(x: &mut Exchange, answer: &Answer) -> bool {
    let Some(coding) = answer.coding else {
        return false;
    };
    if !x.location.values.gunzip.enabled && !x.coded.decodes {
        return false;
    }
    x.coded.varies = true;
    let accepted = compression::accepted(x);
    x.coded.decodes || !compression::takes(x, answer, &accepted, coding)
}

/// Decodes an answer, if its client cannot.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    if !applies(x, answer) {
        return;
    }
    let decoder = match answer.coding.map(Decoder::new) {
        Some(Ok(decoder)) => decoder,
        Some(Err(error)) => return compression::failed(x, "decompression", &error),
        None => return,
    };
    answer.forget_coding();
    answer.weaken_etag();
    answer.transform(|input| Decoded {
        input,
        chunk: Chunk::from(Bytes::EMPTY),
        decoder,
    });
}

/// A body while it is decoded.
struct Decoded {
    input: Input,
    /// What is left of the latest bytes of it.
    chunk: Chunk,
    decoder: Decoder,
}

impl Source for Decoded {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        loop {
            let mut out = vec![0; STEP];
            let progress = match self.decoder.step(&self.chunk, &mut out) {
                Ok(progress) => progress,
                Err(error) => return broken(x, &error),
            };
            let Progress { read, written } = progress;
            self.chunk.advance(read);
            if written > 0 {
                out.truncate(written);
                return Pull::Piece(Piece::Bytes(Chunk::from(Bytes::from(out))));
            }
            if !self.chunk.is_empty() {
                continue;
            }
            match self.input.next(x, env) {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) if self.decoder.is_complete() => return Pull::End,
                Ok(None) => return broken(x, &io::ErrorKind::UnexpectedEof.into()),
                Err(stop) => return stop.into(),
            }
        }
    }
}

fn broken(x: &Exchange, error: &io::Error) -> Pull {
    compression::failed(x, "decompression", error);
    Pull::Failed
}
