use std::fs::File;
use std::path::Path;

use super::super::LogFiles;
use super::*;

const LINE: &[u8] = b"123456789\n";

/// A backlog for 100 bytes, and the places of two logs in it.
fn backlog(streams: [Option<bool>; 2]) -> (Backlog, [usize; 2]) {
    let mut backlog = Backlog::new(100);
    let places = streams.map(|stream| {
        let log = LogFiles::default().open(Path::new("/dev/null"));
        let place = backlog.place(&log.expect("opened"));
        backlog.shares[place].stream = stream;
        place
    });
    (backlog, places)
}

/// Lines that a log takes before it has to wait, or is stuck.
fn fill(backlog: &mut Backlog, place: usize) -> (usize, Room) {
    for lines in 0.. {
        match backlog.room(place, LINE.len()) {
            Room::Now => backlog.append(place, LINE),
            room => return (lines, room),
        }
    }
    unreachable!("the room is endless");
}

#[test]
fn a_file_may_fill_it_and_a_stream_half_of_it() {
    for (stream, expected) in [(Some(false), 10), (Some(true), 5), (None, 5)] {
        let (mut backlog, [one, _]) = backlog([stream; 2]);
        assert_eq!(fill(&mut backlog, one), (expected, Room::Soon(PATIENCE)));
        assert!(backlog.has_work());
    }
}

#[test]
fn a_blocked_stream_leaves_room_and_is_waited_for_until_it_is_stuck() {
    let (mut backlog, [stream, file]) = backlog([Some(true), Some(false)]);
    fill(&mut backlog, stream);
    let Some(Part::Lines(lines)) = backlog.take(stream).map(|work| work.part) else {
        panic!("there are lines");
    };
    backlog.give_back(stream, lines);
    assert!(backlog.is_blocked(stream) && !backlog.has_work());
    assert!(matches!(backlog.room(stream, 10), Room::Soon(_)));
    backlog.shares[stream].moved -= PATIENCE;
    assert_eq!(backlog.room(stream, 10), Room::Never);
    assert_eq!(fill(&mut backlog, file).0, 5);
    assert!(backlog.refuse(stream, LINE) && !backlog.refuse(stream, LINE));
}

#[test]
fn what_is_written_for_too_long_is_stuck() {
    let (mut backlog, [one, other]) = backlog([Some(false); 2]);
    fill(&mut backlog, one);
    backlog.take(one).expect("lines");
    assert!(matches!(backlog.room(other, 1), Room::Soon(_)));
    backlog.writing.as_mut().expect("it writes").since -= PATIENCE;
    assert_eq!(backlog.room(other, 1), Room::Never);
    backlog.written(one, LINE);
    assert_eq!(backlog.room(other, 10), Room::Now);
    assert!(matches!(backlog.room(other, 11), Room::Soon(_)));
    backlog.fail(one, &LINE.repeat(9), io::ErrorKind::Other.into());
    assert_eq!((backlog.bytes(), backlog.room(one, 100)), (0, Room::Now));
    assert_eq!(backlog.room(one, 1000), Room::Now, "alone");
}

#[test]
fn a_file_that_cannot_be_opened_or_closed_is_stuck_as_well() {
    let file = || File::open("/dev/null").expect("opened").into();
    for part in [Part::Replace(file()), Part::Reopen] {
        let (mut backlog, [one, other]) = backlog([Some(false); 2]);
        backlog.push(one, part);
        fill(&mut backlog, other);
        backlog.take(one).expect("a part");
        assert!(matches!(backlog.room(other, 1), Room::Soon(_)));
        backlog.writing.as_mut().expect("it works").since -= PATIENCE;
        assert_eq!(backlog.room(other, 1), Room::Never);
        backlog.replaced(one);
        assert_eq!(backlog.room(other, 1), Room::Soon(PATIENCE));
    }
}

#[test]
fn all_that_is_given_up_is_counted() {
    let (mut backlog, [one, other]) = backlog([Some(false); 2]);
    backlog.append(one, LINE);
    backlog.append(other, LINE);
    backlog.append(other, LINE);
    let told: Vec<String> = backlog.close().into_iter().map(|news| news.1).collect();
    let text = |lines| format!("\"/dev/null\" takes no lines, {lines} were lost");
    assert_eq!(told, [text("1 line"), text("2 lines")]);
    assert_eq!(backlog.bytes(), 0);
}
