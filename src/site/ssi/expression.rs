//! Strings with variables as commands have them, and the conditions of `if`. Whose variables they
//! are is not known here.

/// What gives the value of a variable by its name; none if there is no such variable.
pub type Lookup<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// Why a string or a condition is none, for the error log.
pub type Wrong = String;

/// A string with the values of its variables. A backslash takes their meaning from `$`, quotes and
/// itself; before anything else it stands for itself.
///
/// # Errors
/// A `$` is not followed by a name.
pub fn evaluate(text: &[u8], lookup: Lookup<'_>) -> Result<Vec<u8>, Wrong> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] | [b'\\'] => return Ok(out),
            [b'\\', byte, behind @ ..] => {
                if !matches!(byte, b'\\' | b'\'' | b'"' | b'$') {
                    out.push(b'\\');
                }
                out.push(*byte);
                behind
            }
            [b'$', behind @ ..] => {
                let (name, behind) = name(behind, text)?;
                out.extend(lookup(name).unwrap_or_default());
                behind
            }
            [byte, behind @ ..] => {
                out.push(*byte);
                behind
            }
        };
    }
}

/// The name of a variable behind a `$`, and what follows.
fn name<'a>(behind: &'a [u8], text: &[u8]) -> Result<(&'a [u8], &'a [u8]), Wrong> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bracket = behind.starts_with(b"{");
    let from = &behind[usize::from(bracket)..];
    let end = from.iter().position(|byte| !is_part(byte));
    let (name, rest) = from.split_at(end.unwrap_or(from.len()));
    let invalid = || format!("invalid variable name in \"{}\"", text.escape_ascii());
    match (bracket, rest) {
        (true, []) if name.is_empty() => Err(invalid()),
        (true, [b'}', rest @ ..]) if !name.is_empty() => Ok((name, rest)),
        (true, [b'}', ..]) => Err(invalid()),
        (true, _) => {
            let name = name.escape_ascii();
            Err(format!(
                "the closing bracket in \"{name}\" variable is missing"
            ))
        }
        (false, _) if name.is_empty() => Err(invalid()),
        (false, rest) => Ok((name, rest)),
    }
}

/// The condition of an `if`, with its strings evaluated.
#[derive(Debug, PartialEq)]
pub enum Condition {
    /// It is so, or not.
    Known(bool),
    /// The text has to match the pattern, or must not.
    Matches {
        /// The text.
        text: Vec<u8>,
        /// The pattern.
        pattern: Vec<u8>,
        /// It must not.
        negated: bool,
    },
}

/// Reads a condition: `$name`, `$name = text`, `$name != text`, `$name = /pattern/`.
///
/// # Errors
/// It is none of these, or a variable's name is none.
pub fn condition(expression: &[u8], lookup: Lookup<'_>) -> Result<Condition, Wrong> {
    let invalid = || format!("invalid expression in \"{}\"", expression.escape_ascii());
    let of_left = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'{' | b'}' | b'_' | b'"' | b'\'')
    };
    let end = expression.iter().position(|byte| !of_left(byte));
    let (left, rest) = expression.split_at(end.unwrap_or(expression.len()));
    let left = evaluate(&left.to_ascii_lowercase(), lookup)?;
    let (negated, right) = match skip_spaces(rest) {
        [] => return Ok(Condition::Known(!left.is_empty())),
        [b'=', right @ ..] => (false, right),
        [b'!', b'=', right @ ..] => (true, right),
        _ => return Err(invalid()),
    };
    match skip_spaces(right) {
        [b'/', pattern @ .., b'/'] => Ok(Condition::Matches {
            text: left,
            pattern: evaluate(pattern, lookup)?,
            negated,
        }),
        [b'/', _, ..] => Err(invalid()),
        right => {
            let right = evaluate(right, lookup)?;
            Ok(Condition::Known((left == right) != negated))
        }
    }
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| byte != b' ');
    &text[start.unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"a" => Some(b"A".to_vec()),
            b"e" => Some(Vec::new()),
            b"1" => Some(b"one".to_vec()),
            _ => None,
        }
    }

    #[test]
    fn strings_are_evaluated_as_nginx_evaluates_them() {
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("$a-${a}b$none-$e", Ok("A-Ab-")),
            ("$1$10", Ok("one")),
            (r#"a\"b\\c\d\$e"#, Ok(r#"a"b\c\d$e"#)),
            ("a\\", Ok("a")),
            ("$", Err("invalid variable name in \"$\"")),
            ("a$-", Err("invalid variable name in \"a$-\"")),
            ("${", Err("invalid variable name in \"${\"")),
            ("${}", Err("invalid variable name in \"${}\"")),
            (
                "${a",
                Err("the closing bracket in \"a\" variable is missing"),
            ),
            (
                "${a-}",
                Err("the closing bracket in \"a\" variable is missing"),
            ),
        ] {
            let evaluated = evaluate(text.as_bytes(), &lookup);
            let expected = expected
                .map(|it| it.as_bytes().to_vec())
                .map_err(str::to_owned);
            assert_eq!(evaluated, expected, "{text}");
        }
    }

    #[test]
    fn conditions_are_read_as_nginx_reads_them() {
        let known = |is| Ok(Condition::Known(is));
        let matches = |text: &str, pattern: &str, negated| {
            Ok(Condition::Matches {
                text: text.into(),
                pattern: pattern.into(),
                negated,
            })
        };
        let invalid = |text: &str| Err(format!("invalid expression in \"{text}\""));
        for (text, expected) in [
            ("", known(false)),
            ("$a", known(true)),
            ("$A", known(true)),
            ("$e", known(false)),
            ("$none", known(false)),
            ("$a = A", known(true)),
            ("$a=A", known(true)),
            ("$a != A", known(false)),
            ("$a = a", known(false)),
            ("$a = A ", known(false)),
            ("$a = 'A'", known(false)),
            ("ABC = abc", known(true)),
            ("$none = ", known(true)),
            ("$a =", known(false)),
            ("$a = ${a}", known(true)),
            ("$a = /^.$/", Err("invalid variable name in \"^.$\"".into())),
            (r"$a = /^.\$/", matches("A", "^.$", false)),
            (r"$a != /\d/", matches("A", r"\d", true)),
            ("$a = //", matches("A", "", false)),
            ("$a = /", known(false)),
            ("$a = /x", invalid("$a = /x")),
            ("$a = /x/ ", invalid("$a = /x/ ")),
            ("$a ~ 1", invalid("$a ~ 1")),
            ("$a !1", invalid("$a !1")),
            (" $a", invalid(" $a")),
        ] {
            assert_eq!(condition(text.as_bytes(), &lookup), expected, "{text}");
        }
    }
}
