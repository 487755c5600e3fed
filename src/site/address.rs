//! Addresses as `listen` writes them: ports, hosts, IPv6, unix sockets, ranges of ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::conf::outside::Outside;
use crate::sys::socket::Address;

/// Parses what nginx's `listen` takes; several addresses for a range of ports, or for a host
/// that has several.
///
/// # Errors
/// What is wrong, in nginx's words: `invalid port`, `host not found`, `no path`.
pub fn parse(text: &str, default_port: u16, outside: &Outside) -> Result<Vec<Address>, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(unix(path)?);
    }
    let (host, ports) = split(text, default_port)?;
    let hosts = match host {
        None => vec![IpAddr::from(Ipv4Addr::UNSPECIFIED)],
        Some(host) => outside.addresses(host)?,
    };
    let (first, last) = parse_ports(ports)?;
    let addresses = (first..=last).flat_map(|port| {
        hosts
            .iter()
            .map(move |&host| Address::Ip(SocketAddr::new(host, port)))
    });
    Ok(addresses.collect())
}

fn unix(path: &str) -> Result<Vec<Address>, &'static str> {
    match path.len() {
        0 => Err("no path in the unix domain socket"),
        1..=107 => Ok(vec![Address::Unix(PathBuf::from(path))]),
        _ => Err("too long path in the unix domain socket"),
    }
}

enum Ports<'a> {
    Default(u16),
    Given(&'a str),
}

/// Host (none for all addresses) and ports.
fn split(text: &str, default_port: u16) -> Result<(Option<&str>, Ports<'_>), &'static str> {
    let default = Ports::Default(default_port);
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("invalid host")?;
        return match rest.strip_prefix(':') {
            Some(ports) => Ok((Some(host), Ports::Given(ports))),
            None if rest.is_empty() => Ok((Some(host), default)),
            None => Err("invalid host"),
        };
    }
    let (host, ports) = match text.split_once(':') {
        Some((host, ports)) => (host, Ports::Given(ports)),
        None if is_ports(text) => return Ok((None, Ports::Given(text))),
        None => (text, default),
    };
    match host {
        "" => Err("no host"),
        "*" => Ok((None, ports)),
        host => Ok((Some(host), ports)),
    }
}

fn is_ports(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && !text.is_empty()
}

fn parse_ports(ports: Ports<'_>) -> Result<(u16, u16), &'static str> {
    let text = match ports {
        Ports::Default(port) => return Ok((port, port)),
        Ports::Given(text) => text,
    };
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(port),
        _ => Err("invalid port"),
    };
    match text.split_once('-') {
        None => port(text).map(|port| (port, port)),
        Some((first, last)) => match (port(first)?, port(last)?) {
            (first, last) if first <= last => Ok((first, last)),
            _ => Err("invalid port range"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let addresses = parse(text, 80, &Outside::system())?;
        Ok(addresses
            .iter()
            .map(Address::to_string)
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn addresses_as_nginx_writes_them() {
        for (text, expected) in [
            ("8080", Ok("0.0.0.0:8080")),
            ("*:8080", Ok("0.0.0.0:8080")),
            ("*", Ok("0.0.0.0:80")),
            ("127.0.0.1", Ok("127.0.0.1:80")),
            ("127.0.0.1:81", Ok("127.0.0.1:81")),
            ("[::1]", Ok("[::1]:80")),
            ("[::]:81", Ok("[::]:81")),
            ("8080-8082", Ok("0.0.0.0:8080 0.0.0.0:8081 0.0.0.0:8082")),
            ("unix:/run/x.sock", Ok("unix:/run/x.sock")),
            ("0", Err("invalid port")),
            ("65536", Err("invalid port")),
            ("127.0.0.1:", Err("invalid port")),
            ("127.0.0.1:+1", Err("invalid port")),
            ("9-8", Err("invalid port range")),
            (":80", Err("no host")),
            ("", Err("no host")),
            ("[::1", Err("invalid host")),
            ("unix:", Err("no path in the unix domain socket")),
            ("no.such.host.invalid", Err("host not found")),
        ] {
            assert_eq!(
                shown(text),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn localhost_is_resolved() {
        assert!(
            parse("localhost:80", 80, &Outside::system())
                .unwrap()
                .contains(&Address::Ip(([127, 0, 0, 1], 80).into()))
        );
    }
}
