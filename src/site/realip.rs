//! Behind proxies that are trusted, the client's address is the one that they name:
//! `set_real_ip_from`, `real_ip_header`, `real_ip_recursive`.

use std::net::SocketAddr;

use super::draft::Draft;
use super::exchange::Exchange;
use super::forwarded;
use super::run::Flow;
use super::variables::Declared;
use super::variables::connection::{put_address, put_port};
use crate::conf::diagnostic::Reason;
use crate::conf::network::Network;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::sys::socket::PeerAddress;

directives! {
    /// Whose address counts behind proxies.
    pub struct RealIp in "ngx_http_realip_module" with Draft {
        /// Trusts a proxy to name the client: an address, a network, a host or `unix:`.
        trusted: Vec<Network> = Vec::new() =>
            "set_real_ip_from" [HTTP | SERVER | LOCATION] 1, Replace, "", with(set_real_ip_from);
        /// Where a trusted proxy names the client: a field, or `proxy_protocol`.
        source: Source = Source::Field(b"X-Real-IP".to_vec()) =>
            "real_ip_header" [HTTP | SERVER | LOCATION] 1, Clone, "X-Real-IP", set(source);
        /// Of several addresses in the field, passes over those of trusted proxies.
        recursive: bool = false =>
            "real_ip_recursive" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// Variables of who sent a request on.
pub const DECLARED: Declared = Declared {
    variables: &[
        ("realip_remote_addr", |x, out| {
            put_address(out, &x.link.peer)
        }),
        ("realip_remote_port", |x, out| {
            put_port(out, x.link.peer.port())
        }),
    ],
    families: &[],
    settable: &[],
};

/// Where the client is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the first field of this name.
    Field(Vec<u8>),
    /// In all fields `X-Forwarded-For`.
    Forwarded,
    /// In the header before the first request of the connection.
    ProxyProtocol,
}

fn source(word: &Word) -> Result<Source, Reason> {
    Ok(match &word.text[..] {
        b"X-Forwarded-For" => Source::Forwarded,
        b"proxy_protocol" => Source::ProxyProtocol,
        name => Source::Field(name.to_vec()),
    })
}

fn set_real_ip_from(this: &mut RealIp, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    if call.first {
        this.trusted.clear();
    }
    let networks = draft.networks(call.arg(0), "set_real_ip_from")?;
    this.trusted.extend(networks);
    Ok(())
}

/// Makes the address that a trusted proxy names the client's, once in a request.
pub fn run(x: &mut Exchange) -> Flow {
    let realip: &'static RealIp = &x.location.values.realip;
    let is_new = x.client == x.link.peer;
    if !realip.trusted.is_empty()
        && is_new
        && let Some(client) = realip.client(x)
    {
        x.client = client;
    }
    Flow::Next
}

impl RealIp {
    fn client(&self, x: &Exchange) -> Option<PeerAddress> {
        let named = |name: &[u8]| {
            let fields = x.head.fields();
            let named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let find = |fields: &[&[u8]]| {
            let fields = fields.iter().copied();
            forwarded::client(x.client, fields, &self.trusted, self.recursive)
        };
        match &self.source {
            Source::Field(name) => find(named(name).get(..1)?),
            Source::Forwarded => find(&named(b"X-Forwarded-For")),
            Source::ProxyProtocol => {
                let header = x.link.proxy.get()?;
                let address = find(&[&header.client])?.ip()?;
                let address = SocketAddr::new(address, header.client_port);
                Some(PeerAddress::Ip(address))
            }
        }
    }
}
