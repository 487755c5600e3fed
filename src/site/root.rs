//! `root` and `alias`: from a request's path to a path in the file system.

use super::draft::{AliasOf, Draft};
use super::exchange::Exchange;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;
use std::os::unix::ffi::OsStrExt;

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
    let text = if absolute {
        text.clone()
    } else {
        draft.path(text).as_os_str().as_bytes().to_vec()
    };
    let trailing_slash = replaces.is_none() && text.len() > 1 && text.ends_with(b"/");
    let text = if trailing_slash {
        &text[..text.len() - 1]
    } else {
        &text[..]
    };
    let path = Template::compile_part(text, word, draft)?;
    this.base = Base {
        path: Some(path),
        replaces,
        set_by: (name, draft.block),
    };
    Ok(())
}

impl Root {
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
