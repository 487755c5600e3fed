//! Bytes from outside, made fit for a log line.

use std::fmt;

/// Shows bytes as nginx's logs do: `"`, `\`, control and non-ASCII bytes as `\xHH`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let plain = rest
                .iter()
                .position(|&byte| needs_escape(byte))
                .unwrap_or(rest.len());
            let (text, after) = rest.split_at(plain);
            f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)?;
            rest = match after.split_first() {
                Some((byte, rest)) => {
                    write!(f, "\\x{byte:02X}")?;
                    rest
                }
                None => after,
            };
        }
        Ok(())
    }
}

fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_ascii_remains() {
        let all: Vec<u8> = (0..=255).collect();
        let text = Escaped(&all).to_string();
        assert!(
            text.bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"')
        );
        assert_eq!(
            Escaped(b"GET /a\"\\\n\xc3\xa9 z").to_string(),
            r"GET /a\x22\x5C\x0A\xC3\xA9 z"
        );
        assert_eq!(Escaped(b"").to_string(), "");
    }
}
