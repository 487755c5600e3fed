//! Patterns as locations and server names use them: a match leaves its captures in the exchange.
//! A pattern that takes too long is an error of its own, never "no match".

use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::diagnostic::Reason;
use crate::conf::pattern::Pattern;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;

/// Backtracking steps a match may take, unless `regex_match_limit` says otherwise.
pub const LIMIT: u64 = 1_000_000;

directives! {
    /// Limits of pattern matching.
    pub struct Matching in "forkful" with Draft {
        /// Backtracking steps that matching one pattern may take; past it the request is answered
        /// with 500, since neither answer would be true. Most patterns never backtrack.
        limit: u64 = LIMIT => "regex_match_limit" [HTTP] 1, Clone, "1000000", with(match_limit);
    }
}

fn match_limit(this: &mut Matching, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.limit = value::number(call.arg(0))?;
    draft.match_limit = this.limit;
    Ok(())
}

/// Matching was given up: the pattern backtracks too much on this text.
#[derive(Debug)]
pub struct TooHard;

/// A pattern and the variables that its named captures set.
#[derive(Debug)]
pub struct Matcher {
    pattern: Pattern,
    /// Group number and slot of each named capture.
    named: Vec<(usize, usize)>,
}

impl Matcher {
    /// Compiles a pattern and declares its named captures.
    ///
    /// # Errors
    /// The pattern is wrong, or a capture has the name of another variable.
    pub fn new(text: &[u8], caseless: bool, draft: &mut Draft) -> Result<Matcher, Reason> {
        let limit = usize::try_from(draft.match_limit).unwrap_or(usize::MAX);
        let pattern = Pattern::new(text, caseless, limit)?;
        let named = pattern
            .names()
            .iter()
            .map(|(name, group)| Ok((*group, draft.variables.declare(name.as_bytes())?)))
            .collect::<Result<_, Reason>>()?;
        Ok(Matcher { pattern, named })
    }

    /// The pattern as written.
    pub fn text(&self) -> &[u8] {
        self.pattern.text()
    }

    /// Whether it matches, without leaving captures anywhere.
    ///
    /// # Errors
    /// Matching was given up.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, TooHard> {
        self.pattern.is_match(text).map_err(|_| TooHard)
    }

    /// Whether it matches; if so, its captures are the exchange's from now on.
    ///
    /// # Errors
    /// Matching was given up.
    pub fn matches(&self, text: &[u8], x: &Exchange) -> Result<bool, TooHard> {
        let captures = &mut *x.captures.borrow_mut();
        if self.pattern.captures_len() == 0 {
            let found = self.pattern.is_match(text).map_err(|_| TooHard)?;
            if found {
                captures.groups.clear();
            }
            return Ok(found);
        }
        let found = self.pattern.captures(text, &mut captures.groups);
        if !found.map_err(|_| TooHard)? {
            return Ok(false);
        }
        captures.subject.clear();
        captures.subject.extend_from_slice(text);
        for &(group, slot) in &self.named {
            let range = captures.groups.get(group).unwrap_or(0..0);
            x.set_slot(slot, Some(text[range].to_vec()));
        }
        Ok(true)
    }
}
