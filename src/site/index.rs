//! `index`: the file that stands for its directory.

use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::run::{Flow, Phase};
use super::static_file::{self, file_path};
use super::symlinks;
use super::template::Template;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::directives;
use crate::http::Method;
use crate::log::{Legible, Level};
use crate::sys::file::{Absence, Kind};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

directives! {
    /// Index files.
    pub struct Index in "ngx_http_index_module" with Draft {
        /// Files that are tried in this order for a path that ends with a slash. The last may be
        /// an absolute path.
        files: Vec<Template> = vec![Template::literal(b"index.html")] =>
            "index" [HTTP | SERVER | LOCATION] 1.., Replace, "index.html", with(index);
    }
}

fn index(this: &mut Index, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.files.clear();
    }
    let (last, others) = call
        .args()
        .split_last()
        .expect("the table wants an argument");
    for word in others.iter().filter(|word| word.text.starts_with(b"/")) {
        let what = format!(
            "only the last index in \"index\" directive should be absolute: \"{}\"",
            word.str()
        );
        draft
            .diagnostics
            .notice(Severity::Warning, Some(word.place), what);
    }
    for word in others.iter().chain([last]) {
        if word.text.is_empty() {
            return Err(Reason::from("index \"\" in \"index\" directive is invalid").at(word.place));
        }
        this.files.push(Template::compile(word, draft)?);
    }
    Ok(())
}

/// Tries the index files from number `at` on.
pub fn run(x: &mut Exchange, env: &mut dyn Env, at: usize) -> Flow {
    if !x.uri.ends_with(b"/") {
        return Flow::Goto(Phase::Dav);
    }
    if !matches!(x.method, Method::Get | Method::Head | Method::Post) {
        return Flow::Next;
    }
    let index: &'static Index = &x.location.values.index;
    for (at, file) in index.files.iter().enumerate().skip(at) {
        let name = file.value(x).into_owned();
        if name.starts_with(b"/") {
            return Flow::Internal {
                uri: name,
                args: std::mem::take(&mut x.args),
            };
        }
        let mut path = file_path(x, &x.uri).into_os_string();
        path.push(OsStr::from_bytes(&name));
        let path = PathBuf::from(path);
        let found = match x.stat(env, &path) {
            Ok(found) => found,
            Err(need) => {
                x.phase = Phase::Index(at);
                return Flow::Wait(need);
            }
        };
        match found {
            Ok(_) => {
                return Flow::Internal {
                    uri: [&x.uri[..], &name].concat(),
                    args: std::mem::take(&mut x.args),
                };
            }
            Err(error) if Absence::of(&error) == Absence::Missing => {
                if at == 0 {
                    return Flow::Goto(Phase::Directory);
                }
            }
            Err(error) => return static_file::failed(x, symlinks::call(x, "stat"), &path, &error),
        }
    }
    Flow::Next
}

/// Answers for a directory that is not there: the other index files cannot be either, and the
/// absolute one stands for directories that are.
pub fn directory(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    let path = file_path(x, &x.uri);
    match x.stat(env, &path) {
        Ok(Ok(meta)) if meta.kind == Kind::Directory => Flow::Next,
        Ok(Ok(_)) => {
            let what = format_args!("\"{}\" is not a directory", Legible(&path));
            x.log(Level::Error, what);
            Flow::Fail(500)
        }
        Ok(Err(error)) => static_file::failed(x, symlinks::call(x, "stat"), &path, &error),
        Err(need) => Flow::Wait(need),
    }
}
