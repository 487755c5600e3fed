//! `try_files`: the first of several files that exists, or something else.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::draft::{AliasOf, Draft};
use super::env::Env;
use super::exchange::Exchange;
use super::locate;
use super::run::{Flow, Phase};
use super::symlinks;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::log::{Legible, Level};
use crate::sys::OsError;
use crate::sys::file::{Absence, Kind};

directives! {
    /// Files to try.
    pub struct TryFiles in "ngx_http_try_files_module" with Draft {
        /// Serves the first of these files or directories (with a slash at the end) that exists;
        /// otherwise goes on with the last: a path, a named location or `=code`.
        tried: Option<Tried> = None => "try_files" [SERVER | LOCATION] 2.., Once, "", with(try_files);
    }
}

/// What `try_files` says.
#[derive(Clone, Debug)]
pub struct Tried {
    files: Vec<File>,
    fallback: Fallback,
}

#[derive(Clone, Debug)]
struct File {
    name: Template,
    directory: bool,
}

#[derive(Clone, Debug)]
enum Fallback {
    Status(u16),
    Uri(Template),
}

fn try_files(this: &mut TryFiles, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (last, files) = call
        .args()
        .split_last()
        .expect("the table wants two arguments");
    let files = files
        .iter()
        .map(|word| {
            let name = word.text.strip_suffix(b"/");
            let directory = name.is_some();
            let name = Template::compile_part(name.unwrap_or(&word.text), word, draft)?;
            Ok(File { name, directory })
        })
        .collect::<Result<_, Reason>>()?;
    let fallback = match last.text.strip_prefix(b"=") {
        None => Fallback::Uri(Template::compile(last, draft)?),
        Some(code) => match value::decimal(code) {
            Some(code) if code <= 999 => Fallback::Status(code as u16),
            _ => return Err(Reason::about("invalid code", last)),
        },
    };
    this.tried = Some(Tried { files, fallback });
    Ok(())
}

/// Tries the files from number `at` on.
pub fn run(x: &mut Exchange, env: &mut dyn Env, at: usize) -> Flow {
    let Some(tried) = &x.location.own.try_files.tried else {
        return Flow::Next;
    };
    for (at, file) in tried.files.iter().enumerate().skip(at) {
        let name = file.name.value(x).into_owned();
        let path = path(x, &name);
        let found = match x.stat(env, &path) {
            Ok(found) => found,
            Err(need) => {
                x.phase = Phase::TryFiles(at);
                return Flow::Wait(need);
            }
        };
        match found {
            Ok(meta) if (meta.kind == Kind::Directory) == file.directory => {
                take(x, name, file.directory);
                return Flow::Next;
            }
            Ok(_) => {}
            Err(error) if Absence::of(&error) == Absence::Missing => {}
            Err(error) => {
                let (call, error) = (symlinks::call(x, "stat"), OsError(&error));
                let what = format_args!("{call}() \"{}\" failed {error}", Legible(&path));
                x.log(Level::Crit, what);
            }
        }
    }
    fall_back(x, &tried.fallback)
}

/// The file's path for a name; what an `alias` replaces is left out if the name repeats it.
fn path(x: &Exchange, name: &[u8]) -> PathBuf {
    let root = &x.location.values.root;
    let mut out = Vec::with_capacity(128);
    root.write_root(x, &mut out);
    let rest = match root.replaced() {
        Some(&AliasOf::Bytes(count)) => name
            .strip_prefix(x.uri.get(..count).unwrap_or(b""))
            .unwrap_or(name),
        _ => name,
    };
    out.extend_from_slice(rest);
    PathBuf::from(OsString::from_vec(out))
}

/// Makes a name that was found the request's path. A directory is named without the slash that
/// marks it in the configuration: a request without one is then redirected to it.
fn take(x: &mut Exchange, name: Vec<u8>, directory: bool) {
    match x.location.values.root.replaced() {
        None if name.is_empty() => x.uri = b"/".to_vec(),
        None => x.uri = name,
        Some(AliasOf::All) if directory => {}
        Some(AliasOf::All) => {
            x.uri = name;
            x.alias_keeps_uri = true;
        }
        Some(&AliasOf::Bytes(count)) => {
            let prefix = x.uri.get(..count).unwrap_or(b"");
            x.uri = if name.starts_with(prefix) {
                name
            } else {
                [prefix, &name].concat()
            };
        }
    }
}

fn fall_back(x: &mut Exchange, fallback: &Fallback) -> Flow {
    let uri = match fallback {
        Fallback::Status(status) => return Flow::Fail(*status),
        Fallback::Uri(uri) => uri.value(x).into_owned(),
    };
    if uri.starts_with(b"@") {
        return locate::named(x, &uri);
    }
    Flow::internal(uri)
}
