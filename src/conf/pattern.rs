//! Regular expressions with PCRE's syntax, on bytes, with a bound on backtracking.

use std::fmt;
use std::ops::Range;

use fancy_regex::{BytesMode, Regex, RegexBuilder};

use super::diagnostic::Reason;
use super::pcre;

/// A compiled regular expression.
///
/// `$` matches at the end and before a final newline, as in PCRE. Case is ASCII's.
#[derive(Clone)]
pub struct Pattern {
    regex: Regex,
    text: Vec<u8>,
    names: Vec<(String, usize)>,
    groups: usize,
}

/// The bound on backtracking was reached: whether the pattern matches is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached;

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the regular expression reached its backtracking limit")
    }
}

impl std::error::Error for LimitReached {}

/// Where the groups of a pattern matched; kept by the caller so that its memory can be used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures(Vec<Option<Range<usize>>>);

impl Captures {
    /// Where a group matched in the text, from 1; none when it took no part in the match.
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        self.0.get(group.checked_sub(1)?)?.clone()
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// The largest compiled form of one pattern, in bytes.
const SIZE: usize = 10 << 20;

/// The names of the groups in a text that may be a pattern, or a wrong one.
pub fn names_within(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..text.len()).filter_map(|at| {
        let rest = text[at..].strip_prefix(b"(?")?;
        let rest = rest.strip_prefix(b"P").unwrap_or(rest);
        let rest = rest.strip_prefix(b"<").or(rest.strip_prefix(b"'"))?;
        let end = rest.iter().position(|byte| b">')=!".contains(byte))?;
        Some(&rest[..end]).filter(|name| !name.is_empty())
    })
}

impl Pattern {
    /// Compiles a pattern. `limit` bounds the steps of backtracking in one match; patterns without
    /// look-around, back-references and atomic groups need no backtracking at all.
    pub fn new(text: &[u8], caseless: bool, limit: usize) -> Result<Pattern, Reason> {
        let refused = |why: &dyn fmt::Display| {
            let text = String::from_utf8_lossy(text);
            Reason::from(format!("invalid regular expression \"{text}\": {why}"))
        };
        let translated = pcre::translate(text, caseless).map_err(|why| refused(&why))?;
        let regex = RegexBuilder::new(&translated.pattern)
            .bytes_mode(BytesMode::Ascii)
            .unicode_mode(false)
            .case_insensitive(caseless)
            .backtrack_limit(limit)
            .delegate_size_limit(SIZE)
            .build()
            .map_err(|error| refused(&error))?;
        let pcre::Translated { names, groups, .. } = translated;
        Ok(Pattern {
            regex,
            text: text.to_vec(),
            names,
            groups,
        })
    }

    /// The pattern as written.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The names of the groups, with their numbers.
    pub fn names(&self) -> &[(String, usize)] {
        &self.names
    }

    /// The number of capturing groups.
    pub fn captures_len(&self) -> usize {
        self.groups
    }

    /// Whether the pattern matches anywhere in the text.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, LimitReached> {
        // Whatever stops the engine, the answer is unknown.
        self.regex.is_match(text).map_err(|_| LimitReached)
    }

    /// Where the pattern matches first, if it does.
    pub fn find(&self, text: &[u8]) -> Result<Option<Range<usize>>, LimitReached> {
        let found = self.regex.find(text).map_err(|_| LimitReached)?;
        Ok(found.map(|found| found.range()))
    }

    /// Whether the pattern matches, and where its groups did. Without a match, `captures` stays as
    /// it was.
    pub fn captures(&self, text: &[u8], captures: &mut Captures) -> Result<bool, LimitReached> {
        if self.groups == 0 {
            let matched = self.is_match(text)?;
            if matched {
                captures.clear();
            }
            return Ok(matched);
        }
        let Some(found) = self.regex.captures(text).map_err(|_| LimitReached)? else {
            return Ok(false);
        };
        captures.clear();
        captures
            .0
            .extend((1..=self.groups).map(|group| Some(found.get(group)?.range())));
        Ok(true)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", String::from_utf8_lossy(&self.text))
    }
}

#[cfg(test)]
mod tests;
