//! What waits to be written, log by log, within a bound of bytes. It neither writes nor waits.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LogFile;
use super::family::Member;
use super::losses::{self, News, Outage};

/// How long a log may take nothing and still be waited for.
const PATIENCE: Duration = Duration::from_millis(200);
/// A buffer that is kept for the next lines is not larger.
const SPARE: usize = 64 << 10;

/// Whether a line finds room.
#[derive(Debug, PartialEq)]
pub(super) enum Room {
    /// It does.
    Now,
    /// Perhaps, when something was written: wait for that, at most so long, and ask again.
    Soon(Duration),
    /// Not while the log is stuck.
    Never,
}

/// What comes in the order in which it was said.
#[derive(Debug)]
pub(super) enum Part {
    /// Whole lines; what is left of the first one if it was written in part.
    Lines(Vec<u8>),
    /// Whole lines for a file of a family.
    LinesTo(Member, Vec<u8>),
    /// The file in which to go on.
    Replace(OwnedFd),
    /// Open the path anew and go on there.
    Reopen,
}

impl Part {
    /// Its lines; none if it is none.
    fn lines(&self) -> &[u8] {
        match self {
            Part::Lines(lines) | Part::LinesTo(_, lines) => lines,
            Part::Replace(_) | Part::Reopen => &[],
        }
    }
}

/// What is done next for a log.
pub(super) struct Work {
    pub log: Arc<LogFile>,
    pub part: Part,
    /// Whether it is a stream; none if nobody has looked yet.
    pub stream: Option<bool>,
}

/// One log's share.
struct Share {
    log: Arc<LogFile>,
    parts: VecDeque<Part>,
    /// Bytes that are not written yet, those included that somebody is writing.
    bytes: usize,
    stream: Option<bool>,
    /// A stream that takes nothing now.
    blocked: bool,
    /// When it last took something, or got something to take.
    moved: Instant,
    outage: Outage,
}

/// What the thread is doing for a log: it writes lines, or opens or closes a file.
struct Writing {
    /// When it began, or last wrote a part of it.
    since: Instant,
    lines: u64,
}

/// All that waits.
pub(super) struct Backlog {
    shares: Vec<Share>,
    capacity: usize,
    bytes: usize,
    writing: Option<Writing>,
    spare: Vec<u8>,
}

impl Backlog {
    /// Room for so many bytes of lines.
    pub fn new(capacity: usize) -> Backlog {
        Backlog {
            shares: Vec::new(),
            capacity,
            bytes: 0,
            writing: None,
            spare: Vec::new(),
        }
    }

    /// The log's place, for good.
    pub fn place(&mut self, log: &Arc<LogFile>) -> usize {
        *log.slot.get_or_init(|| {
            self.shares.push(Share {
                log: Arc::clone(log),
                parts: VecDeque::new(),
                bytes: 0,
                stream: None,
                blocked: false,
                moved: Instant::now(),
                outage: Outage::default(),
            });
            self.shares.len() - 1
        })
    }

    /// The number of logs.
    pub fn len(&self) -> usize {
        self.shares.len()
    }

    /// Bytes that are not written yet.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more than half of the room is taken.
    pub fn is_half_full(&self) -> bool {
        self.bytes > self.capacity / 2
    }

    /// Whether a log has room for more. A stream gets no more than what it leaves to the others, or
    /// one that nobody reads would fill it all. What exceeds all room is taken alone.
    pub fn room(&self, place: usize, length: usize) -> Room {
        let free = self.capacity.saturating_sub(self.bytes);
        let share = &self.shares[place];
        let writing = self.writing.as_ref().map(|writing| writing.since);
        let is_stream = share.stream != Some(false);
        if is_stream && share.bytes > 0 && share.bytes + length > free {
            let since = Some(share.moved).filter(|_| share.blocked);
            return room_soon(since.or(writing));
        }
        if length <= free || !self.is_moving() {
            return Room::Now;
        }
        room_soon(writing)
    }

    /// Whether anything waits but for streams that take nothing.
    fn is_moving(&self) -> bool {
        let moves = |share: &Share| share.bytes > 0 && !share.blocked;
        self.shares.iter().any(moves)
    }

    /// Takes lines for a file of a family that have room.
    pub fn append_to(&mut self, place: usize, member: Member, lines: &[u8]) {
        let share = self.grow(place, lines.len());
        if let Some(Part::LinesTo(last, all)) = share.parts.back_mut()
            && *last == member
        {
            return all.extend_from_slice(lines);
        }
        share.parts.push_back(Part::LinesTo(member, lines.to_vec()));
    }

    fn grow(&mut self, place: usize, bytes: usize) -> &mut Share {
        let share = &mut self.shares[place];
        if share.bytes == 0 {
            share.moved = Instant::now();
        }
        share.bytes += bytes;
        self.bytes += bytes;
        share
    }

    /// Takes lines that have room.
    pub fn append(&mut self, place: usize, lines: &[u8]) {
        self.grow(place, lines.len());
        let share = &mut self.shares[place];
        if let Some(Part::Lines(last)) = share.parts.back_mut() {
            return last.extend_from_slice(lines);
        }
        let mut first = std::mem::take(&mut self.spare);
        first.extend_from_slice(lines);
        share.parts.push_back(Part::Lines(first));
    }

    /// Adds something that is no line.
    pub fn push(&mut self, place: usize, part: Part) {
        let share = &mut self.shares[place];
        share.parts.push_back(part);
        share.blocked = false;
    }

