//! Media types by the extension of a file.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::draft::Draft;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;
use crate::http::Bytes;

directives! {
    /// Media types.
    pub struct Mime in "ngx_http_core_module" with Draft {
        /// Maps extensions to media types: `types { text/html html htm; }`.
        types: Types = Types::built_in() =>
            "types" [HTTP | SERVER | LOCATION] 0, Replace,
            "text/html html; image/gif gif; image/jpeg jpg;", block(types);
        /// The media type of files with other extensions, or none.
        default: Bytes = Bytes::from("text/plain") =>
            "default_type" [HTTP | SERVER | LOCATION] 1, Clone, "text/plain", set(media_type);
    }
}

/// Media types by extension, in lower case.
#[derive(Clone, Debug)]
pub struct Types(Rc<HashMap<Vec<u8>, Arc<[u8]>>>);

impl Types {
    fn built_in() -> Types {
        let types = [
            ("html", "text/html"),
            ("gif", "image/gif"),
            ("jpg", "image/jpeg"),
        ];
        Types(Rc::new(
            types
                .map(|(extension, media)| (extension.into(), media.as_bytes().into()))
                .into(),
        ))
    }
}

fn media_type(word: &Word) -> Result<Bytes, Reason> {
    Ok(Bytes::from(Arc::from(&word.text[..])))
}

fn types(this: &mut Mime, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.types = Types(Rc::default());
    }
    let types = Rc::make_mut(&mut this.types.0);
    for item in call.block() {
        if item.block.is_some() {
            return Err(Reason::from("unexpected \"{\"").at(item.name.place));
        }
        let media: Arc<[u8]> = item.name.text[..].into();
        for word in &item.args {
            let extension = word.text.to_ascii_lowercase();
            if let Some(before) = types.insert(extension, media.clone())
                && before != media
            {
                let what = format!(
                    "duplicate extension \"{}\", content type: \"{}\", previous content type: \"{}\"",
                    word.str(),
                    item.name.str(),
                    String::from_utf8_lossy(&before)
                );
                draft
                    .diagnostics
                    .notice(Severity::Warning, Some(word.place), what);
            }
        }
    }
    Ok(())
}

impl Mime {
    /// The media type for a path, by its extension.
    pub fn of(&self, path: &[u8]) -> Bytes {
        let Some(extension) = extension(path) else {
            return self.default.clone();
        };
        let known = match extension.iter().any(u8::is_ascii_uppercase) {
            true => self.types.0.get(&extension.to_ascii_lowercase()),
            false => self.types.0.get(extension),
        };
        known.map_or_else(|| self.default.clone(), |media| Bytes::from(media.clone()))
    }
}

/// What follows the last dot of the last segment; a dot that starts the segment does not count.
fn extension(path: &[u8]) -> Option<&[u8]> {
    let name = path.rsplit(|&b| b == b'/').next()?;
    let dot = name.iter().rposition(|&b| b == b'.')?;
    (dot > 0).then(|| &name[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_of_the_last_segment() {
        for (path, expected) in [
            ("/a.html", Some("html")),
            ("/a.tar.gz", Some("gz")),
            ("/a.b/c", None),
            ("/.htaccess", None),
            ("/a.", Some("")),
            ("/", None),
        ] {
            assert_eq!(
                extension(path.as_bytes()),
                expected.map(str::as_bytes),
                "{path}"
            );
        }
    }

    #[test]
    fn case_does_not_matter() {
        assert_eq!(&*Mime::default().of(b"/A.HTML"), b"text/html");
        assert_eq!(&*Mime::default().of(b"/a.xyz"), b"text/plain");
    }
}
