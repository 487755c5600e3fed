//! Strings with variables, split into their parts: `$name`, `${name}` and `$1`. What a variable is,
//! is not known here.

use super::diagnostic::Reason;

/// A piece of a string with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes that stand for themselves.
    Literal(Vec<u8>),
    /// A variable's name, as written.
    Variable(Vec<u8>),
    /// A capture of the last regular expression, 1 to 9.
    Capture(usize),
}

/// Splits a string at its variables, by nginx's rules: `$` cannot be escaped, `$10` is `$1` and
/// `0`, and `${1}` is a variable named `1`. No two literals stand side by side.
pub fn split(text: &[u8]) -> Result<Vec<Part>, Reason> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let part;
        (part, rest) = match rest {
            [b'$', digit @ b'1'..=b'9', tail @ ..] => {
                (Part::Capture(usize::from(digit - b'0')), tail)
            }
            [b'$', b'{', tail @ ..] => bracketed(tail)?,
            [b'$', tail @ ..] => plain(tail)?,
            _ => {
                let end = rest
                    .iter()
                    .position(|&byte| byte == b'$')
                    .unwrap_or(rest.len());
                (Part::Literal(rest[..end].to_vec()), &rest[end..])
            }
        };
        parts.push(part);
    }
    Ok(parts)
}

/// Whether a string has any variable or capture.
pub fn has_variables(text: &[u8]) -> bool {
    text.contains(&b'$')
}

fn bracketed(tail: &[u8]) -> Result<(Part, &[u8]), Reason> {
    if tail.is_empty() {
        return Err("invalid variable name".into());
    }
    let (name, rest) = take_name(tail);
    let Some(rest) = rest.strip_prefix(b"}") else {
        let name = String::from_utf8_lossy(name);
        return Err(format!("the closing bracket in \"{name}\" variable is missing").into());
    };
    variable(name, rest)
}

fn plain(tail: &[u8]) -> Result<(Part, &[u8]), Reason> {
    let (name, rest) = take_name(tail);
    variable(name, rest)
}

fn variable<'a>(name: &[u8], rest: &'a [u8]) -> Result<(Part, &'a [u8]), Reason> {
    if name.is_empty() {
        return Err("invalid variable name".into());
    }
    Ok((Part::Variable(name.to_vec()), rest))
}

fn take_name(text: &[u8]) -> (&[u8], &[u8]) {
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    text.split_at(
        text.iter()
            .position(|byte| !named(byte))
            .unwrap_or(text.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Part::{Capture, Literal, Variable};
    use proptest::prelude::*;

    fn literal(text: &str) -> Part {
        Literal(text.into())
    }

    fn named(name: &str) -> Part {
        Variable(name.into())
    }

    #[test]
    fn strings_are_split_as_nginx_splits_them() {
        let cases = [
            ("", vec![]),
            ("plain", vec![literal("plain")]),
            ("$uri", vec![named("uri")]),
            ("/a$uri/b", vec![literal("/a"), named("uri"), literal("/b")]),
            ("${host}name", vec![named("host"), literal("name")]),
            ("$a$b", vec![named("a"), named("b")]),
            ("$1", vec![Capture(1)]),
            ("$10", vec![Capture(1), literal("0")]),
            ("$0", vec![named("0")]),
            ("${1}", vec![named("1")]),
            ("$http_x_y-z", vec![named("http_x_y"), literal("-z")]),
            ("$a}", vec![named("a"), literal("}")]),
            ("\\$a", vec![literal("\\"), named("a")]),
            ("\u{e9}$a", vec![literal("\u{e9}"), named("a")]),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_messages_are_those_of_nginx() {
        let cases = [
            ("$", "invalid variable name"),
            ("a$", "invalid variable name"),
            ("$-", "invalid variable name"),
            ("$$a", "invalid variable name"),
            ("${", "invalid variable name"),
            ("${}", "invalid variable name"),
            ("${a", "the closing bracket in \"a\" variable is missing"),
            ("${a-b}", "the closing bracket in \"a\" variable is missing"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                split(text.as_bytes()).unwrap_err().message,
                expected,
                "{text}"
            );
        }
    }

    fn strings() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(&b"$${}a1_\x80-"[..]), 0..20)
    }

    fn written(part: Part) -> Vec<u8> {
        match part {
            Literal(bytes) => bytes,
            Variable(name) => [b"$", &name[..]].concat(),
            Capture(number) => format!("${number}").into(),
        }
    }

    proptest! {
        #[test]
        fn parts_give_the_string_back(text in strings()) {
            if let Ok(parts) = split(&text) {
                let again: Vec<u8> = parts.into_iter().flat_map(written).collect();
                let brackets = |byte: &u8| *byte != b'{' && *byte != b'}';
                let without = |text: Vec<u8>| text.into_iter().filter(brackets).collect::<Vec<_>>();
                prop_assert_eq!(without(again), without(text));
            }
        }
    }
}
