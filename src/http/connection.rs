//! One HTTP/1 connection as a machine: bytes and answers in, events and bytes out.
//!
//! It does no I/O and knows no time. Requests are taken one after the other; an answer that was
//! handed over whole lets the next request begin while its bytes still wait to be sent, so that
//! one write can carry several answers.

mod answer;
mod exchange;
mod inflow;
mod output;
mod pool;
mod state;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use super::{Chunk, Fault, Head, Id, Limits};
use exchange::Exchange;
use inflow::Inflow;
pub use output::{Pieces, Sent};
use pool::Block;
pub use pool::Pool;
use state::State;
pub use state::Timeout;

const LATE: Fault = Fault {
    status: 408,
    reason: "client timed out",
};
const CUT_OFF: Fault = Fault::bad_request("client prematurely closed connection");

/// What happened to an exchange. The last event of each is `Gone`.
#[derive(Debug)]
pub enum Event {
    /// A request has come. If its head has a fault, answer that.
    Head(Id, Head),
    /// Bytes of its body, after `accept_body`.
    Data(Id, Chunk),
    /// Its body is complete, after `accept_body` or `discard_body`.
    End(Id),
    /// The body that was asked for cannot be had: answer this fault.
    Broken(Id, Fault),
    /// It is over: its answer was sent, or never will be.
    Gone(Id, Sent),
}

/// A connection. Between requests it is this small record and nothing else.
#[derive(Debug)]
pub struct Connection {
    limits: Rc<Limits>,
    pool: Rc<Pool>,
    block: Option<Box<Block>>,
    next: u32,
    state: State,
    /// No request has come yet.
    fresh: bool,
    /// The peer sends no more.
    ended: bool,
    /// The next answer is the last one.
    quitting: bool,
    /// After the last answer the peer may still be sending.
    linger: bool,
    /// The head did not come in time.
    late: bool,
}

impl Connection {
    /// A new connection.
    pub fn new(limits: Rc<Limits>, pool: Rc<Pool>) -> Connection {
        Connection {
            limits,
            pool,
            block: None,
            next: 0,
            state: State::Idle,
            fresh: true,
            ended: false,
            quitting: false,
            linger: false,
            late: false,
        }
    }

    /// Other limits from now on: those of the server that a Host named.
    pub fn set_limits(&mut self, limits: Rc<Limits>) {
        self.limits = limits;
    }

    /// Bytes from the peer.
    pub fn received(&mut self, bytes: &[u8]) {
        if matches!(
            self.state,
            State::Closing | State::Lingering | State::Closed
        ) {
            return;
        }
        let pool = &self.pool;
        let block = self.block.get_or_insert_with(|| pool.take_block());
        let mut rest = bytes;
        if block.input.unread().is_empty()
            && let Some(exchange) = &mut block.exchange
        {
            rest = &bytes[exchange.skip(bytes)..];
        }
        block.input.push(rest);
        if self.state == State::Discarding {
            self.after_answer();
        }
    }

    /// The peer sends no more.
    pub fn ended(&mut self) {
        self.ended = true;
        match self.state {
            State::Lingering => self.state = State::Closed,
            State::Idle if self.block.is_none() => self.state = State::Closed,
            State::Discarding => self.after_answer(),
            _ => {}
        }
    }

    /// The next event; `None` until something else is called.
    pub fn event(&mut self) -> Option<Event> {
        let gone = self.block.as_mut()?.output.gone();
        if let Some((id, sent)) = gone {
            return Some(Event::Gone(id, sent));
        }
        let event = match self.state {
            State::Idle | State::ReadingHead => self.read_head(),
            State::Waiting | State::ReadingBody => self.read_body(),
            _ => None,
        };
        if event.is_none() {
            self.rest();
        }
        event
    }

    /// Nothing happens for now: perhaps nothing ever will, and the block is not needed.
    fn rest(&mut self) {
        let Some(block) = &self.block else { return };
        if self.is_between() && self.ended && block.may_begin() {
            self.end(false);
        }
        if let Some(block) = self.block.take_if(|block| block.is_idle()) {
            self.pool.keep_block(block);
        }
    }

    /// The bytes that the next calls of `event` read as a head; none when they will not.
    pub fn next_head(&self) -> &[u8] {
        match &self.block {
            Some(block) if self.is_between() && block.may_begin() => block.input.unread(),
            _ => &[],
        }
    }

    fn is_between(&self) -> bool {
        matches!(self.state, State::Idle | State::ReadingHead)
    }

    fn read_head(&mut self) -> Option<Event> {
        let block = self.block.as_mut()?;
        let input = block.input.unread();
        if input.is_empty() || !block.may_begin() {
            return None;
        }
        let end = match self.late {
            true => Some(block.reader.give_up(input, LATE, &mut block.head)),
            false => block.reader.read(input, &self.limits, &mut block.head),
        };
        match end {
            Some(end) => self.begin(end),
            None if block.reader.skipped() == input.len() => {
                block.input.consume(input.len());
                block.reader = Default::default();
                None
            }
            None if self.ended => {
                let end = block.reader.give_up(input, CUT_OFF, &mut block.head);
                self.begin(end)
            }
            None => {
                self.state = State::ReadingHead;
                None
            }
        }
    }

    /// A head was read; it ends at this offset of the input.
    fn begin(&mut self, end: usize) -> Option<Event> {
        let block = self.block.as_mut()?;
        let head = std::mem::replace(&mut block.head, self.pool.take_head());
        let id = Id(self.next);
        self.next = self.next.wrapping_add(1);
        self.fresh = false;
        self.late = false;
        self.state = State::Waiting;
        block.input.consume(end);
        block.reader = Default::default();
        block.exchange = Some(Exchange::new(id, &head, &self.limits));
        block.output.open(id);
        block.skip_body();
        Some(Event::Head(id, head))
    }

