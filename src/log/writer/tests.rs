use std::fs;

use tempfile::TempDir;

use super::super::LogFiles;
use super::*;

/// A writer to a new log in `folder`, and what that log holds.
fn writer(folder: &TempDir, buffering: Option<Buffering>) -> (Writer, impl Fn() -> String) {
    let path = folder.path().join("access.log");
    let log = LogFiles::default().open(&path).expect("opened");
    let writer = Writer::new(log, buffering);
    (writer, move || fs::read_to_string(&path).expect("read"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn unbuffered_lines_are_there_at_once() {
    let folder = folder();
    let (mut writer, log) = writer(&folder, None);
    let long = "x".repeat(10_000) + "\n";
    writer.write(b"one\n", Instant::now());
    writer.write(long.as_bytes(), Instant::now());
    assert_eq!(log(), format!("one\n{long}"));
    assert_eq!(writer.deadline(), None);
}

#[test]
fn a_buffer_is_written_in_whole_lines() {
    let folder = folder();
    let (mut writer, log) = writer(
        &folder,
        Some(Buffering {
            size: 10,
            flush: None,
        }),
    );
    let now = Instant::now();
    writer.write(b"1234\n", now);
    writer.write(b"5678\n", now);
    assert_eq!(log(), "", "it fits exactly");
    writer.write(b"9\n", now);
    assert_eq!(log(), "1234\n5678\n");
    writer.write(b"longer than the buffer\n", now);
    assert_eq!(log(), "1234\n5678\n9\nlonger than the buffer\n", "in order");
    writer.write(b"last\n", now);
    assert_eq!(writer.deadline(), None);
    writer.flush();
    writer.flush();
    assert!(log().ends_with("buffer\nlast\n"));
}

#[test]
fn the_deadline_is_the_first_lines() {
    let folder = folder();
    let flush = Some(Duration::from_secs(5));
    let (mut writer, log) = writer(&folder, Some(Buffering { size: 1000, flush }));
    let start = Instant::now();
    assert_eq!(writer.deadline(), None);
    writer.write(b"1\n", start);
    writer.write(b"2\n", start + Duration::from_secs(3));
    assert_eq!(writer.deadline(), Some(start + Duration::from_secs(5)));
    writer.flush();
    assert_eq!(log(), "1\n2\n");
    assert_eq!(writer.deadline(), None);
}
