//! Browsers that some answers make allowances for, told by `User-Agent` as nginx tells them.

use memchr::memmem;

use super::exchange::Exchange;

/// A browser that allowances are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Browser {
    /// None of these.
    #[default]
    Other,
    /// Internet Explorer; whether it is one of those up to version 6 without its service pack.
    Msie {
        /// It is.
        old: bool,
    },
    /// Chrome.
    Chrome,
    /// Safari on macOS.
    Safari,
}

impl Browser {
    /// The browser that asks.
    pub fn of(x: &Exchange) -> Browser {
        x.head.field("user-agent").map_or(Browser::Other, named)
    }
}

fn named(agent: &[u8]) -> Browser {
    let has = |name: &str| memmem::find(agent, name.as_bytes()).is_some();
    let msie = memmem::find(agent, b"MSIE ").map(|at| &agent[at + 5..]);
    match msie {
        _ if has("Opera") => Browser::Other,
        Some([version, b'.', _, rest @ ..]) => Browser::Msie {
            old: match version {
                b'4' | b'5' => true,
                b'6' => memmem::find(rest, b"SV1").is_none(),
                _ => false,
            },
        },
        Some([_, _, _, ..]) => Browser::Msie { old: false },
        _ if has("Gecko/") => Browser::Other,
        _ if has("Chrome/") => Browser::Chrome,
        _ if has("Safari/") && has("Mac OS X") => Browser::Safari,
        _ => Browser::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_as_nginx_tells_them() {
        for (agent, expected) in [
            ("", Browser::Other),
            ("MSIE 6", Browser::Other),
            (
                "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
                Browser::Msie { old: true },
            ),
            (
                "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)",
                Browser::Msie { old: false },
            ),
            ("MSIE 5.5; x", Browser::Msie { old: true }),
            ("MSIE 10.0; x", Browser::Msie { old: false }),
            ("MSIE 6.0; Opera 8", Browser::Other),
            ("Gecko/20100101 Firefox/1", Browser::Other),
            (
                "Mac OS X AppleWebKit (KHTML, like Gecko) Chrome/1 Safari/1",
                Browser::Chrome,
            ),
            ("Mac OS X Version/17 Safari/605", Browser::Safari),
            ("Linux Safari/605", Browser::Other),
        ] {
            assert_eq!(named(agent.as_bytes()), expected, "{agent}");
        }
    }
}
