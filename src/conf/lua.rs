//! Finds the end of a `*_by_lua_block`: just enough of Lua's lexical grammar to match braces.
//!
//! Lua is not run; this keeps its code from being reported as broken configuration.

/// Whether the block of this directive is Lua.
pub fn is_block(name: &[u8]) -> bool {
    name.ends_with(b"_by_lua_block")
}

/// The length of the code after the opening brace up to and with the closing one.
pub fn end_of_block(code: &[u8]) -> Option<usize> {
    let mut depth = 1usize;
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        at += match rest {
            [b'-', b'-', comment @ ..] => {
                2 + long_bracket(comment).unwrap_or_else(|| line(comment))
            }
            [b'[', ..] => long_bracket(rest).unwrap_or(1),
            [quote @ (b'"' | b'\''), string @ ..] => 1 + short_string(string, *quote),
            [byte, ..] => {
                match byte {
                    b'{' => depth += 1,
                    b'}' => depth -= 1,
                    _ => {}
                }
                1
            }
            [] => 0,
        };
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The length of `[==[ ... ]==]` when the text starts with one.
fn long_bracket(text: &[u8]) -> Option<usize> {
    let level = text
        .strip_prefix(b"[")?
        .iter()
        .take_while(|&&byte| byte == b'=')
        .count();
    let start = level + 2;
    if text.get(start - 1) != Some(&b'[') {
        return None;
    }
    let close = [&b"]"[..], &vec![b'='; level], b"]"].concat();
    let end = text[start..]
        .windows(close.len())
        .position(|window| window == close);
    Some(end.map_or(text.len(), |end| start + end + close.len()))
}

/// The length of a string after its opening quote; a string ends at the end of its line at the
/// latest.
fn short_string(text: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'\n' => return at,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn line(text: &[u8]) -> usize {
    text.iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_matched_as_lua_reads_them() {
        // The block must end at the `!`.
        let cases = [
            "}!",
            " local t = {a = {}} }! }",
            " s = '}' .. \"}\\\"}\" }!",
            " -- } it's\n }!",
            " --[[ } \n } ]] }!",
            " --[==[ }]] } ]==] }!",
            " s = [[}]] }!",
            " s = [=[ ]] } ]=] }!",
            " t[1] = t[a[1]] }!",
            " s = 'open\n }!",
            " s = 'a\\'}' }!",
        ];
        for code in cases {
            assert_eq!(end_of_block(code.as_bytes()), code.find('!'), "{code}");
        }
        for code in ["", " { }", " '}", " [[ }", " --}", " '\\"] {
            assert_eq!(end_of_block(code.as_bytes()), None, "{code}");
        }
    }
}
