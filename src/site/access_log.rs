//! Access logs: which requests are logged where, and what a line says.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::draft::Draft;
use super::exchange::Exchange;
use super::root;
use super::server::Server;
use super::syslog;
use super::template::Template;
use super::variables::{Registry, Variable};
use crate::conf::diagnostic::Reason;
use crate::conf::source::Place;
use crate::conf::table::Call;
use crate::conf::template::{self, Part as Written};
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::log::{Buffering, Escaped, Keep, Legible, Level, LogFile, Writer};

directives! {
    /// Where requests are logged.
    pub struct AccessLog in "ngx_http_log_module" with Draft {
        /// Logs requests to a file or a syslog daemon (`syslog:server=...`): `access_log path
        /// [format [buffer=size] [flush=time] [if=condition]]`, or `off`. Several may be given.
        logs: Option<Vec<Log>> = None =>
            "access_log" [HTTP | SERVER | LOCATION | LOCATION_IF | LIMIT_EXCEPT] 1.., Replace,
            "logs/access.log combined", with(access_log);
        /// Keeps logs open whose path has variables: `max=N [inactive=time] [min_uses=N]
        /// [valid=time]`. With `off` each line opens its file.
        family: usize = 0 =>
            "open_log_file_cache" [HTTP | SERVER | LOCATION] 1..=4, Clone, "off", with(keep);
    }
    also {
        /// Names a format: `log_format name [escape=default|json|none] string ...`.
        "log_format" [HTTP] 2.., Many, "combined", with(log_format);
    }
}

/// One `access_log`.
#[derive(Clone, Debug)]
pub struct Log {
    to: To,
    format: Format,
    condition: Option<Template>,
}

/// Where the lines of a log go.
#[derive(Clone, Debug)]
enum To {
    /// To one file: the number of its target in the draft, and of its writer in the site.
    Target(usize),
    /// To a file that each request names.
    Named(Template),
    /// To a syslog daemon: its number in the draft and in the site.
    Syslog(usize),
}

/// Where lines go, and how they are gathered; two logs that agree share a writer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    file: usize,
    buffering: Option<Buffering>,
}

impl Target {
    /// Its writer.
    pub fn open(&self, files: &[Arc<LogFile>]) -> Writer {
        Writer::new(files[self.file].clone(), self.buffering)
    }
}

/// What a line says.
#[derive(Clone, Debug)]
pub struct Format(Rc<Line>);

