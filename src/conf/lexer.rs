//! The lexical grammar: words, `;`, `{`, `}`, quotes, escapes and comments, exactly as nginx reads
//! them.
//!
//! After an error the lexer stands where reading can go on.

use super::diagnostic::Reason;
use super::lua;
use super::source::{Place, starts_character};
use super::tree::Word;

/// What the grammar is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Token {
    /// A word, without quotes and escapes.
    Word(Word),
    /// `;`
    Semicolon(Place),
    /// `{`
    Open(Place),
    /// `}`
    Close(Place),
    /// The end of the text, with the place just after what was read last.
    End(Place),
}

/// Reads one text.
pub struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Where `at` is.
    here: Place,
    /// Whether the last token was a quoted word, which only a blank, `;`, `{` or `)` may follow.
    after_quote: bool,
    /// The longest word accepted, in bytes as written.
    longest: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of a text, which is the source of this index.
    pub fn new(text: &'a [u8], source: u32, longest: usize) -> Self {
        let here = Place {
            source,
            line: 1,
            column: 1,
            width: 1,
        };
        Lexer {
            text,
            at: 0,
            here,
            after_quote: false,
            longest,
        }
    }

    /// The next token.
    pub fn token(&mut self) -> Result<Token, Reason> {
        if std::mem::take(&mut self.after_quote) {
            self.expect_delimiter()?;
        }
        self.skip_blanks();
        let place = self.here;
        let token = match self.peek() {
            None => return Ok(Token::End(place)),
            Some(quote @ (b'"' | b'\'')) => return self.quoted(quote),
            Some(b';') => Token::Semicolon(place),
            Some(b'{') => Token::Open(place),
            Some(b'}') => Token::Close(place),
            Some(_) => return self.bare(),
        };
        self.advance(1);
        Ok(token)
    }

    /// Skips the Lua code of a block whose `{` has just been read, with its `}`.
    pub fn skip_lua(&mut self) -> Result<(), Reason> {
        match lua::end_of_block(&self.text[self.at..]) {
            Some(length) => {
                self.advance(length);
                Ok(())
            }
            None => {
                self.advance(self.text.len() - self.at);
                Err(Reason::from("unexpected end of file, expecting \"}\"").at(self.here))
            }
        }
    }

    /// What may follow a closing quote. `}` is left to the parser, which refuses it too.
    fn expect_delimiter(&self) -> Result<(), Reason> {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')' | b'}') => Ok(()),
            Some(_) => {
                let rest = &self.text[self.at..];
                let end = (1..rest.len()).find(|&i| starts_character(rest[i]));
                let character = String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]);
                Err(Reason::from(format!("unexpected \"{character}\"")).at(self.here))
            }
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.advance(1),
                b'#' => {
                    let comment = &self.text[self.at..];
                    let end = comment.iter().position(|&byte| byte == b'\n');
                    self.advance(end.unwrap_or(comment.len()));
                }
                _ => break,
            }
        }
    }

    /// A word without quotes around it. The brace of `${` opens no block.
    fn bare(&mut self) -> Result<Token, Reason> {
        let mut end = self.at;
        let mut variable = false;
        while let Some(&byte) = self.text.get(end) {
            match byte {
                b'{' if variable => {}
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
                b'\\' => (variable, end) = (false, end + 1),
                _ => variable = byte == b'$',
            }
            end += 1;
        }
        let raw = &self.text[self.at..end.min(self.text.len())];
        let place = self.take(raw.len());
        if raw.len() > self.longest {
            let start = String::from_utf8_lossy(&raw[..raw.len().min(10)]);
            return Err(
                Reason::from(format!("too long parameter \"{start}...\" started")).at(place),
            );
        }
        Ok(Token::Word(Word {
            text: unescape(raw),
            place,
        }))
    }

    fn quoted(&mut self, quote: u8) -> Result<Token, Reason> {
        let start = self.at + 1;
        let mut end = start;
        while let Some(&byte) = self.text.get(end).filter(|&&byte| byte != quote) {
            end += if byte == b'\\' { 2 } else { 1 };
        }
        let missing = format!(
            "probably missing terminating \"{}\" character",
            char::from(quote)
        );
        if end >= self.text.len() {
            let mut place = self.take(self.text.len() - self.at);
            place.width = 1;
            return Err(Reason::from(format!("unexpected end of file, {missing}")).at(place));
        }
        let raw = &self.text[start..end];
        let place = self.take(raw.len() + 2);
        self.after_quote = true;
        if raw.len() > self.longest {
            return Err(Reason::from(format!("too long parameter, {missing}")).at(place));
        }
        Ok(Token::Word(Word {
            text: unescape(raw),
            place,
        }))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Moves over a word of this many bytes and returns its place.
    fn take(&mut self, length: usize) -> Place {
        let written = &self.text[self.at..self.at + length];
        let line = written
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        let width = line.iter().filter(|&&byte| starts_character(byte)).count() as u32;
        let place = Place {
            width: width.max(1),
            ..self.here
        };
        self.advance(length);
        place
    }

    fn advance(&mut self, length: usize) {
        for &byte in &self.text[self.at..self.at + length] {
            if byte == b'\n' {
                self.here.line += 1;
                self.here.column = 1;
            } else if starts_character(byte) {
                self.here.column += 1;
            }
        }
        self.at += length;
    }
}

