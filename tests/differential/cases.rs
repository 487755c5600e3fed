//! The language of the table of configurations that two servers answer alike.
//!
//!     = name                       `!= name` where every request must be answered otherwise
//!         configuration inside `http`, indented by four spaces
//!     METHOD target host | Field: value | Field: value
//!     raw GET / HTTP/1.1\r\nHost: a\r\n\r\n     a request byte for byte
//!     cut GET / HT                 the same, and then the end of what the client sends
//!     log FILE                     a log in the prefix, compared at the end
//!
//! Requests may hold `\{N text}` for N times a text, `\xHH` for a byte, and `\r`, `\n`, `\t`.

const FILES: &[&str] = &[
    include_str!("addr.txt"),
    include_str!("answers.txt"),
    include_str!("auth.txt"),
    include_str!("compression.txt"),
    include_str!("dav.txt"),
    include_str!("deviations.txt"),
    include_str!("files.txt"),
    include_str!("filters.txt"),
    include_str!("limits.txt"),
    include_str!("open_files.txt"),
    include_str!("rewrite.txt"),
    include_str!("routing.txt"),
    include_str!("seeking.txt"),
    include_str!("symlinks.txt"),
    include_str!("transport.txt"),
];

/// A configuration, the requests sent to it, and the logs they leave.
#[derive(Default)]
pub struct Case {
    pub name: String,
    /// Whether every request must be answered otherwise than by nginx.
    pub differs: bool,
    pub config: String,
    pub requests: Vec<Request>,
    pub logs: Vec<String>,
}

/// A request: the line that describes it, and its bytes.
pub struct Request {
    pub line: String,
    pub bytes: Vec<u8>,
    /// Whether the client then closes its sending side.
    pub cut: bool,
}

impl Request {
    /// Reads a line of the table that is a request.
    pub fn new(line: &str) -> Self {
        let text = match line.split_once(' ') {
            Some(("raw" | "cut", bytes)) => bytes.to_owned(),
            _ => Self::spelt_out(line),
        };
        Self {
            line: line.to_owned(),
            bytes: unescape(&text),
            cut: line.starts_with("cut "),
        }
    }

    /// Spells out `METHOD target host | Field: value`.
    fn spelt_out(line: &str) -> String {
        let mut parts = line.split(" | ");
        let (method, rest) = parts.next().and_then(|it| it.split_once(' ')).unwrap();
        let (target, host) = rest.rsplit_once(' ').expect("METHOD target host");
        let fields: String = parts.map(|field| format!("{field}\r\n")).collect();
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
    }

    /// Whether the response has no body whatever its fields say.
    pub fn is_head(&self) -> bool {
        self.bytes.starts_with(b"HEAD ")
    }
}

/// The whole table, in order.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in FILES.iter().flat_map(|text| text.lines()) {
        if let Some((mark @ ("=" | "!="), name)) = line.split_once(' ') {
            cases.push(Case {
                name: name.to_owned(),
                differs: mark == "!=",
                ..Case::default()
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        if line.starts_with("    ") {
            case.config.push_str(line);
            case.config.push('\n');
        } else if let Some(log) = line.strip_prefix("log ") {
            case.logs.push(log.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            case.requests.push(Request::new(line));
        }
    }
    cases
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(rest[..at].bytes());
        let (escape, behind) = rest[at + 1..].split_at(1);
        rest = behind;
        match escape {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "x" => {
                let (hex, behind) = rest.split_at(2);
                bytes.push(u8::from_str_radix(hex, 16).expect("two hexadecimal digits"));
                rest = behind;
            }
            "{" => {
                let (repeated, behind) = rest.split_once('}').expect("a closing brace");
                let (count, what) = repeated.split_once(' ').expect("a count and a text");
                bytes.extend(what.repeat(count.parse().unwrap()).bytes());
                rest = behind;
            }
            other => panic!("unknown escape \\{other}"),
        }
    }
    bytes.extend(rest.bytes());
    bytes
}
