//! Debian's nginx beside us, with the same configuration and files: the same answers, byte for byte,
//! but for the rows of `differences.tsv`. An undeclared difference fails, and so does a row that no
//! difference needs.

#[path = "differential/cases.rs"]
mod cases;
mod common;
#[path = "differential/compare.rs"]
mod compare;
#[path = "differential/pages.rs"]
mod pages;
#[path = "../src/site/mp4/sample.rs"]
mod sample;

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};

use cases::{Case, Request};
use common::{Client, Setup, TestServer, binary, coded, is_forkful, possible, stop, wait_until};
use compare::{Answer, Difference};
use forkful::conf::diagnostic::Diagnostics;
use forkful::conf::outside::Outside;
use forkful::conf::parse::{Start, parse};
use forkful::conf::tree::Item;
use forkful::site::scope;

const NGINX: &str = "/usr/sbin/nginx";
const DEBIAN_CONFIG: &str = "/etc/nginx/nginx.conf";

/// A row of `differences.tsv`: what differs, in which test (`*`: any), and why it may.
struct Declared {
    what: &'static str,
    test: &'static str,
}

fn declared() -> Vec<Declared> {
    let rows = include_str!("differences.tsv").lines().skip(1);
    rows.map(|row| {
        let [what, test, reason] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not three columns: {row:?}");
        };
        assert!(!reason.is_empty(), "no reason: {row:?}");
        Declared { what, test }
    })
    .collect()
}

/// Splits what was found into failures and the rows that were needed.
#[derive(Default)]
struct Judgement {
    failures: Vec<String>,
    needed: BTreeSet<usize>,
}

impl Judgement {
    fn judge(&mut self, test: &str, place: &str, found: Vec<Difference>) {
        for Difference { what, ours, theirs } in found {
            let row = |row: &Declared| row.what == what && (row.test == "*" || row.test == test);
            match declared().iter().position(row) {
                Some(row) => drop(self.needed.insert(row)),
                None => self.failures.push(format!(
                    "{test}: {place}: {what}\n    ours:   {ours:?}\n    theirs: {theirs:?}"
                )),
            }
        }
    }

    fn check(mut self, tests: impl Fn(&str) -> bool) {
        for (number, row) in declared().iter().enumerate() {
            let ours = is_forkful() && tests(row.test);
            if ours && !self.needed.contains(&number) {
                self.failures.push(format!(
                    "declared, but no difference: {} in {}",
                    row.what, row.test
                ));
            }
        }
        let text = self.failures.join("\n");
        assert!(
            self.failures.is_empty(),
            "{} differences:\n{text}",
            self.failures.len()
        );
    }
}

/// Modules of nginx that are files of their own; here they are built in.
const MODULES: [&str; 2] = [
    "/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so",
    "/usr/lib/nginx/modules/ngx_http_brotli_static_module.so",
];

fn setup(config: &str) -> Setup {
    let modules: String = MODULES.map(|it| format!("load_module {it};")).concat();
    let page = "<p>a page that is worth coding\n".repeat(200);
    let setup = Setup::with_main(&format!("worker_processes 1; {modules}"), config);
    let with_page = |setup: Setup, (name, content): &(&str, &[u8])| {
        setup.file(&format!("html/{name}"), content)
    };
    let setup = pages::PAGES.iter().fold(setup, with_page);
    let setup = setup
        .file("html/long.html", &page)
        .file("html/long.css", &page)
        .file("html/long.txt", &page)
        .file("html/empty.html", "")
        .file("html/coded.html", "<p>as it is")
        .file("html/coded.html.gz", coded("gzip", "<p>coded by gzip"))
        .file("html/coded.html.br", coded("br", "<p>coded by brotli"))
        .file("html/only.html.gz", coded("gzip", "<p>coded by gzip alone"))
        .file(
            "html/only-br.html.br",
            coded("br", "<p>coded by brotli alone"),
        )
        .file("html/folded", "beside a directory")
        .file("html/folded.gz/file", "in a directory")
        .file("secret", "beside html")
        .file("users", include_str!("differential/users"))
        .file("html/index.html", "<p>index")
        .file("html/page.html", "<p>page")
        .file("html/f.txt", "0123456789")
        .file(
            "html/geo.conf",
            "10.0.0.0/8 ten;\n# a comment\n11.0.0.0/32 eleven;\n",
        )
        .file("html/image.gif", "GIF89a")
        .file("html/empty", "")
        .file("html/a b", "space")
        .file("html/.hidden", "hidden")
        .file("html/.well-known/f.txt", "known")
        .file("html/dir/index.html", "<p>dir")
        .file("html/dir/f.txt", "in dir")
        .file("html/list/B.txt", "B")
        .file("html/list/a.txt", [b'a'; 2000])
        .file("html/list/a & <b> \"c\".txt", "odd")
        .file("html/list/ä.txt", "umlaut")
        .file("html/list/100%.txt", "percent")
        .file(
            "html/list/a name that is far too long to be shown in one column of it.txt",
            "long",
        )
        .file("html/list/.hidden", "hidden")
        .file("html/list/big", vec![b'b'; 3 << 20])
        .file("html/list/sub/x", "x")
        .folder("html/new", 0o777)
        .link("html/links/in", "../f.txt")
        .link("html/links/out", "/etc/passwd")
        .link("html/links/folder", "../dir")
        .link("html/links/broken", "none");
    films().into_iter().fold(setup, |setup, (name, content)| {
        setup.file(&format!("html/films/{name}"), content)
    })
}

