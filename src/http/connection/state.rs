//! The states of a connection, and what is waited for in them.

/// Which of the timeouts applies now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timeout {
    /// None: it is the site's turn, or all is over.
    None,
    /// `client_header_timeout`, from the first byte of the head, or from the start of a new
    /// connection; what comes in does not extend it.
    Header,
    /// `client_body_timeout`, between two reads.
    Body,
    /// `send_timeout`, between two writes.
    Send,
    /// `keepalive_timeout`, from the last answer.
    KeepAlive,
    /// `lingering_timeout` between two reads, and `lingering_time` for all of it.
    Lingering,
}

/// Where a connection stands with its current request; the output of earlier ones may still be
/// waiting in each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Between requests. Bytes begin a head; the peer's end is the end.
    Idle,
    /// In a head. Bytes continue it; the peer's end makes it void.
    ReadingHead,
    /// The head went to the site, whose answer is awaited. Bytes are the body's, or the next
    /// request's, and wait; the peer's end changes nothing.
    Waiting,
    /// As `Waiting`, but the site waits for the body. Bytes continue it; the peer's end breaks it.
    ReadingBody,
    /// The site is handing over its answer. What is left of the body is dropped, bytes after it
    /// wait; the peer's end changes nothing.
    Writing,
    /// The answer is complete, the body is not: it is dropped as it comes, and the peer's end is
    /// the end.
    Discarding,
    /// The last answer is complete and waits to be sent. Bytes are dropped.
    Closing,
    /// Everything was sent, and the sending side is shut down by the worker. Bytes are dropped
    /// until the peer's end or a timeout.
    Lingering,
    /// Over.
    Closed,
}
