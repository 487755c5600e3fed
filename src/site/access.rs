//! Which addresses may see it: `allow`, `deny`.

use std::net::IpAddr;

use super::draft::Draft;
use super::exchange::Exchange;
use super::satisfy::Verdict;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::log::Level;

directives! {
    /// Who may see it.
    pub struct Access in "ngx_http_access_module" with Draft {
        /// Lets clients in: an address, a network (`10.0.0.0/8`), `unix:` or `all`. The first rule
        /// that matches decides.
        rules: Vec<Rule> = Vec::new() =>
            "allow" [HTTP | SERVER | LOCATION | LIMIT_EXCEPT] 1, Replace, "", with(allow);
    }
    also {
        /// Keeps clients out, by the same forms.
        "deny" [HTTP | SERVER | LOCATION | LIMIT_EXCEPT] 1, Replace, "", with(deny);
    }
}

/// One `allow` or `deny`.
#[derive(Clone, Debug)]
pub struct Rule {
    who: Who,
    allow: bool,
    /// The block it stands in.
    block: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum Who {
    All,
    Unix,
    Network(IpAddr, u8),
}

fn allow(this: &mut Access, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    add(this, draft, call, true)
}

fn deny(this: &mut Access, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    add(this, draft, call, false)
}

fn add(this: &mut Access, draft: &mut Draft, call: &Call<'_>, allow: bool) -> Result<(), Reason> {
    let block = draft.block;
    // Either directive replaces what was inherited, so `Call::first` would not do.
    this.rules.retain(|rule| rule.block == block);
    let word = call.arg(0);
    let who = who(word, draft)?;
    this.rules.push(Rule { who, allow, block });
    Ok(())
}

fn who(word: &Word, draft: &mut Draft) -> Result<Who, Reason> {
    match &word.text[..] {
        b"all" => return Ok(Who::All),
        b"unix:" => return Ok(Who::Unix),
        _ => {}
    }
    let text = word.str();
    let (address, bits) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (&*text, None),
    };
    let invalid = || Reason::about("invalid parameter", word);
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => most,
        Some(bits) => value::decimal(bits.as_bytes())
            .and_then(|bits| u8::try_from(bits).ok())
            .filter(|&bits| bits <= most)
            .ok_or_else(invalid)?,
    };
    if masked(address, bits) != address {
        let what = format!("low address bits of {text} are meaningless");
        draft
            .diagnostics
            .notice(Severity::Warning, Some(word.place), what);
    }
    Ok(Who::Network(masked(address, bits), bits))
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

impl Who {
    /// Whether a client is meant; no address is a unix socket's client.
    fn is(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Who::All, _) | (Who::Unix, None) => true,
            (Who::Network(network, bits), Some(client)) => {
                client.is_ipv4() == network.is_ipv4() && masked(client, *bits) == *network
            }
            _ => false,
        }
    }
}

/// What the log says of those who are kept out.
pub const FORBIDDEN: &str = "access forbidden by rule";

/// Whether the client's address may see it.
pub fn check(x: &Exchange) -> Verdict {
    let client = x.link.peer.ip().map(|ip| ip.to_canonical());
    let rules = &x.location.values.access.rules;
    match rules.iter().find(|rule| rule.who.is(client)) {
        None => Verdict::Silent,
        Some(Rule { allow: true, .. }) => Verdict::Granted,
        Some(_) => {
            // Where one check is enough, another one may still let it in.
            if !x.location.values.satisfy.any {
                x.log(Level::Error, format_args!("{FORBIDDEN}"));
            }
            Verdict::Refused(403)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (address, bits, client, expected) in [
            ("10.0.0.0", 8, "10.255.1.2", true),
            ("10.0.0.0", 8, "11.0.0.1", false),
            ("0.0.0.0", 0, "1.2.3.4", true),
            ("0.0.0.0", 0, "::1", false),
            ("192.168.1.1", 32, "192.168.1.1", true),
            ("192.168.1.1", 32, "192.168.1.2", false),
            ("2001:db8::", 32, "2001:db8:1::1", true),
            ("2001:db8::", 32, "2001:db9::1", false),
            ("::", 0, "2001:db9::1", true),
        ] {
            let who = Who::Network(address.parse().unwrap(), bits);
            let client = client.parse().unwrap();
            assert_eq!(
                who.is(Some(client)),
                expected,
                "{address}/{bits} and {client}"
            );
            assert!(!who.is(None));
        }
        assert!(Who::Unix.is(None) && Who::All.is(None));
    }
}