#[derive(Debug)]
struct Line {
    escape: Escape,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(Vec<u8>),
    Variable(Variable),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Escape {
    Default,
    Json,
    None,
}

const COMBINED: &[u8] = b"$remote_addr - $remote_user [$time_local] \"$request\" \
    $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

/// The formats that exist without being declared.
pub fn formats(variables: &mut Registry) -> HashMap<Vec<u8>, Format> {
    let parts = parts(COMBINED, None, variables).expect("all of its variables exist");
    let combined = Format(Rc::new(Line {
        escape: Escape::Default,
        parts,
    }));
    HashMap::from([(b"combined".to_vec(), combined)])
}

fn parts(text: &[u8], place: Option<Place>, variables: &mut Registry) -> Result<Vec<Part>, Reason> {
    let part = |part| match part {
        Written::Literal(text) => Ok(Part::Literal(text)),
        Written::Variable(name) => Ok(Part::Variable(variables.reference(&name, place))),
        Written::Capture(number) => Err(format!("\"${number}\" is not available in a log").into()),
    };
    template::split(text)?.into_iter().map(part).collect()
}

fn log_format(_: &mut AccessLog, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let name = call.arg(0);
    let mut words = &call.args()[1..];
    let mut escape = Escape::Default;
    if let Some(text) = words[0].text.strip_prefix(b"escape=") {
        escape = match text {
            b"default" => Escape::Default,
            b"json" => Escape::Json,
            b"none" => Escape::None,
            _ => {
                let what = format!("unknown log format escaping \"{}\"", text.escape_ascii());
                return Err(Reason::from(what).at(words[0].place));
            }
        };
        words = &words[1..];
    }
    let mut all = Vec::new();
    for word in words {
        all.extend(
            parts(&word.text, Some(word.place), &mut draft.variables)
                .map_err(|reason| reason.at(word.place))?,
        );
    }
    let format = Format(Rc::new(Line { escape, parts: all }));
    if draft.formats.insert(name.text.clone(), format).is_some() {
        return Err(Reason::about("duplicate \"log_format\" name", name));
    }
    Ok(())
}

fn access_log(this: &mut AccessLog, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let path = call.arg(0);
    if path.is("off") {
        if call.args().len() > 1 {
            return Err(Reason::about("invalid parameter", call.arg(1)));
        }
        this.logs = Some(Vec::new());
        return Ok(());
    }
    let log = plan(draft, call)?;
    match &mut this.logs {
        Some(logs) if !call.first => logs.push(log),
        logs => *logs = Some(vec![log]),
    }
    Ok(())
}

/// What `open_log_file_cache` says where it does not say it.
const KEEP: Keep = Keep {
    max: 0,
    inactive: Duration::from_secs(10),
    min_uses: 1,
    valid: Duration::from_secs(60),
};

fn keep(this: &mut AccessLog, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.args().len() == 1 && call.arg(0).is("off") {
        this.family = draft.log_families.number(Keep::NONE);
        return Ok(());
    }
    let mut keep = KEEP;
    for word in call.args() {
        let invalid = || {
            let what = format!(
                "invalid \"open_log_file_cache\" parameter \"{}\"",
                word.str()
            );
            Reason::from(what).at(word.place)
        };
        let count = |text| value::decimal(text).filter(|&count| count > 0);
        let (name, value) = word.text.split_at(
            word.text
                .iter()
                .position(|&b| b == b'=')
                .map_or(0, |at| at + 1),
        );
        match name {
            b"max=" => {
                let max = count(value).ok_or_else(invalid)?;
                keep.max = usize::try_from(max).unwrap_or(usize::MAX);
            }
            b"inactive=" => keep.inactive = value::parse_seconds(value).ok_or_else(invalid)?,
            b"min_uses=" => keep.min_uses = count(value).ok_or_else(invalid)?,
            b"valid=" => keep.valid = value::parse_seconds(value).ok_or_else(invalid)?,
            _ => return Err(invalid()),
        }
    }
    if keep.max == 0 {
        let what = "\"open_log_file_cache\" must have \"max\" parameter";
        return Err(what.into());
    }
    this.family = draft.log_families.number(keep);
    Ok(())
}

fn plan(draft: &mut Draft, call: &Call<'_>) -> Result<Log, Reason> {
    let path = call.arg(0);
    let syslog = path.text.strip_prefix(b"syslog:");
    let daemon = syslog
        .map(|settings| syslog::parse(settings, path, draft))
        .transpose()?;
    let args = call.args();
    let named = args.get(1);
    let name = named.map_or(&b"combined"[..], |word| &word.text);
    let Some(format) = draft.formats.get(name).cloned() else {
        let what = format!("unknown log format \"{}\"", name.escape_ascii());
        return Err(Reason::from(what).at(named.unwrap_or(path).place));
    };
    let parameters = args.get(2..).unwrap_or_default();
    let (buffering, condition) = parameters_of(draft, parameters)?;
    let to = match template::has_variables(&path.text) {
        _ if daemon.is_some() && buffering.is_some() => {
            return Err("logs to syslog cannot be buffered".into());
        }
        true if buffering.is_some() => {
            return Err("buffered logs cannot have variables in name".into());
        }
        _ if let Some(daemon) = daemon => To::Syslog(daemon),
        true => To::Named(named_path(draft, path)?),
        false => To::Target(target(draft, &path.text, buffering)),
    };
    Ok(Log {
        to,
        format,
        condition,
    })
}

fn target(draft: &mut Draft, path: &[u8], buffering: Option<Buffering>) -> usize {
    let target = Target {
        file: draft.needs.logs.number(draft.path(path)),
        buffering,
    };
    draft.access_logs.number(target)
}

/// The path of a log with variables in it; the workers open it.
fn named_path(draft: &mut Draft, word: &Word) -> Result<Template, Reason> {
    let absolute = word.text.starts_with(b"/") || word.text.starts_with(b"$");
    let prefix = match absolute {
        true => Vec::new(),
        false => draft.path(b"").into_os_string().into_vec(),
    };
    let path = Template::compile(word, draft)?.below(&prefix);
    draft.needs.reach.write(&path, word.place);
    Ok(path)
}

fn parameters_of(
    draft: &mut Draft,
    words: &[Word],
) -> Result<(Option<Buffering>, Option<Template>), Reason> {
    let (mut size, mut flush, mut condition) = (None, None, None);
    for word in words {
        if let Some(text) = word.text.strip_prefix(b"buffer=") {
            let bytes = value::parse_size(text).and_then(|n| usize::try_from(n).ok());
            size = Some(
                bytes
                    .filter(|&n| n > 0)
                    .ok_or_else(|| Reason::about("invalid buffer size", word))?,
            );
        } else if let Some(text) = word.text.strip_prefix(b"flush=") {
            let time = value::parse_milliseconds(text).filter(|time| *time > Duration::ZERO);
            flush = Some(time.ok_or_else(|| Reason::about("invalid flush time", word))?);
        } else if let Some(text) = word.text.strip_prefix(b"if=") {
            condition = Some(Template::compile_part(text, word, draft)?);
        } else if word.text.starts_with(b"gzip") {
            return Err(Reason::from("compressed logs are not supported").at(word.place));
        } else {
            return Err(Reason::about("invalid parameter", word));
        }
    }
    if flush.is_some() && size.is_none() {
        return Err("no buffer is defined for access_log".into());
    }
    Ok((size.map(|size| Buffering { size, flush }), condition))
}

/// The log for requests of which the configuration says nothing; none if there are none.
pub fn plan_default(draft: &mut Draft) -> Option<Log> {
    let silent = |server: &Server| server.location.values.access_log.logs.is_none();
    if !draft.servers.iter().any(silent) {
        return None;
    }
    let target = Target {
        file: draft.default_log("logs/access.log", "requests are not logged")?,
        buffering: None,
    };
    let format = draft.formats.get(&b"combined"[..]).cloned()?;
    Some(Log {
        to: To::Target(draft.access_logs.number(target)),
        format,
        condition: None,
    })
}

/// Logs a request that is over.
pub fn write(x: &Exchange) {
    let Some(logs) = &x.location.values.access_log.logs else {
        return write_default(x);
    };
    for log in logs {
        let wanted = log.condition.as_ref().is_none_or(|condition| {
            let value = condition.value(x);
            !value.is_empty() && *value != *b"0"
        });
        if wanted {
            write_line(x, log);
        }
    }
}

fn write_default(x: &Exchange) {
    if let Some(log) = &x.site.default_access_log {
        write_line(x, log);
    }
}

fn write_line(x: &Exchange, log: &Log) {
    let mut line = Vec::with_capacity(256);
    log.format.write(x, &mut line);
    line.push(b'\n');
    match &log.to {
        To::Target(target) => x.site.access_logs[*target]
            .borrow_mut()
            .write(&line, x.clock().now()),
        To::Named(path) => write_to(x, path, &line),
        To::Syslog(daemon) => x.site.daemons[*daemon].write(None, &line),
    }
}

/// Writes to the file that a request names. As in nginx it is not made for a site whose `root` does
/// not exist. What a client chose of its path leads nowhere else.
fn write_to(x: &Exchange, path: &Template, line: &[u8]) {
    let path = path.value(x);
    let path = Path::new(OsStr::from_bytes(&path));
    let is_odd = |part: Component<'_>| part == Component::ParentDir;
    if path.components().any(is_odd) || path.as_os_str().as_bytes().contains(&0) {
        let path = Legible(path);
        x.log(Level::Error, format_args!("\"{path}\" is no path of a log"));
        return;
    }
    let family = &x.site.log_families[x.location.values.access_log.family];
    family.write_to(path.to_owned(), root::directory(x), line);
}

impl Format {
    fn write(&self, x: &Exchange, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        for part in &self.0.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => {
                    value.clear();
                    let found = variable.write(x, &mut value);
                    self.0.escape.write(found.then_some(&value[..]), out);
                }
            }
        }
    }
}

