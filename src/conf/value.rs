//! Typed values from words, by nginx's rules and in its wording.
//!
//! The parsers do not know which directive they work for: see [`Reason`] for how its name gets into
//! the message.

use std::time::Duration;

use super::diagnostic::{Reason, suggest};
use super::tree::Word;

/// The largest number nginx computes with on 64-bit machines; larger values are refused.
const MAX: u64 = i64::MAX as u64;

/// `on` or `off`, in any case.
pub fn flag(word: &Word) -> Result<bool, Reason> {
    if word.text.eq_ignore_ascii_case(b"on") {
        Ok(true)
    } else if word.text.eq_ignore_ascii_case(b"off") {
        Ok(false)
    } else {
        let before = format!("invalid value \"{}\" in ", word.str());
        let after = " directive, it must be \"on\" or \"off\"";
        Err(Reason::around(&before, after).at(word.place))
    }
}

/// A decimal number without sign.
pub fn number(word: &Word) -> Result<u64, Reason> {
    decimal(&word.text).ok_or_else(|| Reason::directive("invalid number").at(word.place))
}

/// A size in bytes, with `k` or `m`.
pub fn size(word: &Word) -> Result<u64, Reason> {
    parse_size(&word.text).ok_or_else(|| invalid(word))
}

/// An offset in a file in bytes, with `k`, `m` or `g`.
pub fn offset(word: &Word) -> Result<u64, Reason> {
    parse_offset(&word.text).ok_or_else(|| invalid(word))
}

/// A time of millisecond resolution: `1h 30m`, `500ms`; no months or years, as in nginx.
pub fn milliseconds(word: &Word) -> Result<Duration, Reason> {
    parse_milliseconds(&word.text).ok_or_else(|| invalid(word))
}

/// A time of second resolution: `30d`, `1y 6M`; no milliseconds.
pub fn seconds(word: &Word) -> Result<Duration, Reason> {
    parse_seconds(&word.text).ok_or_else(|| invalid(word))
}

/// A number of buffers and the size of one, neither of them 0.
pub fn buffers(count: &Word, size: &Word) -> Result<(usize, usize), Reason> {
    let count_value = decimal(&count.text)
        .filter(|&n| n > 0)
        .ok_or_else(|| invalid(count))?;
    let size_value = parse_size(&size.text)
        .filter(|&n| n > 0)
        .ok_or_else(|| invalid(size))?;
    Ok((count_value as usize, size_value as usize))
}

/// One of several words, in any case.
pub fn one_of<T: Copy>(word: &Word, choices: &[(&str, T)]) -> Result<T, Reason> {
    let found = choices
        .iter()
        .find(|(name, _)| word.text.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|&(_, value)| value).ok_or_else(|| {
        let reason = Reason::from(format!("invalid value \"{}\"", word.str())).at(word.place);
        let names = choices.iter().map(|&(name, _)| name);
        match suggest(&word.str(), names.clone()) {
            Some(name) => reason.help(format!("did you mean \"{name}\"?")),
            None => reason.help(format!("one of: {}", names.collect::<Vec<_>>().join(", "))),
        }
    })
}

fn invalid(word: &Word) -> Reason {
    Reason::directive("invalid value").at(word.place)
}

/// Decimal digits only, at least one, at most 2^63 - 1 (nginx's `ngx_atoi`).
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter()
        .try_fold(0, |value, &byte| push_digit(value, byte))
}

fn push_digit(value: u64, byte: u8) -> Option<u64> {
    let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
    value
        .checked_mul(10)?
        .checked_add(digit)
        .filter(|&value| value <= MAX)
}

/// [`size`] on bytes, for values inside an argument (`buffer=32k`).
pub fn parse_size(text: &[u8]) -> Option<u64> {
    let (digits, scale) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 1 << 10),
        (b'm' | b'M', digits) => (digits, 1 << 20),
        _ => (text, 1),
    };
    decimal(digits)?
        .checked_mul(scale)
        .filter(|&value| value <= MAX)
}

