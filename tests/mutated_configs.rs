//! Configurations with faults of all kinds, made from good ones: read to the end, never a panic.

mod common;

use std::fs;
use std::path::PathBuf;

use common::scale;
use forkful::conf::parse::Start;
use forkful::master::load::{self, Request};

/// Pieces that matter to the grammar or to values.
const PIECES: [&[u8]; 24] = [
    b"{",
    b"}",
    b";",
    b"\"",
    b"'",
    b"\\",
    b"#",
    b"${",
    b"$",
    b"~*",
    b"=",
    b"(",
    b")",
    b"*",
    b"-1",
    b"99999999999999999999",
    b"\0",
    b"\xff",
    b"\r\n",
    b"\n",
    b" ",
    b"on",
    b"default_server",
    b"\xef\xbb\xbf",
];

/// xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// The configurations that people start from; what they include is put in its place.
fn seeds() -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let examples = fs::read_dir(root.join("examples")).unwrap();
    let paths = examples.map(|it| it.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "conf"))
        .chain([root.join("conf/forkful.conf")])
        .collect();
    paths.sort();
    let closed = |line: &str| match line.contains("include ") {
        true => "types { text/html html htm; }\n".to_owned(),
        false => format!("{line}\n"),
    };
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let texts = paths.iter().map(read);
    texts
        .map(|text| text.lines().map(closed).collect::<String>().into_bytes())
        .collect()
}

/// One to four faults: something is put in, left out, said twice or said elsewhere.
fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let (at, length) = (random.below(text.len()), random.below(40));
        let end = (at + length).min(text.len());
        match random.below(5) {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece = PIECES[random.below(PIECES.len())];
                text.splice(at..at, piece.iter().copied());
            }
            2 => {
                let part = text[at..end].to_vec();
                let to = random.below(text.len());
                text.splice(to..to, part);
            }
            3 => text.truncate(at.max(1)),
            _ => text[at] = random.below(256) as u8,
        }
        if text.is_empty() {
            return;
        }
    }
}

/// Whether reading it would look up the name of a host or read other files.
fn asks_outside(text: &[u8]) -> bool {
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).collect();
    let names_a_host = |pair: &[&[u8]]| {
        let plain = |byte: &u8| byte.is_ascii_digit() || b".:;[]*".contains(byte);
        pair[0].ends_with(b"listen") && !pair[1].iter().all(plain)
    };
    let includes = text.windows(8).any(|it| it == b"include ");
    includes || words.windows(2).any(names_a_host)
}

#[test]
fn are_read_to_the_end() {
    let seeds = seeds();
    let mut random = Random(0x5eed);
    let (mut good, mut bad) = (0, 0);
    // By the square: what is enough every day is far from what is convincing.
    for round in 0..(1e6 * scale() * scale()).max(500.0) as usize {
        let mut text = seeds[round % seeds.len()].clone();
        mutate(&mut text, &mut random);
        if asks_outside(&text) {
            continue;
        }
        let plan = load::read(&Request {
            start: Start::embedded("mutated.conf", &text[..]),
            prefix: PathBuf::from("/nonexistent"),
            error_log: None,
            keep_user: true,
            subject: None,
        });
        let messages = plan.messages();
        let errors = plan.draft.diagnostics.errors();
        for entry in plan.draft.diagnostics.entries() {
            let headline = entry.headline(&plan.sources);
            assert!(!headline.contains(['\n', '\0']), "{headline:?}");
        }
        assert!(!errors || !messages.is_empty(), "an error without a word");
        *if errors { &mut bad } else { &mut good } += 1;
    }
    assert!(good > 10 && bad > 100, "{good} good, {bad} bad");
}