/// Resolves the escapes that nginx resolves; a backslash before any other byte stays.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [byte, tail @ ..] = rest {
        let escaped = match rest {
            [b'\\', byte @ (b'"' | b'\'' | b'\\'), ..] => Some(*byte),
            [b'\\', b't', ..] => Some(b'\t'),
            [b'\\', b'r', ..] => Some(b'\r'),
            [b'\\', b'n', ..] => Some(b'\n'),
            _ => None,
        };
        text.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &tail[1..] } else { tail };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens as text: words in brackets, punctuation as itself, errors after `!`.
    fn tokens(text: &[u8]) -> String {
        let mut lexer = Lexer::new(text, 0, 20);
        let mut out = String::new();
        loop {
            match lexer.token() {
                Ok(Token::Word(word)) => out += &format!("[{}]", word.str()),
                Ok(Token::Semicolon(_)) => out.push(';'),
                Ok(Token::Open(_)) => out.push('{'),
                Ok(Token::Close(_)) => out.push('}'),
                Ok(Token::End(_)) => return out,
                Err(reason) => out += &format!("!{}!", reason.message),
            }
        }
    }

    #[test]
    fn texts_are_cut_as_nginx_cuts_them() {
        let cases = [
            ("a b;", "[a][b];"),
            ("a\tb\r\n;", "[a][b];"),
            ("a{b;}", "[a]{[b];}"),
            ("a}b;", "[a}b];"),
            ("a }b;", "[a]}[b];"),
            ("# c ; {\na;#d", "[a];"),
            ("a#b #c\n;", "[a#b];"),
            ("\"a b\" 'c;d';", "[a b][c;d];"),
            ("\"\" '';", "[][];"),
            ("a\"b c\"d;", "[a\"b][c\"d];"),
            ("\"it's\" 'a\"b';", "[it's][a\"b];"),
            ("\"a\\\"b\" 'a\\'b';", "[a\"b][a'b];"),
            ("\"a\\'b\\\\\";", "[a'b\\];"),
            ("a\\\"b\\'c\\\\d;", "[a\"b'c\\d];"),
            ("\\tx\\ty\\rz\\n;", "[\tx\ty\rz\n];"),
            ("a\\.b\\/c\\-;", "[a\\.b\\/c\\-];"),
            ("a\\ b\\;c\\{d;", "[a\\ b\\;c\\{d];"),
            ("\\;a;", "[\\;a];"),
            ("${a}b;", "[${a}b];"),
            ("x${a}y {", "[x${a}y]{"),
            ("$a{", "[$a]{"),
            ("$a {", "[$a]{"),
            ("a${{b;", "[a${{b];"),
            ("\\${a}", "[\\$]{[a}]"),
            ("a$\\{b;", "[a$\\{b];"),
            ("if ($a = \"b\") {", "[if][($a][=][b][)]{"),
            ("if ($a ~ 'b'){", "[if][($a][~][b][)]{"),
            ("^/(.*)\\.[0-9]{2}$;", "[^/(.*)\\.[0-9]]{[2}$];"),
            ("a\u{a0}b;", "[a\u{a0}b];"),
            ("a\\", "[a\\]"),
            ("a", "[a]"),
            ("\"a\nb\";", "[a\nb];"),
            ("\"a\\\nb\";", "[a\\\nb];"),
            ("\"a\"};", "[a]};"),
            ("\"a\"b;", "[a]!unexpected \"b\"![b];"),
            ("\"a\"\"b\";", "[a]!unexpected \"\"\"![b];"),
            ("\"a\"\u{e9}b;", "[a]!unexpected \"\u{e9}\"![\u{e9}b];"),
            ("\"a\"#b\n;", "[a]!unexpected \"#\"!;"),
            (
                "a \"b",
                "[a]!unexpected end of file, probably missing terminating \"\"\" character!",
            ),
            (
                "'b\\'",
                "!unexpected end of file, probably missing terminating \"'\" character!",
            ),
            (
                "a123456789b123456789c d;",
                "!too long parameter \"a123456789...\" started![d];",
            ),
            (
                "'a123456789b123456789c' d;",
                "!too long parameter, probably missing terminating \"'\" character![d];",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(tokens(b"\xff\x80;"), "[\u{fffd}\u{fffd}];");
    }

    #[test]
    fn places_count_characters() {
        let mut lexer = Lexer::new("\u{e9}\u{e9} 'x\u{e9}\ny'\r\n  z;\n\n".as_bytes(), 4, 20);
        let mut places = Vec::new();
        loop {
            let (place, end) = match lexer.token().unwrap() {
                Token::Word(word) => (word.place, false),
                Token::Semicolon(place) | Token::Open(place) | Token::Close(place) => {
                    (place, false)
                }
                Token::End(place) => (place, true),
            };
            assert_eq!(place.source, 4);
            places.push((place.line, place.column, place.width));
            if end {
                break;
            }
        }
        assert_eq!(
            places,
            [(1, 1, 2), (1, 4, 3), (3, 3, 1), (3, 4, 1), (5, 1, 1)]
        );
    }

    #[test]
    fn an_unterminated_quote_is_reported_where_it_starts() {
        let mut lexer = Lexer::new(b"a\n  'b c\nd;\n", 0, 20);
        lexer.token().unwrap();
        let place = lexer.token().unwrap_err().place.unwrap();
        assert_eq!((place.line, place.column, place.width), (2, 3, 1));
    }
}
