//! Cutting a track: its tables are cut down to the samples that are sent, and say where these are in
//! the file. What nginx does, table by table, with every sum and every index checked.

use std::ops::Range;

use super::atom::Fault;
use super::tables::find;
use super::timed::{Span, scaled};
use super::track::Track;

/// The file that is cut.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// Its size.
    pub size: u64,
    /// Where its `mdat` ends.
    pub end: u64,
}

/// What is sent of a track.
#[derive(Default)]
struct Part {
    /// The first sample that is sent, from 0 on.
    start: u64,
    /// The first one after those that are sent, if that was asked for.
    end: Option<u64>,
    first: Edge,
    last: Edge,
}

/// Where what is sent begins or ends in a chunk.
#[derive(Default)]
struct Edge {
    /// The chunk that is sent first, from 0 on, or the one after the last.
    chunk: u64,
    /// How many samples of it are before the edge.
    samples: u64,
    /// The bytes they have.
    bytes: u64,
}

/// Cuts a track; returns the part of the file that it needs, if any.
///
/// # Errors
/// What is in it does not fit together, or ends before the start.
pub fn track(track: &mut Track<'_>, span: Span, whole: Whole) -> Result<Option<Range<u64>>, Fault> {
    let mut part = Part::default();
    times(track, span, &mut part)?;
    key_frames(track, &part);
    compositions(track, &part);
    chunks(track, &mut part)?;
    sizes(track, &mut part, whole)?;
    offsets(track, &part, whole)
}

fn times(track: &mut Track<'_>, span: Span, part: &mut Part) -> Result<(), Fault> {
    let timescale = track.timescale();
    let Some(mut times) = track.times.take() else {
        return Fault::holds("no mp4 stts atoms were found");
    };
    let entries = &mut times.entries;
    let time_of = |[count, time]: &[u32; 2]| u64::from(*count) * u64::from(*time);
    let start = scaled(span.start, timescale);
    let Some((mut at, time)) = find(entries.iter().map(time_of), start) else {
        return Fault::holds("start time is out mp4 stts samples");
    };
    let mut skipped = time / u64::from(entries[at][1]);
    part.start = samples(&entries[..at]) + skipped;
    let mut back = if span.key_frames {
        since_key_frame(track, part.start)
    } else {
        0
    };
    part.start -= back;
    while skipped < back {
        track.prefix = track
            .prefix
            .wrapping_add(skipped * u64::from(entries[at][1]));
        back -= skipped;
        at -= 1;
        skipped = entries[at][0].into();
    }
    track.prefix = track.prefix.wrapping_add(back * u64::from(entries[at][1]));
    track.duration = track.duration.wrapping_add(track.prefix);
    entries[at][0] -= (skipped - back) as u32;
    entries.drain(..at);
    if span.length > 0 {
        let length = scaled(span.length, timescale).saturating_add(track.prefix);
        let length = match find(entries.iter().map(time_of), length) {
            Some((at, time)) => {
                let kept = time / u64::from(entries[at][1]);
                entries[at][0] = kept as u32;
                entries.truncate(at + 1);
                samples(entries)
            }
            None => samples(entries),
        };
        part.end = Some(part.start + length);
    }
    track.times = Some(times);
    Ok(())
}

fn samples(entries: &[[u32; 2]]) -> u64 {
    entries.iter().map(|[count, _]| u64::from(*count)).sum()
}

/// How many samples ago the last key frame was.
fn since_key_frame(track: &Track<'_>, sample: u64) -> u64 {
    let entries = track.key_frames.iter().flat_map(|table| &table.entries);
    let before = entries
        .map(|&[frame]| u64::from(frame))
        .take_while(|&frame| frame <= sample + 1);
    let since = before.last().map_or(0, |frame| sample + 1 - frame);
    since.min(sample)
}

