//! Networks and their values; the smallest network that holds an address counts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::table::Table;
use crate::conf::network::Network;

/// A first address, and the length of a mask.
type Key = (u128, u8);
type Values = BTreeMap<Key, u32>;

/// The networks of one `geo`, by their first address and the length of their mask.
#[derive(Debug, Default)]
pub struct Networks {
    v4: Values,
    v6: Values,
}

impl Networks {
    /// Adds a network; gives the value that it had.
    pub fn add(&mut self, network: Network, value: u32) -> Option<u32> {
        let (map, key) = self.place(network)?;
        map.insert(key, value)
    }

    /// Removes a network; none if it is not there.
    pub fn remove(&mut self, network: Network) -> Option<u32> {
        let (map, key) = self.place(network)?;
        map.remove(&key)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn place(&mut self, network: Network) -> Option<(&mut Values, Key)> {
        match network {
            Network::Ip(IpAddr::V4(ip), bits) => Some((&mut self.v4, (ip.to_bits().into(), bits))),
            Network::Ip(IpAddr::V6(ip), bits) => Some((&mut self.v6, (ip.to_bits(), bits))),
            Network::Unix => None,
        }
    }

    /// The tables for IPv4 and IPv6; `default` is the value of what is in no network.
    pub fn tables(&self, default: u32) -> (Table<u32>, Table<u128>) {
        let (mut v4, mut v6) = (Table::new(default), Table::new(default));
        // The first addresses of IPv4 networks have 32 bits.
        flatten(&self.v4, 32, default, |start, value| {
            v4.push(start as u32, value)
        });
        flatten(&self.v6, 128, default, |start, value| v6.push(start, value));
        (v4, v6)
    }
}

/// Tells where which value begins, of networks that may hold others. A network comes before those
/// within it.
fn flatten(networks: &Values, width: u8, default: u32, mut begins: impl FnMut(u128, u32)) {
    let most = u128::MAX >> (128 - width);
    // Networks around the current address, and their last ones.
    let mut around = vec![(most, default)];
    let leave = |around: &mut Vec<(u128, u32)>, begins: &mut dyn FnMut(u128, u32)| {
        let left = around.pop().map_or(most, |(last, _)| last);
        if let Some((_, value)) = around.last().filter(|(last, _)| left < *last) {
            begins(left + 1, *value);
        }
    };
    for (&(first, bits), &value) in networks {
        while around.last().is_some_and(|(last, _)| *last < first) {
            leave(&mut around, &mut begins);
        }
        begins(first, value);
        let others = most.checked_shr(bits.into()).unwrap_or(0);
        around.push((first | others, value));
    }
    while !around.is_empty() {
        leave(&mut around, &mut begins);
    }
}
