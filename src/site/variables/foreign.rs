//! Variables of nginx modules that are not here. Log formats name them everywhere, and without
//! the module they have no value: a log shows `-`, as nginx's does where the module did nothing.

use super::{Declared, Exchange};

pub const DECLARED: Declared = Declared {
    variables: &[
        ("gzip_ratio", nothing),
        ("http2", nothing),
        ("http3", nothing),
        ("limit_conn_status", nothing),
        ("limit_req_status", nothing),
        ("proxy_host", nothing),
        ("proxy_port", nothing),
        ("proxy_protocol_addr", nothing),
        ("proxy_protocol_port", nothing),
        ("proxy_protocol_server_addr", nothing),
        ("proxy_protocol_server_port", nothing),
        ("realip_remote_addr", nothing),
        ("realip_remote_port", nothing),
        ("uid_got", nothing),
        ("uid_set", nothing),
    ],
    families: &[
        ("proxy_protocol_tlv_", nothing_by_name),
        ("ssl_", nothing_by_name),
        ("upstream_", nothing_by_name),
    ],
};

fn nothing(_: &Exchange, _: &mut Vec<u8>) -> bool {
    false
}

fn nothing_by_name(_: &Exchange, _: &[u8], _: &mut Vec<u8>) -> bool {
    false
}
