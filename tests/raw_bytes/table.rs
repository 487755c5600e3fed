//! The language of the table of raw requests.
//!
//! A case is a few lines; what is not a case is a comment (`#`) or empty:
//!
//!     = what it is [RFC 9112 3]
//!     > GET / HTTP/1.1            a line sent with CRLF; with a final backslash, without
//!     fin                         the client then closes its sending side
//!     < 404 head                  a response: its status, and `head` if to a HEAD
//!       Name: value               a field it must have exactly once; `*` is any value
//!       !Name                     a field it must not have
//!       body: text                its whole body
//!     end: closed                 the connection afterwards; without this line it stays open
//!     nginx 1.22: why             Debian's nginx does otherwise; `nginx 1.22, split:` when sent in parts
//!
//! Escapes: `\r \n \t \0 \\ \xHH`, and `\{N text}` for N times a text (which may hold escapes).

use std::fmt;

use crate::common::Response;

const FILES: [(&str, &str); 10] = [
    ("methods", include_str!("methods.txt")),
    ("request_line", include_str!("request_line.txt")),
    ("host", include_str!("host.txt")),
    ("fields", include_str!("fields.txt")),
    ("framing", include_str!("framing.txt")),
    ("chunked", include_str!("chunked.txt")),
    ("connection", include_str!("connection.txt")),
    ("paths", include_str!("paths.txt")),
    ("conditional", include_str!("conditional.txt")),
    ("ranges", include_str!("ranges.txt")),
];

/// One request, or several pipelined, and what must come back.
#[derive(Debug)]
pub struct Case {
    pub place: String,
    pub name: String,
    pub source: String,
    pub request: Vec<u8>,
    pub fin: bool,
    pub expected: Vec<Expected>,
    /// Whether the server then closes the connection.
    pub closed: bool,
    /// Why Debian's nginx does otherwise.
    pub nginx: Option<String>,
    /// Why Debian's nginx does otherwise when the request comes in parts.
    pub nginx_split: Option<String>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ({}) [{}]", self.place, self.name, self.source)
    }
}

/// What one response must be.
#[derive(Debug, Default)]
pub struct Expected {
    pub status: u16,
    pub head: bool,
    fields: Vec<(String, String)>,
    absent: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Expected {
    /// Compares; `port` stands for `%PORT%` in values.
    pub fn check(&self, response: &Response, port: u16) -> Result<(), String> {
        if self.status != response.status {
            return Err(format!("{} expected, got {response:?}", self.status));
        }
        for (name, value) in &self.fields {
            let value = value.replace("%PORT%", &port.to_string());
            match response.all(name)[..] {
                [_] if value == "*" => {}
                [found] if found == value => {}
                ref found => return Err(format!("{name}: {value:?} expected, got {found:?}")),
            }
        }
        if let Some(name) = self
            .absent
            .iter()
            .find(|name| !response.all(name).is_empty())
        {
            return Err(format!("unexpected {name} in {response:?}"));
        }
        match &self.body {
            Some(body) if *body != response.body => {
                let (body, found) = (body.escape_ascii(), response.body.escape_ascii());
                Err(format!("body \"{body}\" expected, got \"{found}\""))
            }
            _ => Ok(()),
        }
    }
}

/// The whole table, in order.
pub fn cases() -> Vec<Case> {
    FILES
        .iter()
        .flat_map(|(name, text)| parse(name, text))
        .collect()
}

fn parse(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{file}.txt:{}", number + 1);
        if let Some(title) = line.strip_prefix("= ") {
            cases.push(start(place, title));
        } else if !line.is_empty() && !line.starts_with('#') {
            let case = cases
                .last_mut()
                .unwrap_or_else(|| panic!("{place}: no case"));
            add(case, line).unwrap_or_else(|| panic!("{place}: {line:?} is no line of a case"));
        }
    }
    cases
}

fn start(place: String, title: &str) -> Case {
    let (name, source) = title.split_once(" [").expect("a source in brackets");
    Case {
        place,
        name: name.to_owned(),
        source: source.trim_end_matches(']').to_owned(),
        request: Vec::new(),
        fin: false,
        expected: Vec::new(),
        closed: false,
        nginx: None,
        nginx_split: None,
    }
}

fn add(case: &mut Case, line: &str) -> Option<()> {
    if let Some(bytes) = line.strip_prefix('>') {
        let bytes = bytes.strip_prefix(' ').unwrap_or(bytes);
        let unended = bytes.ends_with('\\') && !bytes.ends_with("\\\\");
        case.request.extend(unescape(if unended {
            &bytes[..bytes.len() - 1]
        } else {
            bytes
        }));
        case.request
            .extend(if unended { "" } else { "\r\n" }.bytes());
    } else if line == "fin" {
        case.fin = true;
    } else if let Some(response) = line.strip_prefix("< ") {
        case.expected.push(response_line(response)?);
    } else if let Some(property) = line.strip_prefix("  ") {
        add_property(case.expected.last_mut()?, property)?;
    } else if line == "end: closed" {
        case.closed = true;
    } else if let Some(why) = line.strip_prefix("nginx 1.22: ") {
        case.nginx = Some(why.to_owned());
    } else {
        case.nginx_split = Some(line.strip_prefix("nginx 1.22, split: ")?.to_owned());
    }
    Some(())
}

fn response_line(line: &str) -> Option<Expected> {
    let status = line.strip_suffix(" head");
    Some(Expected {
        status: status.unwrap_or(line).parse().ok()?,
        head: status.is_some(),
        ..Expected::default()
    })
}

fn add_property(expected: &mut Expected, property: &str) -> Option<()> {
    if let Some(body) = property.strip_prefix("body:") {
        expected.body = Some(unescape(body.strip_prefix(' ').unwrap_or(body)));
    } else if let Some(name) = property.strip_prefix('!') {
        expected.absent.push(name.to_owned());
    } else {
        let (name, value) = property.split_once(": ")?;
        expected.fields.push((name.to_owned(), value.to_owned()));
    }
    Some(())
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(rest[..at].bytes());
        let escape = &rest[at + 1..];
        let used = match escape.as_bytes()[0] {
            b'r' => push(&mut bytes, b'\r'),
            b'n' => push(&mut bytes, b'\n'),
            b't' => push(&mut bytes, b'\t'),
            b'0' => push(&mut bytes, 0),
            b'\\' => push(&mut bytes, b'\\'),
            b'x' => push(&mut bytes, u8::from_str_radix(&escape[1..3], 16).unwrap()) + 2,
            b'{' => repeat(&mut bytes, &escape[1..]) + 1,
            other => panic!("unknown escape \\{}", char::from(other)),
        };
        rest = &escape[used..];
    }
    bytes.extend(rest.bytes());
    bytes
}

fn push(bytes: &mut Vec<u8>, byte: u8) -> usize {
    bytes.push(byte);
    1
}

fn repeat(bytes: &mut Vec<u8>, text: &str) -> usize {
    let end = text.find('}').expect("a closing brace");
    let (count, what) = text[..end].split_once(' ').expect("a count and a text");
    bytes.extend(unescape(what).repeat(count.parse().unwrap()));
    end + 1
}
