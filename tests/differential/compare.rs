//! Two answers side by side: every way in which they differ, by name.

use crate::common::{Response, decoded};

/// What of an answer depends on who gave it, made equal.
fn neutral(text: &str, port: u16) -> String {
    let text = text.replace(&format!(":{port}"), ":PORT");
    let mut words = String::new();
    let mut rest = text.as_str();
    while let Some((at, name)) = ["nginx", "forkful"]
        .iter()
        .filter_map(|name| Some((rest.find(name)?, *name)))
        .min()
    {
        words += &rest[..at];
        words += "SERVER";
        rest = rest[at + name.len()..]
            .trim_start_matches(|c: char| "/.".contains(c) || c.is_ascii_digit());
    }
    words + rest
}

/// The date of now in an access log.
fn without_times(log: &str) -> String {
    let mut lines = String::new();
    for line in log.lines() {
        let time = line.find('[').zip(line.find("] "));
        match time {
            Some((start, end)) if start < end => {
                lines += &format!("{}[]{}", &line[..start], &line[end..])
            }
            _ => lines += line,
        }
        lines.push('\n');
    }
    lines
}

/// Compares two logs as text.
pub fn logs(ours: &[u8], theirs: &[u8]) -> Vec<Difference> {
    let [ours, theirs] = [ours, theirs].map(|log| {
        let text: String = log.iter().map(|&byte| char::from(byte)).collect();
        without_times(&text)
    });
    difference("log", ours, theirs).into_iter().collect()
}

/// One way in which two answers differ.
#[derive(Debug)]
pub struct Difference {
    /// `status OURS, nginx THEIRS` (a number or `none`), and then nothing else; or `reason`,
    /// `header NAME`, `header order`, `coded length`, `body`, `trailers`, `error page`, `listing`,
    /// `log`; `end` if both give none.
    pub what: String,
    pub ours: String,
    pub theirs: String,
}

fn difference(what: &str, ours: String, theirs: String) -> Option<Difference> {
    let what = what.to_owned();
    (ours != theirs).then_some(Difference { what, ours, theirs })
}

/// A response, or why there is none.
pub type Answer = Result<Response, String>;

/// Compares two answers; the ports are those of the servers that gave them.
pub fn answers(ours: &Answer, theirs: &Answer, ports: [u16; 2]) -> Vec<Difference> {
    let status = |answer: &Answer| match answer {
        Ok(response) => response.status.to_string(),
        Err(_) => "none".to_owned(),
    };
    let shown = |answer: &Answer| match answer {
        Ok(response) => format!("{} {:?}", response.status, response.headers),
        Err(error) => error.clone(),
    };
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) if ours.status == theirs.status => responses(ours, theirs, ports),
        (Err(ours), Err(theirs)) => Vec::from_iter(difference("end", ours.clone(), theirs.clone())),
        _ => vec![Difference {
            what: format!("status {}, nginx {}", status(ours), status(theirs)),
            ours: shown(ours),
            theirs: shown(theirs),
        }],
    }
}

/// Compares two responses of the same status.
fn responses(ours: &Response, theirs: &Response, ports: [u16; 2]) -> Vec<Difference> {
    let mut found = Vec::new();
    let reasons = (ours.reason.clone(), theirs.reason.clone());
    found.extend(difference("reason", reasons.0, reasons.1));
    let coded = ours
        .header("Content-Encoding")
        .zip(theirs.header("Content-Encoding"));
    let told = [ours, theirs].map(|it| it.header("Content-Length").is_some().to_string());
    let told = coded.and_then(|_| difference("coded length", told[0].clone(), told[1].clone()));
    let (ours, theirs) = (&decoded(ours), &decoded(theirs));
    let made = made_page(ours, theirs);
    let has_other_length = made.is_some() || told.is_some();
    found.extend(headers(ours, theirs, ports, has_other_length));
    found.extend(told);
    let trailers = [ours, theirs].map(|response| format!("{:?}", response.trailers));
    let [our_trailers, their_trailers] = trailers;
    found.extend(difference("trailers", our_trailers, their_trailers));
    let [our_body, their_body] = [(ours, ports[0]), (theirs, ports[1])]
        .map(|(response, port)| neutral(&without_boundary(response), port));
    found.extend(difference(made.unwrap_or("body"), our_body, their_body));
    found
}

/// The fields that depend on the length of a body.
const LENGTH: [&str; 2] = ["Content-Length", "Transfer-Encoding"];

/// Error pages and listings are of the server's own making: their length belongs to their body.
fn made_page(ours: &Response, theirs: &Response) -> Option<&'static str> {
    let text = theirs.text();
    let title = format!("<title>{} ", theirs.status);
    if text.contains(&title) && ours.text().contains(&title) {
        Some("error page")
    } else if text.contains("<title>Index of ") && ours.text().contains("Index of ") {
        Some("listing")
    } else if theirs.status >= 300 && text.is_empty() && theirs.header("ETag").is_none() {
        Some("error page")
    } else {
        None
    }
}

fn headers(ours: &Response, theirs: &Response, ports: [u16; 2], made: bool) -> Vec<Difference> {
    let list = |response: &Response, port| -> Vec<(String, String)> {
        let fields = response.headers.iter();
        fields
            .filter(|(name, _)| !(made && LENGTH.contains(&name.as_str())))
            .map(|(name, value)| {
                let value = if name == "Date" { "-" } else { value };
                (name.clone(), boundless(&neutral(value, port)))
            })
            .collect()
    };
    let (ours, theirs) = (list(ours, ports[0]), list(theirs, ports[1]));
    let mut names: Vec<&String> = ours.iter().chain(&theirs).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let of = |list: &[(String, String)], name: &str| -> String {
        let values = list.iter().filter(|(it, _)| it == name);
        values.map(|(_, value)| format!("{value}\n")).collect()
    };
    let mut found: Vec<Difference> = names
        .into_iter()
        .filter_map(|name| {
            difference(
                &format!("header {name}"),
                of(&ours, name),
                of(&theirs, name),
            )
        })
        .collect();
    if found.is_empty() {
        let order = |list: &[(String, String)]| -> String {
            list.iter().map(|(name, _)| format!("{name} ")).collect()
        };
        found.extend(difference("header order", order(&ours), order(&theirs)));
    }
    found
}

const BOUNDARY: &str = "boundary=";

/// The boundary of several ranges is of the server's choosing.
fn boundless(value: &str) -> String {
    match value.split_once(BOUNDARY) {
        Some((kind, _)) => format!("{kind}{BOUNDARY}-"),
        None => value.to_owned(),
    }
}

fn without_boundary(response: &Response) -> String {
    let kind = response.header("Content-Type").unwrap_or_default();
    match kind.split_once(BOUNDARY) {
        Some((_, boundary)) => response.latin1().replace(boundary, "-"),
        None => response.latin1(),
    }
}
