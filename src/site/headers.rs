//! Fields added to answers: `add_header`, `expires`.

use std::time::Duration;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::http::{Bytes, date};
use crate::sys::clock;

directives! {
    /// Fields added to answers.
    pub struct Headers in "ngx_http_headers_module" with Draft {
        /// Adds a field to answers that are no errors; with `always`, to all.
        added: Vec<Added> = Vec::new() =>
            "add_header" [HTTP | SERVER | LOCATION | LOCATION_IF] 2..=3, Replace, "", with(add_header);
        /// Sets `Expires` and `Cache-Control`: a time from now, `modified` and a time from the last
        /// change, `@` and a time of day, `epoch`, `max` or `off`.
        expires: Expires = Expires::Plain(Lifetime::Off) =>
            "expires" [HTTP | SERVER | LOCATION | LOCATION_IF] 1..=2, Clone, "off", with(expires);
    }
}

/// One `add_header`.
#[derive(Clone, Debug)]
pub struct Added {
    name: Bytes,
    value: Template,
    always: bool,
}

/// How long an answer stays fresh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lifetime {
    /// Nothing is said.
    Off,
    /// It never was.
    Epoch,
    /// For ten years.
    Max,
    /// So many seconds from now; negative: not at all.
    FromNow(i64),
    /// So many seconds from the last change.
    FromChange(i64),
    /// Until this time of day, in seconds since local midnight.
    Daily(i64),
}

/// What `expires` says: a lifetime, or a string with variables that says it per request.
#[derive(Clone, Debug)]
pub enum Expires {
    /// The same for all.
    Plain(Lifetime),
    /// Per request; `modified` was given.
    Variable(Template, bool),
}

fn add_header(this: &mut Headers, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.added.clear();
    }
    let always = match call.args().get(2) {
        None => false,
        Some(word) if word.is("always") => true,
        Some(word) => return Err(Reason::about("invalid parameter", word)),
    };
    let value = Template::compile(call.arg(1), draft)?;
    let name = Bytes::from(std::sync::Arc::from(&call.arg(0).text[..]));
    this.added.push(Added {
        name,
        value,
        always,
    });
    Ok(())
}

fn expires(this: &mut Headers, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let modified = call.args().len() == 2;
    if modified && !call.arg(0).is("modified") {
        return Err(Reason::directive("invalid value"));
    }
    let word = &call.args()[usize::from(modified)];
    let template = Template::compile(word, draft)?;
    this.expires = match template.fixed() {
        Some(text) => Expires::Plain(
            lifetime(text, modified)
                .ok_or_else(|| Reason::directive("invalid value").at(word.place))?,
        ),
        None => Expires::Variable(template, modified),
    };
    Ok(())
}

fn lifetime(text: &[u8], modified: bool) -> Option<Lifetime> {
    let seconds = |text: &[u8]| {
        value::parse_seconds(text).and_then(|time| i64::try_from(time.as_secs()).ok())
    };
    match (text, modified) {
        (b"epoch", false) => Some(Lifetime::Epoch),
        (b"max", false) => Some(Lifetime::Max),
        (b"off", false) => Some(Lifetime::Off),
        ([b'@', rest @ ..], false) => seconds(rest).filter(|&s| s <= 86_400).map(Lifetime::Daily),
        ([b'-', rest @ ..], false) => seconds(rest).map(|s| Lifetime::FromNow(-s)),
        ([b'-', rest @ ..], true) => seconds(rest).map(|s| Lifetime::FromChange(-s)),
        ([b'+', rest @ ..], true) => seconds(rest).map(Lifetime::FromChange),
        ([b'+', rest @ ..], false) => seconds(rest).map(Lifetime::FromNow),
        (text, true) => seconds(text).map(Lifetime::FromChange),
        (text, false) => seconds(text).map(Lifetime::FromNow),
    }
}

/// Adds the fields that the location wants. They may speak of the answer itself
/// (`$sent_http_content_type`), so it is the exchange's meanwhile.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    if x.is_child() {
        return;
    }
    std::mem::swap(&mut x.answer, answer);
    add_all(x);
    std::mem::swap(&mut x.answer, answer);
}

