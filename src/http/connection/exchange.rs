//! One request and its answer, as far as the connection is concerned.

use super::super::response::Announced;
use super::super::{Chunk, Fault, Head, Id, Length, Limits, Method, Version, status};
use super::inflow::{Body, Inflow};
use super::pool::Input;

/// The request that is being served.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: Id,
    pub(super) inflow: Inflow,
    /// The peer waits for `100 Continue`, and so its body will not come unless it is asked for.
    pub(super) expects: bool,
    /// The end of the body is to be told.
    pub(super) end_due: bool,
    /// What is wrong with the body, to be told.
    pub(super) broken: Option<Fault>,
    /// The peer lets the connection persist.
    pub(super) wants_more: bool,
    /// The connection ends with this answer.
    pub(super) last: bool,
    is_head: bool,
    is_1_0: bool,
    /// What is still to be handed over of the answer's body.
    pub(super) outflow: Outflow,
}

/// How the body of the answer is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outflow {
    /// There is none; what is handed over is dropped.
    Nothing,
    /// So many bytes are still to be handed over.
    Length(u64),
    /// Chunks.
    Chunked,
    /// The end of the connection ends it.
    Endless,
}

impl Exchange {
    pub(super) fn new(id: Id, head: &Head, limits: &Limits) -> Exchange {
        let inflow = match Body::of(head, limits) {
            _ if head.fault().is_some() => Inflow::Lost,
            Some(body) => Inflow::Held(body),
            None => Inflow::Done,
        };
        Exchange {
            id,
            inflow,
            expects: head.expects_continue(),
            end_due: false,
            broken: None,
            wants_more: head.keep_alive(),
            last: false,
            is_head: head.method() == Method::Head,
            is_1_0: head.version() == Version::Http10,
            outflow: Outflow::Nothing,
        }
    }

    /// Drops what is to be dropped of these bytes, and says how much that was.
    pub(super) fn skip(&mut self, input: &[u8]) -> usize {
        let was_outstanding = self.inflow.is_outstanding();
        match self.inflow.skip(input) {
            Ok(used) => {
                self.end_due |= was_outstanding && !self.inflow.is_outstanding();
                used
            }
            Err(fault) => {
                self.break_off(fault);
                input.len()
            }
        }
    }

    /// Settles how the answer is framed and whether it is the last; returns what its head says.
    pub(super) fn answer(&mut self, status: u16, length: Length, may_persist: bool) -> Announced {
        let (announced, outflow) = self.frame(status, length);
        self.outflow = outflow;
        // A body that the peer holds back would be taken for the next request.
        let held_back = self.expects && self.inflow.is_outstanding();
        self.last |= !(may_persist && self.wants_more)
            || held_back
            || outflow == Outflow::Endless
            || matches!(self.inflow, Inflow::Lost);
        if held_back {
            self.inflow = Inflow::Lost;
        }
        self.inflow.drop_it();
        announced
    }

    fn frame(&self, status: u16, length: Length) -> (Announced, Outflow) {
        let bodiless = status::is_bodiless(status);
        match length {
            _ if bodiless => (Announced::Nothing, Outflow::Nothing),
            Length::None if self.is_head => (Announced::Nothing, Outflow::Nothing),
            Length::None => (Announced::Length(0), Outflow::Nothing),
            Length::Known(length) if self.is_head => (Announced::Length(length), Outflow::Nothing),
            Length::Known(length) => (Announced::Length(length), Outflow::Length(length)),
            // As in nginx, an answer to HEAD does not say how the body would be framed.
            Length::Unknown | Length::ToTheEnd if self.is_head => {
                (Announced::Nothing, Outflow::Nothing)
            }
            Length::ToTheEnd => (Announced::Nothing, Outflow::Endless),
            Length::Unknown if self.is_1_0 => (Announced::Nothing, Outflow::Endless),
            Length::Unknown => (Announced::Chunked, Outflow::Chunked),
        }
    }

    /// The next of the bytes that were asked for.
    pub(super) fn take_data(&mut self, input: &mut Input) -> Option<Chunk> {
        while let Inflow::Wanted(body) = &mut self.inflow {
            let taken = match body.take(input.unread()) {
                Ok(taken) => taken,
                Err(fault) => {
                    self.break_off(fault);
                    input.consume(input.unread().len());
                    return None;
                }
            };
            let data = input.unread()[taken.data].to_vec();
            input.consume(taken.used);
            if taken.done {
                self.inflow = Inflow::Done;
                self.end_due = true;
            }
            if !data.is_empty() {
                return Some(data.into());
            }
            if taken.used == 0 {
                return None;
            }
        }
        None
    }

    /// The body will never be complete.
    pub(super) fn break_off(&mut self, fault: Fault) {
        self.inflow = Inflow::Lost;
        self.broken = Some(fault);
        self.last = true;
    }
}