/// [`offset`] on bytes.
pub fn parse_offset(text: &[u8]) -> Option<u64> {
    match text.split_last()? {
        (b'g' | b'G', digits) => decimal(digits)?
            .checked_mul(1 << 30)
            .filter(|&value| value <= MAX),
        _ => parse_size(text),
    }
}

/// [`milliseconds`] on bytes, for values inside an argument (`flush=5m`).
pub fn parse_milliseconds(text: &[u8]) -> Option<Duration> {
    time(text, Unit::Month).map(Duration::from_millis)
}

/// [`seconds`] on bytes.
pub fn parse_seconds(text: &[u8]) -> Option<Duration> {
    time(text, Unit::Start).map(Duration::from_millis)
}

/// The units in the order they must stand in; each at most once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Start,
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    /// A number without unit, ended by a space: seconds, and nothing but another such number's end.
    Bare,
}

impl Unit {
    fn milliseconds(self) -> u64 {
        const SECOND: u64 = 1000;
        const DAY: u64 = 86_400 * SECOND;
        match self {
            Unit::Year => 365 * DAY,
            Unit::Month => 30 * DAY,
            Unit::Week => 7 * DAY,
            Unit::Day => DAY,
            Unit::Hour => 3600 * SECOND,
            Unit::Minute => 60 * SECOND,
            Unit::Start | Unit::Second | Unit::Bare => SECOND,
            Unit::Millisecond => 1,
        }
    }

    /// Takes a unit off the front of the text.
    fn take(text: &mut &[u8]) -> Option<Unit> {
        let (unit, rest) = match *text {
            [b'm', b's', rest @ ..] => (Unit::Millisecond, rest),
            [b'y', rest @ ..] => (Unit::Year, rest),
            [b'M', rest @ ..] => (Unit::Month, rest),
            [b'w', rest @ ..] => (Unit::Week, rest),
            [b'd', rest @ ..] => (Unit::Day, rest),
            [b'h', rest @ ..] => (Unit::Hour, rest),
            [b'm', rest @ ..] => (Unit::Minute, rest),
            [b's', rest @ ..] => (Unit::Second, rest),
            [b' ', rest @ ..] => (Unit::Bare, rest),
            _ => return None,
        };
        *text = rest;
        Some(unit)
    }

    /// Whether this unit may follow that one.
    fn follows(self, last: Unit) -> bool {
        match self {
            Unit::Bare => last < Unit::Second,
            unit => last < unit,
        }
    }
}