fn add_all(x: &mut Exchange) {
    let headers: &'static Headers = &x.location.values.headers;
    let no_error = matches!(
        x.answer.status,
        200 | 201 | 204 | 206 | 301 | 302 | 303 | 304 | 307 | 308
    );
    if no_error {
        let lifetime = match &headers.expires {
            Expires::Plain(lifetime) => *lifetime,
            Expires::Variable(template, modified) => {
                lifetime(&template.value(x), *modified).unwrap_or(Lifetime::Off)
            }
        };
        add_lifetime(x, lifetime);
    }
    for added in headers
        .added
        .iter()
        .filter(|added| no_error || added.always)
    {
        let value = added.value.value(x).into_owned();
        add(&mut x.answer, &added.name, value);
    }
}

/// Adds one field, unless it is empty; one that is a validator replaces the answer's own.
fn add(answer: &mut Answer, name: &Bytes, value: Vec<u8>) {
    if name.eq_ignore_ascii_case(b"etag") {
        if answer.etag.take().is_some() && !value.is_empty() {
            answer.etag = Some(value);
            return;
        }
    } else if name.eq_ignore_ascii_case(b"last-modified") {
        answer.last_modified = None;
    }
    if !value.is_empty() {
        answer.fields.push((name.clone(), value.into()));
    }
}

/// The last date that nginx writes for "never": within 32 bits.
const FAR: &str = "Thu, 31 Dec 2037 23:55:55 GMT";

fn add_lifetime(x: &mut Exchange, lifetime: Lifetime) {
    let now = x.clock().wall();
    let (expires, control): (Bytes, Bytes) = match lifetime {
        Lifetime::Off => return,
        Lifetime::Epoch => ("Thu, 01 Jan 1970 00:00:01 GMT".into(), "no-cache".into()),
        Lifetime::Max => (FAR.into(), "max-age=315360000".into()),
        Lifetime::FromNow(seconds) => at(now, seconds),
        Lifetime::FromChange(seconds) => match x.answer.last_modified {
            Some(changed) => at(now, changed.saturating_add(seconds) - now.as_secs() as i64),
            None => at(now, seconds),
        },
        Lifetime::Daily(time) => at(now, until(now, time)),
    };
    let fields = [
        ("Expires".into(), expires),
        ("Cache-Control".into(), control),
    ];
    x.answer.fields.extend(fields);
}

/// Fields for a lifetime of so many seconds.
fn at(now: Duration, seconds: i64) -> (Bytes, Bytes) {
    let expires = date::format((now.as_secs() as i64).saturating_add(seconds)).to_vec();
    let control = match seconds {
        ..0 => "no-cache".into(),
        seconds => format!("max-age={seconds}").into(),
    };
    (expires.into(), control)
}

/// Seconds until the next time that the local clock shows `time`.
fn until(now: Duration, time: i64) -> i64 {
    let local = clock::local(now.as_secs() as i64);
    let since_midnight =
        i64::from(local.hour) * 3600 + i64::from(local.minute) * 60 + i64::from(local.second);
    (time - since_midnight).rem_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_in_all_forms() {
        for (text, modified, expected) in [
            ("off", false, Some(Lifetime::Off)),
            ("epoch", false, Some(Lifetime::Epoch)),
            ("max", false, Some(Lifetime::Max)),
            ("1h", false, Some(Lifetime::FromNow(3600))),
            ("-1", false, Some(Lifetime::FromNow(-1))),
            ("0", false, Some(Lifetime::FromNow(0))),
            ("@15h30m", false, Some(Lifetime::Daily(55_800))),
            ("@25h", false, None),
            ("24h", true, Some(Lifetime::FromChange(86_400))),
            ("+24h", true, Some(Lifetime::FromChange(86_400))),
            ("max", true, None),
            ("soon", false, None),
        ] {
            assert_eq!(lifetime(text.as_bytes(), modified), expected, "{text}");
        }
    }
}
