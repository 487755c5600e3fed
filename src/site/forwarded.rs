//! Who a request comes from when proxies pass it on and each adds the address that it got it from
//! (`X-Forwarded-For`): the last address that a trusted proxy names. Not which proxies to trust.

use std::net::{IpAddr, SocketAddr};

use crate::conf::network::Network;
use crate::sys::socket::PeerAddress;

const SEPARATORS: &[u8] = b" ,";

/// The address that the proxy at `peer` names in these fields, which are given as they came; if
/// `recursive`, as long as what is named is trusted, what that one named. None if `peer` is not
/// trusted or names nobody.
pub fn client<'a>(
    peer: PeerAddress,
    fields: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &[Network],
    recursive: bool,
) -> Option<PeerAddress> {
    let mut found = None;
    for field in fields.rev() {
        let mut rest = Some(field);
        while let Some(text) = rest {
            let (last, before) = split_last(text);
            let current = found.unwrap_or(peer).ip();
            if !trusted.iter().any(|network| network.contains(current)) {
                return found;
            }
            match address(last) {
                Some(named) => found = Some(named),
                None => return found,
            }
            if !recursive {
                return found;
            }
            rest = before;
        }
    }
    found
}

/// The last of several words, and what stands before it.
fn split_last(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let is_separator = |byte: &u8| SEPARATORS.contains(byte);
    let end = text.iter().rposition(|byte| !is_separator(byte));
    let text = &text[..end.map_or(0, |last| last + 1)];
    match text.iter().rposition(is_separator) {
        Some(at) => (&text[at + 1..], Some(&text[..at])),
        None => (text, None),
    }
}

/// An address, with or without a port.
fn address(text: &[u8]) -> Option<PeerAddress> {
    let text = std::str::from_utf8(text).ok()?;
    let plain = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    let with_port = || text.parse().ok().filter(|it: &SocketAddr| it.port() != 0);
    plain.ok().or_else(with_port).map(PeerAddress::Ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[&str], trusted: &[&str], recursive: bool) -> Option<String> {
        let network = |text: &&str| match *text {
            "unix:" => Network::Unix,
            ip => Network::Ip(ip.parse().unwrap(), 32),
        };
        let trusted: Vec<Network> = trusted.iter().map(network).collect();
        let peer = PeerAddress::Ip("10.0.0.1:4000".parse().unwrap());
        let fields = fields.iter().map(|field| field.as_bytes());
        client(peer, fields, &trusted, recursive).map(|it| format!("{it} {}", it.port()))
    }

    #[test]
    fn the_last_address_counts_and_before_trusted_ones_the_one_before() {
        let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
        for (fields, trusted, once, recursive) in [
            (&["1.2.3.4"][..], &all[..], "1.2.3.4 0", "1.2.3.4 0"),
            (&["1.2.3.4"], &["10.0.0.9"], "", ""),
            (&["1.2.3.4"], &["unix:"], "", ""),
            (&["1.2.3.4, 10.0.0.2"], &all, "10.0.0.2 0", "1.2.3.4 0"),
            (&["1.2.3.4", "10.0.0.2"], &all, "10.0.0.2 0", "1.2.3.4 0"),
            (&["1.2.3.4", "5.6.7.8"], &all, "5.6.7.8 0", "5.6.7.8 0"),
            (&["10.0.0.3,10.0.0.2 , "], &all, "10.0.0.2 0", "10.0.0.3 0"),
            (&["1.2.3.4:80"], &all, "1.2.3.4 80", "1.2.3.4 80"),
            (
                &["[2001:db8::1]:80"],
                &all,
                "2001:db8::1 80",
                "2001:db8::1 80",
            ),
            (&["2001:db8::1"], &all, "2001:db8::1 0", "2001:db8::1 0"),
            (&["[2001:db8::1]"], &all, "", ""),
            (&["1.2.3.4:0"], &all, "", ""),
            (&["1.2.3.4, unknown"], &all, "", ""),
            (&["unknown, 10.0.0.2"], &all, "10.0.0.2 0", "10.0.0.2 0"),
            (&["1.2.3.4", ",10.0.0.2"], &all, "10.0.0.2 0", "10.0.0.2 0"),
            (&["1.2.3.4", ""], &all, "", ""),
            (&[], &all, "", ""),
        ] {
            let expected = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            assert_eq!(found(fields, trusted, false), expected(once), "{fields:?}");
            let all_the_way = found(fields, trusted, true);
            assert_eq!(all_the_way, expected(recursive), "{fields:?} recursively");
        }
    }
}
