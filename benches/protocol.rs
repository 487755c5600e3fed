//! One request of a browser and its answer, through a connection and no further: the cost of the
//! protocol itself. Prints nanoseconds per request; counts of instructions are steadier:
//!
//! `valgrind --tool=callgrind --toggle-collect='*protocol::serve*' BENCH 1000`

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use forkful::http::{Bytes, Clock, Connection, Event, Length, Limits, Piece, Pool, ResponseHead};
use forkful::http::{Trailers, path};

const REQUEST: &[u8] = b"GET /assets/app/main.3f2a9c.js?v=17 HTTP/1.1\r\n\
Host: www.example.com\r\n\
Connection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"130\", \"Google Chrome\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
Accept: */*\r\n\
Sec-Fetch-Site: same-origin\r\n\
Sec-Fetch-Mode: no-cors\r\n\
Sec-Fetch-Dest: script\r\n\
Referer: https://www.example.com/some/page.html\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r\n\
If-None-Match: \"65f2a9c0-1b2c3\"\r\n\
If-Modified-Since: Thu, 14 Mar 2024 08:00:00 GMT\r\n\r\n";

const CLOCK: Clock<'_> = Clock {
    date: b"Sun, 06 Nov 1994 08:49:37 GMT",
};

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let count: u32 = count.unwrap_or(1_000_000);
    let pool = Pool::new();
    let mut connection = Connection::new(Rc::new(Limits::default()), pool.clone());
    let start = Instant::now();
    for _ in 0..count {
        serve(&mut connection, &pool);
    }
    println!(
        "{:.0} ns per request",
        start.elapsed().as_nanos() as f64 / f64::from(count)
    );
}

/// Takes one request in and its answer out.
#[inline(never)]
fn serve(connection: &mut Connection, pool: &Pool) {
    connection.received(black_box(REQUEST));
    while let Some(event) = connection.event() {
        if let Event::Head(id, head) = event {
            black_box(path::normalise(head.path(), true).expect("the path is valid"));
            connection.answer(id, &answer(), Length::Known(13), &CLOCK);
            connection.piece(id, Piece::Bytes("Hello, world\n".into()));
            connection.finish(id, &Trailers::new());
            pool.recycle(head);
        }
    }
    let output = connection.output();
    let length: usize = output.slices().iter().map(|slice| slice.len()).sum();
    connection.sent(black_box(length) as u64);
    while connection.event().is_some() {}
}

fn answer() -> ResponseHead {
    let field = |name: &'static str, value: &'static str| (Bytes::from(name), Bytes::from(value));
    ResponseHead {
        status: 200,
        server: "forkful".into(),
        content_type: Some("application/javascript".into()),
        last_modified: Some(1_710_403_200),
        fields: vec![
            field("ETag", "\"65f2a9c0-d\""),
            field("Accept-Ranges", "bytes"),
        ],
        keep_alive: true,
        ..ResponseHead::default()
    }
}