fn key_frames(track: &mut Track<'_>, part: &Part) {
    let Some(table) = &mut track.key_frames else {
        return;
    };
    let entries = &mut table.entries;
    // They are counted from 1.
    let from = |entries: &[[u32; 1]], sample: u64| {
        let is_after = |[frame]: &[u32; 1]| u64::from(*frame) > sample;
        entries.iter().position(is_after).unwrap_or(entries.len())
    };
    entries.drain(..from(entries, part.start));
    if let Some(end) = part.end {
        entries.truncate(from(entries, end));
    }
    for [frame] in entries {
        *frame = frame.wrapping_sub(part.start as u32);
    }
}

fn compositions(track: &mut Track<'_>, part: &Part) {
    let Some(table) = &mut track.compositions else {
        return;
    };
    let entries = &mut table.entries;
    let count_of = |[count, _]: &[u32; 2]| u64::from(*count);
    match find(entries.iter().map(count_of), part.start) {
        Some((at, skipped)) => {
            entries[at][0] -= skipped as u32;
            entries.drain(..at);
        }
        None => entries.clear(),
    }
    if let Some(end) = part.end
        && let Some((at, kept)) = find(entries.iter().map(count_of), end - part.start)
    {
        entries[at][0] = kept as u32;
        entries.truncate(at + 1);
    }
    if entries.is_empty() {
        track.compositions = None;
    }
}

/// The place of a sample among the chunks.
struct Place {
    /// The entry that speaks of its chunk.
    at: usize,
    /// The samples each chunk has there, and had in the entry before.
    samples: u32,
    before: u32,
    /// The chunk, from 0 on, and the one that the next entry begins with, from 1 on.
    chunk: u64,
    next: u64,
    /// How many samples the chunks of the entry have before it, and its own chunk.
    left: u64,
    rest: u32,
}

/// Finds a sample among the chunks, of which there are so many.
fn place(entries: &[[u32; 3]], chunks: u64, sample: u64, what: &str) -> Result<Place, Fault> {
    let (mut left, mut before) = (sample, 0);
    for (at, &[chunk, samples, _]) in entries.iter().enumerate() {
        let next = entries
            .get(at + 1)
            .map_or(chunks + 1, |next| next[0].into());
        let Some(of_entry) = next.checked_sub(chunk.into()) else {
            return Fault::holds("unordered mp4 stsc chunks");
        };
        let count = of_entry * u64::from(samples);
        let is_last = at + 1 == entries.len();
        if left < count || is_last && left == count {
            if samples == 0 {
                return Fault::holds("zero number of samples");
            }
            let Some(first) = u64::from(chunk).checked_sub(1) else {
                break;
            };
            return Ok(Place {
                at,
                samples,
                before,
                chunk: first + left / u64::from(samples),
                next,
                left,
                rest: (left % u64::from(samples)) as u32,
            });
        }
        left -= count;
        before = samples;
    }
    Fault::holds(format!("{what} time is out mp4 stsc chunks"))
}