    /// Asks for the body: Data events and an End will come.
    ///
    /// A client that waits for it is told to go on (RFC 9110, 10.1.1).
    pub fn accept_body(&mut self, id: Id) {
        let Some(block) = self.asked(id) else { return };
        let Some(exchange) = &mut block.exchange else {
            return;
        };
        match std::mem::take(&mut exchange.inflow) {
            Inflow::Held(body) => exchange.inflow = Inflow::Wanted(body),
            other => {
                exchange.inflow = other;
                exchange.end_due = true;
            }
        }
        if std::mem::take(&mut exchange.expects) {
            block
                .output
                .push_head(|out| out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
        self.state = State::ReadingBody;
    }

    /// Asks for no more of the body until `accept_body` is called again: what comes waits, and the
    /// client in the end.
    pub fn hold_body(&mut self, id: Id) {
        let Some(block) = self.asked(id) else { return };
        let Some(exchange) = &mut block.exchange else {
            return;
        };
        if exchange.inflow.hold() {
            self.state = State::Waiting;
        }
    }

    /// Asks for the body to be read and dropped before the answer, so that a broken one can be
    /// answered as such; an End will come.
    ///
    /// A body that the client holds back until it is asked for counts as none.
    pub fn discard_body(&mut self, id: Id) {
        let Some(block) = self.asked(id) else { return };
        let Some(exchange) = &mut block.exchange else {
            return;
        };
        if exchange.expects || !exchange.inflow.is_outstanding() {
            exchange.end_due = true;
        } else {
            exchange.inflow.drop_it();
            block.skip_body();
        }
        self.state = State::ReadingBody;
    }

    /// The most bytes that the body may have (`client_max_body_size`): a chunked one that turns
    /// out longer is broken.
    pub fn body_limit(&mut self, id: Id, max: Option<u64>) {
        let Some(block) = self.asked(id) else { return };
        if let Some(exchange) = &mut block.exchange {
            exchange.inflow.limit(max);
        }
    }

    fn read_body(&mut self) -> Option<Event> {
        let block = self.block.as_mut()?;
        let exchange = block.exchange.as_mut()?;
        let id = exchange.id;
        let data = exchange.take_data(&mut block.input);
        if data.is_some() {
            return data.map(|data| Event::Data(id, data));
        }
        if self.ended && self.state == State::ReadingBody && exchange.inflow.is_outstanding() {
            exchange.break_off(CUT_OFF);
        }
        if let Some(fault) = exchange.broken.take() {
            self.state = State::Waiting;
            return Some(Event::Broken(id, fault));
        }
        if std::mem::take(&mut exchange.end_due) {
            self.state = State::Waiting;
            return Some(Event::End(id));
        }
        None
    }

    /// The block, if this exchange is still to be answered.
    fn asked(&mut self, id: Id) -> Option<&mut Block> {
        let is_waiting = matches!(self.state, State::Waiting | State::ReadingBody);
        self.block
            .as_deref_mut()
            .filter(|block| is_waiting && block.serves(id))
    }

    /// The timeout that applies now. The clock of `Header` and `KeepAlive` starts when it begins
    /// to apply; that of the others also at each progress.
    pub fn timeout(&self) -> Timeout {
        let unsent = self
            .block
            .as_ref()
            .is_some_and(|block| !block.output.is_empty());
        match self.state {
            State::Closed => Timeout::None,
            State::Lingering => Timeout::Lingering,
            _ if unsent => Timeout::Send,
            State::Idle if self.fresh => Timeout::Header,
            State::Idle => Timeout::KeepAlive,
            State::ReadingHead => Timeout::Header,
            State::ReadingBody => Timeout::Body,
            State::Discarding => Timeout::Lingering,
            State::Waiting | State::Writing | State::Closing => Timeout::None,
        }
    }

    /// The time that `timeout` named is over.
    ///
    /// A head that came in part is answered with 408, and so may be a body; all else is closed.
    pub fn timed_out(&mut self) {
        match self.timeout() {
            Timeout::None => {}
            Timeout::Header if self.state == State::ReadingHead => self.late = true,
            Timeout::Body => {
                let exchange = self
                    .block
                    .as_mut()
                    .and_then(|block| block.exchange.as_mut());
                if let Some(exchange) = exchange {
                    exchange.break_off(LATE);
                }
            }
            _ => self.close(),
        }
    }

    /// The next answer says that it is the last one. An idle connection stays: the worker closes
    /// it when it has been idle for long enough.
    pub fn quit(&mut self) {
        self.quitting = true;
    }

    /// Ends everything at once; what was not sent yet never will be.
    pub fn close(&mut self) {
        self.state = State::Closed;
        if let Some(block) = &mut self.block {
            block.stop_reading();
            block.output.abandon();
        }
    }

    /// Whether bytes can be taken now. If not, the peer has to wait.
    pub fn wants_read(&self) -> bool {
        let unread = self
            .block
            .as_ref()
            .map_or(0, |block| block.input.unread().len());
        match self.state {
            _ if self.ended => false,
            State::Closed => false,
            State::ReadingHead | State::Discarding | State::Closing | State::Lingering => true,
            State::Idle | State::Waiting | State::ReadingBody | State::Writing => {
                unread < self.limits.header_buffer.max(1)
            }
        }
    }

    /// Nothing has come of a next request, and nothing is left of the last one.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle && self.block.as_ref().is_none_or(|block| block.is_idle())
    }

    /// Everything was sent: the sending side is to be shut down, and the rest read and dropped.
    pub fn wants_linger(&self) -> bool {
        self.state == State::Lingering
    }

    /// The connection is over.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}
