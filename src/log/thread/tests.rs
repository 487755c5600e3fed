use std::fs;
use std::io::{PipeReader, Read, pipe};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::LogFiles;
use super::*;

/// A time that is never needed.
const LIMIT: Duration = Duration::from_secs(60);

/// A queue with its thread, which lives as long as the tests.
fn queue(capacity: usize) -> Arc<Queue> {
    let queue = Arc::new(Queue::new(capacity).expect("a queue"));
    let theirs = Arc::clone(&queue);
    std::thread::spawn(move || run(&theirs));
    queue
}

fn open(path: &Path) -> Arc<LogFile> {
    LogFiles::default().open(path).expect("opened")
}

/// A log that is a pipe, and its reader.
fn stream() -> (PipeReader, Arc<LogFile>) {
    let (reader, writer) = pipe().expect("a pipe");
    let log = open(Path::new("/dev/null"));
    log.replace(writer.as_fd()).expect("replaced");
    (reader, log)
}

fn line(number: usize) -> Vec<u8> {
    format!("{number:099}\n").into()
}

/// The numbers of all lines, which must be whole.
fn numbers(text: &[u8]) -> Vec<usize> {
    let number = |line: &[u8]| {
        assert_eq!(line.len(), 100, "a line in pieces: {line:?}");
        let text = str::from_utf8(&line[..99]).expect("digits");
        text.parse().expect("a number")
    };
    text.chunks(100).map(number).collect()
}

#[test]
fn lines_go_to_the_file_of_their_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let queue = queue(1 << 20);
    let log = open(&path);
    for number in 0..1000 {
        queue.push(&log, &line(number));
        if number % 100 == 99 {
            let new = open(&folder.path().join(number.to_string()));
            let new = new.as_fd().try_clone_to_owned().expect("cloned");
            queue.push_part(&log, Part::Replace(new));
        }
    }
    queue.finish(LIMIT);
    let mut place = path;
    for piece in 0..10 {
        let text = fs::read(&place).expect("read");
        let expected: Vec<usize> = (piece * 100..piece * 100 + 100).collect();
        assert_eq!(numbers(&text), expected);
        place = folder.path().join((piece * 100 + 99).to_string());
    }
}

#[test]
fn a_log_that_moves_loses_nothing_however_slow() {
    const LINES: usize = 5000;
    let queue = queue(16 << 10);
    let (mut reader, log) = stream();
    let slow = std::thread::spawn(move || {
        let (mut text, mut piece) = (Vec::new(), [0; 1000]);
        while text.len() < LINES * 100 {
            let count = reader.read(&mut piece).expect("read");
            text.extend_from_slice(&piece[..count]);
        }
        text
    });
    (0..LINES).for_each(|number| queue.push(&log, &line(number)));
    let text = slow.join().expect("read");
    assert!(numbers(&text).into_iter().eq(0..LINES));
}

#[test]
fn a_stream_that_nobody_reads_holds_up_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue(64 << 10);
    let (mut reader, stuck) = stream();
    let file = open(&folder.path().join("log"));
    let start = Instant::now();
    for number in 0..5000 {
        queue.push(&stuck, &line(number));
        queue.push(&file, &line(number));
    }
    queue.finish(Duration::from_millis(1));
    assert!(start.elapsed() < Duration::from_secs(5));
    let written = fs::read(file.path()).expect("read");
    assert!(numbers(&written).into_iter().eq(0..5000), "none is lost");

    queue.push(&stuck, &line(5000));
    let mut text = Vec::new();
    while numbers(&text).last() != Some(&5000) {
        let mut next = [0; 100];
        reader.read_exact(&mut next).expect("read");
        text.extend_from_slice(&next);
    }
    let mut taken = numbers(&text);
    taken.pop();
    assert!(
        taken.iter().copied().eq(0..taken.len()),
        "the oldest are kept"
    );
    assert!(taken.len() < 3000, "lines beyond the room are lost");
}

#[test]
fn the_successor_of_a_stuck_stream_gets_its_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue(1 << 20);
    let (mut reader, log) = stream();
    (0..2000).for_each(|number| queue.push(&log, &line(number)));
    let new = open(&folder.path().join("log"));
    let descriptor = new.as_fd().try_clone_to_owned().expect("cloned");
    queue.push_part(&log, Part::Replace(descriptor));
    queue.push(&log, &line(2000));
    queue.finish(LIMIT);
    drop(log);
    let mut all = vec![0; 200_100 - fs::metadata(new.path()).expect("it is").len() as usize];
    reader.read_exact(&mut all).expect("read");
    all.extend(fs::read(new.path()).expect("read"));
    assert!(numbers(&all).into_iter().eq(0..=2000));
}

#[test]
fn a_full_disk_loses_lines_and_no_time() {
    let queue = queue(16 << 10);
    let full = open(Path::new("/dev/full"));
    let before = super::super::lost();
    (0..1000).for_each(|number| queue.push(&full, &line(number)));
    queue.finish(LIMIT);
    assert!(super::super::lost() >= before + 1000);
}

#[test]
fn the_end_does_not_wait_for_a_stuck_log() {
    let queue = queue(1 << 20);
    let (_reader, log) = stream();
    let before = super::super::lost();
    (0..2000).for_each(|number| queue.push(&log, &line(number)));
    let start = Instant::now();
    queue.finish(Duration::from_millis(50));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(super::super::lost() >= before + 1000);
}

#[test]
fn pieces_end_with_lines() {
    let cases: [(&[u8], usize, &[u8]); 6] = [
        (b"a\nb\n", 9, b"a\nb\n"),
        (b"a\nb\n", 4, b"a\nb\n"),
        (b"a\nb\n", 3, b"a\n"),
        (b"abc\nb\n", 2, b"abc\n"),
        (b"abc\nb\n", 4, b"abc\n"),
        (b"rest", 2, b"rest"),
    ];
    for (lines, size, expected) in cases {
        assert_eq!(whole_lines(lines, size), expected, "{lines:?} by {size}");
    }
}
