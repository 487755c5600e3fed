//! Variables of the connection, the client and the process.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Declared, Exchange};
use crate::http::digits::decimal;
use crate::sys::socket::{PeerAddress, TcpInfo};

pub const DECLARED: Declared = Declared {
    variables: &[
        ("binary_remote_addr", binary_remote_addr),
        ("connection", connection),
        ("connection_requests", connection_requests),
        ("connection_time", connection_time),
        ("hostname", hostname),
        ("nginx_version", nginx_version),
        ("pid", pid),
        ("pipe", pipe),
        ("remote_addr", remote_addr),
        ("remote_port", remote_port),
        ("server_addr", server_addr),
        ("server_port", server_port),
        ("tcpinfo_rcv_space", |x, out| {
            tcp_info(x, out, |info| info.rcv_space)
        }),
        ("tcpinfo_rtt", |x, out| tcp_info(x, out, |info| info.rtt)),
        ("tcpinfo_rttvar", |x, out| {
            tcp_info(x, out, |info| info.rttvar)
        }),
        ("tcpinfo_snd_cwnd", |x, out| {
            tcp_info(x, out, |info| info.snd_cwnd)
        }),
    ],
    families: &[],
    settable: &[],
};

fn binary_remote_addr(x: &Exchange, out: &mut Vec<u8>) -> bool {
    match x.client.ip() {
        Some(IpAddr::V4(ip)) => out.extend_from_slice(&ip.octets()),
        Some(IpAddr::V6(ip)) => out.extend_from_slice(&ip.octets()),
        None => out.extend_from_slice(b"unix:"),
    }
    true
}

fn connection(x: &Exchange, out: &mut Vec<u8>) -> bool {
    write!(out, "{}", x.link.number).is_ok()
}

fn connection_requests(x: &Exchange, out: &mut Vec<u8>) -> bool {
    write!(out, "{}", x.link.requests.get()).is_ok()
}

fn connection_time(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let age = x.clock().now().saturating_duration_since(x.link.accepted);
    write!(out, "{}.{:03}", age.as_secs(), age.subsec_millis()).is_ok()
}

fn hostname(x: &Exchange, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&x.site.hostname);
    true
}

/// The version of nginx whose behaviour is ours.
fn nginx_version(_: &Exchange, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(b"1.31.0");
    true
}

fn pid(_: &Exchange, out: &mut Vec<u8>) -> bool {
    write!(out, "{}", std::process::id()).is_ok()
}

fn pipe(x: &Exchange, out: &mut Vec<u8>) -> bool {
    out.push(if x.pipelined { b'p' } else { b'.' });
    true
}

pub fn remote_addr(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put_address(out, &x.client)
}

/// Appends an address without its port.
pub fn put_address(out: &mut Vec<u8>, address: &PeerAddress) -> bool {
    match address {
        PeerAddress::Ip(SocketAddr::V4(address)) => put_v4(out, *address.ip()),
        PeerAddress::Ip(address) => return write!(out, "{}", address.ip()).is_ok(),
        PeerAddress::Unix => out.extend_from_slice(b"unix:"),
    }
    true
}

/// It stands in every line of most logs: not by the machinery of formatting.
fn put_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        decimal(out, u64::from(octet));
    }
}

fn remote_port(x: &Exchange, out: &mut Vec<u8>) -> bool {
    put_port(out, x.client.port())
}

/// Appends a port; nothing if it is not known.
pub fn put_port(out: &mut Vec<u8>, port: u16) -> bool {
    if port != 0 {
        decimal(out, port.into());
    }
    true
}

fn server_addr(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let local = x.link.local();
    match local.ip() {
        Some(address) => write!(out, "{}", address.ip()).is_ok(),
        None => write!(out, "{local}").is_ok(),
    }
}

fn server_port(x: &Exchange, out: &mut Vec<u8>) -> bool {
    match x.link.local().ip() {
        Some(address) => write!(out, "{}", address.port()).is_ok(),
        None => true,
    }
}

fn tcp_info(x: &Exchange, out: &mut Vec<u8>, field: fn(&TcpInfo) -> u32) -> bool {
    match x.link.stream.tcp_info() {
        Ok(info) => write!(out, "{}", field(&info)).is_ok(),
        Err(_) => false,
    }
}
