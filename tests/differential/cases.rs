//! The language of the table of configurations that two servers answer alike.
//!
//!     = name
//!         configuration inside `http`, indented by four spaces
//!     METHOD target host | Field: value | Field: value
//!     log FILE                     a log in the prefix, compared at the end
//!
//! Targets and values may hold `\{N text}` for N times a text and `\xHH` for a byte.

const FILES: [&str; 3] = [
    include_str!("routing.txt"),
    include_str!("files.txt"),
    include_str!("answers.txt"),
];

/// A configuration, the requests sent to it, and the logs they leave.
#[derive(Default)]
pub struct Case {
    pub name: String,
    pub config: String,
    pub requests: Vec<Request>,
    pub logs: Vec<String>,
}

/// A request: the line that describes it, and its bytes.
pub struct Request {
    pub line: String,
    pub bytes: Vec<u8>,
}

impl Request {
    /// Reads `METHOD target host | Field: value`.
    pub fn new(line: &str) -> Self {
        let mut parts = line.split(" | ");
        let (method, rest) = parts.next().and_then(|it| it.split_once(' ')).unwrap();
        let (target, host) = rest.rsplit_once(' ').expect("METHOD target host");
        let fields: String = parts.map(|field| format!("{field}\r\n")).collect();
        let text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        Self {
            line: line.to_owned(),
            bytes: unescape(&text),
        }
    }

    /// Whether the response has no body whatever its fields say.
    pub fn is_head(&self) -> bool {
        self.line.starts_with("HEAD ")
    }
}

/// The whole table, in order.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in FILES.iter().flat_map(|text| text.lines()) {
        if let Some(name) = line.strip_prefix("= ") {
            cases.push(Case {
                name: name.to_owned(),
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
        if let Some(hex) = rest[at..].strip_prefix("\\x") {
            bytes.push(u8::from_str_radix(&hex[..2], 16).expect("two hexadecimal digits"));
            rest = &hex[2..];
        } else {
            let repeated = rest[at..].strip_prefix("\\{").expect("a known escape");
            let (repeated, behind) = repeated.split_once('}').expect("a closing brace");
            let (count, what) = repeated.split_once(' ').expect("a count and a text");
            bytes.extend(what.repeat(count.parse().unwrap()).bytes());
            rest = behind;
        }
    }
    bytes.extend(rest.bytes());
    bytes
}
