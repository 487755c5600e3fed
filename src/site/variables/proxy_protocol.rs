//! Variables of what a proxy said of the connection (`listen ... proxy_protocol`).

use super::connection::put_port;
use super::{Declared, Exchange};
use crate::http::proxy_protocol::Header;
use crate::log::Level;

pub const DECLARED: Declared = Declared {
    variables: &[
        ("proxy_protocol_addr", |x, out| {
            text(x, out, |header| &header.client)
        }),
        ("proxy_protocol_port", |x, out| {
            port(x, out, |header| header.client_port)
        }),
        ("proxy_protocol_server_addr", |x, out| {
            text(x, out, |header| &header.server)
        }),
        ("proxy_protocol_server_port", |x, out| {
            port(x, out, |header| header.server_port)
        }),
    ],
    families: &[("proxy_protocol_tlv_", tlv)],
    settable: &[],
};

fn text(x: &Exchange, out: &mut Vec<u8>, part: fn(&Header) -> &[u8]) -> bool {
    let header = x.link.proxy.get();
    header.is_some_and(|header| {
        out.extend_from_slice(part(header));
        true
    })
}

fn port(x: &Exchange, out: &mut Vec<u8>, part: fn(&Header) -> u16) -> bool {
    let header = x.link.proxy.get();
    header.is_some_and(|header| put_port(out, part(header)))
}

fn tlv(x: &Exchange, name: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(header) = x.link.proxy.get() else {
        return false;
    };
    match header.tlv(name) {
        Ok(Some(value)) => {
            out.extend_from_slice(&value);
            true
        }
        Ok(None) => false,
        Err(bad) => {
            x.log(Level::Error, format_args!("{bad}"));
            false
        }
    }
}
