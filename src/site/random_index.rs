//! `random_index`: a file of the directory, drawn anew for each request.

use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::run::Flow;
use super::static_file::{self, file_path};
use crate::conf::value;
use crate::directives;
use crate::http::Method;
use crate::sys::file::Kind;
use crate::sys::random;

directives! {
    /// Whether any file may stand for its directory.
    pub struct RandomIndex in "ngx_http_random_index_module" with Draft {
        /// Answers for a path that ends with a slash with a file of that directory, drawn at
        /// random.
        enabled: bool = false =>
            "random_index" [LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// Draws a file, if that is wanted and there is one.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    let asked = matches!(x.method, Method::Get | Method::Head | Method::Post);
    if !x.location.values.random_index.enabled || !x.uri.ends_with(b"/") || !asked {
        return Flow::Next;
    }
    let path = file_path(x, &x.uri);
    let entries = match x.list(env, &path) {
        Ok(Ok(entries)) => entries,
        Ok(Err(error)) => return static_file::failed(x, "opendir", &path, &error),
        Err(need) => return Flow::Wait(need),
    };
    let mut files = entries
        .into_iter()
        .map(|entry| (entry.name, entry.meta.kind));
    let is_shown =
        |(name, kind): &(Vec<u8>, Kind)| *kind == Kind::Regular && !name.starts_with(b".");
    let files: Vec<_> = files.by_ref().filter(is_shown).collect();
    match files.get(draw(files.len())) {
        Some((name, _)) => Flow::Internal {
            uri: [&x.uri[..], name].concat(),
            args: std::mem::take(&mut x.args),
        },
        None => Flow::Next,
    }
}

/// A number below `count`; 0 where there is none.
fn draw(count: usize) -> usize {
    let mut bytes = [0; 8];
    // Without randomness it is always the first.
    random::fill(&mut bytes).unwrap_or_default();
    let share = u128::from(u64::from_ne_bytes(bytes)) * count as u128;
    (share >> 64) as usize
}
