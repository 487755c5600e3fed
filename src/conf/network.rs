//! Sets of addresses as a configuration writes them: an address, a network in CIDR form, `unix:`.
//! Not what they are good for.

use std::net::IpAddr;

use super::diagnostic::{Diagnostics, Reason, Severity};
use super::outside::Outside;
use super::tree::Word;
use super::value;

/// Some addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Clients of a unix socket.
    Unix,
    /// All addresses whose first bits are these.
    Ip(IpAddr, u8),
}

/// What is neither an address nor a network.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid;

impl Network {
    /// Reads `10.0.0.0/8`, or an address, which is a network of one (nginx's `ngx_ptocidr`).
    /// Bits behind the mask mean nothing, and are warned of.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(word: &Word, diagnostics: &mut Diagnostics) -> Result<Network, Invalid> {
        let text = word.str();
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (&*text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| Invalid)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => value::decimal(bits.as_bytes())
                .and_then(|bits| u8::try_from(bits).ok())
                .filter(|&bits| bits <= most)
                .ok_or(Invalid)?,
        };
        if masked(address, bits) != address {
            let what = format!("low address bits of {text} are meaningless");
            diagnostics.notice(Severity::Warning, Some(word.place), what);
        }
        Ok(Network::Ip(masked(address, bits), bits))
    }

    /// As [`Network::parse`], or `unix:`, or the addresses of a host. `directive` is named where
    /// there is no such host.
    ///
    /// # Errors
    /// `host not found in set_real_ip_from "name"`.
    pub fn parse_or_resolve(
        word: &Word,
        directive: &str,
        outside: &Outside,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Network>, Reason> {
        if word.is("unix:") {
            return Ok(vec![Network::Unix]);
        }
        if let Ok(network) = Network::parse(word, diagnostics) {
            return Ok(vec![network]);
        }
        let one = |ip: IpAddr| Network::Ip(ip, if ip.is_ipv4() { 32 } else { 128 });
        match outside.addresses(&word.str()) {
            Ok(addresses) => Ok(addresses.into_iter().map(one).collect()),
            Err(why) => Err(Reason::about(&format!("{why} in {directive}"), word)),
        }
    }

    /// Whether an address is in it; none is that of a unix socket's client. An IPv4 address that
    /// came through an IPv6 socket is an IPv4 address.
    pub fn contains(&self, client: Option<IpAddr>) -> bool {
        match (self, client.map(|ip| ip.to_canonical())) {
            (Network::Unix, None) => true,
            (Network::Ip(network, bits), Some(ip)) => {
                ip.is_ipv4() == network.is_ipv4() && masked(ip, *bits) == *network
            }
            _ => false,
        }
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            IpAddr::from((ip.to_bits() & mask).to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::from((ip.to_bits() & mask).to_be_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word {
            text: text.into(),
            place: Default::default(),
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, client, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "::ffff:10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("192.168.1.1", "192.168.1.1", true),
            ("192.168.1.1/32", "192.168.1.2", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            let parsed = Network::parse(&word(network), &mut Diagnostics::default()).unwrap();
            let client = client.parse().unwrap();
            let holds = parsed.contains(Some(client));
            assert_eq!(holds, expected, "{network} and {client}");
            assert!(!parsed.contains(None));
        }
        assert!(Network::Unix.contains(None));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let mut diagnostics = Diagnostics::default();
        for text in ["", "10.0.0.0/33", "::/129", "10/8", "10.0.0.0/", "unix:"] {
            let parsed = Network::parse(&word(text), &mut diagnostics);
            assert_eq!(parsed, Err(Invalid), "{text}");
        }
        assert!(diagnostics.entries().is_empty());
        assert!(Network::parse(&word("10.0.0.1/8"), &mut diagnostics).is_ok());
        let said = &diagnostics.entries()[0].message;
        assert_eq!(said, "low address bits of 10.0.0.1/8 are meaningless");
    }

    #[test]
    fn hosts_are_resolved() {
        let parse = |text| {
            let mut diagnostics = Diagnostics::default();
            let outside = Outside::system();
            Network::parse_or_resolve(&word(text), "geo", &outside, &mut diagnostics)
        };
        assert_eq!(parse("unix:"), Ok(vec![Network::Unix]));
        let localhost = Network::Ip([127, 0, 0, 1].into(), 32);
        assert!(parse("localhost").unwrap().contains(&localhost));
        let why = parse("no.such.host.invalid").unwrap_err().message;
        assert_eq!(why, "host not found in geo \"no.such.host.invalid\"");
    }
}
