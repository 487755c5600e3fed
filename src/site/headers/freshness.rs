//! How long an answer stays fresh: `expires`, and the fields that say so.

use std::time::Duration;

use super::Headers;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::http::{Bytes, date};
use crate::site::draft::Draft;
use crate::site::exchange::Exchange;
use crate::site::template::Template;
use crate::sys::clock;

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
    /// So many seconds from the last change; negative: not at all.
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

/// The setter of `expires`.
pub fn expires(this: &mut Headers, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let modified = call.args().len() == 2;
    if modified && !call.arg(0).is("modified") {
        return Err(Reason::directive("invalid value"));
    }
    let word = &call.args()[usize::from(modified)];
    let template = Template::compile(word, draft)?;
    this.expires = match template.fixed() {
        Some(text) => Expires::Plain(
            lifetime(text, modified).map_err(|what| Reason::directive(what).at(word.place))?,
        ),
        None => Expires::Variable(template, modified),
    };
    Ok(())
}

const DAY: i64 = 86_400;

fn lifetime(text: &[u8], modified: bool) -> Result<Lifetime, &'static str> {
    match (text, modified) {
        (b"epoch", false) => return Ok(Lifetime::Epoch),
        (b"max", false) => return Ok(Lifetime::Max),
        (b"off", false) => return Ok(Lifetime::Off),
        ([b'@', ..], true) => return Err("daily time cannot be used with \"modified\" parameter"),
        _ => {}
    }
    let seconds = |text: &[u8]| {
        let time = value::parse_seconds(text).and_then(|time| i64::try_from(time.as_secs()).ok());
        time.ok_or("invalid value")
    };
    let time = match text {
        [b'@', rest @ ..] => match seconds(rest)? {
            time @ ..=DAY => return Ok(Lifetime::Daily(time)),
            _ => return Err("daily time value must be less than 24 hours"),
        },
        [b'-', rest @ ..] => -seconds(rest)?,
        [b'+', rest @ ..] => seconds(rest)?,
        text => seconds(text)?,
    };
    Ok(match modified {
        // nginx counts no time at all from now, whatever it is to be counted from.
        true if time != 0 => Lifetime::FromChange(time),
        _ => Lifetime::FromNow(time),
    })
}

/// The last date that nginx writes for "never": within 32 bits.
const FAR: &str = "Thu, 31 Dec 2037 23:55:55 GMT";

impl Expires {
    /// Nothing is said.
    pub const OFF: Expires = Expires::Plain(Lifetime::Off);

    /// Adds the fields to the exchange's answer.
    pub fn add(&self, x: &mut Exchange) {
        let lifetime = match self {
            Expires::Plain(lifetime) => *lifetime,
            Expires::Variable(template, modified) => {
                lifetime(&template.value(x), *modified).unwrap_or(Lifetime::Off)
            }
        };
        let now = x.clock().wall();
        let (expires, control): (Bytes, Bytes) = match lifetime {
            Lifetime::Off => return,
            Lifetime::Epoch => ("Thu, 01 Jan 1970 00:00:01 GMT".into(), "no-cache".into()),
            Lifetime::Max => (FAR.into(), "max-age=315360000".into()),
            Lifetime::FromNow(seconds) => at(now, seconds),
            Lifetime::FromChange(seconds) => match x.answer.last_modified {
                Some(changed) => from_change(now, changed, seconds),
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
}

fn from_change(now: Duration, changed: i64, seconds: i64) -> (Bytes, Bytes) {
    let left = changed.saturating_add(seconds) - now.as_secs() as i64;
    let (expires, control) = at(now, left);
    match seconds {
        ..0 => (expires, "no-cache".into()),
        _ => (expires, control),
    }
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

/// Seconds until the next time that the local clock shows `time`, which is not now.
fn until(now: Duration, time: i64) -> i64 {
    let local = clock::local(now.as_secs() as i64);
    let since_midnight =
        i64::from(local.hour) * 3600 + i64::from(local.minute) * 60 + i64::from(local.second);
    match (time - since_midnight).rem_euclid(DAY) {
        0 => DAY,
        seconds => seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_in_all_forms() {
        let invalid = Err("invalid value");
        for (text, modified, expected) in [
            ("off", false, Ok(Lifetime::Off)),
            ("epoch", false, Ok(Lifetime::Epoch)),
            ("max", false, Ok(Lifetime::Max)),
            ("1h", false, Ok(Lifetime::FromNow(3600))),
            ("-1", false, Ok(Lifetime::FromNow(-1))),
            ("0", false, Ok(Lifetime::FromNow(0))),
            ("@15h30m", false, Ok(Lifetime::Daily(55_800))),
            (
                "@25h",
                false,
                Err("daily time value must be less than 24 hours"),
            ),
            (
                "@1h",
                true,
                Err("daily time cannot be used with \"modified\" parameter"),
            ),
            ("@-1h", false, invalid),
            ("24h", true, Ok(Lifetime::FromChange(DAY))),
            ("+24h", true, Ok(Lifetime::FromChange(DAY))),
            ("-24h", true, Ok(Lifetime::FromChange(-DAY))),
            ("0", true, Ok(Lifetime::FromNow(0))),
            ("max", true, invalid),
            ("soon", false, invalid),
            ("-", false, invalid),
            ("", false, invalid),
        ] {
            assert_eq!(lifetime(text.as_bytes(), modified), expected, "{text}");
        }
    }
}