    /// Whether anything can be done now.
    pub fn has_work(&self) -> bool {
        let ready = |share: &Share| !share.blocked && !share.parts.is_empty();
        self.shares.iter().any(ready)
    }

    /// The next thing to do for a log, unless it waits to be written to.
    pub fn take(&mut self, place: usize) -> Option<Work> {
        let share = &mut self.shares[place];
        if share.blocked {
            return None;
        }
        let part = share.parts.pop_front()?;
        let lines = losses::number(part.lines());
        let since = Instant::now();
        self.writing = Some(Writing { since, lines });
        Some(Work {
            part,
            log: Arc::clone(&share.log),
            stream: share.stream,
        })
    }

    /// Says what kind of thing is behind a log.
    pub fn set_stream(&mut self, place: usize, stream: bool) {
        self.shares[place].stream = Some(stream);
    }

    /// A log goes on in another file, perhaps of another kind.
    pub fn replaced(&mut self, place: usize) {
        self.writing = None;
        self.shares[place].stream = None;
    }

    /// These of the lines that were taken were written.
    pub fn written(&mut self, place: usize, lines: &[u8]) {
        let share = &mut self.shares[place];
        share.moved = Instant::now();
        share.outage.end();
        if let Some(writing) = &mut self.writing {
            writing.since = share.moved;
            writing.lines = writing.lines.saturating_sub(losses::number(lines));
        }
        self.release(place, lines.len());
    }

    fn release(&mut self, place: usize, bytes: usize) {
        self.shares[place].bytes -= bytes;
        self.bytes -= bytes;
    }

    /// The stream takes nothing now: the rest comes first next time. A file that is to replace it
    /// comes before that, and gets the rest.
    pub fn give_back(&mut self, place: usize, rest: Vec<u8>) {
        self.writing = None;
        let share = &mut self.shares[place];
        let is_file = |part: &Part| !matches!(part, Part::Lines(_));
        let file = share.parts.iter().position(is_file);
        let file = file.and_then(|at| share.parts.remove(at));
        share.blocked = file.is_none();
        share.parts.push_front(Part::Lines(rest));
        file.into_iter()
            .for_each(|file| share.parts.push_front(file));
    }

    /// All that was taken is written. Its room is kept for the lines to come.
    pub fn finish(&mut self, mut lines: Vec<u8>) {
        self.writing = None;
        if lines.capacity() <= SPARE {
            lines.clear();
            self.spare = lines;
        }
    }

    /// Lines that were taken are lost.
    pub fn fail(&mut self, place: usize, lines: &[u8], error: io::Error) {
        let outage = &mut self.shares[place].outage;
        outage.lose(losses::count(lines), Some(error), Instant::now());
        self.writing = None;
        self.release(place, lines.len());
    }

    /// Lines find no room and are lost. Returns whether the log was well until now.
    pub fn refuse(&mut self, place: usize, lines: &[u8]) -> bool {
        let outage = &mut self.shares[place].outage;
        let well = outage.due().is_none();
        outage.lose(losses::count(lines), None, Instant::now());
        well
    }

    /// Whether a stream takes nothing now.
    pub fn is_blocked(&self, place: usize) -> bool {
        self.shares[place].blocked
    }

    /// The streams that take nothing now, by their places.
    pub fn blocked(&self) -> Vec<(usize, Arc<LogFile>)> {
        let blocked = |(_, share): &(usize, &Share)| share.blocked;
        let shares = self.shares.iter().enumerate().filter(blocked);
        shares
            .map(|(place, share)| (place, Arc::clone(&share.log)))
            .collect()
    }

    /// A stream takes bytes again, or has failed.
    pub fn unblock(&mut self, place: usize) {
        self.shares[place].blocked = false;
    }

    /// When something is to be told next.
    pub fn due(&self) -> Option<Instant> {
        self.shares
            .iter()
            .filter_map(|share| share.outage.due())
            .min()
    }

    /// What is to be told by now.
    pub fn tell(&mut self, now: Instant) -> Vec<News> {
        let tell = |share: &mut Share| {
            share.outage.due()?;
            share
                .outage
                .tell(&share.log.path().display().to_string(), now)
        };
        self.shares.iter_mut().filter_map(tell).collect()
    }

    /// Gives up what waits and what is being written, and says what was lost of each log. Of what
    /// is being written nobody could say it: the thread is held up.
    pub fn close(&mut self) -> Vec<News> {
        losses::add(self.writing.take().map_or(0, |writing| writing.lines));
        let mut close = |share: &mut Share| {
            for part in share.parts.drain(..) {
                let lines = part.lines();
                if !lines.is_empty() {
                    share
                        .outage
                        .lose(losses::count(lines), None, Instant::now());
                    share.bytes -= lines.len();
                    self.bytes -= lines.len();
                }
            }
            share.outage.close(&share.log.path().display().to_string())
        };
        self.shares.iter_mut().filter_map(&mut close).collect()
    }
}

fn room_soon(stuck_since: Option<Instant>) -> Room {
    let stuck = stuck_since.map_or(Duration::ZERO, |since| since.elapsed());
    match PATIENCE.checked_sub(stuck) {
        Some(left) if !left.is_zero() => Room::Soon(left),
        _ => Room::Never,
    }
}

#[cfg(test)]
mod tests;
