//! `gzip_static` and its like: files that were coded beforehand, beside those they stand for or
//! instead of them.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::Values;
use super::answer::Answer;
use super::compression;
use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::run::{Flow, Phase};
use super::static_file::{self, file_path};
use super::symlinks;
use crate::conf::diagnostic::Reason;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::files::Opened;
use crate::http::{Coding, Method};
use crate::log::{Legible, Level};
use crate::sys::OsError;
use crate::sys::file::{Absence, Kind};

directives! {
    /// Files coded with gzip beforehand.
    pub struct GzipStatic in "ngx_http_gzip_static_module" with Draft {
        /// Answers with the file of the same name and `.gz`, if there is one, to clients that take
        /// it; with `always`, to all. Where only that file exists, other clients get it decoded.
        when: Use = Use::Never =>
            "gzip_static" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(when);
    }
}

/// When a file that was coded beforehand is the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// Never.
    #[default]
    Never,
    /// Where the client takes it.
    Accepted,
    /// Whenever it is there.
    Always,
}

/// Reads the argument of `gzip_static` and its like.
pub fn when(word: &Word) -> Result<Use, Reason> {
    let words = [
        ("off", Use::Never),
        ("on", Use::Accepted),
        ("always", Use::Always),
    ];
    value::one_of(word, &words)
}

fn used(values: &Values, coding: Coding) -> Use {
    match coding {
        Coding::Brotli => values.brotli_static.when,
        Coding::Zstd => values.zstd_static.when,
        Coding::Gzip => values.gzip_static.when,
    }
}

/// What a coded file is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To be the answer.
    Answer,
    /// To know that the answer depends on the client.
    Witness,
}

/// The codings of files to look for, in their order.
fn wanted(x: &Exchange) -> Vec<(Coding, Purpose)> {
    let values = &x.location.values;
    let accepted = compression::accepted(x);
    let none = Answer::default();
    let takes = |coding| compression::takes(x, &none, &accepted, coding);
    let of_use = |coding, wanted| used(values, coding) == wanted;
    let taken = accepted.ranked(|coding| !of_use(coding, Use::Never) && takes(coding));
    let mut all: Vec<_> = taken.map(|coding| (coding, Purpose::Answer)).collect();
    let purposes = [
        (Use::Always, Purpose::Answer),
        (Use::Accepted, Purpose::Witness),
    ];
    for (wanted, purpose) in purposes {
        // What everybody gets is best in the coding that most can take.
        let codings = Coding::ALL.into_iter().rev();
        for coding in codings.filter(|&coding| of_use(coding, wanted)) {
            if all.iter().all(|(known, _)| *known != coding) {
                all.push((coding, purpose));
            }
        }
    }
    all
}

/// Answers with a coded file; looks for the one of this number, and for those after it.
pub fn run(x: &mut Exchange, env: &mut dyn Env, at: usize) -> Flow {
    let is_used = Coding::ALL
        .iter()
        .any(|&coding| used(&x.location.values, coding) != Use::Never);
    let is_read = matches!(x.method, Method::Get | Method::Head);
    if !is_used || !is_read || x.uri.ends_with(b"/") {
        return Flow::Goto(Phase::File);
    }
    let Some(&(coding, purpose)) = wanted(x).get(at) else {
        return Flow::Goto(Phase::File);
    };
    let path = coded_path(x, coding);
    let opened = match x.open(env, &path) {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            tell(x, &path, &error);
            return Flow::Goto(Phase::Precompressed(at + 1));
        }
        Err(need) => return Flow::Wait(need),
    };
    x.coded.varies |= used(&x.location.values, coding) == Use::Accepted;
    match (purpose, opened.meta.kind) {
        (Purpose::Answer, Kind::Regular) => answer(x, coding, opened),
        (Purpose::Answer, Kind::Other) => static_file::irregular(x, Level::Crit, &path),
        (Purpose::Witness, Kind::Regular) => {
            x.coded.witness.get_or_insert(coding);
            Flow::Goto(Phase::Precompressed(at + 1))
        }
        _ => Flow::Goto(Phase::Precompressed(at + 1)),
    }
}

fn coded_path(x: &Exchange, coding: Coding) -> PathBuf {
    let mut path = file_path(x, &x.uri).into_os_string();
    path.push(OsStr::new(coding.extension()));
    path.into()
}

fn tell(x: &Exchange, path: &Path, error: &io::Error) {
    let level = match Absence::of(error) {
        Absence::Missing => return,
        Absence::Forbidden => Level::Error,
        Absence::Failed => Level::Crit,
    };
    let (call, path) = (symlinks::call(x, "open"), Legible(path));
    x.log(
        level,
        format_args!("{call}() \"{path}\" failed {}", OsError(error)),
    );
}

fn answer(x: &mut Exchange, coding: Coding, opened: Opened) -> Flow {
    let mut answer = static_file::content(x, opened);
    let field = ("Content-Encoding".into(), coding.name().into());
    answer.fields.push(field);
    answer.coding = Some(coding);
    Flow::Answer(Box::new(answer))
}

/// The file was not found, and a coded one was that its client does not take: it will do.
pub fn decoded(x: &mut Exchange, env: &mut dyn Env, coding: Coding) -> Flow {
    let path = coded_path(x, coding);
    match x.open(env, &path) {
        Ok(Ok(opened)) if opened.meta.kind == Kind::Regular => {
            x.coded.decodes = true;
            answer(x, coding, opened)
        }
        Ok(Ok(_)) => static_file::irregular(x, Level::Error, &path),
        Ok(Err(error)) => static_file::failed(x, symlinks::call(x, "open"), &path, &error),
        Err(need) => Flow::Wait(need),
    }
}
