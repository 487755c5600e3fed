//! Validators and the conditions a request makes on them (RFC 9110, 8.8 and 13).

use super::digits::hexadecimal;
use super::{Head, Method, date};

/// The entity tag that nginx forms from modification time (seconds) and size (bytes), quoted.
pub fn etag_of(mtime: i64, size: u64) -> Vec<u8> {
    let mut tag = Vec::with_capacity(36);
    tag.push(b'"');
    hexadecimal(&mut tag, mtime.cast_unsigned());
    tag.push(b'-');
    hexadecimal(&mut tag, size);
    tag.push(b'"');
    tag
}

/// How If-Modified-Since is compared (directive `if_modified_since`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ModifiedSince {
    /// The field is ignored.
    Off,
    /// Unmodified only when the times are equal.
    #[default]
    Exact,
    /// Unmodified when the time of the representation is not later.
    Before,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Answer as if there were none.
    Proceed,
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
}

/// The validators of the representation that would be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Validators<'a> {
    /// Entity tag, quotes and `W/` included.
    pub etag: Option<&'a [u8]>,
    /// Seconds since the epoch.
    pub last_modified: Option<i64>,
}

/// Evaluates the conditions of a request that would succeed, in the order of RFC 9110, 13.2.2.
///
/// A field that is no list of tags, or no date, is false or ignored as the RFC says; so is a date
/// where there is no modification time to compare. OPTIONS and its like select no representation,
/// and their conditions are ignored (13.2.1).
pub fn evaluate(head: &Head, validators: Validators<'_>, policy: ModifiedSince) -> Decision {
    let method = head.method();
    if matches!(method, Method::Options | Method::Trace | Method::Connect) {
        return Decision::Proceed;
    }
    let is_read = matches!(method, Method::Get | Method::Head);
    let stored = validators.last_modified;
    if let Some(tags) = head.field("if-match") {
        if !lists(tags, validators.etag, Comparison::Strong) {
            return Decision::PreconditionFailed;
        }
    } else if let (Some(limit), Some(stored)) = (date_field(head, "if-unmodified-since"), stored)
        && stored > limit
    {
        return Decision::PreconditionFailed;
    }
    let unmodified = match (head.field("if-none-match"), stored) {
        (Some(tags), _) => lists(tags, validators.etag, Comparison::Weak),
        (None, Some(stored)) => is_read && unmodified_since(head, stored, policy),
        (None, None) => false,
    };
    match (unmodified, is_read) {
        (false, _) => Decision::Proceed,
        (true, true) => Decision::NotModified,
        (true, false) => Decision::PreconditionFailed,
    }
}

fn unmodified_since(head: &Head, stored: i64, policy: ModifiedSince) -> bool {
    let since = || date_field(head, "if-modified-since");
    match policy {
        ModifiedSince::Off => false,
        ModifiedSince::Exact => since() == Some(stored),
        ModifiedSince::Before => since().is_some_and(|since| stored <= since),
    }
}

/// Whether a Range field counts: there is no If-Range, or it names exactly this representation
/// (RFC 9110, 13.1.5).
pub fn range_applies(head: &Head, validators: Validators<'_>) -> bool {
    match head.field("if-range") {
        None => true,
        Some(tag) if tag.ends_with(b"\"") => validators
            .etag
            .is_some_and(|etag| Comparison::Strong.holds(tag, etag)),
        Some(text) => {
            validators.last_modified.is_some() && date::parse(text) == validators.last_modified
        }
    }
}

fn date_field(head: &Head, name: &str) -> Option<i64> {
    date::parse(head.field(name)?)
}

/// RFC 9110, 8.8.3.2
#[derive(Clone, Copy)]
enum Comparison {
    Strong,
    Weak,
}

impl Comparison {
    fn holds(self, one: &[u8], other: &[u8]) -> bool {
        let opaque = |tag| <[u8]>::strip_prefix(tag, b"W/");
        match self {
            Comparison::Strong => one == other && opaque(one).is_none(),
            Comparison::Weak => opaque(one).unwrap_or(one) == opaque(other).unwrap_or(other),
        }
    }
}

/// Whether a list of tags, or `*`, covers this one. What is no tag ends the list.
fn lists(list: &[u8], etag: Option<&[u8]>, comparison: Comparison) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    let mut rest = list;
    loop {
        rest = skip_separators(rest);
        let Some((tag, tail)) = split_tag(rest) else {
            return false;
        };
        if comparison.holds(tag, etag) {
            return true;
        }
        rest = tail;
    }
}

fn skip_separators(list: &[u8]) -> &[u8] {
    let end = list
        .iter()
        .position(|byte| !b" \t,".contains(byte))
        .unwrap_or(list.len());
    &list[end..]
}

