//! The answering half of a connection: from the site's head and pieces to the bytes that are sent.

use super::super::{Clock, Id, Length, Linger, Piece, ResponseHead, Trailers, response};
use super::exchange::Outflow;
use super::output::{Pieces, Sent};
use super::pool::Block;
use super::{Connection, State};

impl Connection {
    /// The head of the answer. Its body follows in `piece`s, its end is `finish`.
    ///
    /// An exchange that is not waiting for an answer is left alone: what comes too late means
    /// nothing.
    pub fn answer(&mut self, id: Id, head: &ResponseHead, length: Length, clock: &Clock<'_>) {
        let may_persist = head.keep_alive && !self.quitting;
        let Some(block) = self.asked(id) else { return };
        let Some(exchange) = &mut block.exchange else {
            return;
        };
        let announced = exchange.answer(head.status, length, may_persist);
        let keep_alive = !exchange.last;
        block
            .output
            .push_head(|out| head.render(announced, keep_alive, clock, out));
        block.skip_body();
        self.state = State::Writing;
    }

    /// Who may hand over pieces now, and how many bytes of them. A range of a file takes no
    /// memory, and may be longer.
    pub fn room(&self) -> Option<(Id, u64)> {
        let block = self
            .block
            .as_ref()
            .filter(|_| self.state == State::Writing)?;
        let room = block.output.room();
        let id = block.exchange.as_ref()?.id;
        (room > 0).then_some((id, room))
    }

    /// The next piece of the body. What exceeds the announced length is cut off; all of it is
    /// dropped where the answer has no body.
    pub fn piece(&mut self, id: Id, mut piece: Piece) {
        let Some((exchange, output)) = self.answering(id).and_then(Block::halves) else {
            return;
        };
        match &mut exchange.outflow {
            Outflow::Nothing => {}
            Outflow::Endless => output.push(piece),
            Outflow::Length(left) => {
                piece.truncate(*left);
                *left -= piece.len();
                output.push(piece);
            }
            Outflow::Chunked if piece.is_empty() => {}
            Outflow::Chunked => {
                output.push_rendered(|out| response::chunk_start(out, piece.len()));
                output.push(piece);
                output.push_rendered(|out| out.extend_from_slice(b"\r\n"));
            }
        }
    }

    /// The body is complete. If it is shorter than announced, the connection ends after it.
    pub fn finish(&mut self, id: Id, trailers: &Trailers) {
        let Some((exchange, output)) = self.answering(id).and_then(Block::halves) else {
            return;
        };
        if exchange.outflow == Outflow::Chunked {
            output.push_rendered(|out| response::last_chunk(out, trailers));
        }
        let is_short = matches!(exchange.outflow, Outflow::Length(1..));
        output.close(!is_short);
        if is_short {
            self.end(false);
        } else {
            self.after_answer();
        }
    }

    /// The answer cannot be completed: what there is of it is sent, then the connection ends.
    pub fn abort(&mut self, id: Id) {
        if let Some(block) = self.answering(id) {
            block.output.close(false);
            self.end(false);
        } else if self.block.as_ref().is_some_and(|block| block.serves(id)) {
            self.close();
        }
    }

    /// What can be sent now.
    pub fn output(&self) -> Pieces<'_> {
        self.block
            .as_ref()
            .map(|block| block.output.pieces())
            .unwrap_or_default()
    }

    /// So many bytes of it went out.
    pub fn sent(&mut self, n: u64) {
        if let Some(block) = &mut self.block {
            block.output.sent(n);
        }
        self.settle();
    }

    /// What was sent so far for an exchange that is not gone yet.
    pub fn sent_for(&self, id: Id) -> Option<Sent> {
        self.block.as_ref()?.output.sent_for(id)
    }

    /// The block, if this exchange is being answered.
    fn answering(&mut self, id: Id) -> Option<&mut Block> {
        let is_writing = self.state == State::Writing;
        self.block
            .as_deref_mut()
            .filter(|block| is_writing && block.serves(id))
    }

    /// The answer was handed over whole: the connection ends, drops what is left of the body, or
    /// goes on to the next request.
    pub(super) fn after_answer(&mut self) {
        let Some(block) = &mut self.block else { return };
        let Some(exchange) = &block.exchange else {
            return;
        };
        let is_outstanding = exchange.inflow.is_outstanding();
        if exchange.last || is_outstanding && self.ended {
            let may_send = is_outstanding || exchange.wants_more || block.has_input();
            self.end(may_send);
        } else if is_outstanding {
            self.state = State::Discarding;
        } else {
            block.exchange = None;
            self.state = State::Idle;
        }
    }

    /// There will be no further answer; what is queued is sent, then the connection closes.
    pub(super) fn end(&mut self, may_send: bool) {
        self.linger = match self.limits.linger {
            Linger::Off => false,
            Linger::On => may_send,
            Linger::Always => true,
        };
        self.state = State::Closing;
        if let Some(block) = &mut self.block {
            block.stop_reading();
        }
        self.settle();
    }

    /// Closes when everything was sent.
    pub(super) fn settle(&mut self) {
        let is_sent = self
            .block
            .as_ref()
            .is_none_or(|block| block.output.is_empty());
        if self.state == State::Closing && is_sent {
            self.state = if self.linger && !self.ended {
                State::Lingering
            } else {
                State::Closed
            };
        }
    }
}
