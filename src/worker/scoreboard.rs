//! What a worker leaves where the master can read it, also after its death: counters, and the
//! request that each of its threads has in hand. Not who may have an entry.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

use super::in_hand::InHand;
use crate::site::traffic::{Doing, Line};
use crate::sys::crash::{self, Crash, LastWords};
use crate::sys::process::Pid;
use crate::sys::socket::PeerAddress;

/// Threads of a worker whose requests are known: the loop, number 0, and those of its pools.
pub const THREADS: usize = 64;
/// Bytes that are kept of a request.
pub const KEPT: usize = 1024;

const WORD: usize = size_of::<u64>();

crate::plain! {
    /// One process life.
    pub struct Entry {
        pid: AtomicI32,
        slot: AtomicU32,
        generation: AtomicU64,
        state: AtomicU32,
        bytes: AtomicU64,
        responses: [AtomicU64; 5],
        jobs_refused: AtomicU64,
        log_lines_lost: AtomicU64,
        last_words: LastWords,
        /// Bytes of the request that each thread has in hand; 0 for none.
        lengths: [AtomicU32; THREADS],
        hands: [Hand; THREADS],
    }

    /// What a thread has in hand.
    struct Hand {
        /// The client's IP address, first half first, then its family and port.
        client: [AtomicU64; 3],
        raw: [AtomicU64; KEPT / WORD],
    }
}

/// Where the life of a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// Not ready yet.
    Starting,
    /// It accepts.
    Serving,
    /// It keeps what it has and accepts nothing.
    Paused,
    /// It finishes what it has, then leaves.
    Draining,
}

impl State {
    const ALL: [State; 4] = [
        State::Starting,
        State::Serving,
        State::Paused,
        State::Draining,
    ];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Serving => "serving",
            State::Paused => "paused",
            State::Draining => "draining",
        }
    }
}

/// What an entry said at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The process; none before it was forked.
    pub pid: Option<Pid>,
    /// Its number among the workers of its generation, from 0.
    pub slot: usize,
    /// The number of its generation, from 1.
    pub generation: u64,
    /// Where its life stands.
    pub state: State,
    /// Open connections.
    pub connections: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Requests that came, with those that are under way.
    pub requests: u64,
    /// Bytes sent to clients.
    pub bytes: u64,
    /// Requests that are over, by the class of their status: 1xx to 5xx.
    pub responses: [u64; 5],
    /// Jobs that no thread pool had room for.
    pub jobs_refused: u64,
    /// Log lines that a slow disk did not take.
    pub log_lines_lost: u64,
}

impl Snapshot {
    /// Requests that are over.
    pub fn served(&self) -> u64 {
        // What a worker wrote is not to be trusted.
        self.responses
            .iter()
            .fold(0, |sum, class| sum.saturating_add(*class))
    }
}

impl Entry {
    /// Begins a life: everything is forgotten that was said of the one before.
    pub fn begin(&self, generation: u64, slot: usize) {
        self.pid.store(0, Relaxed);
        self.slot
            .store(u32::try_from(slot).unwrap_or(u32::MAX), Relaxed);
        self.generation.store(generation, Relaxed);
        self.state.store(State::Starting as u32, Relaxed);
        let counters = [&self.bytes, &self.jobs_refused, &self.log_lines_lost];
        let counters = counters.into_iter().chain(&self.responses);
        counters.for_each(|counter| counter.store(0, Relaxed));
        self.lengths
            .iter()
            .for_each(|length| length.store(0, Relaxed));
        self.last_words.clear();
    }

    /// The process is known by now.
    pub fn born(&self, pid: Pid) {
        self.pid.store(pid.number(), Relaxed);
    }

    /// What it says now, it and the line of the same process.
    pub fn snapshot(&self, line: &Line) -> Snapshot {
        let state = self.state.load(Relaxed);
        let state = State::ALL.into_iter().find(|known| *known as u32 == state);
        Snapshot {
            pid: Pid::new(self.pid.load(Relaxed)),
            slot: self.slot.load(Relaxed) as usize,
            generation: self.generation.load(Relaxed),
            state: state.unwrap_or(State::Starting),
            connections: line.connections(),
            accepted: line.accepted(),
            requests: line.requests(),
            bytes: self.bytes.load(Relaxed),
            responses: self.responses.each_ref().map(|class| class.load(Relaxed)),
            jobs_refused: self.jobs_refused.load(Relaxed),
            log_lines_lost: self.log_lines_lost.load(Relaxed),
        }
    }

    /// The last words of a process that is gone.
    pub fn crash(&self) -> Option<Crash> {
        self.last_words.read()
    }

    /// Why a process that is gone could not start, if it said so.
    pub fn gave_up(&self) -> Option<String> {
        let said = self.in_hand(0)?.raw;
        let started = self.state.load(Relaxed) != State::Starting as u32;
        (!started).then(|| String::from_utf8_lossy(&said).into_owned())
    }

