//! What `rewrite` puts in place of a path and its query, or sends a client to.

use crate::conf::diagnostic::Reason;
use crate::conf::tree::Word;
use crate::http::path;
use crate::site::draft::Draft;
use crate::site::exchange::Exchange;
use crate::site::template::Template;

/// A replacement. What variables and captures bring along is never taken apart: only a `?` that
/// is written in the configuration starts a query.
#[derive(Debug)]
pub struct Replacement {
    /// What comes before the first `?`; all of it where a client is sent.
    path: Template,
    /// What comes after it.
    query: Option<Template>,
    /// Whether the request's own query is added.
    keeps_query: bool,
    /// Whether there is a query to add it to.
    has_query: bool,
}

impl Replacement {
    /// Compiles a replacement; `redirects` where a client is sent there.
    ///
    /// # Errors
    /// As [`Template::compile`].
    pub fn compile(word: &Word, redirects: bool, draft: &mut Draft) -> Result<Self, Reason> {
        let (text, keeps_query) = match word.text.strip_suffix(b"?") {
            Some(text) => (text, false),
            None => (&word.text[..], true),
        };
        let start = text.iter().position(|&byte| byte == b'?');
        let (path, query) = match start.filter(|_| !redirects) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let mut compile = |part| Template::compile_part(part, word, draft);
        Ok(Replacement {
            path: compile(path)?,
            query: query.map(compile).transpose()?,
            keeps_query,
            has_query: start.is_some(),
        })
    }

    /// The path and the query in place of those of the request.
    pub fn target(&self, x: &Exchange) -> (Vec<u8>, Vec<u8>) {
        let mut uri = Vec::new();
        self.path.write(x, &mut uri);
        let mut args = Vec::new();
        if let Some(query) = &self.query {
            query.write_quoted(x, x.is_escaped(), &mut args);
        }
        if self.keeps_query && !x.args.is_empty() {
            args.extend(self.query.as_ref().map(|_| b'&'));
            args.extend_from_slice(&x.args);
        }
        (uri, args)
    }

    /// Where a client is sent.
    pub fn destination(&self, x: &Exchange) -> Vec<u8> {
        let mut text = Vec::new();
        self.path.write_quoted(x, x.is_escaped(), &mut text);
        let mut text = path::unescape_visible(&text);
        if self.keeps_query && !x.args.is_empty() {
            text.push(if self.has_query { b'&' } else { b'?' });
            text.extend_from_slice(&x.args);
        }
        text
    }
}
