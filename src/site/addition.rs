//! `add_before_body`, `add_after_body`: other pages around an answer.

use std::collections::VecDeque;

use super::answer::Answer;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::source::{Input, Pull, Source};
use super::subrequest::Inner;
use super::typeset::TypeSet;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;
use crate::http::Piece;

directives! {
    /// Pages around an answer.
    pub struct Addition in "ngx_http_addition_module" with Draft {
        /// Puts the answer to a request for this path before the body; `""` puts nothing there.
        before: Vec<u8> = Vec::new() =>
            "add_before_body" [HTTP | SERVER | LOCATION] 1, Clone, "", set(path);
        /// Puts the answer to a request for this path behind the body; `""` puts nothing there.
        after: Vec<u8> = Vec::new() =>
            "add_after_body" [HTTP | SERVER | LOCATION] 1, Clone, "", set(path);
        /// The media types of the answers around which pages are put, beside `text/html`; `*` are
        /// all.
        types: TypeSet = TypeSet::of(&["text/html"]) =>
            "addition_types" [HTTP | SERVER | LOCATION] 1.., Replace, "text/html", with(types);
    }
}

fn path(word: &Word) -> Result<Vec<u8>, Reason> {
    Ok(word.text.clone())
}

fn types(this: &mut Addition, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.types.read(draft, call);
    Ok(())
}

/// Puts pages around an answer.
pub fn filter(x: &Exchange, answer: &mut Answer) {
    let addition: &'static Addition = &x.location.values.addition;
    let nothing = addition.before.is_empty() && addition.after.is_empty();
    if nothing || answer.status != 200 || x.is_child() {
        return;
    }
    if !addition.types.contains(answer.content_type.as_deref()) {
        return;
    }
    let page = |path: &'static Vec<u8>| (!path.is_empty()).then_some(Part::Page(path));
    let (before, after) = (page(&addition.before), page(&addition.after));
    answer.weaken_etag();
    answer.transform(|body| {
        let parts = before.into_iter().chain([Part::Body(body)]).chain(after);
        Around(parts.collect())
    });
}

/// What is left of an answer with pages around it.
struct Around(VecDeque<Part>);

enum Part {
    /// The page at this path.
    Page(&'static [u8]),
    /// The page that is being sent.
    Inner(Inner),
    /// The answer itself.
    Body(Input),
}

impl Source for Around {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        while let Some(part) = self.0.front_mut() {
            let piece = match part {
                Part::Page(path) => match Inner::new(x, path) {
                    Ok(inner) => {
                        *part = Part::Inner(inner);
                        continue;
                    }
                    Err(stop) => Err(stop),
                },
                Part::Inner(inner) => inner.next(x, env).map(|chunk| chunk.map(Piece::Bytes)),
                Part::Body(body) => body.piece(x, env),
            };
            match piece {
                Ok(Some(piece)) => return Pull::Piece(piece),
                Ok(None) => drop(self.0.pop_front()),
                Err(stop) => return stop.into(),
            }
        }
        Pull::End
    }
}

#[cfg(test)]
mod tests {
    use crate::site::testing;

    #[test]
    fn pages_around_an_answer() {
        let kit = testing::server(
            "root /r; add_before_body /before; add_after_body /after?x;
             location /plain/ { add_after_body \"\"; types { text/plain txt; } }
             location /all/ { addition_types *; }
             location /none/ { add_before_body \"\"; add_after_body \"\"; }
             location /missing/ { add_before_body /nowhere; add_after_body \"\"; }
             location /before { add_before_body \"\"; return 200 \"<$uri $is_args>\"; }
             location /after { return 200 \"[$uri $request_uri]\"; }",
        )
        .files(&[
            "/r/a.html",
            "/r/plain/a.txt",
            "/r/all/a.gif",
            "/r/none/a.html",
        ])
        .file("/r/missing/a.html", "page");
        let get = |target: &str| kit.send(&format!("GET {target} HTTP/1.0\r\nHost: a\r\n\r\n"));
        for (target, expected) in [
            ("/a.html", "200 </before >/r/a.html[/after?x /a.html]"),
            ("/plain/a.txt", "200 /r/plain/a.txt"),
            (
                "/all/a.gif",
                "200 </before >/r/all/a.gif[/after?x /all/a.gif]",
            ),
            ("/none/a.html", "200 /r/none/a.html"),
        ] {
            assert_eq!(get(target).brief(), expected, "{target}");
        }
        let missing = get("/missing/a.html").body;
        assert!(
            missing.contains("404") && missing.ends_with("page"),
            "{missing}"
        );
        let answer = kit.ask("HEAD", "/a.html", "Range: bytes=0-1\r\n");
        assert_eq!((answer.status, &*answer.body), (200, ""));
        assert!(
            answer
                .field("ETag")
                .is_some_and(|etag| etag.starts_with("W/"))
        );
    }

    #[test]
    fn types_are_listed_once() {
        let said = testing::said("addition_types text/plain TEXT/plain;");
        assert_eq!(said, ["warning: duplicate MIME type \"text/plain\""]);
    }
}
