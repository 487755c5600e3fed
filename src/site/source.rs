//! Bodies that are made while they are sent: what a filter makes of another body, what takes more
//! than one look at the file system. They are pulled, so that nobody makes more than is taken.

use std::collections::VecDeque;

use super::answer::Body;
use super::env::{Env, Need};
use super::exchange::Exchange;
use crate::http::{Bytes, Chunk, Piece};
use crate::log::Level;
use crate::sys::OsError;

/// Bytes of a file that are read in one go.
const STEP: u64 = 32 << 10;

/// A body that is made piece by piece.
pub trait Source {
    /// The next piece. A source that waits is pulled again when what it needs is there, and finds
    /// it in the exchange, as phases do.
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull;
}

/// What a source has.
pub enum Pull {
    /// A piece.
    Piece(Piece),
    /// Nothing for now.
    Wait(Need),
    /// Nothing more.
    End,
    /// What will never be complete; why was logged. The connection ends.
    Failed,
}

/// Why there are no bytes.
pub enum Stop {
    /// They have to be waited for.
    Wait(Need),
    /// They will never come; why was logged.
    Failed,
}

impl From<Stop> for Pull {
    fn from(stop: Stop) -> Pull {
        match stop {
            Stop::Wait(need) => Pull::Wait(need),
            Stop::Failed => Pull::Failed,
        }
    }
}

/// The bytes of a body, in memory, whatever it is made of.
pub struct Input {
    pieces: VecDeque<Piece>,
    source: Option<Box<dyn Source>>,
}

impl Input {
    /// Those of this body.
    pub fn new(body: Body) -> Input {
        let (pieces, source) = match body.made() {
            Body::Source(source) => (VecDeque::new(), Some(source)),
            body => (body.into_pieces().into(), None),
        };
        Input { pieces, source }
    }

    /// The next bytes, at most 32 KB of a file; none at the end.
    ///
    /// # Errors
    /// They have to be waited for, or will never come.
    pub fn next(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Chunk>, Stop> {
        loop {
            match self.pieces.front_mut() {
                Some(piece) if piece.is_empty() => drop(self.pieces.pop_front()),
                Some(Piece::File { file, range }) => {
                    let step = range.start..range.end.min(range.start + STEP);
                    let read = x.read(env, file, step).map_err(Stop::Wait)?;
                    let bytes = match read {
                        Ok(bytes) if !bytes.is_empty() => bytes,
                        Ok(_) => return Err(short(x)),
                        Err(error) => {
                            let what = format_args!("read() failed {}", OsError(&error));
                            x.log(Level::Error, what);
                            return Err(Stop::Failed);
                        }
                    };
                    range.start += bytes.len() as u64;
                    return Ok(Some(Chunk::from(Bytes::from(bytes))));
                }
                Some(Piece::Bytes(_)) => {
                    if let Some(Piece::Bytes(chunk)) = self.pieces.pop_front() {
                        return Ok(Some(chunk));
                    }
                }
                None => match self.pull(x, env)? {
                    Some(piece) => self.pieces.push_back(piece),
                    None => return Ok(None),
                },
            }
        }
    }

    /// The next piece as it is; none at the end.
    ///
    /// # Errors
    /// As [`Input::next`].
    pub fn piece(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Piece>, Stop> {
        match self.pieces.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.pull(x, env),
        }
    }

    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Piece>, Stop> {
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        match source.pull(x, env) {
            Pull::Piece(piece) => Ok(Some(piece)),
            Pull::Wait(need) => Err(Stop::Wait(need)),
            Pull::Failed => Err(Stop::Failed),
            Pull::End => {
                self.source = None;
                Ok(None)
            }
        }
    }
}

fn short(x: &Exchange) -> Stop {
    let what = format_args!("the file ended before its promised size");
    x.log(Level::Error, what);
    Stop::Failed
}
