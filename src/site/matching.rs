//! Patterns as locations and server names use them: a match leaves its captures in the exchange.
//! A pattern that takes too long is an error of its own, never "no match".

use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::diagnostic::Reason;
use crate::conf::pattern::{self, Pattern};
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::log::Level;

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

/// The text a pattern matched, and where its captures are.
#[derive(Clone, Default)]
pub struct Captures {
    /// The text.
    pub subject: Vec<u8>,
    /// Where they are.
    pub groups: pattern::Captures,
}

/// Whether a variable took too long, and its request has an answer.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Patience {
    /// None did.
    #[default]
    Kept,
    /// One did.
    Lost,
    /// The request has its error.
    Spent,
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

impl Exchange {
    /// Gives the request up: the pattern of a variable took too long, so that its value is unknown.
    pub fn give_up(&self, what: &str) {
        let what = format_args!("the pattern of a {what} exceeded regex_match_limit");
        self.log(Level::Error, what);
        if self.patience.get() == Patience::Kept {
            self.patience.set(Patience::Lost);
        }
    }

    /// Whether the request was given up; told once, so that its error has an answer.
    pub(super) fn is_given_up(&self) -> bool {
        let lost = self.patience.get() == Patience::Lost;
        if lost {
            self.patience.set(Patience::Spent);
        }
        lost
    }

    /// Looks at capture `number` of the latest pattern that matched, if there is one.
    pub fn with_capture(&self, number: usize, look: impl FnOnce(&[u8])) {
        let captures = self.captures.borrow();
        if let Some(range) = captures.groups.get(number) {
            look(&captures.subject[range]);
        }
    }
}
