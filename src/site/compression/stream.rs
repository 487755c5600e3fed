//! A body that is coded while it is sent: the first kilobytes at once where that is quick, the rest
//! by threads, slice by slice.

use std::io;

use super::encoder::{Encoder, Recipe};
use super::{Charge, Ratio, failed};
use crate::http::{Bytes, Chunk, Piece};
use crate::site::env::{Env, Lane};
use crate::site::exchange::Exchange;
use crate::site::source::{Input, Pull, Source, Stop};

/// Bytes that are coded at once, of a body and in one go.
const AT_ONCE: u64 = 16 << 10;
/// Bytes that a thread codes in one go.
const SLICE: usize = 64 << 10;

/// A stream before its body is known.
pub struct Begun {
    recipe: Recipe,
    encoder: Encoder,
    charge: Charge,
}

/// A body while it is coded.
struct Stream {
    recipe: Recipe,
    input: Input,
    /// What is left of the latest bytes of it.
    chunk: Option<Chunk>,
    encoder: State,
    taken: u64,
    _charge: Charge,
}

enum State {
    Ready(Encoder),
    /// A thread has it.
    Away,
    /// All is coded.
    Done,
}

/// The encoder, unless it is done, and what came out of it.
type Coded = io::Result<(Option<Encoder>, Vec<u8>)>;

/// Begins a stream, unless there are too many.
pub fn begin(x: &mut Exchange, recipe: Recipe) -> Option<Begun> {
    let charge = Charge::stream(x.site, recipe.memory())?;
    let encoder = Encoder::new(recipe).inspect_err(|error| failed(x, "compression", error));
    x.coded.ratio = Some(Ratio {
        coding: recipe.coding,
        from: 0,
        to: 0,
    });
    Some(Begun {
        recipe,
        encoder: encoder.ok()?,
        charge,
    })
}

impl Begun {
    /// The stream of this body.
    pub fn of(self, input: Input) -> impl Source {
        Stream {
            recipe: self.recipe,
            input,
            chunk: None,
            encoder: State::Ready(self.encoder),
            taken: 0,
            _charge: self.charge,
        }
    }
}

impl Source for Stream {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        loop {
            let coded = match std::mem::replace(&mut self.encoder, State::Away) {
                State::Done => return Pull::End,
                State::Away => by_thread(x, || Err(io::ErrorKind::Interrupted.into())),
                State::Ready(encoder) => match self.slice(x, env) {
                    Ok(slice) => self.code(x, encoder, slice),
                    Err(stop) => {
                        self.encoder = State::Ready(encoder);
                        return stop.into();
                    }
                },
            };
            match coded {
                Ok(Ok((encoder, out))) => {
                    self.encoder = encoder.map_or(State::Done, State::Ready);
                    if let Some(ratio) = &mut x.coded.ratio {
                        (ratio.from, ratio.to) = (self.taken, ratio.to + out.len() as u64);
                    }
                    if !out.is_empty() {
                        return Pull::Piece(Piece::Bytes(Chunk::from(Bytes::from(out))));
                    }
                }
                Ok(Err(error)) => {
                    failed(x, "compression", &error);
                    return Pull::Failed;
                }
                Err(pull) => return pull,
            }
        }
    }
}

impl Stream {
    /// The next bytes to be coded; none at the end.
    fn slice(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Chunk>, Stop> {
        if self.chunk.as_ref().is_none_or(|chunk| chunk.is_empty()) {
            self.chunk = self.input.next(x, env)?;
        }
        let is_quick = self.recipe.is_quick() && self.taken < AT_ONCE;
        let most = if is_quick { AT_ONCE as usize } else { SLICE };
        let slice = match &mut self.chunk {
            Some(chunk) if chunk.len() > most => {
                let slice = chunk[..most].to_vec();
                chunk.advance(most);
                Some(Chunk::from(Bytes::from(slice)))
            }
            chunk => chunk.take(),
        };
        self.taken += slice.as_ref().map_or(0, |slice| slice.len() as u64);
        Ok(slice)
    }

    fn code(
        &self,
        x: &mut Exchange,
        encoder: Encoder,
        slice: Option<Chunk>,
    ) -> Result<Coded, Pull> {
        match self.recipe.is_quick() && self.taken <= AT_ONCE {
            true => Ok(code(encoder, slice)),
            false => by_thread(x, move || code(encoder, slice)),
        }
    }
}

fn by_thread(
    x: &mut Exchange,
    work: impl FnOnce() -> Coded + Send + 'static,
) -> Result<Coded, Pull> {
    x.job(Lane::Stream, "compression", work).map_err(Pull::Wait)
}

fn code(mut encoder: Encoder, slice: Option<Chunk>) -> Coded {
    match slice {
        Some(slice) => {
            let out = encoder.push(&slice)?;
            Ok((Some(encoder), out))
        }
        None => Ok((None, encoder.finish()?)),
    }
}
