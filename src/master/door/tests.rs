//! A door in a poll, and clients that behave or do not.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use mio::Poll;

use super::*;

/// A door under a name of its own: that of the process would be another test's as well.
struct House {
    poll: Poll,
    door: Door,
    address: SocketAddr,
}

impl House {
    fn new(name: &str) -> House {
        let poll = Poll::new().expect("a poll");
        let name = format!("forkful-test/{}/{name}", process::pid());
        let address = SocketAddr::from_abstract_name(name).expect("short");
        let mut listener = UnixListener::bind_addr(&address).expect("bound");
        let registry = poll.registry();
        registry
            .register(&mut listener, LISTENER, Interest::READABLE)
            .expect("registered");
        let door = Door {
            listener: Some(listener),
            clients: Slab::new(),
            last: 0,
        };
        House {
            poll,
            door,
            address,
        }
    }

    fn visitor(&self) -> UnixStream {
        let stream = UnixStream::connect_addr(&self.address).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("set");
        stream
    }

    /// One turn of the master's loop.
    fn turn(&mut self, now: Instant) -> Vec<(u64, Question)> {
        let mut ready = Events::with_capacity(64);
        self.poll
            .poll(&mut ready, Some(Duration::ZERO))
            .expect("polled");
        self.door.serve(self.poll.registry(), &ready, now)
    }

    /// Turns until nothing more happens.
    fn turns(&mut self) -> Vec<(u64, Question)> {
        (0..8).flat_map(|_| self.turn(Instant::now())).collect()
    }
}

fn all_of(mut stream: &UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read to the end");
    text
}

#[test]
fn a_question_is_heard_and_answered() {
    let mut house = House::new("heard");
    let mut visitor = house.visitor();
    visitor.write_all(b"sta").expect("sent");
    assert_eq!(house.turns(), []);
    visitor.write_all(b"tus json\n").expect("sent");
    let asked = house.turns();
    assert_eq!(asked, [(1, Question::Status(Form::Json))]);
    house
        .door
        .answer(1, &Answer::Done("{}\n".into()), Instant::now());
    assert_eq!(all_of(&visitor), "wait\ndone 3\n{}\n");
    assert!(house.door.clients.is_empty());
    house
        .door
        .answer(1, &Answer::Done("late".into()), Instant::now());
}

#[test]
fn what_is_no_question_is_refused() {
    let mut house = House::new("refused");
    let long = [b'x'; 1000];
    for said in [&b"reload now\n"[..], b"\n", b"\0\xff\n", &long] {
        let mut visitor = house.visitor();
        visitor.write_all(said).expect("sent");
        assert_eq!(house.turns(), []);
        let mut answer = [0; 26];
        visitor.read_exact(&mut answer).expect("answered");
        assert_eq!(&answer, b"failed 16\nno such question");
        assert!(house.door.clients.is_empty());
    }
}

#[test]
fn who_leaves_is_forgotten() {
    let mut house = House::new("leaves");
    drop(house.visitor());
    let mut half = house.visitor();
    half.write_all(b"relo").expect("sent");
    drop(half);
    let mut asking = house.visitor();
    asking.write_all(b"reload\n").expect("sent");
    assert_eq!(house.turns().len(), 1);
    assert_eq!(house.door.clients.len(), 1);
    drop(asking);
    house.turns();
    assert!(house.door.clients.is_empty());
}

#[test]
fn who_waits_and_speaks_again_is_let_go() {
    let mut house = House::new("speaks");
    let mut visitor = house.visitor();
    visitor.write_all(b"reload\n").expect("sent");
    assert_eq!(house.turns().len(), 1);
    visitor.write_all(b"reload\n").expect("sent");
    assert_eq!(house.turns(), []);
    assert!(house.door.clients.is_empty());
}

#[test]
fn who_says_nothing_or_reads_nothing_is_given_up_in_time() {
    let mut house = House::new("late");
    let silent = house.visitor();
    let mut deaf = house.visitor();
    deaf.write_all(b"status\n").expect("sent");
    let (deaf_number, _) = house.turns()[0];
    assert!(house.door.deadline().is_some());
    let now = Instant::now();
    house
        .door
        .answer(deaf_number, &Answer::Done("x".repeat(10 << 20)), now);
    assert_eq!(house.door.clients.len(), 2, "neither is late");
    let due = house.door.deadline().expect("both have one");
    assert!(due <= now + Duration::from_secs(5), "{due:?}");
    house.turn(now + Duration::from_secs(60));
    assert!(house.door.clients.is_empty() && house.door.deadline().is_none());
    assert_eq!(all_of(&silent), "");
}

#[test]
fn who_waits_for_the_master_has_time() {
    let mut house = House::new("time");
    let mut visitor = house.visitor();
    visitor.write_all(b"reload\n").expect("sent");
    assert_eq!(house.turns().len(), 1);
    assert_eq!(house.door.deadline(), None);
    house.turn(Instant::now() + Duration::from_secs(3600));
    assert_eq!(house.door.clients.len(), 1);
}

#[test]
fn a_long_answer_arrives_whole_at_a_slow_reader() {
    let mut house = House::new("long");
    let mut visitor = house.visitor();
    visitor.write_all(b"status\n").expect("sent");
    assert_eq!(house.turns().len(), 1);
    let text = "0123456789".repeat(1 << 20);
    house
        .door
        .answer(1, &Answer::Done(text.clone()), Instant::now());
    assert!(!house.door.clients.is_empty(), "it does not fit at once");
    let reader = thread::spawn(move || all_of(&visitor));
    while !house.door.clients.is_empty() {
        let mut ready = Events::with_capacity(64);
        house
            .poll
            .poll(&mut ready, Some(Duration::from_secs(10)))
            .expect("polled");
        house
            .door
            .serve(house.poll.registry(), &ready, Instant::now());
    }
    let all = reader.join().expect("read");
    assert_eq!(all, format!("wait\ndone {}\n{text}", text.len()));
}

#[test]
fn a_crowd_is_served_and_bounded() {
    let mut house = House::new("crowd");
    let visitors: Vec<_> = (0..MOST + 3).map(|_| house.visitor()).collect();
    assert_eq!(house.turn(Instant::now()), []);
    assert_eq!(house.door.clients.len(), AT_ONCE, "no more in one turn");
    house.turns();
    assert_eq!(house.door.clients.len(), MOST);
    for visitor in &visitors[MOST..] {
        assert_eq!(all_of(visitor), "failed 20\ntoo many ask at once");
    }
}

#[test]
fn answers_are_read_as_they_were_meant() {
    for (done, answer) in [
        (true, Answer::Done("a\nb".into())),
        (false, Answer::Failed(String::new())),
    ] {
        let message = String::from_utf8(answer.message()).expect("text");
        let (head, text) = message.split_once('\n').expect("a line");
        let seen = Answer::head(&format!("{head}\n")).expect("a head");
        assert_eq!(seen, (done, text.len() as u64));
    }
    for wrong in [
        "",
        "done\n",
        "done x\n",
        "done 1",
        "done 99999999999\n",
        "hello 1\n",
        "done -1\n",
    ] {
        assert!(Answer::head(wrong).is_none(), "{wrong:?}");
    }
}
