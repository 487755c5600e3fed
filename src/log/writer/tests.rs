use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use tempfile::TempDir;

use super::super::{LogFiles, Sink, Target};
use super::*;

fn open(path: &Path) -> Arc<LogFile> {
    LogFiles::default().open(path).expect("opened")
}

/// A writer to a new log in `folder`, and what that log holds.
fn writer(folder: &TempDir, buffering: Option<Buffering>) -> (Writer, impl Fn() -> String) {
    let path = folder.path().join("access.log");
    let writer = Writer::new(open(&path), buffering, ErrorLog::new(Vec::new()));
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
    writer.flush(now);
    writer.flush(now);
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
    writer.flush(start + Duration::from_secs(5));
    assert_eq!(log(), "1\n2\n");
    assert_eq!(writer.deadline(), None);
}

#[test]
fn lost_lines_are_counted_and_told_once_a_minute() {
    let folder = folder();
    let path = folder.path().join("error.log");
    let sink = Sink {
        level: Level::Error,
        target: Target::File(open(&path)),
    };
    let full = open(Path::new("/dev/full"));
    let buffering = Some(Buffering {
        size: 4,
        flush: None,
    });
    let mut writer = Writer::new(full, buffering, ErrorLog::new(vec![sink]));
    let told = || {
        let text = fs::read_to_string(&path).expect("read");
        text.lines()
            .map(|l| l.split_once(": ").expect("a line").1.to_owned())
            .collect::<Vec<_>>()
    };
    let start = Instant::now();
    let line = |writer: &mut Writer, seconds: u64| {
        writer.write(b"1\n", start + Duration::from_secs(seconds));
    };
    (0..3).for_each(|_| line(&mut writer, 0));
    let failed = "write() to \"/dev/full\" failed (28: No space left on device)";
    assert_eq!(told(), [format!("{failed}, 2 lines lost")]);
    (0..4).for_each(|_| line(&mut writer, 59));
    assert_eq!(told().len(), 1, "not within the minute");
    writer.flush(start + Duration::from_secs(60));
    assert_eq!(told()[1..], [format!("{failed}, 5 lines lost")]);
}

#[test]
fn what_was_written_before_a_failure_is_not_lost() {
    // A socket whose reader is slow takes a part, then nothing.
    let (mut reader, socket) = UnixStream::pair().expect("a pair");
    socket.set_nonblocking(true).expect("nonblocking");
    let log = open(Path::new("/dev/null"));
    log.replace(socket.as_fd()).expect("replaced");
    drop(socket);
    let lines = ("x".repeat(99_999) + "\n").repeat(40).into_bytes();
    let mut writer = Writer::new(log, None, ErrorLog::new(Vec::new()));
    writer.alerted = Some(Instant::now());
    writer.write(&lines, Instant::now());
    let lost = writer.lost;
    drop(writer);

    let mut written = Vec::new();
    reader.read_to_end(&mut written).expect("read");
    assert!(!written.is_empty() && written.len() < lines.len());
    let whole = written.iter().filter(|&&byte| byte == b'\n').count() as u64;
    assert_eq!(whole + lost, 40, "a line written in part is a lost one");
}
