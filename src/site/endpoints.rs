//! From the `listen` directives of all servers to sockets: one for each address, with the rules
//! about servers that disagree on it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::draft::{Draft, ListenerNeed};
use super::listen::Entry;
use super::numbering::Numbering;
use super::server::{Endpoint, Hosts};
use crate::conf::diagnostic::{Diagnostics, Reason, Severity};
use crate::sys::socket::Address;

/// All that several servers say of one address.
struct Shared {
    need: ListenerNeed,
    hosts: Hosts,
    /// Options of the socket, or `bind`, were given.
    explicit: bool,
    /// A server said `default_server`.
    claimed: bool,
}

/// The endpoints of all servers; endpoint `i` listens on socket `i` of the needs.
pub fn assemble(draft: &mut Draft) -> Vec<Endpoint> {
    let all = gather(draft);
    let named: HashSet<Address> = all
        .iter()
        .map(|shared| shared.need.address.clone())
        .collect();
    let is_covered = |one: &Address| covering(one).is_some_and(|any| named.contains(&any));
    let (sockets, single): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|shared| shared.explicit || !is_covered(&shared.need.address));
    let mut endpoints = Vec::new();
    let mut numbers = HashMap::new();
    for shared in sockets {
        let address = shared.need.address.clone();
        numbers.insert(address.clone(), endpoints.len());
        endpoints.push(Endpoint {
            address,
            any: shared.hosts,
            single: Vec::new(),
        });
        draft.needs.listeners.push(shared.need);
    }
    for shared in single {
        let address = &shared.need.address;
        let any = covering(address).and_then(|any| numbers.get(&any));
        if let (Some(&any), Some(ip)) = (any, address.ip()) {
            endpoints[any].single.push((ip.ip(), shared.hosts));
        }
    }
    endpoints
}

/// What all servers say, by address.
fn gather(draft: &mut Draft) -> Vec<Shared> {
    let mut all: Vec<Shared> = Vec::new();
    let mut addresses = Numbering::default();
    for (number, server) in draft.servers.iter().enumerate() {
        let mut own = HashSet::new();
        for entry in &server.location.own.listen.entries {
            let index = addresses.number(entry.address.clone());
            if !own.insert(index) {
                let what = format!("a duplicate listen {}", entry.address);
                draft.diagnostics.error(entry.place, Reason::from(what));
                continue;
            }
            join(&mut all, index, entry, number, &mut draft.diagnostics);
            let Shared { need, hosts, .. } = &mut all[index];
            let names = &server.location.own.names.list;
            for name in names {
                if !hosts.names.add(name, number) {
                    let address = &need.address;
                    let what = format!("conflicting server name \"{name}\" on {address}, ignored");
                    draft
                        .diagnostics
                        .notice(Severity::Warning, entry.place, what);
                }
            }
        }
    }
    all
}

/// Adds what a server says of an address to what others said of it. The first to name an address
/// makes its place.
fn join(
    all: &mut Vec<Shared>,
    index: usize,
    entry: &Entry,
    server: usize,
    errors: &mut Diagnostics,
) {
    let Some(shared) = all.get_mut(index) else {
        all.push(Shared {
            need: ListenerNeed {
                address: entry.address.clone(),
                options: entry.options.clone(),
                backlog: entry.backlog,
                place: entry.place,
            },
            hosts: Hosts {
                default: server,
                proxy_protocol: entry.proxy_protocol,
                ..Hosts::default()
            },
            explicit: entry.explicit,
            claimed: entry.default,
        });
        return;
    };
    join_protocol(shared, entry, errors);
    let mut wrong = |what: &str| {
        errors.error(
            entry.place,
            Reason::from(format!("{what} for {}", entry.address)),
        );
    };
    if entry.explicit {
        if shared.explicit {
            wrong("duplicate listen options");
        }
        shared.explicit = true;
        shared.need.options = entry.options.clone();
        shared.need.backlog = entry.backlog;
    }
    if entry.default {
        if shared.claimed {
            wrong("a duplicate default server");
        }
        shared.claimed = true;
        shared.hosts.default = server;
    }
}

/// One server may say for all what is spoken on an address. It should be the one that says what the
/// socket is like, if there is one.
fn join_protocol(shared: &mut Shared, entry: &Entry, errors: &mut Diagnostics) {
    let before = shared.hosts.proxy_protocol;
    let is_odd = match (before, entry.proxy_protocol) {
        (false, true) => shared.explicit && !entry.explicit,
        (true, false) => entry.explicit,
        _ => false,
    };
    if is_odd {
        let what = format!("protocol options redefined for {}", entry.address);
        errors.notice(Severity::Warning, entry.place, what);
    }
    shared.hosts.proxy_protocol |= entry.proxy_protocol;
}

/// The address whose socket takes the connections to this one, too: all addresses, on its port.
fn covering(address: &Address) -> Option<Address> {
    let one = address.ip()?;
    let any: IpAddr = match one {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    (one.ip() != any).then(|| Address::Ip(SocketAddr::new(any, one.port())))
}
