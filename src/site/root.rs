//! `root` and `alias`: from a request's path to a path in the file system.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::draft::{AliasOf, Draft};
use super::env::{Env, Need};
use super::exchange::Exchange;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;

directives! {
    /// Where files are.
    pub struct Root in "ngx_http_core_module" with Draft {
        /// Sets the directory of files: a request's path is appended to it.
        base: Base = Base::default() =>
            "root" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "html", with(root);
    }
    also {
        /// Sets what the location's path is replaced with; a pattern's location is replaced whole.
        "alias" [LOCATION] 1, Clone, "", with(alias);
    }
}

/// What a path is appended to, or replaced by.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// Where it starts; none for the default, which depends on the prefix.
    path: Option<Template>,
    /// What of the request's path it replaces; none for `root`.
    replaces: Option<AliasOf>,
    /// The directive that set it and the block it stands in.
    set_by: (&'static str, u64),
}

/// Variables that are made of the directory of files.
const CIRCULAR: [&str; 3] = ["document_root", "realpath_root", "request_filename"];

fn root(this: &mut Root, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    set(this, draft, call, "root", None)
}

fn alias(this: &mut Root, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let Some(replaces) = draft.alias_of.clone() else {
        return Err("the \"alias\" directive cannot be used inside the named location".into());
    };
    set(this, draft, call, "alias", Some(replaces))
}

fn set(
    this: &mut Root,
    draft: &mut Draft,
    call: &Call<'_>,
    name: &'static str,
    replaces: Option<AliasOf>,
) -> Result<(), Reason> {
    let (earlier, block) = this.base.set_by;
    if block == draft.block && earlier != name {
        let what = format!(
            "\"{name}\" directive is duplicate, \"{earlier}\" directive was specified earlier"
        );
        return Err(what.into());
    }
    let word = call.arg(0);
    let text = &word.text;
    let absolute = text.starts_with(b"/") || text.starts_with(b"$");
    let prefix = if absolute {
        PathBuf::new()
    } else {
        draft.path(b"")
    };
    let mut parts = (prefix.as_os_str().as_bytes(), &text[..]);
    if replaces.is_none() {
        parts = without_trailing_slash(parts);
    }
    let path = Template::compile_part(parts.1, word, draft)?.below(parts.0);
    if let Some(variable) = path.computed().find(|name| CIRCULAR.contains(name)) {
        let what = format!("the ${variable} variable cannot be used in the \"{name}\" directive");
        return Err(Reason::from(what).at(word.place));
    }
    draft.needs.reach.read(&path, word.place);
    this.base = Base {
        path: Some(path),
        replaces,
        set_by: (name, draft.block),
    };
    Ok(())
}

/// Of a prefix and what is below it; a request's path starts with a slash of its own.
fn without_trailing_slash<'a>((prefix, text): (&'a [u8], &'a [u8])) -> (&'a [u8], &'a [u8]) {
    match (prefix, text) {
        ([start @ .., b'/'], []) if !start.is_empty() => (start, text),
        (_, [start @ .., b'/']) if !(prefix.is_empty() && start.is_empty()) => (prefix, start),
        whole => whole,
    }
}

/// Finds the directory of files without symlinks, for `$realpath_root`, which nobody may wait for
/// while it is read. Asked anew in each phase of instructions: a deployment switches a link.
pub fn resolve(x: &mut Exchange, env: &mut dyn Env) -> Result<(), Need> {
    if x.site.real_root {
        let root = directory(x);
        let found = x.real(env, &root)?;
        x.real_root = found.ok().map(|real| (root, real));
    }
    Ok(())
}

/// The directory of files (`$document_root`).
pub fn directory(x: &Exchange) -> PathBuf {
    let mut out = Vec::new();
    x.location.values.root.write_root(x, &mut out);
    OsString::from_vec(out).into()
}

impl Root {
    /// Plans that files are changed in it.
    pub fn reach_to_change(&self, draft: &mut Draft) {
        match &self.base.path {
            Some(path) => {
                // That of an `alias` may be a file's, in a directory.
                let fixed = path.fixed().filter(|_| self.base.replaces.is_some());
                let is_file = fixed.is_some_and(|path| {
                    let path = Path::new(OsStr::from_bytes(path));
                    !draft.outside().is_directory(path)
                });
                draft.needs.reach.change(path, is_file);
            }
            None => {
                let path = draft.default_root();
                draft.needs.reach.trees.number(path);
            }
        }
    }

    /// Appends the directory of files (`$document_root`).
    pub fn write_root(&self, x: &Exchange, out: &mut Vec<u8>) {
        match &self.base.path {
            Some(path) => path.write(x, out),
            None => out.extend_from_slice(x.site.default_root.as_os_str().as_bytes()),
        }
    }

    /// Appends the file's path for a request's path (`$request_filename`).
    pub fn write_path(&self, x: &Exchange, uri: &[u8], out: &mut Vec<u8>) {
        self.write_root(x, out);
        match self.base.replaces {
            None => out.extend_from_slice(uri),
            Some(AliasOf::Bytes(count)) => out.extend_from_slice(uri.get(count..).unwrap_or(b"")),
            Some(AliasOf::All) if x.alias_keeps_uri => out.extend_from_slice(uri),
            Some(AliasOf::All) => {}
        }
    }

    /// Whether a path would leave the directory of an `alias`: what follows the location's own
    /// path is appended as it is, and may then be the `..` that no path has otherwise.
    pub fn is_left_by(&self, uri: &[u8]) -> bool {
        let Some(AliasOf::Bytes(count)) = self.base.replaces else {
            return false;
        };
        match uri.get(count..).and_then(|rest| rest.strip_prefix(b"..")) {
            Some(rest) => matches!(rest.first(), None | Some(b'/')),
            None => false,
        }
    }

    /// How much of a request's path an `alias` replaces.
    pub fn replaced(&self) -> Option<&AliasOf> {
        self.base.replaces.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_ends_without_a_slash() {
        for (prefix, text, expected) in [
            ("", "/srv/", "/srv"),
            ("", "/", "/"),
            ("", "$a/", "$a"),
            ("/srv/", "", "/srv"),
            ("/srv/", "www/", "/srv/www"),
            ("/", "", "/"),
        ] {
            let (prefix, text) = without_trailing_slash((prefix.as_bytes(), text.as_bytes()));
            assert_eq!([prefix, text].concat(), expected.as_bytes());
        }
    }
}
