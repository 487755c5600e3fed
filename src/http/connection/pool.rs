//! Memory that connections share: an idle connection holds none of it.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::{Head, Id};
use super::Exchange;
use super::output::Output;
use crate::http::head::Reader;

/// Blocks and heads kept for reuse, of each.
const KEPT: usize = 256;

/// A block or head that has grown past this is not kept, in bytes.
const MAX_KEPT_SIZE: usize = 16 * 1024;

/// Where connections take the memory of a request from, and leave it after the answer.
#[derive(Debug, Default)]
pub struct Pool {
    #[expect(
        clippy::vec_box,
        reason = "a block moves between pool and connection as a pointer"
    )]
    blocks: RefCell<Vec<Box<Block>>>,
    heads: RefCell<Vec<Head>>,
}

impl Pool {
    /// An empty pool, one for all connections of an event loop.
    pub fn new() -> Rc<Pool> {
        Rc::default()
    }

    pub(super) fn take_block(&self) -> Box<Block> {
        self.blocks.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a block back, its contents dropped.
    pub(super) fn keep_block(&self, mut block: Box<Block>) {
        let mut blocks = self.blocks.borrow_mut();
        if blocks.len() < KEPT && block.input.bytes.capacity() <= MAX_KEPT_SIZE {
            block.reset();
            blocks.push(block);
        }
    }

    pub(super) fn take_head(&self) -> Head {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a head back for another request.
    pub fn recycle(&self, mut head: Head) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < KEPT && head.len() <= MAX_KEPT_SIZE {
            head.clear();
            heads.push(head);
        }
    }
}

/// What a connection needs from the first byte of a request to the last one of its answer.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) input: Input,
    pub(super) reader: Reader,
    pub(super) head: Head,
    pub(super) exchange: Option<Exchange>,
    pub(super) output: Output,
}

impl Block {
    fn reset(&mut self) {
        self.input.consume(self.input.unread().len());
        self.reader = Reader::default();
        self.head.clear();
        self.exchange = None;
        self.output.abandon();
        while self.output.gone().is_some() {}
    }

    /// Whether the next request may be looked at: the answers before it are all handed over, and
    /// not too much of them waits to be sent.
    pub(super) fn may_begin(&self) -> bool {
        self.exchange.is_none() && self.output.takes_another()
    }

    /// This exchange is being served.
    pub(super) fn serves(&self, id: Id) -> bool {
        self.exchange
            .as_ref()
            .is_some_and(|exchange| exchange.id == id)
    }

    /// The exchange and where its answer goes.
    pub(super) fn halves(&mut self) -> Option<(&mut Exchange, &mut Output)> {
        Some((self.exchange.as_mut()?, &mut self.output))
    }

    /// Something came that nobody has looked at.
    pub(super) fn has_input(&self) -> bool {
        !self.input.unread().is_empty()
    }

    /// No request matters any more.
    pub(super) fn stop_reading(&mut self) {
        self.exchange = None;
        self.input.consume(self.input.unread().len());
    }

    /// Drops what is to be dropped of the body.
    pub(super) fn skip_body(&mut self) {
        if let Some(exchange) = &mut self.exchange {
            let used = exchange.skip(self.input.unread());
            self.input.consume(used);
        }
    }

    /// Nothing in it is worth keeping.
    pub(super) fn is_idle(&self) -> bool {
        self.exchange.is_none() && self.input.unread().is_empty() && self.output.is_settled()
    }
}

/// Bytes received and not yet used.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    used: usize,
}

impl Input {
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.used > 0 && self.bytes.len() + bytes.len() > self.bytes.capacity() {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.used += n;
        if self.used >= self.bytes.len() {
            self.bytes.clear();
            self.used = 0;
        }
    }
}
