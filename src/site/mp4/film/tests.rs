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

#[test]
fn a_whole_film_is_sent_as_it_is_if_it_can_be_played_so() {
    let mut film = Sample::new(2);
    assert!(matches!(
        cut_with(&film.bytes(), LIMITS, span(0, 0)),
        Ok(Cut::Part(..))
    ));
    film.tables_first = true;
    assert!(matches!(
        cut_with(&film.bytes(), LIMITS, span(0, 0)),
        Ok(Cut::Whole)
    ));
}

#[test]
fn a_track_that_is_over_is_left_out() {
    let mut film = Sample::new(10);
    film.tracks[1] = sample::Track::sound(4);
    let sent = sent(&film.bytes(), span(5000, 0)).expect("sent");
    assert_eq!(played(&sent).len(), 1);
}

/// The film with one thing replaced by another of the same length.
fn mended(film: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = film.windows(from.len()).position(|window| window == from);
    let at = at.unwrap_or_else(|| panic!("no {:?}", from.escape_ascii()));
    [&film[..at], to, &film[at + to.len()..]].concat()
}

#[test]
fn what_does_not_fit_together_is_told() {
    let film = Sample::new(10).bytes();
    let tables = film
        .windows(4)
        .rposition(|name| name == b"moov")
        .expect("there")
        - 4;
    let twice = [&film[..], &film[tables..]].concat();
    for (file, start, expected) in [
        (
            film.clone(),
            11_000,
            "\"f\" mp4 start time exceeds file duration",
        ),
        (
            film.clone(),
            u64::MAX,
            "\"f\" mp4 start time exceeds file duration",
        ),
        (
            film[..tables].to_vec(),
            1000,
            "no mp4 trak atoms were found in \"f\"",
        ),
        (
            film[tables..].to_vec(),
            1000,
            "no mp4 mdat atom was found in \"f\"",
        ),
        (
            film[..film.len() - 1].to_vec(),
            1000,
            "\"f\" mp4 atom too large:6010",
        ),
        (
            film[..tables + 6].to_vec(),
            1000,
            "\"f\" mp4 atom too large:6010",
        ),
        (Vec::new(), 1000, "no mp4 trak atoms were found in \"f\""),
        (
            b"\0\0\0\x07mdat".to_vec(),
            1000,
            "\"f\" mp4 atom is too small:7",
        ),
        (
            mended(&film, b"mvhd", b"cmov"),
            1000,
            "\"f\" mp4 compressed moov atom (cmov) is not supported",
        ),
        (
            mended(&film, b"free", b"ftyp"),
            1000,
            "duplicate mp4 ftyp atom in \"f\"",
        ),
        (
            mended(&film, b"free", b"mdat"),
            1000,
            "duplicate mp4 mdat atom in \"f\"",
        ),
        (
            mended(&film, b"stts", b"free"),
            1000,
            "no mp4 stts atoms were found in \"f\"",
        ),
        (
            mended(&film, b"stsc", b"free"),
            1000,
            "no mp4 stsc atoms were found in \"f\"",
        ),
        (
            mended(&film, b"stco", b"free"),
            1000,
            "no mp4 stco atoms were found in \"f\"",
        ),
        (
            mended(&film, b"ctts", b"stts"),
            1000,
            "duplicate mp4 stts atom in \"f\"",
        ),
        (
            mended(&film, b"stco\0\0\0\0\0\0\0", b"stco\0\0\0\0\x7f\xff\xff"),
            1000,
            "\"f\" mp4 stco atom too small",
        ),
        (
            mended(
                &film,
                b"stsz\0\0\0\0\0\0\0\0\0",
                b"stsz\0\0\0\0\0\0\0\0\xff",
            ),
            1000,
            "\"f\" mp4 stsz atom too small",
        ),
    ] {
        let said = sent(&file, span(start, 0)).expect_err(expected);
        assert_eq!(said, expected);
    }
    assert!(
        sent(&twice, span(1000, 0)).is_ok(),
        "nothing behind both is read"
    );
    let nothing = sent(&film, span(0, 1)).expect_err("nothing");
    assert_eq!(nothing, "no data between start time and end time in \"f\"");
}

#[test]
fn tables_larger_than_allowed_are_refused() {
    let film = Sample::new(10).bytes();
    for (buffer, most, fits) in [
        (16, 6002, true),
        (16, 6001, false),
        (6002, 0, true),
        (0, 7000, true),
    ] {
        let cut = cut_with(&film, Limits { buffer, most }, span(1000, 0));
        assert_eq!(cut.is_ok(), fits, "{buffer} {most}: {cut:?}");
    }
}

proptest::proptest! {
    /// Nothing that is in a file is believed: whatever is changed in it, what is sent is in it.
    #[test]
    fn a_broken_film_does_no_harm(
        changes in proptest::collection::vec((0..20_000usize, proptest::num::u8::ANY), 0..6),
        numbers in proptest::collection::vec((0..5_000usize, 0..6usize), 0..4),
        start in 0..12_000u64,
        length in 0..4_000u64,
        shape in 0..8u8,
    ) {
        let mut film = Sample::new(10);
        film.tables_first = shape & 1 > 0;
        film.wide_offsets = shape & 2 > 0;
        let mut file = film.bytes();
        let tables = file.windows(4).position(|name| name == b"moov").expect("there");
        for (at, byte) in changes {
            let at = tables + at % (file.len() - tables);
            file[at] = byte;
        }
        for (at, number) in numbers {
            let at = (tables + 4 * at) % (file.len() - 4);
            let number = [0, 1, u32::MAX, 1 << 31, 0x0fff_ffff, 8][number];
            file[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        let span = Span { start, length, key_frames: shape & 4 > 0 };
        if let Ok(Cut::Part(_, range)) = cut_with(&file, LIMITS, span) {
            proptest::prop_assert!(range.start < range.end && range.end <= file.len() as u64);
        }
    }
}
