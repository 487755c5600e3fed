//! What is to be sent, in order, and for which exchange: heads and framing that were rendered
//! here, bytes and file ranges that were handed over.

use std::collections::VecDeque;
use std::fs::File;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use super::super::{Id, Piece};

/// Most slices that one look at the output shows.
const MAX_SLICES: usize = 16;

/// Bytes that may wait to be sent before nothing more is asked for.
const MAX_QUEUED: u64 = 64 * 1024;

/// Pieces that may.
const MAX_ITEMS: usize = 16;

/// Answers that may, when the next request is looked at.
const MAX_PIPELINED: usize = 16;

/// Rendered bytes that may have been sent before the memory is moved up.
const COMPACT_AT: usize = 4096;

/// What can be sent next: slices for one `writev`, then possibly a range of a file.
#[derive(Debug)]
pub struct Pieces<'a> {
    slices: [IoSlice<'a>; MAX_SLICES],
    count: usize,
    /// What comes after the slices, for `sendfile`.
    pub file: Option<(&'a Arc<File>, Range<u64>)>,
    /// More follows than is shown here.
    pub more: bool,
}

impl Default for Pieces<'_> {
    fn default() -> Self {
        let slices = [IoSlice::new(&[]); MAX_SLICES];
        Pieces {
            slices,
            count: 0,
            file: None,
            more: false,
        }
    }
}

impl Pieces<'_> {
    /// The most slices there are.
    pub const MAX: usize = MAX_SLICES;
}

impl<'a> Pieces<'a> {
    /// No more of them than so many bytes.
    pub fn limited(&self, most: u64) -> Pieces<'_> {
        let mut limited = Pieces::default();
        let mut left = most;
        for slice in self.slices() {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(slice.len());
            if room > 0 {
                limited.slices[limited.count] = IoSlice::new(&slice[..room]);
                limited.count += 1;
            }
            left -= room as u64;
        }
        if let Some((file, range)) = &self.file
            && left > 0
        {
            limited.file = Some((
                file,
                range.start..range.end.min(range.start.saturating_add(left)),
            ));
        }
        limited
    }

    /// The slices, in order; none is empty.
    pub fn slices(&self) -> &[IoSlice<'a>] {
        &self.slices[..self.count]
    }

    /// There is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.file.is_none()
    }
}

/// What was sent for an exchange, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// All of it (`$bytes_sent`).
    pub total: u64,
    /// Without the head (`$body_bytes_sent`); chunk framing counts, as in nginx.
    pub body: u64,
    /// The whole answer was sent (`$request_completion`).
    pub complete: bool,
}

#[derive(Debug)]
enum Item {
    /// So many of the rendered bytes.
    Rendered(usize),
    Piece(Piece),
}

/// The accounts of one exchange.
#[derive(Debug)]
struct Account {
    id: Id,
    /// Queued bytes of heads, not sent yet; they stand before those of the body.
    head: u64,
    /// All queued bytes, not sent yet.
    queued: u64,
    /// Nothing will be added.
    closed: bool,
    sent: Sent,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Output {
    items: VecDeque<Item>,
    rendered: Vec<u8>,
    /// Rendered bytes that were sent.
    rendered_sent: usize,
    accounts: VecDeque<Account>,
    queued: u64,
    files: usize,
}

impl Output {
    /// Nothing is left to send.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Nothing is left to send or to tell.
    pub(super) fn is_settled(&self) -> bool {
        self.items.is_empty() && self.accounts.is_empty()
    }

    /// How many more bytes may be queued.
    pub(super) fn room(&self) -> u64 {
        if self.items.len() < MAX_ITEMS {
            MAX_QUEUED.saturating_sub(self.queued)
        } else {
            0
        }
    }

    /// Whether the answer to another request may be queued behind these. A file is sent first:
    /// it can be long.
    pub(super) fn takes_another(&self) -> bool {
        self.files == 0 && self.room() > 0 && self.accounts.len() < MAX_PIPELINED
    }

    /// What follows belongs to this exchange.
    pub(super) fn open(&mut self, id: Id) {
        let sent = Sent::default();
        self.accounts.push_back(Account {
            id,
            head: 0,
            queued: 0,
            closed: false,
            sent,
        });
    }

    /// The exchange opened last is finished.
    pub(super) fn close(&mut self, complete: bool) {
        if let Some(account) = self.accounts.back_mut() {
            account.closed = true;
            account.sent.complete = complete;
        }
    }