/// Films, and what is none.
fn films() -> [(&'static str, Vec<u8>); 7] {
    let film = sample::Film::new(10);
    let mut first = film.clone();
    first.tables_first = true;
    let mut wide = first.clone();
    (wide.wide_offsets, wide.wide_times) = (true, true);
    let mut even = film.clone();
    even.tracks[1].size = 16;
    let mut early = film.clone();
    early.tracks[1] = sample::Track::sound(4);
    [
        ("last.mp4", film.bytes()),
        ("first.mp4", first.bytes()),
        ("wide.mp4", wide.bytes()),
        ("even.mp4", even.bytes()),
        ("early.mp4", early.bytes()),
        ("bad.mp4", film.bytes()[..3000].to_vec()),
        ("clip.flv", (0..300u32).map(|byte| byte as u8).collect()),
    ]
}

fn answer(address: SocketAddr, request: &Request) -> Answer {
    let mut client = Client::connect(address);
    client.send(&request.bytes);
    if request.cut {
        client.finish_sending();
    }
    client.try_response(request.is_head())
}

fn run_case(case: &Case, judgement: &mut Judgement) {
    let theirs = setup(&case.config).program(NGINX).start();
    let ours = setup(&case.config).start();
    let servers = [ours.address(), theirs.address()];
    for request in &case.requests {
        let [ours, theirs] = servers.map(|server| answer(server, request));
        let found = compare::answers(&ours, &theirs, servers.map(|it| it.port()));
        if case.differs && found.is_empty() && is_forkful() {
            let alike = format!("{}: {}: no difference", case.name, request.line);
            judgement.failures.push(alike);
        }
        judgement.judge(&case.name, &request.line, found);
    }
    let [ours, theirs] = [ours, theirs].map(|server| logs_at_the_end(server, case));
    for (log, (ours, theirs)) in case.logs.iter().zip(ours.iter().zip(&theirs)) {
        judgement.judge(&case.name, log, compare::logs(ours, theirs));
    }
}

/// Stops a server, which writes its logs out, and reads those that a case compares.
fn logs_at_the_end(mut server: TestServer, case: &Case) -> Vec<Vec<u8>> {
    server.signal(nix::sys::signal::Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    case.logs
        .iter()
        .map(|log| fs::read(server.path(log)).unwrap())
        .collect()
}

#[test]
fn the_same_configuration_gives_the_same_answers() {
    let needed = MODULES.iter().chain([&NGINX]);
    for program in needed {
        if !possible(common::tool_is_installed(program), program) {
            return;
        }
    }
    let cases = cases::cases();
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let wanted = std::env::var("FORKFUL_CASES").unwrap_or_default();
    let is_wanted = |name: &str| name.contains(&wanted);
    let mut judgement = Judgement::default();
    for case in cases.iter().filter(|case| is_wanted(&case.name)) {
        let ran = catch_unwind(AssertUnwindSafe(|| run_case(case, &mut judgement)));
        if ran.is_err() {
            judgement
                .failures
                .push(format!("{}: did not run, see above", case.name));
        }
    }
    let any = wanted.is_empty();
    judgement.check(|test| test != "debian" && (any || test != "*" && is_wanted(test)));
}

/// Starts a server on Debian's own configuration, unchanged but for staying in the foreground.
fn start_on_debian_config(program: &str) -> Child {
    let mut command = Command::new(program);
    command.args(["-c", DEBIAN_CONFIG, "-g", "daemon off;"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    wait_until("port 80 is served", || {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{program} ended with {status} on {DEBIAN_CONFIG}");
        }
        TcpStream::connect("127.0.0.1:80").ok()
    });
    child
}

fn answers_on_debian_config(program: &str, requests: &[Request]) -> Vec<Answer> {
    let mut child = start_on_debian_config(program);
    let v4: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let v6: SocketAddr = "[::1]:80".parse().unwrap();
    let mut answers: Vec<_> = requests.iter().map(|request| answer(v4, request)).collect();
    if TcpListener::bind("[::1]:0").is_ok() {
        answers.push(answer(v6, &requests[0]));
    }
    assert!(stop(&mut child), "{program} does not stop");
    answers
}

#[test]
fn debians_default_site_is_served_alike() {
    let present = common::tool_is_installed(NGINX) && common::tool_is_installed(DEBIAN_CONFIG);
    let free = nix::unistd::geteuid().is_root() && TcpListener::bind("[::]:80").is_ok();
    if !possible(present, "nginx is not installed") || !possible(free, "port 80 is not ours to use")
    {
        return;
    }
    let requests: Vec<Request> = DEBIAN_REQUESTS
        .lines()
        .map(|it| Request::new(it.trim()))
        .collect();
    let theirs = answers_on_debian_config(NGINX, &requests);
    let ours = answers_on_debian_config(binary().to_str().unwrap(), &requests);
    let mut judgement = Judgement::default();
    let lines = requests
        .iter()
        .map(|request| request.line.as_str())
        .chain(["over IPv6"]);
    for ((ours, theirs), line) in ours.iter().zip(&theirs).zip(lines) {
        let found = compare::answers(ours, theirs, [80, 80]);
        judgement.judge("debian", line, found);
    }
    judgement.check(|test| test == "debian");
}

const DEBIAN_REQUESTS: &str = "GET / localhost
    HEAD / localhost
    GET /index.nginx-debian.html localhost
    GET /index.nginx-debian.html?query localhost
    GET /index.nginx-debian.html localhost | If-None-Match: *
    GET /index.nginx-debian.html localhost | If-Modified-Since: Mon, 01 Jan 1990 00:00:00 GMT
    GET /index.nginx-debian.html localhost | Range: bytes=0-9
    GET /index.nginx-debian.html localhost | Range: bytes=-9
    GET /index.nginx-debian.html localhost | Range: bytes=0-9,20-29
    GET /index.nginx-debian.html localhost | Range: bytes=100000-
    GET /none localhost
    HEAD /none localhost
    GET /none/ localhost
    POST / localhost | Content-Length: 0
    DELETE /index.nginx-debian.html localhost
    GET /%zz localhost
    GET /../x localhost
    GET / localhost | Connection: close";

/// Of nginx's directives those that are newer than the nginx beside us.
const NEWER: &[&str] = &[
    "add_header_inherit",
    "add_trailer_inherit",
    "client_body_early_read",
    "keepalive_min_timeout",
    "max_headers",
    "open_file_cache",
];

fn names(items: &[Item], all: &mut BTreeSet<String>) {
    for item in items {
        all.insert(item.name.str().into_owned());
        names(item.block.as_deref().unwrap_or_default(), all);
    }
}

#[test]
fn every_directive_is_compared() {
    let mut compared = BTreeSet::new();
    for case in cases::cases() {
        let start = Start::embedded("case", case.config);
        let tree = parse(start, &Outside::system(), &mut Diagnostics::default());
        names(&tree.items, &mut compared);
    }
    let has_no_peer = |name: &str| NEWER.contains(&name) || name.starts_with("zstd");
    let is_missing = |name: &&str| !compared.contains(*name) && !has_no_peer(name);
    let rows = scope::table().rows().iter();
    let of_nginx = rows.filter(|row| row.module.starts_with("ngx_http_"));
    let missing: BTreeSet<_> = of_nginx.map(|row| row.name).filter(is_missing).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}
