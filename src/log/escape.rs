//! Bytes from outside, made fit for a log line.

use std::fmt;
use std::path::Path;

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

/// Shows a path so that people can read it: text as it is, bytes that are no text as `\xHH`. The
/// line it stands in escapes control characters.
#[derive(Clone, Copy, Debug)]
pub struct Legible<'a>(pub &'a Path);

impl fmt::Display for Legible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_os_str().as_encoded_bytes().utf8_chunks() {
            f.write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02X}")?;
            }
        }
        Ok(())
    }
}

fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'"' | b'\\' | 0x7f..)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

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

    #[test]
    fn a_path_stays_legible() {
        let path = Path::new(OsStr::from_bytes(b"/srv/\xc3\xa9\xff\"x"));
        assert_eq!(Legible(path).to_string(), "/srv/\u{e9}\\xFF\"x");
    }
}
