//! A request as a thread had it in hand: raw bytes that nobody has checked, and what a log may say
//! of them. Not the reading that serving needs.

use std::fmt;

use super::scoreboard::KEPT;
use crate::log::Escaped;
use crate::sys::socket::PeerAddress;

/// Characters of the first line that a log line has room for, and of the host.
const LONGEST: (usize, usize) = (1024, 255);

/// A request that a thread had in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InHand {
    /// Who sent it.
    pub client: PeerAddress,
    /// Its first bytes, as they came.
    pub raw: Vec<u8>,
}

impl InHand {
    /// What is to be kept of this request.
    pub fn new(raw: &[u8], client: PeerAddress) -> InHand {
        let raw = raw[..raw.len().min(KEPT)].to_vec();
        InHand { client, raw }
    }

    /// What makes it the same request as another one: method, target and host.
    pub fn identity(&self) -> Vec<u8> {
        let mut words = self.first_line().split(|&byte| byte == b' ');
        let (method, target) = (words.next(), words.next());
        let parts = [method, target, self.host()].map(Option::unwrap_or_default);
        parts.join(&b' ')
    }

    fn first_line(&self) -> &[u8] {
        self.lines().find(|line| !line.is_empty()).unwrap_or(b"")
    }

    fn host(&self) -> Option<&[u8]> {
        let name = |line: &[u8]| {
            line.get(..5)
                .is_some_and(|it| it.eq_ignore_ascii_case(b"host:"))
        };
        let line = self.lines().find(|line| name(line))?;
        Some(line[5..].trim_ascii())
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.raw.split(|&byte| byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl fmt::Display for InHand {
    /// As nginx ends a line about a request: `client: 127.0.0.1, request: "GET / HTTP/1.1", host:
    /// "a"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first_line, host) = (cut(self.first_line(), LONGEST.0), self.host());
        write!(f, "client: {}, request: \"{first_line}\"", self.client)?;
        match host {
            Some(host) => write!(f, ", host: \"{}\"", cut(host, LONGEST.1)),
            None => Ok(()),
        }
    }
}

fn cut(bytes: &[u8], longest: usize) -> String {
    let mut text = Escaped(bytes).to_string();
    if text.len() > longest {
        text.truncate(longest);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(raw: impl AsRef<[u8]>) -> InHand {
        let client = PeerAddress::Ip("192.0.2.1:5000".parse().expect("an address"));
        InHand::new(raw.as_ref(), client)
    }

    #[test]
    fn reads_as_in_nginx() {
        let table: [(&[u8], &str); 6] = [
            (
                b"GET /a?b HTTP/1.1\r\nX: y\r\nhOST:  a.example \r\n\r\nHost: body",
                "request: \"GET /a?b HTTP/1.1\", host: \"a.example\"",
            ),
            (b"\r\n\nGET / HTTP/1.0\n\n", "request: \"GET / HTTP/1.0\""),
            (b"GET /cut-o", "request: \"GET /cut-o\""),
            (b"GET / HTTP/1.1\r\nHos", "request: \"GET / HTTP/1.1\""),
            (
                b"\x16\x03\"\\\xff",
                "request: \"\\x16\\x03\\x22\\x5C\\xFF\"",
            ),
            (b"", "request: \"\""),
        ];
        for (raw, text) in table {
            assert_eq!(of(raw).to_string(), format!("client: 192.0.2.1, {text}"));
        }
    }

    #[test]
    fn a_log_line_has_room_for_the_longest() {
        let raw = [&b"GET /"[..], &[0xff; 400], b"\r\nHost: ", &[0xff; 2000]].concat();
        let text = of(raw).to_string();
        assert!(
            text.len() < 1400 && text.contains("...\", host: \"\\xFF") && text.ends_with("...\"")
        );
    }

    #[test]
    fn method_target_and_host_make_the_same_request() {
        let one = of("GET /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n").identity();
        let same = of("\r\nGET /a HTTP/1.0\r\nX: 2\r\nhost:a\r\n\r\n").identity();
        assert_eq!(one, same);
        for other in [
            "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: b\r\n\r\n",
            "GET /a",
            "",
        ] {
            assert_ne!(of(other).identity(), one, "{other:?}");
        }
    }
}
