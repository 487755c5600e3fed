//! The host a request names: checked against RFC 3986, 3.2.2, parted from its port.

/// A valid `uri-host [ ":" port ]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Host<'a> {
    /// As sent, without the port and one trailing dot; an IPv6 address keeps its brackets.
    pub name: &'a [u8],
    /// The port, where one is given.
    pub port: Option<u16>,
}

/// Reads the value of a Host field or the authority of a target.
///
/// `None` for what RFC 9110, 7.2 has refused: no host, user information, bytes outside the
/// grammar. As in nginx, empty labels are refused too.
pub fn parse(text: &[u8]) -> Option<Host<'_>> {
    let end = if text.starts_with(b"[") {
        text.iter().position(|&byte| byte == b']')? + 1
    } else {
        text.iter()
            .position(|&byte| byte == b':')
            .unwrap_or(text.len())
    };
    let (name, rest) = text.split_at(end);
    let port = match rest {
        [] | [b':'] => None,
        [b':', digits @ ..] => Some(parse_port(digits)?),
        _ => return None,
    };
    if name.starts_with(b"[") {
        return is_literal(&name[1..name.len() - 1]).then_some(Host { name, port });
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    is_name(name).then_some(Host { name, port })
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |port, &digit| {
        digit.is_ascii_digit().then_some(())?;
        port.checked_mul(10)?.checked_add(u16::from(digit - b'0'))
    })
}

/// The inside of brackets: an IPv6 address, or the IPvFuture of RFC 3986.
fn is_literal(text: &[u8]) -> bool {
    match text {
        [b'v' | b'V', version @ ..] => {
            let dot = version.iter().position(|&byte| byte == b'.').unwrap_or(0);
            let (version, address) = version.split_at(dot);
            !version.is_empty()
                && version.iter().all(u8::is_ascii_hexdigit)
                && address.len() > 1
                && address[1..]
                    .iter()
                    .all(|&byte| is_name_byte(byte) || byte == b':')
        }
        _ => std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok()),
    }
}

fn is_name(name: &[u8]) -> bool {
    let mut previous = 0;
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        rest = match (byte, tail) {
            (b'%', [high, low, tail @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                tail
            }
            (b'.', _) if previous == b'.' => return false,
            (&byte, _) if is_name_byte(byte) => tail,
            _ => return false,
        };
        previous = *byte;
    }
    !name.is_empty() && name != b"."
}

/// `unreserved` and `sub-delims` of RFC 3986.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        type Named = Option<(&'static str, Option<u16>)>;
        let table: &[(&str, Named)] = &[
            ("example.com", Some(("example.com", None))),
            ("Example.COM", Some(("Example.COM", None))),
            ("example.com:8080", Some(("example.com", Some(8080)))),
            ("example.com:00080", Some(("example.com", Some(80)))),
            ("example.com:", Some(("example.com", None))),
            ("example.com.", Some(("example.com", None))),
            ("example.com.:80", Some(("example.com", Some(80)))),
            ("under_score", Some(("under_score", None))),
            ("a%2db", Some(("a%2db", None))),
            ("127.0.0.1:80", Some(("127.0.0.1", Some(80)))),
            ("[::1]", Some(("[::1]", None))),
            ("[::1]:443", Some(("[::1]", Some(443)))),
            ("[v1.a:b]", Some(("[v1.a:b]", None))),
            ("[v.a]", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[::g]", None),
            ("[]", None),
            ("", None),
            (".", None),
            (":80", None),
            ("a..b", None),
            ("a%2", None),
            ("a%zz", None),
            ("a b", None),
            ("a/b", None),
            ("user@a", None),
            ("a:b", None),
            ("a:65536", None),
            ("a:80:80", None),
            ("a\u{e9}", None),
        ];
        for &(text, expected) in table {
            let host = parse(text.as_bytes());
            let expected = expected.map(|(name, port)| Host {
                name: name.as_bytes(),
                port,
            });
            assert_eq!(host, expected, "{text}");
        }
    }
}
