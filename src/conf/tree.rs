//! A configuration as written: words, directives and their blocks, includes already in place.
//!
//! Nothing here knows what a directive means.

use std::borrow::Cow;

use super::source::{Place, Sources};

/// One word, after quotes and escapes have been taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its bytes; configuration is bytes, not text.
    pub text: Vec<u8>,
    /// Where it stands.
    pub place: Place,
}

impl Word {
    /// The word as text for messages; bytes that are no UTF-8 are replaced.
    pub fn str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// Whether the word is exactly this text.
    pub fn is(&self, text: &str) -> bool {
        self.text == text.as_bytes()
    }
}

/// One directive as written: `name args...;` or `name args... { block }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The directive's name.
    pub name: Word,
    /// Its arguments.
    pub args: Vec<Word>,
    /// What stands between its braces, when it has any.
    pub block: Option<Vec<Item>>,
}

/// A whole configuration.
#[derive(Debug, Default)]
pub struct Tree {
    /// The texts that every [`Place`] refers to.
    pub sources: Sources,
    /// The directives outside any block.
    pub items: Vec<Item>,
}