/// The tag at the start, and what follows it. A tag may hold commas.
fn split_tag(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let opaque = list
        .strip_prefix(b"W/")
        .unwrap_or(list)
        .strip_prefix(b"\"")?;
    let quote = opaque.iter().position(|&byte| byte == b'"')?;
    let end = list.len() - opaque.len() + quote + 1;
    Some(list.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::*;

    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const STORED: Validators<'_> = Validators {
        etag: Some(b"\"a,b\""),
        last_modified: Some(784_111_777),
    };
    const WEAK: Validators<'_> = Validators {
        etag: Some(b"W/\"a\""),
        last_modified: None,
    };

    fn head(fields: &str) -> Head {
        head_of("GET", fields)
    }

    fn head_of(method: &str, fields: &str) -> Head {
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = Head::parse(text.as_bytes(), &Default::default()).expect("a whole head");
        assert_eq!(head.fault(), None, "{fields}");
        head
    }

    #[test]
    fn tags() {
        assert_eq!(etag_of(0x5e5e_5e5e, 1234), b"\"5e5e5e5e-4d2\"");
        assert_eq!(etag_of(0, 0), b"\"0-0\"");
        assert_eq!(etag_of(-1, 1), b"\"ffffffffffffffff-1\"");
    }

    #[test]
    fn conditions() {
        let table: [(String, Validators<'_>, Decision); 25] = [
            ("".into(), STORED, Proceed),
            ("If-Match: *\r\n".into(), STORED, Proceed),
            ("If-Match: \"a,b\"\r\n".into(), STORED, Proceed),
            (
                "If-Match: \"x\", W/\"y\" ,\"a,b\"\r\n".into(),
                STORED,
                Proceed,
            ),
            ("If-Match: W/\"a,b\"\r\n".into(), STORED, PreconditionFailed),
            ("If-Match: \"x\"\r\n".into(), STORED, PreconditionFailed),
            ("If-Match: junk\r\n".into(), STORED, PreconditionFailed),
            ("If-Match: \"a\"\r\n".into(), WEAK, PreconditionFailed),
            ("If-Match: W/\"a\"\r\n".into(), WEAK, PreconditionFailed),
            (format!("If-Unmodified-Since: {THEN}\r\n"), STORED, Proceed),
            (format!("If-Unmodified-Since: {AFTER}\r\n"), STORED, Proceed),
            (
                format!("If-Unmodified-Since: {BEFORE}\r\n"),
                STORED,
                PreconditionFailed,
            ),
            (format!("If-Unmodified-Since: {BEFORE}\r\n"), WEAK, Proceed),
            ("If-Unmodified-Since: never\r\n".into(), STORED, Proceed),
            (
                format!("If-Match: \"a,b\"\r\nIf-Unmodified-Since: {BEFORE}\r\n"),
                STORED,
                Proceed,
            ),
            ("If-None-Match: *\r\n".into(), STORED, NotModified),
            ("If-None-Match: W/\"a,b\"\r\n".into(), STORED, NotModified),
            (
                "If-None-Match: ,, \"x\",\"a,b\"\r\n".into(),
                STORED,
                NotModified,
            ),
            ("If-None-Match: \"a\"\r\n".into(), STORED, Proceed),
            ("If-None-Match: \"a\"\r\n".into(), WEAK, NotModified),
            (
                format!("If-Modified-Since: {THEN}\r\n"),
                STORED,
                NotModified,
            ),
            (format!("If-Modified-Since: {AFTER}\r\n"), STORED, Proceed),
            (format!("If-Modified-Since: {THEN}\r\n"), WEAK, Proceed),
            (
                format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {THEN}\r\n"),
                STORED,
                Proceed,
            ),
            (
                "If-Match: \"x\"\r\nIf-None-Match: *\r\n".into(),
                STORED,
                PreconditionFailed,
            ),
        ];
        for (fields, validators, decision) in table {
            let head = head(&fields);
            assert_eq!(
                evaluate(&head, validators, ModifiedSince::Exact),
                decision,
                "{fields}"
            );
        }
    }

    #[test]
    fn conditions_of_other_methods() {
        let since = format!("If-Modified-Since: {THEN}\r\n");
        for (method, fields, decision) in [
            ("HEAD", "If-None-Match: *\r\n", NotModified),
            ("POST", "If-None-Match: *\r\n", PreconditionFailed),
            ("POST", "If-Match: \"x\"\r\n", PreconditionFailed),
            ("POST", &since, Proceed),
            ("OPTIONS", "If-None-Match: *\r\n", Proceed),
            ("OPTIONS", "If-Match: \"x\"\r\n", Proceed),
        ] {
            let head = head_of(method, fields);
            let found = evaluate(&head, STORED, ModifiedSince::Exact);
            assert_eq!(found, decision, "{method} {fields}");
        }
    }

    #[test]
    fn modified_since() {
        use ModifiedSince::*;
        let table = [
            (Off, THEN, Proceed),
            (Exact, BEFORE, Proceed),
            (Exact, AFTER, Proceed),
            (Before, BEFORE, Proceed),
            (Before, THEN, NotModified),
            (Before, AFTER, NotModified),
        ];
        for (policy, since, decision) in table {
            let head = head(&format!("If-Modified-Since: {since}\r\n"));
            assert_eq!(
                evaluate(&head, STORED, policy),
                decision,
                "{policy:?} {since}"
            );
        }
    }

    #[test]
    fn if_range() {
        let table: [(String, Validators<'_>, bool); 8] = [
            ("".into(), STORED, true),
            ("If-Range: \"a,b\"\r\n".into(), STORED, true),
            ("If-Range: \"x\"\r\n".into(), STORED, false),
            ("If-Range: W/\"a\"\r\n".into(), WEAK, false),
            (format!("If-Range: {THEN}\r\n"), STORED, true),
            (format!("If-Range: {AFTER}\r\n"), STORED, false),
            (format!("If-Range: {THEN}\r\n"), WEAK, false),
            ("If-Range: junk\r\n".into(), WEAK, false),
        ];
        for (fields, validators, expected) in table {
            assert_eq!(
                range_applies(&head(&fields), validators),
                expected,
                "{fields}"
            );
        }
    }
}
