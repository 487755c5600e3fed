//! Foreign bytes made harmless for a page: as HTML text, and as one path segment of a link.

use std::fmt::{self, Display, Formatter, Write};

/// A string as HTML text or as a quoted attribute value. Characters that HTML forbids, and control
/// characters, which would break the layout, appear as U+FFFD.
pub(super) struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c if c.is_control() || is_noncharacter(c) => f.write_char(char::REPLACEMENT_CHARACTER),
            c => f.write_char(c),
        })
    }
}

/// Unicode's noncharacters, which are parse errors in HTML.
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

/// Bytes as one segment of a relative link: all but RFC 3986's unreserved characters (section 2.3)
/// percent-encoded, so that no name becomes a scheme, a query or another directory.
pub(super) struct Segment<'a>(pub &'a [u8]);

impl Display for Segment<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                f.write_char(char::from(byte))
            }
            byte => write!(f, "%{byte:02X}"),
        })
    }
}