impl Escape {
    /// Appends a value; one that does not exist is `-` in a line for people.
    fn write(self, value: Option<&[u8]>, out: &mut Vec<u8>) {
        match (self, value) {
            (Escape::Default, None) => out.push(b'-'),
            (_, None) => {}
            (Escape::None, Some(value)) => out.extend_from_slice(value),
            (Escape::Default, Some(value)) => escape_default(value, out),
            (Escape::Json, Some(value)) => escape_json(value, out),
        }
    }
}

/// As nginx: quotes, backslashes, control characters and all beyond ASCII are `\xHH`.
fn escape_default(value: &[u8], out: &mut Vec<u8>) {
    let is_odd = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f | 0x7f..=0xff);
    if value.iter().fold(false, |odd, &byte| odd | is_odd(byte)) {
        // A vector takes any write.
        let _ = write!(out, "{}", Escaped(value));
    } else {
        out.extend_from_slice(value);
    }
}

/// The inside of a JSON string (RFC 8259 section 7). Bytes that are no UTF-8 become U+FFFD, so
/// that a line is JSON whatever a client sends.
fn escape_json(value: &[u8], out: &mut Vec<u8>) {
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                c if c.is_ascii_control() => drop(write!(out, "\\u{:04X}", u32::from(c))),
                c => drop(write!(out, "{c}")),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let cases: [(Escape, Option<&[u8]>, &str); 8] = [
            (Escape::Default, None, "-"),
            (Escape::Default, Some(b""), ""),
            (
                Escape::Default,
                Some(b"a\"b\\c\n\x7f\xc3\xa9"),
                "a\\x22b\\x5Cc\\x0A\\x7F\\xC3\\xA9",
            ),
            (Escape::Json, None, ""),
            (
                Escape::Json,
                Some(b"a\"b\\c\n\x01"),
                "a\\\"b\\\\c\\n\\u0001",
            ),
            (Escape::Json, Some(b"\xc3\xa9\xff!"), "\u{e9}\u{fffd}!"),
            (Escape::None, None, ""),
            (Escape::None, Some(b"a\"b"), "a\"b"),
        ];
        for (escape, value, expected) in cases {
            let mut out = Vec::new();
            escape.write(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
