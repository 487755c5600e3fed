//! Servers, and which of them answers on an address.

use std::collections::HashMap;
use std::net::IpAddr;

use super::location::{Location, Locations};
use super::names::NameIndex;
use crate::sys::socket::Address;

/// A virtual server.
#[derive(Debug)]
pub struct Server {
    /// Its first name, as written (`$server_name`); may be empty.
    pub name: Vec<u8>,
    /// What holds where no location does.
    pub location: Location,
    /// Its locations.
    pub locations: Locations,
    /// Its named locations.
    pub named: HashMap<Vec<u8>, Location>,
}

/// The servers on one address.
#[derive(Debug, Default)]
pub struct Hosts {
    /// The server for hosts that no other has, by its number.
    pub default: usize,
    /// Servers by name.
    pub names: NameIndex,
    /// Whether a header of the PROXY protocol comes before the first request.
    pub proxy_protocol: bool,
}

/// One socket that listens, and who answers on it.
#[derive(Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
    /// The servers for any address.
    pub any: Hosts,
    /// A socket for all addresses answers for single ones too, when these have servers of their
    /// own and no socket of their own.
    pub single: Vec<(IpAddr, Hosts)>,
}

impl Endpoint {
    /// The servers for a connection that was made to `local`, which is asked only if it matters. An
    /// IPv4 address that came through an IPv6 socket is to be given as what it is.
    pub fn hosts(&self, local: impl FnOnce() -> Option<IpAddr>) -> &Hosts {
        if self.single.is_empty() {
            return &self.any;
        }
        let local = local();
        let single = self
            .single
            .iter()
            .find(|(address, _)| Some(*address) == local);
        single.map_or(&self.any, |(_, hosts)| hosts)
    }
}
