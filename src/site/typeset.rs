//! Sets of media types, as `charset_types`, `gzip_types` and their like say them: `text/html` and
//! what is listed, or all. The answers they are asked about carry the type without parameters.

use super::draft::Draft;
use crate::conf::diagnostic::Severity;
use crate::conf::table::Call;

/// A set of media types.
#[derive(Clone, Debug)]
pub enum TypeSet {
    /// Every type.
    All,
    /// These, in lower case.
    These(Vec<Vec<u8>>),
}

impl TypeSet {
    /// The set of these types, which are in lower case.
    pub fn of(types: &[&str]) -> TypeSet {
        TypeSet::These(types.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    /// Adds what a directive lists. The first one in a block starts over from `text/html`, which
    /// nginx always has in it.
    pub fn read(&mut self, draft: &mut Draft, call: &Call<'_>) {
        if call.first {
            *self = TypeSet::of(&["text/html"]);
        }
        for word in call.args() {
            let TypeSet::These(types) = self else {
                return;
            };
            let text = word.text.to_ascii_lowercase();
            if text == b"*" {
                *self = TypeSet::All;
            } else if types.contains(&text) {
                let text = String::from_utf8_lossy(&text);
                let what = format!("duplicate MIME type \"{text}\"");
                draft
                    .diagnostics
                    .notice(Severity::Warning, Some(word.place), what);
            } else {
                types.push(text);
            }
        }
    }

    /// Whether it has this type. No set but that of all has the type of an answer without one.
    pub fn contains(&self, media: Option<&[u8]>) -> bool {
        match (self, media) {
            (TypeSet::All, _) => true,
            (TypeSet::These(types), Some(media)) => {
                types.iter().any(|it| it.eq_ignore_ascii_case(media))
            }
            (TypeSet::These(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_lists() {
        let set = TypeSet::of(&["text/html", "text/css"]);
        for (media, expected) in [
            (Some("text/html"), true),
            (Some("TEXT/CSS"), true),
            (Some("text/plain"), false),
            (Some("text/html; charset=x"), false),
            (None, false),
        ] {
            let media = media.map(str::as_bytes);
            assert_eq!(set.contains(media), expected, "{media:?}");
            assert!(TypeSet::All.contains(media));
        }
    }
}