/// A time in milliseconds (nginx's `ngx_parse_time`). `first` is the unit that counts as already
/// seen: `Month` for values of millisecond resolution, which know neither months nor years; `Start`
/// for those of seconds.
fn time(mut text: &[u8], first: Unit) -> Option<u64> {
    let (mut last, mut total, mut value) = (first, 0u64, 0u64);
    let mut digits = false;
    let add = |total: u64, value: u64, unit: Unit| {
        let part = value.checked_mul(unit.milliseconds())?;
        total.checked_add(part).filter(|&total| total <= MAX)
    };
    while let [byte, rest @ ..] = text {
        if byte.is_ascii_digit() {
            value = push_digit(value, *byte)?;
            digits = true;
            text = rest;
            continue;
        }
        let unit = Unit::take(&mut text)?;
        let too_fine = unit == Unit::Millisecond && first == Unit::Start;
        if too_fine || !unit.follows(last) {
            return None;
        }
        total = add(total, value, unit)?;
        (last, value) = (unit, 0);
        while let [b' ', rest @ ..] = text {
            text = rest;
        }
    }
    digits.then(|| add(total, value, Unit::Second))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::source::Place;

    fn word(text: &str) -> Word {
        Word {
            text: text.into(),
            place: Place {
                source: 0,
                line: 3,
                column: 7,
                width: 1,
            },
        }
    }

    #[test]
    fn times_of_milliseconds() {
        let cases = [
            ("0", Some(0)),
            ("15", Some(15_000)),
            ("15s", Some(15_000)),
            ("500ms", Some(500)),
            ("1m", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("1h 30m", Some(5_400_000)),
            ("1h  30m 5", Some(5_405_000)),
            ("1w2d", Some(777_600_000)),
            ("1s500ms", Some(1_500)),
            ("1d 5", Some(86_405_000)),
            (" 5", Some(5_000)),
            ("5 ", Some(5_000)),
            ("5ms3", Some(3_005)),
            ("s5", Some(5_000)),
            ("1hm", Some(3_600_000)),
            ("9223372036854775", Some(9_223_372_036_854_775_000)),
            ("9223372036854776", None),
            ("99999999999999999999", None),
            ("106751991168d", None),
            ("", None),
            ("s", None),
            (" ", None),
            ("1M", None),
            ("1y", None),
            ("30m 1h", None),
            ("1m1m", None),
            ("30 m", None),
            ("1s 2 3", None),
            ("1H", None),
            ("-1", None),
            ("1.5s", None),
            ("1h\t5m", None),
        ];
        for (text, expected) in cases {
            let value = milliseconds(&word(text))
                .ok()
                .map(|time| time.as_millis() as u64);
            assert_eq!(value, expected, "{text:?}");
        }
    }

    #[test]
    fn times_of_seconds() {
        let cases = [
            ("1y", Some(31_536_000)),
            ("1y 2M", Some(36_720_000)),
            ("1M", Some(2_592_000)),
            ("30d", Some(2_592_000)),
            ("75", Some(75)),
            ("500ms", None),
            ("1M 1y", None),
            ("1y1y", None),
            ("9223372036854775807", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                seconds(&word(text)).ok().map(|time| time.as_secs()),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn sizes_and_offsets() {
        let cases = [
            ("0", Some(0), Some(0)),
            ("1024", Some(1024), Some(1024)),
            ("8k", Some(8192), Some(8192)),
            ("8K", Some(8192), Some(8192)),
            ("1m", Some(1 << 20), Some(1 << 20)),
            ("1M", Some(1 << 20), Some(1 << 20)),
            ("2g", None, Some(2 << 30)),
            ("2G", None, Some(2 << 30)),
            ("9223372036854775807", Some(MAX), Some(MAX)),
            ("9223372036854775808", None, None),
            ("9007199254740992k", None, None),
            ("8589934592g", None, None),
            ("", None, None),
            ("k", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1kb", None, None),
            ("1 k", None, None),
            ("1t", None, None),
            ("1.5m", None, None),
        ];
        for (text, as_size, as_offset) in cases {
            assert_eq!(size(&word(text)).ok(), as_size, "{text:?}");
            assert_eq!(offset(&word(text)).ok(), as_offset, "{text:?}");
        }
    }

    #[test]
    fn the_messages_are_those_of_nginx() {
        let told = |reason: Reason| reason.text("etag");
        assert_eq!(
            told(flag(&word("yes")).unwrap_err()),
            "invalid value \"yes\" in \"etag\" directive, it must be \"on\" or \"off\""
        );
        assert_eq!(
            told(size(&word("x")).unwrap_err()),
            "\"etag\" directive invalid value"
        );
        assert_eq!(
            told(number(&word("x")).unwrap_err()),
            "\"etag\" directive invalid number"
        );
        let choice = one_of(&word("exat"), &[("exact", 1), ("before", 2)]).unwrap_err();
        assert_eq!(told(choice.clone()), "invalid value \"exat\"");
        assert_eq!(choice.help.as_deref(), Some("did you mean \"exact\"?"));
        assert_eq!(choice.place, Some(word("").place));
    }

    #[test]
    fn words_are_compared_in_any_case() {
        assert_eq!(flag(&word("On")), Ok(true));
        assert_eq!(flag(&word("OFF")), Ok(false));
        assert_eq!(one_of(&word("Exact"), &[("off", 0), ("exact", 1)]), Ok(1));
        assert_eq!(buffers(&word("4"), &word("8k")), Ok((4, 8192)));
        assert!(buffers(&word("0"), &word("8k")).is_err());
        assert!(buffers(&word("4"), &word("0")).is_err());
    }
}
