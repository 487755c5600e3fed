use std::path::Path;

use super::*;
use crate::site::mp4::sample::{self, Film as Sample};

const LIMITS: Limits = Limits {
    buffer: 512 << 10,
    most: 10 << 20,
};

fn span(start: u64, length: u64) -> Span {
    Span {
        start,
        length,
        key_frames: false,
    }
}

fn cut_with(file: &[u8], limits: Limits, span: Span) -> Result<Cut, Fault> {
    let read = |at: u64, buffer: &mut [u8]| {
        let rest = file.get(at as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    };
    cut(file.len() as u64, read, limits, span)
}

/// What is sent of a file, or what is said about it.
fn sent(file: &[u8], span: Span) -> Result<Vec<u8>, String> {
    match cut_with(file, LIMITS, span) {
        Ok(Cut::Whole) => Ok(file.to_vec()),
        Ok(Cut::Part(head, range)) => {
            let data = &file[range.start as usize..range.end as usize];
            Ok([&head[..], data].concat())
        }
        Err(fault) => Err(fault.about(Path::new("f")).to_string()),
    }
}

/// What a player finds in an atom: the data of those of a name.
fn inside<'a>(data: &'a [u8], name: &[u8; 4]) -> Vec<&'a [u8]> {
    let atoms = Atoms(data).map(|atom| atom.expect("sound"));
    atoms
        .filter(|(known, _)| *known == name)
        .map(|(_, data)| data)
        .collect()
}

fn numbers(data: &[u8]) -> Vec<u64> {
    let numbers = data
        .chunks_exact(4)
        .map(|number| atom::u32_at(number, 0).into());
    numbers.collect()
}

/// The entries of a table.
fn entries(tables: &[u8], name: &[u8; 4]) -> Vec<u64> {
    let table = inside(tables, name);
    table
        .first()
        .map_or(Vec::new(), |table| numbers(&table[8..]))
}

/// A track as a player reads it.
#[derive(Debug, Default, PartialEq)]
struct Played {
    samples: Vec<Vec<u8>>,
    times: Vec<u64>,
    key_frames: Vec<u64>,
    compositions: Vec<u64>,
    duration: u64,
    skipped: Option<u64>,
}

fn spread(entries: &[u64]) -> Vec<u64> {
    let runs = entries.chunks_exact(2);
    runs.flat_map(|run| vec![run[1]; run[0] as usize]).collect()
}

fn played(file: &[u8]) -> Vec<Played> {
    let film = inside(file, b"moov")[0];
    inside(film, b"trak")
        .into_iter()
        .map(|track| play(file, track))
        .collect()
}

fn play(file: &[u8], track: &[u8]) -> Played {
    let media = inside(track, b"mdia")[0];
    let tables = inside(inside(media, b"minf")[0], b"stbl")[0];
    let sizes = numbers(inside(tables, b"stsz")[0]);
    let wide = entries(tables, b"co64");
    let wide = wide.chunks_exact(2).map(|it| it[0] << 32 | it[1]);
    let offsets = entries(tables, b"stco").into_iter().chain(wide);
    let chunks = entries(tables, b"stsc");
    let mut number = 0;
    let mut samples = Vec::new();
    for (chunk, offset) in offsets.enumerate() {
        let entry = chunks
            .chunks_exact(3)
            .take_while(|entry| entry[0] <= chunk as u64 + 1);
        let mut at = offset as usize;
        for _ in 0..entry.last().expect("an entry")[1] {
            let size = if sizes[1] > 0 {
                sizes[1]
            } else {
                sizes[3 + number]
            } as usize;
            samples.push(file[at..at + size].to_vec());
            (at, number) = (at + size, number + 1);
        }
    }
    let header = Timed::read(
        "mdhd",
        inside(media, b"mdhd")[0],
        super::super::timed::MEDIA,
    );
    let edit = inside(track, b"edts")
        .first()
        .map(|edit| atom::u64_at(inside(edit, b"elst")[0], 16));
    Played {
        samples,
        times: spread(&entries(tables, b"stts")),
        key_frames: entries(tables, b"stss"),
        compositions: spread(&entries(tables, b"ctts")),
        duration: header.expect("sound").duration(),
        skipped: edit,
    }
}

/// What a player should find of a track.
fn expected(track: &sample::Track, span: Span) -> Played {
    let in_track = |ms: u64| ms * u64::from(track.timescale) / 1000;
    let times: Vec<u64> = track.times.iter().map(|&time| time.into()).collect();
    let passed = |from: usize, time: u64| {
        let mut left = time;
        let whole = times[from..].iter().take_while(|&&time| {
            let fits = time <= left;
            left = left.saturating_sub(time);
            fits
        });
        from + whole.count()
    };
    let wanted = passed(0, in_track(span.start));
    let frames = track.key_frames.iter().map(|&frame| frame as usize);
    let frame = frames
        .clone()
        .take_while(|frame| *frame <= wanted + 1)
        .last();
    let start = frame
        .filter(|_| span.key_frames)
        .map_or(wanted, |frame| frame - 1);
    let skipped: u64 = times[start..wanted].iter().sum();
    let end = match span.length {
        0 => times.len(),
        length => passed(start, in_track(length) + skipped),
    };
    let all: u64 = times.iter().sum();
    let left = all - in_track(span.start);
    let duration = if span.length > 0 {
        left.min(in_track(span.length))
    } else {
        left
    };
    let within = |frame: &usize| (start + 1..=end).contains(frame);
    let compositions = &track.compositions;
    Played {
        samples: (start..end)
            .map(|number| track.sample(number as u32))
            .collect(),
        times: times[start..end].to_vec(),
        key_frames: frames
            .filter(within)
            .map(|frame| (frame - start) as u64)
            .collect(),
        compositions: match compositions.is_empty() {
            true => Vec::new(),
            false => compositions[start..end]
                .iter()
                .map(|&it| it.into())
                .collect(),
        },
        duration: duration + skipped,
        skipped: Some(skipped).filter(|&skipped| skipped > 0),
    }
}

#[test]
fn what_was_asked_for_is_played() {
    for (tables_first, wide_offsets, wide_times) in [
        (false, false, false),
        (true, false, true),
        (false, true, true),
        (true, true, false),
    ] {
        let film = Sample {
            tables_first,
            wide_offsets,
            wide_times,
            ..Sample::new(10)
        };
        let file = film.bytes();
        for (start, length) in [
            (0, 3000),
            (1, 0),
            (40, 0),
            (160, 0),
            (2500, 1500),
            (2710, 2900),
            (4999, 10),
            (5000, 5000),
            (7100, 0),
            (9000, 60000),
            (9700, 0),
        ] {
            for key_frames in [false, true] {
                let span = Span {
                    key_frames,
                    ..span(start, length)
                };
                let sent = sent(&file, span).expect("sent");
                let expected: Vec<_> = film.tracks.iter().map(|it| expected(it, span)).collect();
                assert_eq!(
                    played(&sent),
                    expected,
                    "{span:?} {tables_first} {wide_offsets}"
                );
            }
        }
    }
}