fn chunks(track: &mut Track<'_>, part: &mut Part) -> Result<(), Fault> {
    let count = track.offsets.as_ref().map_or(0, |it| it.each.len() as u64);
    let Some(table) = &mut track.chunks else {
        return Fault::holds("no mp4 stsc atoms were found");
    };
    let entries = &mut table.entries;
    if entries.is_empty() {
        return Fault::holds("zero number of entries in stsc atom");
    }
    let start = place(entries, count, part.start, "start")?;
    part.first.chunk = start.chunk;
    part.first.samples = start.rest.into();
    entries.drain(..start.at);
    let id = entries[0][2];
    let left = start.samples - start.rest;
    entries[0][0] = (start.chunk + 1) as u32;
    if start.rest > 0 && start.next == start.chunk + 2 {
        entries[0][1] = left;
    } else if start.rest > 0 {
        track.first_chunk = Some([1, left, id]);
        entries[0][0] = (start.chunk + 2) as u32;
    }
    if let Some(end) = part.end {
        let mut sample = end - part.start;
        if let Some([_, samples, _]) = &mut track.first_chunk {
            *samples = (*samples).min(u32::try_from(sample).unwrap_or(u32::MAX));
            sample -= u64::from(*samples);
        }
        let end = place(entries, count, sample, "end")?;
        let first = u64::from(entries[end.at][0]) - 1;
        let id = entries[end.at][2];
        entries.truncate(end.at + usize::from(end.left > 0));
        part.last = Edge {
            chunk: end.chunk + u64::from(end.rest > 0),
            samples: match (end.rest, end.left) {
                (0, 0) => end.before.into(),
                (0, _) => end.samples.into(),
                (rest, _) => rest.into(),
            },
            bytes: 0,
        };
        if end.rest > 0 && end.chunk == first {
            entries[end.at][1] = end.rest;
        } else if end.rest > 0 {
            let chunk = part.last.chunk.wrapping_sub(part.first.chunk);
            track.last_chunk = Some([chunk as u32, end.rest, id]);
        }
    }
    for [chunk, _, _] in entries {
        *chunk = chunk.wrapping_sub(part.first.chunk as u32);
    }
    Ok(())
}

fn sizes(track: &mut Track<'_>, part: &mut Part, whole: Whole) -> Result<(), Fault> {
    let Some(each) = track.sizes.as_mut().and_then(|sizes| sizes.each.as_mut()) else {
        return Ok(());
    };
    let bytes_before = |sample: usize, edge: &Edge| {
        let start = usize::try_from(edge.samples).ok();
        let range = start.and_then(|samples| sample.checked_sub(samples))?..sample;
        let bytes = each[range].iter().map(|&size| u64::from(size)).sum();
        Some(bytes).filter(|&bytes| bytes <= whole.size)
    };
    let index = |sample: u64| usize::try_from(sample).ok().filter(|&at| at <= each.len());
    let Some(start) = index(part.start) else {
        return Fault::holds("start time is out mp4 stsz samples");
    };
    let Some(bytes) = bytes_before(start, &part.first) else {
        return Fault::holds("too large mp4 start samples size");
    };
    part.first.bytes = bytes;
    if let Some(end) = part.end {
        let Some(end) = index(end) else {
            return Fault::holds("end time is out mp4 stsz samples");
        };
        let Some(bytes) = bytes_before(end, &part.last) else {
            return Fault::holds("too large mp4 end samples size");
        };
        part.last.bytes = bytes;
        each.truncate(end);
    }
    each.drain(..start);
    Ok(())
}

fn offsets(track: &mut Track<'_>, part: &Part, whole: Whole) -> Result<Option<Range<u64>>, Fault> {
    let Some(offsets) = &mut track.offsets else {
        return Fault::holds("no mp4 stco atoms were found");
    };
    let (name, wide) = (offsets.name(), offsets.wide);
    let each = &mut offsets.each;
    let index = |chunk: u64| usize::try_from(chunk).ok().filter(|&at| at <= each.len());
    let Some(start) = index(part.first.chunk) else {
        return Fault::holds(format!("start time is out mp4 {name} chunks"));
    };
    if part.end.is_some() {
        match index(part.last.chunk) {
            Some(end) if end >= start => each.truncate(end),
            _ => return Fault::holds(format!("end time is out mp4 {name} chunks")),
        }
    }
    each.drain(..start);
    let moved = |offset: u64, by: u64| {
        let moved = offset.checked_add(by).filter(|&moved| moved <= whole.size);
        let moved = moved.filter(|&moved| wide || moved <= u32::MAX.into());
        moved.ok_or_else(|| Fault::Holds("too large chunk offset".into()))
    };
    let Some(first) = each.first_mut() else {
        return Ok(None);
    };
    *first = moved(*first, part.first.bytes)?;
    let start = *first;
    let end = match (part.end, each.last()) {
        (Some(_), Some(&last)) => moved(last, part.last.bytes)?,
        _ => whole.end,
    };
    Ok(Some(start..end))
}
