//! Where a COPY or a MOVE leads (RFC 4918 section 10.3): read, and held against where it comes from.

use crate::files::change::Transfer;
use crate::http::path;
use crate::log::Escaped;
use crate::site::draft::AliasOf;
use crate::site::exchange::Exchange;

/// What is wrong with a Destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There is none.
    Missing,
    /// It is a URI, and the request has no host to hold it against.
    NoHost,
    /// It is no path and no URI of HTTP, or would leave the root.
    Invalid,
    /// It is on another host.
    Elsewhere,
    /// One is a directory and the other is not.
    OtherKind,
    /// It is not below what an `alias` replaces.
    OutsideAlias,
}

impl Wrong {
    /// The status for it, and what is said of it.
    pub fn told(self, x: &Exchange) -> (u16, String) {
        let field = Escaped(x.head.field("destination").unwrap_or_default());
        let uri = Escaped(&x.uri);
        match self {
            Wrong::Missing => (400, "client sent no \"Destination\" header".into()),
            Wrong::NoHost => (400, "client sent no \"Host\" header".into()),
            Wrong::Invalid => (
                400,
                format!("client sent invalid \"Destination\" header: \"{field}\""),
            ),
            Wrong::Elsewhere => {
                let what = "is handled by different repository than the source URI";
                (400, format!("\"Destination\" URI \"{field}\" {what}"))
            }
            Wrong::OtherKind => {
                let what = "should be either collections or non-collections";
                let what = format!("both URI \"{uri}\" and \"Destination\" URI \"{field}\" {what}");
                (409, what)
            }
            Wrong::OutsideAlias => {
                let what = "must be within location prefix when using \"alias\"";
                (400, format!("\"Destination\" URI \"{field}\" {what}"))
            }
        }
    }
}

/// The path that the Destination of a request names: one that a request of the same location could
/// have had.
///
/// # Errors
/// What is wrong with it.
pub fn of(x: &Exchange) -> Result<Vec<u8>, Wrong> {
    let field = x.head.field("destination").ok_or(Wrong::Missing)?;
    let raw = match field.starts_with(b"/") {
        true => field,
        false => below(field, x.head.host().unwrap_or_default())?,
    };
    let merge = x.location.values.limits.merge_slashes;
    let path = path::normalise(raw, merge).map_err(|_| Wrong::Invalid)?;
    if climbs(raw) {
        return Err(Wrong::Invalid);
    }
    if x.uri.ends_with(b"/") != raw.ends_with(b"/") {
        return Err(Wrong::OtherKind);
    }
    match is_in_alias(x, &path) {
        true => Ok(path.into_bytes()),
        false => Err(Wrong::OutsideAlias),
    }
}

/// What follows the host in a URI, which is to be this one, on any port.
fn below<'a>(uri: &'a [u8], host: &[u8]) -> Result<&'a [u8], Wrong> {
    const SCHEME: &[u8] = b"http://";
    if host.is_empty() {
        return Err(Wrong::NoHost);
    }
    let rest = uri.strip_prefix(SCHEME).ok_or(Wrong::Invalid)?;
    let slash = rest.iter().position(|&byte| byte == b'/');
    let (authority, path) = rest.split_at(slash.unwrap_or(rest.len()));
    let is_ours = authority
        .split_at_checked(host.len())
        .is_some_and(|(name, port)| {
            name.eq_ignore_ascii_case(host) && matches!(port.first(), None | Some(b':'))
        });
    match (is_ours, slash) {
        (false, _) => Err(Wrong::Elsewhere),
        (true, None) => Err(Wrong::Invalid),
        (true, Some(_)) => Ok(path),
    }
}

/// Whether a step of the path leads up, however it is written.
fn climbs(raw: &[u8]) -> bool {
    let text = String::from_utf8_lossy(raw).to_ascii_lowercase();
    let text = text.replace("%2e", ".").replace("%2f", "/");
    text.split('/').any(|step| step == "..")
}

/// An `alias` replaces what is to be the same in both paths, and may not be left through what
/// follows it.
fn is_in_alias(x: &Exchange, to: &[u8]) -> bool {
    let root = &x.location.values.root;
    match root.replaced() {
        Some(&AliasOf::Bytes(count)) => {
            let prefix = x.uri.get(..count);
            prefix.is_some_and(|prefix| to.starts_with(prefix)) && !root.is_left_by(to)
        }
        Some(AliasOf::All) | None => true,
    }
}

/// What is wrong where source and target are the same, or one of two directories is in the other.
pub fn clash(x: &Exchange, order: &Transfer) -> Option<String> {
    let (from, to) = (&order.from.path, &order.to.path);
    if from == to {
        let (uri, field) = (Escaped(&x.uri), x.head.field("destination"));
        let field = Escaped(field.unwrap_or_default());
        let what = "point to the same location";
        let what = format!("both URI \"{uri}\" and \"Destination\" URI \"{field}\" {what}");
        return Some(what);
    }
    let is_within = from.starts_with(to) || to.starts_with(from);
    (order.to.slash && is_within).then(|| into_collection(x))
}

/// What is said where a directory stands in the way.
pub fn into_collection(x: &Exchange) -> String {
    let (uri, method) = (Escaped(&x.uri), Escaped(x.head.method_name()));
    let field = Escaped(x.head.field("destination").unwrap_or_default());
    format!("\"{uri}\" could not be {method}ed to collection \"{field}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (uri, expected) in [
            ("http://a.b/x/y", Ok("/x/y")),
            ("http://A.B/x", Ok("/x")),
            ("http://a.b:8080/x", Ok("/x")),
            ("http://a.b:/", Ok("/")),
            ("http://a.b", Err(Wrong::Invalid)),
            ("http://a.bc/x", Err(Wrong::Elsewhere)),
            ("http://a.b.c/x", Err(Wrong::Elsewhere)),
            ("http://a@a.b/x", Err(Wrong::Elsewhere)),
            ("http:///x", Err(Wrong::Elsewhere)),
            ("https://a.b/x", Err(Wrong::Invalid)),
            ("ftp://a.b/x", Err(Wrong::Invalid)),
            ("x", Err(Wrong::Invalid)),
            ("", Err(Wrong::Invalid)),
        ] {
            let expected = expected.map(str::as_bytes);
            assert_eq!(below(uri.as_bytes(), b"a.b"), expected, "{uri}");
        }
        assert_eq!(below(b"http://a/x", b""), Err(Wrong::NoHost));
    }

    #[test]
    fn steps_up() {
        for (path, up) in [
            ("/a/../b", true),
            ("/a/%2e%2E/b", true),
            ("/a%2f..%2Fb", true),
            ("/..", true),
            ("/a..b/...", false),
            ("/a/./b", false),
        ] {
            assert_eq!(climbs(path.as_bytes()), up, "{path}");
        }
    }
}