    /// What a thread has in hand. While the process runs that may be parts of two requests.
    pub fn in_hand(&self, thread: usize) -> Option<InHand> {
        let length = self.lengths.get(thread)?.load(Acquire) as usize;
        if length == 0 {
            return None;
        }
        let hand = &self.hands[thread];
        let words = hand.raw.iter().map(|word| word.load(Relaxed).to_le_bytes());
        let mut raw: Vec<u8> = words.take(length.div_ceil(WORD)).flatten().collect();
        raw.truncate(length);
        let client = unpacked(hand.client.each_ref().map(|word| word.load(Relaxed)));
        Some(InHand { client, raw })
    }
}

/// A worker's handle on its entry and its line. Each counter is written by one thread.
#[derive(Clone, Copy)]
pub struct Tally(&'static Entry, &'static Line);

impl Tally {
    /// Writes to this entry, and to this line.
    pub fn new(entry: &'static Entry, line: &'static Line) -> Tally {
        Tally(entry, line)
    }

    /// Where its process leaves its last words.
    pub fn last_words(self) -> &'static LastWords {
        &self.0.last_words
    }

    /// Where its life stands from now on.
    pub fn state(self, state: State) {
        self.0.state.store(state as u32, Relaxed);
    }

    /// A connection was accepted.
    pub fn accepted(self) {
        self.1.accept(false);
    }

    /// A connection was accepted for which there is no room.
    pub fn turned_away(self) {
        self.1.accept(true);
    }

    /// So many connections are open.
    pub fn connections(self, count: usize) {
        self.1.set_connections(count as u64);
    }

    /// A request has come.
    pub fn request(self) {
        self.1.request();
    }

    /// A connection is doing something else.
    pub fn turn(self, from: Option<Doing>, to: Option<Doing>) {
        self.1.turn(from, to);
    }

    /// A request is over; 0 for one without an answer.
    pub fn response(self, status: u16) {
        let class = usize::from(status / 100).wrapping_sub(1);
        if let Some(counter) = self.0.responses.get(class) {
            add(counter, 1);
        }
    }

    /// So many bytes were sent.
    pub fn sent(self, count: u64) {
        add(&self.0.bytes, count);
    }

    /// Counts a job that a full pool of threads refused.
    pub fn job_refused(self) {
        add(&self.0.jobs_refused, 1);
    }

    /// So many log lines were dropped so far.
    pub fn log_lines_lost(self, count: u64) {
        self.0.log_lines_lost.store(count, Relaxed);
    }

    /// A thread takes a request in hand: its bytes, as they came, and who sent it. It counts from
    /// the moment when all of it is written.
    pub fn take(self, thread: usize, raw: &[u8], client: &PeerAddress) {
        let Some(length) = self.0.lengths.get(thread) else {
            return;
        };
        let hand = &self.0.hands[thread];
        let kept = &raw[..raw.len().min(KEPT)];
        length.store(0, Release);
        for (word, value) in hand.client.iter().zip(packed(client)) {
            word.store(value, Relaxed);
        }
        let (words, rest) = kept.as_chunks::<WORD>();
        for (word, bytes) in hand.raw.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes), Relaxed);
        }
        if let Some(word) = hand.raw.get(words.len()) {
            let rest = rest
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
            word.store(rest, Relaxed);
        }
        length.store(kept.len() as u32, Release);
    }

    /// Works for a request in a thread of a pool, which has it in hand meanwhile. Not for the loop.
    /// What threads past [`THREADS`] have in hand is not known.
    pub fn hold<T>(self, request: &InHand, work: impl FnOnce() -> T) -> T {
        let thread = crash::thread_number();
        self.take(thread, &request.raw, &request.client);
        let done = work();
        self.put_down(thread);
        done
    }

    /// It cannot start, for this reason; it is kept where a first request would have been.
    pub fn give_up(self, why: &str) {
        self.take(0, why.as_bytes(), &PeerAddress::Unix);
    }

    /// A thread has no request in hand any more.
    pub fn put_down(self, thread: usize) {
        if let Some(length) = self.0.lengths.get(thread) {
            length.store(0, Release);
        }
    }
}

/// Of a counter that no other thread writes.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

const V4: u64 = 4;
const V6: u64 = 6;

fn packed(client: &PeerAddress) -> [u64; 3] {
    let PeerAddress::Ip(address) = client else {
        return [0; 3];
    };
    let port = u64::from(address.port());
    match address.ip() {
        IpAddr::V4(ip) => [u64::from(ip.to_bits()), 0, V4 << 16 | port],
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            [(bits >> 64) as u64, bits as u64, V6 << 16 | port]
        }
    }
}

fn unpacked([first, second, rest]: [u64; 3]) -> PeerAddress {
    let ip = match rest >> 16 {
        V4 => IpAddr::V4((first as u32).into()),
        V6 => IpAddr::V6((u128::from(first) << 64 | u128::from(second)).into()),
        _ => return PeerAddress::Unix,
    };
    PeerAddress::Ip(SocketAddr::new(ip, rest as u16))
}

#[cfg(test)]
mod tests;
