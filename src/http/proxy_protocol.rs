//! The header that a proxy puts before the first request of a connection, to say whose it is (the
//! PROXY protocol, versions 1 and 2, by HAProxy). Whom to believe is not decided here.

mod tlv;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use tlv::BadTlv;

/// The longest header that is read; version 2 could announce 64 KB of extensions.
pub const MAX: usize = 4096;
/// The longest line of version 1, with its end.
const MAX_LINE: usize = 107;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of version 2 before the addresses: the signature, version and command, family and
/// transport, length.
const FIXED: usize = 16;

/// What a proxy says of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The client's address, as text; version 1 may hold what is no address.
    pub client: Vec<u8>,
    /// The client's port.
    pub client_port: u16,
    /// The address that the client connected to, as text.
    pub server: Vec<u8>,
    /// The port that the client connected to.
    pub server_port: u16,
    /// The extensions of version 2, as they came.
    tlvs: Vec<u8>,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// The start of a header.
    Partial,
    /// A header of so many bytes; none of a connection that the proxy does not describe (its own,
    /// or of an unknown kind).
    Header(Option<Header>, usize),
}

/// Bytes that are no header. What it displays is nginx's words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken<'a> {
    /// This is where one should be.
    Line(&'a [u8]),
    /// A version that is neither.
    Version(u8),
    /// More than can be taken.
    TooLarge,
    /// Addresses that are too short for their family.
    Addresses,
}

impl std::fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Line(line) => write!(f, "broken header: \"{}\"", line.escape_ascii()),
            Broken::Version(version) => write!(f, "unknown PROXY protocol version: {version}"),
            Broken::TooLarge => f.write_str("header is too large"),
            Broken::Addresses => f.write_str("PROXY protocol addresses are incomplete"),
        }
    }
}

impl Header {
    /// Reads the header at the start of `input`.
    ///
    /// # Errors
    /// There is none, and there will be none.
    pub fn read(input: &[u8]) -> Result<Read, Broken<'_>> {
        if input.starts_with(SIGNATURE) {
            return binary(input);
        }
        if SIGNATURE.starts_with(input) {
            return Ok(Read::Partial);
        }
        line(input).ok_or_else(|| {
            let end = input.iter().position(|byte| b"\r\n".contains(byte));
            Broken::Line(&input[..end.unwrap_or(input.len()).min(MAX_LINE)])
        })
    }
}

/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 4000 80`, as nginx reads it.
fn line(input: &[u8]) -> Option<Read> {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
        let begins = input.starts_with(b"PROXY ") || b"PROXY ".starts_with(input);
        return (begins && input.len() < MAX_LINE).then_some(Read::Partial);
    };
    let line = input[..end].strip_suffix(b"\r")?;
    let rest = line.strip_prefix(b"PROXY ")?;
    if end >= MAX_LINE {
        return None;
    }
    if rest.starts_with(b"UNKNOWN") {
        return Some(Read::Header(None, end + 1));
    }
    let rest = rest
        .strip_prefix(b"TCP4 ")
        .or_else(|| rest.strip_prefix(b"TCP6 "))?;
    let words: Vec<&[u8]> = rest.split(|&byte| byte == b' ').collect();
    let &[client, server, client_port, server_port] = &words[..] else {
        return None;
    };
    let header = Header {
        client: address(client)?,
        client_port: port(client_port)?,
        server: address(server)?,
        server_port: port(server_port)?,
        tlvs: Vec::new(),
    };
    Some(Read::Header(Some(header), end + 1))
}

fn address(text: &[u8]) -> Option<Vec<u8>> {
    let fits = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    text.iter().all(fits).then(|| text.to_vec())
}

fn port(text: &[u8]) -> Option<u16> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

/// Version 2, whose signature is there.
fn binary(input: &[u8]) -> Result<Read, Broken<'_>> {
    let Some(&[.., version_command, family_transport, high, low]) = input.first_chunk::<FIXED>()
    else {
        return Ok(Read::Partial);
    };
    if version_command >> 4 != 2 {
        return Err(Broken::Version(version_command >> 4));
    }
    let end = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if end > MAX {
        return Err(Broken::TooLarge);
    }
    let Some(body) = input.get(FIXED..end) else {
        return Ok(Read::Partial);
    };
    let (is_proxied, is_stream) = (version_command & 15 == 1, family_transport & 15 == 1);
    let header = match family_transport >> 4 {
        1 if is_proxied && is_stream => addresses(body, |ip: [u8; 4]| Ipv4Addr::from(ip).into())?,
        2 if is_proxied && is_stream => addresses(body, |ip: [u8; 16]| Ipv6Addr::from(ip).into())?,
        _ => return Ok(Read::Header(None, end)),
    };
    Ok(Read::Header(Some(header), end))
}

/// The addresses and what follows them, of a family with addresses of `N` bytes.
fn addresses<const N: usize>(
    body: &[u8],
    ip: fn([u8; N]) -> IpAddr,
) -> Result<Header, Broken<'static>> {
    let parts = || {
        let (client, rest) = body.split_first_chunk::<N>()?;
        let (server, rest) = rest.split_first_chunk::<N>()?;
        let (client_port, rest) = rest.split_first_chunk()?;
        let (server_port, tlvs) = rest.split_first_chunk()?;
        Some(Header {
            client: ip(*client).to_string().into(),
            client_port: u16::from_be_bytes(*client_port),
            server: ip(*server).to_string().into(),
            server_port: u16::from_be_bytes(*server_port),
            tlvs: tlvs.to_vec(),
        })
    };
    parts().ok_or(Broken::Addresses)
}

#[cfg(test)]
mod tests;
