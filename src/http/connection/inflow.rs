//! The body of a request on its way in: where it ends, and what becomes of its bytes.

use super::super::chunked::{Chunked, Taken};
use super::super::{Fault, Framing, Head, Limits};

/// What is still to come of a body.
#[derive(Debug)]
pub(super) struct Body {
    framing: Remaining,
    /// Bytes of it so far, without framing.
    size: u64,
    /// The most it may have (`client_max_body_size`).
    max: Option<u64>,
}

#[derive(Debug)]
enum Remaining {
    Length(u64),
    Chunked(Chunked),
}

impl Body {
    /// `None`: the request has no body.
    pub(super) fn of(head: &Head, limits: &Limits) -> Option<Body> {
        let (count, size) = limits.large_buffers;
        let framing = match head.framing() {
            Framing::None | Framing::Length(0) => return None,
            Framing::Length(length) => Remaining::Length(length),
            Framing::Chunked => {
                let max_trailers = count
                    .saturating_mul(size)
                    .saturating_add(limits.header_buffer);
                Remaining::Chunked(Chunked::new(max_trailers))
            }
        };
        Some(Body {
            framing,
            size: 0,
            max: None,
        })
    }

    /// Takes what belongs to the body from the start of the input: at most one run of its bytes.
    pub(super) fn take(&mut self, input: &[u8]) -> Result<Taken, Fault> {
        let taken = match &mut self.framing {
            Remaining::Length(left) => {
                let used = (*left).min(input.len() as u64) as usize;
                *left -= used as u64;
                Taken {
                    used,
                    data: 0..used,
                    done: *left == 0,
                }
            }
            Remaining::Chunked(decoder) => decoder.take(input)?,
        };
        self.size += taken.data.len() as u64;
        if self.max.is_some_and(|max| self.size > max) {
            let reason = "client intended to send too large body";
            return Err(Fault {
                status: 413,
                reason,
            });
        }
        Ok(taken)
    }
}

/// What becomes of the bytes that follow a head.
#[derive(Debug, Default)]
pub(super) enum Inflow {
    /// There is no body, or it is complete: what follows is the next request.
    #[default]
    Done,
    /// Nobody has asked for the body yet: its bytes wait.
    Held(Body),
    /// It was asked for: its bytes become Data events.
    Wanted(Body),
    /// Nobody will ask: its bytes are dropped as they come.
    Dropped(Body),
    /// It cannot be told where the next request begins: everything is dropped until the end.
    Lost,
}

impl Inflow {
    /// Part of the body may still be on its way.
    pub(super) fn is_outstanding(&self) -> bool {
        !matches!(self, Inflow::Done)
    }

    /// The most bytes that a body may have whose length was not announced.
    pub(super) fn limit(&mut self, max: Option<u64>) {
        if let Inflow::Held(body) | Inflow::Wanted(body) | Inflow::Dropped(body) = self {
            body.max = max;
        }
    }

    /// The bytes wait again; whether there are any that can.
    pub(super) fn hold(&mut self) -> bool {
        match std::mem::take(self) {
            Inflow::Wanted(body) => *self = Inflow::Held(body),
            other => *self = other,
        }
        matches!(self, Inflow::Held(_))
    }

    /// From now on the bytes are dropped.
    pub(super) fn drop_it(&mut self) {
        *self = match std::mem::take(self) {
            Inflow::Held(body) | Inflow::Wanted(body) => Inflow::Dropped(body),
            other => other,
        };
    }

    /// Drops what is to be dropped from the start of the input, and says how much that was.
    pub(super) fn skip(&mut self, input: &[u8]) -> Result<usize, Fault> {
        let mut used = 0;
        loop {
            match self {
                Inflow::Lost => return Ok(input.len()),
                Inflow::Dropped(body) => match body.take(&input[used..]) {
                    Ok(taken) => {
                        used += taken.used;
                        if taken.done {
                            *self = Inflow::Done;
                        } else if taken.used == 0 {
                            return Ok(used);
                        }
                    }
                    Err(fault) => return Err(fault),
                },
                _ => return Ok(used),
            }
        }
    }
}
