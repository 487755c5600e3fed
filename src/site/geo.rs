//! `geo`: a variable that follows from an address, the client's or that of another variable.

mod networks;
mod ranges;
mod reading;
mod table;

use std::net::IpAddr;
use std::rc::Rc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::forwarded;
use super::variables::{Computed, Variable};
use crate::conf::diagnostic::Reason;
use crate::conf::network::Network;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::directives;
use crate::sys::socket::PeerAddress;
use reading::Reading;
use table::Table;

directives! {
    /// Variables from addresses.
    pub struct Geo in "ngx_http_geo_module" with Draft {}
    also {
        /// Makes a variable of the client's address, or of one in another variable: lines of a
        /// network and its value, and `default`, `delete`, `proxy`, `proxy_recursive`, `include`;
        /// after `ranges`, lines of two addresses with `-` between.
        "geo" [HTTP] 1..=2, Many, "", block(geo);
    }
}

/// One `geo`.
#[derive(Debug)]
struct Lookup {
    /// The variable that holds the address; none for the client's.
    address: Option<Variable>,
    /// Proxies that are believed about the client.
    proxies: Vec<Network>,
    recursive: bool,
    v4: Table<u32>,
    /// None where only ranges of IPv4 addresses are told.
    v6: Option<Table<u128>>,
    /// By number, as the tables give them.
    values: Vec<Vec<u8>>,
}

fn geo(_: &mut Geo, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let mut names = call.args().iter().map(variable);
    let first = names.next().transpose()?.unwrap_or_default();
    let (address, name) = match names.next().transpose()? {
        Some(name) => (Some(first), name),
        None => (None, first),
    };
    let place = Some(call.arg(0).place);
    let address = address.map(|address| draft.variables.reference(address, place));
    let mut reading = Reading::default();
    for item in call.block() {
        if let Err(reason) = reading.take(item, &mut draft.diagnostics) {
            draft.diagnostics.error(Some(item.name.place), reason);
        }
    }
    let lookup = reading.finish(address);
    draft.variables.define(name, Rc::new(lookup)).map(drop)
}

/// The name of a variable, without its `$`.
fn variable(word: &Word) -> Result<&[u8], Reason> {
    let name = word.text.strip_prefix(b"$");
    name.ok_or_else(|| Reason::about("invalid variable name", word))
}

impl Computed for Lookup {
    fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool {
        let value = match (self.client(x).map(|ip| ip.to_canonical()), &self.v6) {
            (Some(IpAddr::V4(ip)), _) => self.v4.find(ip.into()),
            (Some(IpAddr::V6(ip)), Some(v6)) => v6.find(ip.into()),
            // nginx's: what is no address that could be told is this one.
            _ => self.v4.find(u32::MAX),
        };
        out.extend_from_slice(&self.values[value]);
        true
    }
}

impl Lookup {
    fn client(&self, x: &Exchange) -> Option<IpAddr> {
        let client = match &self.address {
            None => x.client,
            Some(variable) => {
                let mut text = Vec::new();
                variable.write(x, &mut text);
                let ip: IpAddr = str::from_utf8(&text).ok()?.parse().ok()?;
                PeerAddress::Ip((ip, 0).into())
            }
        };
        if self.proxies.is_empty() {
            return client.ip();
        }
        let fields: Vec<_> = x.head.fields().collect();
        let fields = fields
            .iter()
            .filter(|it| it.0.eq_ignore_ascii_case(b"x-forwarded-for"));
        let values = fields.map(|(_, value)| *value);
        let named = forwarded::client(client, values, &self.proxies, self.recursive);
        named.unwrap_or(client).ip()
    }
}

#[cfg(test)]
mod tests;
