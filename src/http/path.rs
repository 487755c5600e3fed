//! Paths: decoded once, normalised, and escaped again for the wire (RFC 3986, 2.1 and 5.2.4).
//!
//! A path here is that of a URI; whether a file has that name is not asked.

use std::borrow::Cow;
use std::ops::Deref;

use super::Fault;

/// A decoded, normalised path: it begins with a slash, holds no NUL and no dot segment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Path(Vec<u8>);

impl Path {
    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Path {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Decodes and normalises the raw path of a request.
///
/// As in nginx an encoded slash or dot counts as a plain one, and a `?` or `#` ends the path
/// unless it is encoded. `merge_slashes` (directive of that name) makes one slash of several.
///
/// # Errors
///
/// 400 for a path without a leading slash, a broken percent-encoding, a NUL, and dot segments that
/// lead above the root.
pub fn normalise(raw: &[u8], merge_slashes: bool) -> Result<Path, Fault> {
    let mut path = Vec::with_capacity(raw.len());
    normalise_into(raw, merge_slashes, &mut path)?;
    Ok(Path(path))
}

/// `normalise` into a buffer of the caller's; what the buffer held is dropped.
///
/// # Errors
///
/// Those of `normalise`; the buffer then holds nothing of use.
pub fn normalise_into(raw: &[u8], merge_slashes: bool, path: &mut Vec<u8>) -> Result<(), Fault> {
    path.clear();
    let Some((b'/', mut rest)) = raw.split_first() else {
        return Err(INVALID);
    };
    path.push(b'/');
    let mut segment = 1;
    while let [first, tail @ ..] = rest {
        let byte = match first {
            b'?' | b'#' => break,
            b'%' => {
                let byte = decode(tail).ok_or(INVALID)?;
                rest = &tail[2..];
                byte
            }
            &byte => {
                rest = tail;
                byte
            }
        };
        if byte == 0 {
            return Err(INVALID);
        } else if byte == b'/' {
            let is_merged = merge_slashes && path.len() == segment;
            if !reduce(path, segment)? && !is_merged {
                path.push(b'/');
            }
            segment = path.len();
        } else {
            path.push(byte);
        }
    }
    reduce(path, segment).map(drop)
}

const INVALID: Fault = Fault::bad_request("client sent invalid request");

/// Takes back the last segment, which begins at `segment`, if it is a dot segment.
fn reduce(path: &mut Vec<u8>, segment: usize) -> Result<bool, Fault> {
    match &path[segment..] {
        b"." => path.truncate(segment),
        b".." => {
            let above = path[..segment - 1].iter().rposition(|&byte| byte == b'/');
            path.truncate(above.ok_or(INVALID)? + 1);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The byte that two hexadecimal digits stand for.
fn decode(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |byte: u8| (byte as char).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

/// Where an escaped text is to stand, and so which bytes it may not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Escape {
    /// A path: what no URI may hold, `?`, `#` and `%`.
    Uri,
    /// The arguments of a query: as `Uri`, and `&`, `+`, `;`.
    Args,
    /// One segment or value: everything but RFC 3986's unreserved bytes.
    Component,
}

impl Escape {
    fn applies(self, byte: u8) -> bool {
        match self {
            _ if byte.is_ascii_alphanumeric() => false,
            Escape::Component => !b"-._~".contains(&byte),
            Escape::Args if b"&+;".contains(&byte) => true,
            _ => !byte.is_ascii_graphic() || b"\"#%<>?\\^`{|}".contains(&byte),
        }
    }
}

/// Percent-encodes the bytes that may not stand there.
pub fn escape(text: &[u8], place: Escape) -> Cow<'_, [u8]> {
    let Some(first) = text.iter().position(|&byte| place.applies(byte)) else {
        return Cow::Borrowed(text);
    };
    let mut escaped = text[..first].to_vec();
    for &byte in &text[first..] {
        if place.applies(byte) {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            let digits = [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ];
            escaped.push(b'%');
            escaped.extend_from_slice(&digits);
        } else {
            escaped.push(byte);
        }
    }
    Cow::Owned(escaped)
}

/// Decodes percent-encodings; a broken one stays as it is.
pub fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        match decode(tail).filter(|_| *first == b'%') {
            Some(byte) => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(decoded)
}

/// Decodes percent-encodings before the first `?`, of visible ASCII from `&` on alone: what may
/// stand in a URI either way. Of a broken one only what is no digit stays, as in nginx.
pub fn unescape_visible(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            (b'?', _) => {
                decoded.push(b'?');
                break;
            }
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() => {
                rest = after;
                match decode(tail) {
                    Some(b'?') => {
                        decoded.push(b'?');
                        break;
                    }
                    Some(byte) if byte > b'%' && byte < 0x7f => decoded.push(byte),
                    Some(_) => decoded.extend([b'%', *high, *low]),
                    None => {}
                }
            }
            (b'%', [high]) if high.is_ascii_hexdigit() => rest = b"",
            (b'%', [other, after @ ..]) => {
                rest = after;
                decoded.push(*other);
            }
            (b'%', []) => {}
            (byte, _) => decoded.push(byte),
        }
    }
    decoded.extend_from_slice(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normalised() {
        let table: [(&str, Option<&str>); 45] = [
            ("/", Some("/")),
            ("/a/b", Some("/a/b")),
            ("/a/b/", Some("/a/b/")),
            ("/a//b", Some("/a/b")),
            ("//a", Some("/a")),
            ("/a///", Some("/a/")),
            ("/.", Some("/")),
            ("/./a", Some("/a")),
            ("/a/.", Some("/a/")),
            ("/a/./b", Some("/a/b")),
            ("/a/..", Some("/")),
            ("/a/../b", Some("/b")),
            ("/a/b/..", Some("/a/")),
            ("/a/b/../", Some("/a/")),
            ("/a/b/../../c", Some("/c")),
            ("/a//../b", Some("/b")),
            ("/a/.b", Some("/a/.b")),
            ("/a/..b", Some("/a/..b")),
            ("/a/...", Some("/a/...")),
            ("/a/b..", Some("/a/b..")),
            ("/%61", Some("/a")),
            ("/%41%2d", Some("/A-")),
            ("/a%2fb", Some("/a/b")),
            ("/a%2F%2Fb", Some("/a/b")),
            ("/a/%2e%2e/b", Some("/b")),
            ("/a/%2e./b", Some("/b")),
            ("/a%2f..%2fb", Some("/b")),
            ("/%252e%252e/a", Some("/%2e%2e/a")),
            ("/a%3fb", Some("/a?b")),
            ("/a%23b", Some("/a#b")),
            ("/a?b", Some("/a")),
            ("/a#b/../..", Some("/a")),
            ("/a\\..\\b", Some("/a\\..\\b")),
            ("/..", None),
            ("/../a", None),
            ("/a/../../b", None),
            ("/%2e%2e/a", None),
            ("/%2e%2e%2fa", None),
            ("//../a", None),
            ("/a%00", None),
            ("/a\0", None),
            ("/a%", None),
            ("/a%4", None),
            ("/a%zz", None),
            ("a", None),
        ];
        for (raw, expected) in table {
            let path = normalise(raw.as_bytes(), true).ok().map(Path::into_bytes);
            assert_eq!(path, expected.map(|path| path.as_bytes().to_vec()), "{raw}");
        }
    }

    #[test]
    fn slashes_kept() {
        let table: [(&str, Option<&str>); 6] = [
            ("//a///b//", Some("//a///b//")),
            ("/a//../b", Some("/a/b")),
            ("//..", Some("/")),
            ("//../..", None),
            ("/a/.//b", Some("/a//b")),
            ("/a%2f%2fb", Some("/a//b")),
        ];
        for (raw, expected) in table {
            let path = normalise(raw.as_bytes(), false).ok().map(Path::into_bytes);
            assert_eq!(path, expected.map(|path| path.as_bytes().to_vec()), "{raw}");
        }
    }

    #[test]
    fn escaped() {
        let table: [(Escape, &str, &str); 4] = [
            (
                Escape::Uri,
                "/a b?c#d%e\"é<&+;>",
                "/a%20b%3Fc%23d%25e%22%C3%A9%3C&+;%3E",
            ),
            (Escape::Args, "a&b+c;d=/", "a%26b%2Bc%3Bd=/"),
            (Escape::Component, "a/b:~-_.", "a%2Fb%3A~-_."),
            (Escape::Uri, "/plain", "/plain"),
        ];
        for (place, text, expected) in table {
            assert_eq!(
                &*escape(text.as_bytes(), place),
                expected.as_bytes(),
                "{text}"
            );
        }
        assert_eq!(&*unescape(b"a%20%zz%4"), b"a %zz%4");
    }

    #[test]
    fn what_a_uri_may_hold_is_unescaped_before_a_query() {
        for (text, expected) in [
            ("/a", "/a"),
            ("/%41%2f%25%7e%7f%20%c3", "/A/%25~%7f%20%c3"),
            ("/%41?%41", "/A?%41"),
            ("/%3f%41", "/?%41"),
            ("/%3F%41", "/?%41"),
            ("/%zz%4", "/zz"),
            ("/%%41%4x%", "/%41"),
            ("%", ""),
        ] {
            let unescaped = unescape_visible(text.as_bytes());
            assert_eq!(unescaped.escape_ascii().to_string(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_leaves_the_root(raw in "/[./%2eEfFa]{0,40}", merge in any::<bool>()) {
            if let Ok(path) = normalise(raw.as_bytes(), merge) {
                prop_assert!(path.starts_with(b"/"));
                prop_assert!(!path.contains(&0));
                prop_assert!(!path.split(|&b| b == b'/').any(|part| part == b"." || part == b".."));
                prop_assert!(!merge || !path.windows(2).any(|pair| pair == b"//"));
            }
        }

        #[test]
        fn escaping_is_undone(text in proptest::collection::vec(1u8.., 0..40)) {
            for place in [Escape::Uri, Escape::Args, Escape::Component] {
                let escaped = escape(&text, place);
                prop_assert_eq!(&*unescape(&escaped), &text[..]);
            }
            let mut raw = b"/x".to_vec();
            raw.extend_from_slice(&escape(&text, Escape::Component));
            if !text.contains(&b'/') {
                let path = normalise(&raw, true).expect("an escaped segment is valid");
                prop_assert_eq!(&path[2..], &text[..]);
            }
        }

        #[test]
        fn anything_is_read_without_panic(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = normalise(&raw, true);
            let _ = normalise(&raw, false);
        }
    }
}
