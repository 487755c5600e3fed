//! Translates PCRE's syntax, as nginx compiles it (bytes, not UTF-8), to that of the engine behind
//! [`super::pattern`].
//!
//! Only what differs is touched; what the engine refuses is refused there.

use std::fmt::Write;

/// A translated pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// The pattern in the engine's syntax; ASCII only.
    pub pattern: String,
    /// The names of its groups with their numbers, in order.
    pub names: Vec<(String, usize)>,
    /// How many capturing groups it has.
    pub groups: usize,
}

/// Translates a pattern; an error says what PCRE would refuse too, or what is not supported.
pub fn translate(pattern: &[u8], caseless: bool) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern,
        flags: if caseless { vec!['i'] } else { Vec::new() },
        around: Vec::new(),
        out: Translated::default(),
    };
    while let Some(byte) = translator.next() {
        translator.step(byte)?;
    }
    Ok(translator.out)
}

const ALPHABETIC_ESCAPES: &[u8] = b"ABDGKSWZabdefnrstwz";
/// The flags of `(?i)` that the engine knows under the same letters.
const FLAGS: &[u8] = b"imsxU";
const HORIZONTAL: &str = r"\t\x20\xA0";
const VERTICAL: &str = r"\n\x0B\x0C\r\x85";
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

struct Translator<'a> {
    rest: &'a [u8],
    /// The flags in force, of [`FLAGS`].
    flags: Vec<char>,
    /// The flags around each open group, outermost first.
    around: Vec<Vec<char>>,
    out: Translated,
}

