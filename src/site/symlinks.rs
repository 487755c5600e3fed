//! `disable_symlinks`: which symlinks are followed on the way to a file. It is a matter of how files
//! are asked for; the answers are those of the file system.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::draft::Draft;
use super::exchange::Exchange;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;
use crate::sys::file::guarded::{Guard, Links};

directives! {
    /// Which symlinks are followed.
    pub struct Symlinks in "ngx_http_core_module" with Draft {
        /// Refuses files behind symlinks: `on` behind any, `if_not_owner` behind those that do not
        /// belong to the owner of what they lead to. Links in the part of the path that `from=` says
        /// are followed. Listings ignore it, as in nginx.
        rule: Option<Rule> = None =>
            "disable_symlinks" [HTTP | SERVER | LOCATION] 1..=2, Clone, "off", with(disable_symlinks);
    }
}

/// What `disable_symlinks` says.
#[derive(Clone, Debug)]
pub struct Rule {
    links: Links,
    /// The part of a path where every link is followed.
    trusted: Option<Template>,
}

fn disable_symlinks(this: &mut Symlinks, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (mut said, mut trusted) = (None, None);
    for word in call.args() {
        if let Some(from) = word.text.strip_prefix(b"from=") {
            trusted = Some(Template::compile_part(from, word, draft)?);
            continue;
        }
        let links = match &word.text[..] {
            b"off" => None,
            b"on" => Some(Links::Refused),
            b"if_not_owner" => Some(Links::OfTheOwner),
            _ => return Err(Reason::about("invalid parameter", word)),
        };
        if said.replace(links).is_some() {
            let words = [call.arg(0).str(), call.arg(1).str()].join(" ");
            return Err(format!("duplicate parameters \"{words}\"").into());
        }
    }
    let Some(links) = said else {
        let what = " must have \"off\", \"on\" or \"if_not_owner\" parameter";
        return Err(Reason::around("", what));
    };
    if links.is_none() && trusted.is_some() {
        return Err("\"from=\" cannot be used with \"off\" parameter".into());
    }
    this.rule = links.map(|links| Rule { links, trusted });
    Ok(())
}

/// How symlinks are guarded against on the way to a path; not at all, most often.
pub fn guard(x: &Exchange, path: &Path) -> Option<Guard> {
    let rule = x.location.values.symlinks.rule.as_ref()?;
    let from = rule.trusted.as_ref().map(|from| from.value(x));
    let trusted = from.map_or(Some(0), |from| trusted(path.as_os_str().as_bytes(), &from));
    trusted.map(|trusted| Guard {
        links: rule.links,
        trusted,
    })
}

/// The system call that fails where files are asked for so.
pub fn call(x: &Exchange, unguarded: &'static str) -> &'static str {
    match x.location.values.symlinks.rule {
        Some(_) => "openat",
        None => unguarded,
    }
}

/// How many bytes of a path are trusted; none if all are.
fn trusted(path: &[u8], from: &[u8]) -> Option<usize> {
    match path.strip_prefix(from) {
        None => Some(0),
        Some(_) if from.is_empty() => Some(0),
        Some([]) => None,
        Some([b'/', ..]) => Some(from.len()),
        Some(_) if from.ends_with(b"/") => Some(from.len() - 1),
        Some(_) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::said;

    #[test]
    fn a_part_of_a_path_is_trusted_up_to_a_slash() {
        for (path, from, expected) in [
            ("/srv/a/b", "/srv/a", Some(6)),
            ("/srv/a/b", "/srv/a/", Some(6)),
            ("/srv/a/b", "/srv/a/b", None),
            ("/srv/ab", "/srv/a", Some(0)),
            ("/srv/a", "/srv/a/b", Some(0)),
            ("/srv/a", "/other", Some(0)),
            ("/srv/a", "", Some(0)),
            ("/srv", "/", Some(0)),
        ] {
            assert_eq!(
                trusted(path.as_bytes(), from.as_bytes()),
                expected,
                "{path} {from}"
            );
        }
    }

    #[test]
    fn arguments_are_judged_as_nginx_does() {
        for (text, expected) in [
            ("on", ""),
            ("from=/x if_not_owner", ""),
            ("on from=", ""),
            ("off", ""),
            ("ON", "invalid parameter \"ON\""),
            ("on x=y", "invalid parameter \"x=y\""),
            ("on off", "duplicate parameters \"on off\""),
            (
                "off from=/x",
                "\"from=\" cannot be used with \"off\" parameter",
            ),
            (
                "from=/x",
                "\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter",
            ),
            (
                "on; disable_symlinks off",
                "\"disable_symlinks\" directive is duplicate",
            ),
        ] {
            let said = said(&format!("server {{ listen 80; disable_symlinks {text}; }}"));
            let expected: Vec<_> = Some(expected)
                .filter(|text| !text.is_empty())
                .into_iter()
                .collect();
            let said: Vec<_> = said
                .iter()
                .map(|line| line.trim_start_matches("error: "))
                .collect();
            assert_eq!(said, expected, "{text}");
        }
    }
}
