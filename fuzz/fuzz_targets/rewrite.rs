//! Instructions, maps and templates: whatever a request brings along, they come to an end, and
//! what they make splits no head.

#![no_main]

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use forkful::conf::outside::Outside;
use forkful::conf::parse::{self, Start};
use forkful::conf::template::{self, Part};
use forkful::files::{Found, Query};
use forkful::http::{self, Connection, Event, Pool};
use forkful::site::clock::Clock;
use forkful::site::draft::{Draft, Site, World};
use forkful::site::env::{Env, Need, Wake};
use forkful::site::exchange::{Exchange, Link};
use forkful::site::run::{Step, run};
use forkful::sys::file::{Kind, Meta};
use forkful::sys::socket::{Address, Listener, Options, PeerAddress, Stream};
use libfuzzer_sys::fuzz_target;

const SITE: &str = r#"
    access_log off;
    map $arg_m $mapped { default $uri; ~^(?<first>.)(.*)$ "$2$1$first"; ~*x(y)? $1; a $arg_n; }
    map $mapped$http_x $again { hostnames; volatile; *.a "<$mapped>"; b.* $args; default ""; }
    map $loop $loop { default "$loop$again"; }
    split_clients "$args$again" $group { 33.3% $uri; 0.01% b; * c; }
    server { listen 80;
        if ($arg_s) { set $args $arg_s; }
        if ($http_x ~ (a+)(b)?) { set $set "$1$2$set"; }
        if ($uri ~* ^/(.)(.*)\.q$) { rewrite ^/(.*)$ /$2?$1&$mapped; }
        location /a { rewrite ^/a(.*)$ /$1?$args$1? last; }
        location /b { rewrite (?s)^/b(.*)$ http://h/$1; }
        location /c { rewrite (?s)^/c(.*)$ /x%41$1?q=$1 permanent; }
        location /d { return 302 $scheme://$host$uri?$args; }
        location /e { add_header X-A $again; add_trailer X-T $mapped; return 200 "$uri$loop$set"; }
        location /f { if (-f /r$uri) { return 301 $uri; } if (!-d $again) { rewrite ^ $arg_u; } }
        location /g { set $set $mapped; rewrite ^/g(.*)$ $1 break; return 307 $set$1$group; }
        location ~ ^/h(?<rest>.*)$ { valid_referers a.* *.b/c ~d; try_files $rest $uri$invalid_referer
            $again /$mapped; }
        location / { rewrite ^(/[^/]*)/(.*)$ /$2$1 last; return 200 $request_uri; }
    }"#;

struct Files(bool);

impl Env for Files {
    fn look(&mut self, query: &Query) -> Option<Found> {
        let missing = || io::Error::from_raw_os_error(2);
        Some(match query {
            Query::Stat(_) if self.0 => Found::Meta(Ok(Meta {
                size: 1,
                mtime: 0,
                mtime_nanos: 0,
                kind: Kind::Regular,
                inode: 1,
                device: 1,
                mode: 0o644,
                changed: (0, 0),
            })),
            Query::Stat(_) => Found::Meta(Err(missing())),
            Query::List(_) => Found::Entries(Err(missing())),
            Query::Real(_) => Found::Real(Err(missing())),
            _ => Found::Opened(Err(missing())),
        })
    }

    fn begin(&mut self, _: Box<Exchange>) {}

    fn is_remote(&self, _: u64) -> bool {
        false
    }

    fn read(&mut self, _: &File, _: Range<u64>) -> Option<io::Result<Vec<u8>>> {
        None
    }
}

fn site() -> &'static Site {
    let outside = Rc::new(Outside::system());
    let mut draft = Draft::new(World {
        prefix: PathBuf::from("/nonexistent"),
        directory: PathBuf::from("/nonexistent"),
        hostname: b"machine".to_vec(),
        privileged: true,
        outside: outside.clone(),
    });
    draft.error_logs.set_default(Vec::new());
    let start = Start::embedded("fuzz", SITE);
    let items = parse::parse(start, &outside, &mut draft.diagnostics).items;
    draft.read(&items);
    assert!(!draft.diagnostics.errors(), "{:?}", draft.diagnostics);
    Box::leak(Box::new(draft.open(&[], Vec::new())))
}

/// A connection, which the exchanges only ask for what it is.
fn stream() -> io::Result<Stream> {
    let address = Address::Ip(([127, 0, 0, 1], 0).into());
    let listener = Listener::bind(&address, &Options::default())?;
    listener.listen(1)?;
    let client = listener.address().ip().map(TcpStream::connect);
    let accepted = listener.accept().map(|(stream, _)| stream);
    drop(client);
    accepted
}

thread_local! {
    static LINK: (&'static Site, Rc<Link>) = {
        let site = site();
        let clock = Rc::new(Clock::new());
        clock.set(Instant::now(), Duration::from_secs(1));
        let endpoint = &site.endpoints[0];
        let link = Link {
            number: 1,
            stream: stream().expect("a connection"),
            peer: PeerAddress::Ip(([127, 0, 0, 1], 1).into()),
            endpoint,
            hosts: endpoint.hosts(|| None),
            accepted: Instant::now(),
            requests: Cell::new(1),
            debugged: false,
            proxy: OnceCell::new(),
            clock,
            local: OnceCell::from(Address::Ip(([127, 0, 0, 1], 80).into())),
        };
        (site, Rc::new(link))
    };
}

fuzz_target!(|data: &[u8]| {
    split(data);
    let [choice, rest @ ..] = data else { return };
    let request = [b"GET /", rest, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    LINK.with(|(site, link)| answer(site, link, &request, Files(choice & 1 == 0)));
});

/// The parts of a template are those of its text.
fn split(text: &[u8]) {
    let Ok(parts) = template::split(text) else {
        return;
    };
    let length: usize = parts
        .iter()
        .map(|part| match part {
            Part::Literal(text) | Part::Variable(text) => text.len(),
            Part::Capture(_) => 1,
        })
        .sum();
    assert!(length <= text.len());
}

fn answer(site: &'static Site, link: &Rc<Link>, request: &[u8], mut files: Files) {
    let limits = site.servers[0].location.protocol.clone();
    let mut http = Connection::new(limits, Pool::new());
    http.received(request);
    let Some(Event::Head(id, head)) = http.event() else {
        return;
    };
    let mut x = Exchange::new(head, link.clone(), site, Instant::now());
    let mut why = Wake::Start;
    let response = loop {
        match run(&mut x, &mut files, why) {
            Step::Answer(response) => break response,
            Step::Wait(Need::Body(_)) => why = Wake::Body(Ok(())),
            Step::Wait(need) => panic!("{need:?}"),
            Step::Drop => return,
        }
    };
    http.answer(
        id,
        &response.head,
        response.length,
        &http::Clock { date: b"now" },
    );
    let pieces = http.output();
    let text: Vec<u8> = pieces
        .slices()
        .iter()
        .flat_map(|slice| slice.iter().copied())
        .collect();
    let end = text.windows(4).position(|four| four == b"\r\n\r\n");
    let head = &text[..end.expect("the end of a head")];
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(
            !line.contains(&b'\r') && !line.contains(&0),
            "{}",
            line.escape_ascii()
        );
    }
    let lines = head.iter().filter(|&&byte| byte == b'\n').count();
    let breaks = head.windows(2).filter(|two| two == b"\r\n").count();
    assert_eq!(lines, breaks, "{}", head.escape_ascii());
}