/// A member of a class.
enum Member {
    Byte(u8),
    /// A set, as the engine writes it inside a class.
    Set(String),
    /// `\E`, and `\Q\E`: nothing.
    Nothing,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn take(&mut self, prefix: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes what stands before `end`, and `end`.
    fn take_until(&mut self, end: u8) -> Option<&[u8]> {
        let length = self.rest.iter().position(|&byte| byte == end)?;
        let (taken, rest) = self.rest.split_at(length);
        self.rest = &rest[1..];
        Some(taken)
    }

    fn push(&mut self, text: &str) {
        self.out.pattern.push_str(text);
    }

    /// A byte that stands for itself.
    fn literal(&mut self, byte: u8) {
        push_byte(&mut self.out.pattern, byte);
    }

    fn step(&mut self, byte: u8) -> Result<(), String> {
        match byte {
            b'\\' => return self.escape(),
            b'[' => return self.class(),
            b'(' => return self.group(),
            b')' => self.end_group(),
            b'$' => self.dollar(),
            b'{' => match quantifier(self.rest) {
                Some(length) => {
                    let (inside, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    let inside = String::from_utf8_lossy(inside).into_owned();
                    self.push("{");
                    self.push(&inside);
                }
                None => self.literal(b'{'),
            },
            b'}' | b']' | 0x80.. => self.literal(byte),
            _ => self.out.pattern.push(byte.into()),
        }
        Ok(())
    }

    /// `$` matches at the end and before a newline that ends the text. Where nothing can follow it,
    /// the newline may as well be consumed, which keeps a plain pattern free of look-ahead and so
    /// of backtracking.
    fn dollar(&mut self) {
        let last = matches!(self.rest, [] | [b'|', ..]);
        match (self.flags.contains(&'m'), self.around.is_empty() && last) {
            (true, _) => self.push("$"),
            (false, true) => self.push(r"\n?\z"),
            (false, false) => self.push(r"(?=\n?\z)"),
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let byte = self.next().ok_or("\\ at end of pattern")?;
        match byte {
            b'Q' => {
                for byte in self.take_quoted() {
                    self.literal(byte);
                }
            }
            b'E' => {}
            b'h' => self.push(&format!("[{HORIZONTAL}]")),
            b'H' => self.push(&format!("[^{HORIZONTAL}]")),
            b'v' => self.push(&format!("[{VERTICAL}]")),
            b'V' => self.push(&format!("[^{VERTICAL}]")),
            b'N' => self.push(r"[^\n]"),
            b'R' => self.push(&format!(r"(?>\r\n|[{VERTICAL}])")),
            b'Z' => self.push(r"(?=\n?\z)"),
            b'k' | b'g' => self.reference(byte)?,
            b'1'..=b'9' => {
                let mut number = String::from(char::from(byte));
                while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
                    number.push((*digit).into());
                    self.next();
                }
                let _ = write!(self.out.pattern, "(?:\\{number})");
            }
            b'x' | b'0' | b'c' => {
                let value = self.numeric(byte)?;
                self.literal(value);
            }
            byte if byte.is_ascii_alphabetic() && !ALPHABETIC_ESCAPES.contains(&byte) => {
                return Err(format!("\"\\{}\" is not supported", char::from(byte)));
            }
            byte if byte.is_ascii_alphabetic() => {
                self.out.pattern.extend(['\\', byte.into()]);
            }
            byte => self.literal(byte),
        }
        Ok(())
    }

    /// What stands between `\Q` and `\E`, or the end.
    fn take_quoted(&mut self) -> Vec<u8> {
        let end = self.rest.windows(2).position(|window| window == b"\\E");
        let (quoted, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let quoted = quoted.to_vec();
        self.rest = rest.strip_prefix(b"\\E").unwrap_or(rest);
        quoted
    }

    /// `\xHH`, `\x{HH}`, `\0oo` and `\cX`.
    fn numeric(&mut self, kind: u8) -> Result<u8, String> {
        let too_large = || "character value in \\x{} is too large".to_owned();
        match kind {
            b'c' => Ok(self
                .next()
                .ok_or("\\c at end of pattern")?
                .to_ascii_uppercase()
                ^ 0x40),
            b'0' => Ok(self.digits(8, 2) as u8),
            _ if self.rest.starts_with(b"{") => {
                let digits = self.take_until(b'}').ok_or("missing } after \\x{")?[1..].to_vec();
                let text = String::from_utf8_lossy(&digits);
                u8::from_str_radix(&text, 16).map_err(|_| too_large())
            }
            _ => Ok(self.digits(16, 2) as u8),
        }
    }

    fn digits(&mut self, radix: u32, most: usize) -> u32 {
        let mut value = 0;
        for _ in 0..most {
            let digit = self
                .rest
                .first()
                .and_then(|&byte| char::from(byte).to_digit(radix));
            let Some(digit) = digit else { break };
            value = value * radix + digit;
            self.next();
        }
        value
    }

    /// `\k<name>`, `\k'name'`, `\k{name}`, `\g{name}`, `\g{1}`, `\g{-1}`, `\g1`, `\g-1`.
    fn reference(&mut self, kind: u8) -> Result<(), String> {
        let bad = || format!("bad reference after \\{}", char::from(kind));
        let end = match (kind, self.rest.first()) {
            (_, Some(b'{')) => b'}',
            (b'k', Some(b'<')) => b'>',
            (b'k', Some(b'\'')) => b'\'',
            (b'g', Some(b'-' | b'0'..=b'9')) => {
                let sign = if self.take(b"-") { "-" } else { "" };
                let number = self.digits(10, 4);
                return self.numbered(&format!("{sign}{number}"));
            }
            _ => return Err(bad()),
        };
        self.next();
        let inside = self.take_until(end).ok_or_else(bad)?;
        let inside = String::from_utf8_lossy(inside).into_owned();
        if inside.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            self.numbered(&inside)
        } else {
            let _ = write!(self.out.pattern, "\\k<{inside}>");
            Ok(())
        }
    }

    fn numbered(&mut self, number: &str) -> Result<(), String> {
        let value: i64 = number
            .parse()
            .map_err(|_| format!("bad reference \"{number}\""))?;
        let value = if value < 0 {
            self.out.groups as i64 + 1 + value
        } else {
            value
        };
        if value < 1 {
            return Err(format!("reference to non-existent group \"{number}\""));
        }
        let _ = write!(self.out.pattern, "(?:\\{value})");
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        if self.take(b"?#") {
            return self
                .take_until(b')')
                .map(drop)
                .ok_or("missing ) after (?# comment".into());
        }
        let flags = self.flags.clone();
        let plain = [
            &b"?="[..],
            b"?!",
            b"?<=",
            b"?<!",
            b"?>",
            b"?:",
            b"?P=",
            b"?P>",
        ];
        if let Some(kind) = plain.into_iter().find(|kind| self.rest.starts_with(kind)) {
            self.rest = &self.rest[kind.len()..];
            self.push("(");
            self.push(&String::from_utf8_lossy(kind));
        } else if self.take(b"?P<") || self.take(b"?<") {
            self.named_group(b'>')?;
        } else if self.take(b"?'") {
            self.named_group(b'\'')?;
        } else if self.take(b"?") {
            return self.flags();
        } else if self.rest.starts_with(b"*") {
            return Err("verbs, \"(*...)\", are not supported".into());
        } else {
            self.out.groups += 1;
            self.push("(");
        }
        self.around.push(flags);
        Ok(())
    }

    /// Flags set inside a group end with it, in PCRE; the engine has to be told.
    fn end_group(&mut self) {
        if let Some(around) = self.around.pop() {
            let missing = |a: &[char], b: &[char]| -> String {
                a.iter().filter(|flag| !b.contains(flag)).collect()
            };
            let on = missing(&around, &self.flags);
            let off = missing(&self.flags, &around);
            if !off.is_empty() {
                let _ = write!(self.out.pattern, "(?{on}-{off})");
            } else if !on.is_empty() {
                let _ = write!(self.out.pattern, "(?{on})");
            }
            self.flags = around;
        }
        self.push(")");
    }

    fn named_group(&mut self, end: u8) -> Result<(), String> {
        let name = self
            .take_until(end)
            .ok_or("missing terminator of a group name")?;
        let name = String::from_utf8_lossy(name).into_owned();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(word)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(format!("invalid group name \"{name}\""));
        }
        if self.out.names.iter().any(|(known, _)| *known == name) {
            return Err(format!("two groups have the name \"{name}\""));
        }
        self.out.groups += 1;
        let _ = write!(self.out.pattern, "(?<{name}>");
        self.out.names.push((name, self.out.groups));
        Ok(())
    }

    /// `(?i)`, `(?s-i)` and `(?i:`, from after the question mark.
    fn flags(&mut self) -> Result<(), String> {
        let around = self.flags.clone();
        let mut on = true;
        self.push("(?");
        loop {
            let byte = self.next().ok_or("missing )")?;
            let flag = char::from(byte);
            match byte {
                b'-' => on = false,
                b':' => self.around.push(around.clone()),
                b')' => {}
                byte if FLAGS.contains(&byte) => {
                    self.flags.retain(|&set| set != flag);
                    self.flags.extend(on.then_some(flag));
                }
                _ => return Err(format!("\"(?{flag}\" is not supported")),
            }
            self.out.pattern.push(flag);
            if matches!(byte, b':' | b')') {
                return Ok(());
            }
        }
    }

    fn class(&mut self) -> Result<(), String> {
        self.push("[");
        if self.take(b"^") {
            self.push("^");
        }
        let mut first = true;
        let missing = "missing terminating ] for character class";
        loop {
            let byte = self.next().ok_or(missing)?;
            if byte == b']' && !first {
                break;
            }
            let member = self.member(byte)?;
            let ranged = self.rest.len() > 1 && self.rest[0] == b'-' && self.rest[1] != b']';
            match member {
                Member::Byte(low) if ranged => self.range(low)?,
                Member::Byte(byte) => push_byte(&mut self.out.pattern, byte),
                Member::Set(set) => self.push(&set),
                Member::Nothing => continue,
            }
            first = false;
        }
        self.push("]");
        Ok(())
    }

    /// `LOW-HIGH`, with the hyphen still to be read. Before a set the hyphen stands for itself.
    fn range(&mut self, low: u8) -> Result<(), String> {
        self.next();
        let high = self
            .next()
            .ok_or("missing terminating ] for character class")?;
        push_byte(&mut self.out.pattern, low);
        match self.member(high)? {
            Member::Byte(high) if high < low => return Err("range out of order in class".into()),
            Member::Byte(high) => {
                self.push("-");
                push_byte(&mut self.out.pattern, high);
            }
            Member::Set(set) => {
                self.push("\\-");
                self.push(&set);
            }
            Member::Nothing => self.push("\\-"),
        }
        Ok(())
    }

    /// The member of a class that starts with this byte.
    fn member(&mut self, byte: u8) -> Result<Member, String> {
        if byte == b'[' {
            return Ok(self.posix().map_or(Member::Byte(b'['), Member::Set));
        }
        if byte != b'\\' {
            return Ok(Member::Byte(byte));
        }
        let byte = self.next().ok_or("\\ at end of pattern")?;
        Ok(match byte {
            b'Q' => {
                let mut set = String::new();
                self.take_quoted()
                    .into_iter()
                    .for_each(|byte| push_byte(&mut set, byte));
                if set.is_empty() {
                    Member::Nothing
                } else {
                    Member::Set(set)
                }
            }
            b'E' => Member::Nothing,
            b'd' | b'D' | b's' | b'S' | b'w' | b'W' => {
                Member::Set(format!("\\{}", char::from(byte)))
            }
            b'h' => Member::Set(HORIZONTAL.into()),
            b'H' => Member::Set(format!("[^{HORIZONTAL}]")),
            b'v' => Member::Set(VERTICAL.into()),
            b'V' => Member::Set(format!("[^{VERTICAL}]")),
            b'a' => Member::Byte(7),
            b'b' => Member::Byte(8),
            b'e' => Member::Byte(27),
            b'f' => Member::Byte(12),
            b'n' => Member::Byte(b'\n'),
            b'r' => Member::Byte(b'\r'),
            b't' => Member::Byte(b'\t'),
            b'x' | b'0' | b'c' => Member::Byte(self.numeric(byte)?),
            byte if byte.is_ascii_alphanumeric() => {
                return Err(format!(
                    "\"\\{}\" in a class is not supported",
                    char::from(byte)
                ));
            }
            byte => Member::Byte(byte),
        })
    }

    /// `[:alnum:]` or `[:^alnum:]`, its `[` already read.
    fn posix(&mut self) -> Option<String> {
        let inside = self.rest.strip_prefix(b":")?;
        let length = inside.windows(2).position(|window| window == b":]")?;
        let written = std::str::from_utf8(&inside[..length]).ok()?;
        let name = written.strip_prefix('^').unwrap_or(written);
        let set = POSIX.contains(&name).then(|| format!("[:{written}:]"))?;
        self.rest = &inside[length + 2..];
        Some(set)
    }
}

/// A byte as the engine reads it literally, in and out of classes.
fn push_byte(pattern: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_') {
        pattern.push(byte.into());
    } else {
        let _ = write!(pattern, "\\x{byte:02X}");
    }
}

/// The length of `n}`, `n,}` or `n,m}`; anything else after `{` is literal.
fn quantifier(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|&byte| byte == b'}')?;
    let (least, most) = match text[..end].iter().position(|&byte| byte == b',') {
        Some(comma) => (&text[..comma], &text[comma + 1..end]),
        None => (&text[..end], &b""[..]),
    };
    let number = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    (!least.is_empty() && number(least) && number(most)).then_some(end + 1)
}

#[cfg(test)]
mod tests;