    /// Queues what `render` appends, as part of a head.
    pub(super) fn push_head(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        let length = self.push_rendered(render);
        if let Some(account) = self.accounts.back_mut() {
            account.head += length;
        }
    }

    /// Queues what `render` appends, and says how long it is.
    pub(super) fn push_rendered(&mut self, render: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let before = self.rendered.len();
        render(&mut self.rendered);
        let length = self.rendered.len() - before;
        match self.items.back_mut() {
            Some(Item::Rendered(last)) => *last += length,
            _ if length > 0 => self.items.push_back(Item::Rendered(length)),
            _ => {}
        }
        self.charge(length as u64);
        length as u64
    }

    /// Queues a piece of the body.
    pub(super) fn push(&mut self, piece: Piece) {
        if piece.is_empty() {
            return;
        }
        self.charge(piece.len());
        self.files += usize::from(matches!(piece, Piece::File { .. }));
        self.items.push_back(Item::Piece(piece));
    }

    fn charge(&mut self, length: u64) {
        self.queued += length;
        if let Some(account) = self.accounts.back_mut() {
            account.queued += length;
        }
    }

    /// What comes next.
    pub(super) fn pieces(&self) -> Pieces<'_> {
        let mut pieces = Pieces::default();
        let mut rendered = &self.rendered[self.rendered_sent..];
        for item in &self.items {
            if pieces.count == MAX_SLICES || pieces.file.is_some() {
                pieces.more = true;
                break;
            }
            let slice = match item {
                Item::Rendered(length) => {
                    let (slice, rest) = rendered.split_at(*length);
                    rendered = rest;
                    slice
                }
                Item::Piece(Piece::Bytes(chunk)) => chunk,
                Item::Piece(Piece::File { file, range }) => {
                    pieces.file = Some((file, range.clone()));
                    continue;
                }
            };
            pieces.slices[pieces.count] = IoSlice::new(slice);
            pieces.count += 1;
        }
        pieces
    }

    /// So many bytes went out.
    pub(super) fn sent(&mut self, n: u64) {
        let n = n.min(self.queued);
        self.queued -= n;
        self.release(n);
        self.credit(n);
        self.compact();
    }

    fn release(&mut self, mut n: u64) {
        while n > 0 {
            let Some(item) = self.items.front_mut() else {
                return;
            };
            let length = match item {
                Item::Rendered(length) => *length as u64,
                Item::Piece(piece) => piece.len(),
            };
            let part = length.min(n);
            n -= part;
            match item {
                Item::Rendered(length) => {
                    *length -= part as usize;
                    self.rendered_sent += part as usize;
                }
                Item::Piece(piece) => piece.advance(part),
            }
            if part == length
                && let Some(Item::Piece(Piece::File { .. })) = self.items.pop_front()
            {
                self.files -= 1;
            }
        }
    }

    fn credit(&mut self, mut n: u64) {
        for account in &mut self.accounts {
            let part = account.queued.min(n);
            let head = account.head.min(part);
            account.queued -= part;
            account.head -= head;
            account.sent.total += part;
            account.sent.body += part - head;
            n -= part;
        }
    }

    fn compact(&mut self) {
        if self.rendered_sent == self.rendered.len() {
            self.rendered.clear();
            self.rendered_sent = 0;
        } else if self.rendered_sent >= COMPACT_AT {
            self.rendered.drain(..self.rendered_sent);
            self.rendered_sent = 0;
        }
    }

    /// Nothing more will be sent: every exchange is over as it stands.
    pub(super) fn abandon(&mut self) {
        for account in &mut self.accounts {
            account.sent.complete &= account.closed && account.queued == 0;
            account.closed = true;
            account.queued = 0;
        }
        self.items.clear();
        self.rendered.clear();
        self.rendered_sent = 0;
        self.queued = 0;
        self.files = 0;
    }

    /// The next exchange that is over.
    pub(super) fn gone(&mut self) -> Option<(Id, Sent)> {
        let account = self
            .accounts
            .pop_front_if(|first| first.closed && first.queued == 0)?;
        Some((account.id, account.sent))
    }

    /// What was sent so far for an exchange whose end was not told yet.
    pub(super) fn sent_for(&self, id: Id) -> Option<Sent> {
        let account = self.accounts.iter().find(|account| account.id == id)?;
        let complete = account.sent.complete && account.queued == 0;
        Some(Sent {
            complete,
            ..account.sent
        })
    }
}
