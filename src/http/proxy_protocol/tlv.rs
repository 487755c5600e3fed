//! Extensions of the PROXY protocol, version 2: a type, a length, a value (section 2.2).

use super::Header;

/// What nginx's variables call the types.
const NAMES: [(&[u8], u8); 5] = [
    (b"alpn", 0x01),
    (b"authority", 0x02),
    (b"unique_id", 0x05),
    (b"ssl", SSL),
    (b"netns", 0x30),
];

/// What TLS was like between client and proxy; it holds others.
const SSL: u8 = 0x20;

/// The same, of those within [`SSL`].
const SSL_NAMES: [(&[u8], u8); 5] = [
    (b"version", 0x21),
    (b"cn", 0x22),
    (b"cipher", 0x23),
    (b"sig_alg", 0x24),
    (b"key_alg", 0x25),
];

/// Bytes of [`SSL`] before what it holds: a set of flags, and whether the certificate was verified.
const SSL_FIXED: usize = 5;

/// Why an extension cannot be told. What it displays is nginx's words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTlv {
    /// Its name, or its number, is nobody's.
    Unknown(Vec<u8>),
    /// A number that is none.
    Invalid(Vec<u8>),
    /// The extensions end before their end.
    Broken,
}

impl std::fmt::Display for BadTlv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, name) = match self {
            BadTlv::Unknown(name) => ("unknown", name),
            BadTlv::Invalid(name) => ("invalid", name),
            BadTlv::Broken => return f.write_str("broken PROXY protocol TLV"),
        };
        write!(f, "{what} PROXY protocol TLV \"{}\"", name.escape_ascii())
    }
}

impl Header {
    /// The extension of this name: `authority`, `ssl_cn`, `0xea` (nginx's
    /// `$proxy_protocol_tlv_name`). None if the proxy did not send it.
    ///
    /// # Errors
    /// There is no such name, or the extensions cannot be read.
    pub fn tlv(&self, name: &[u8]) -> Result<Option<Vec<u8>>, BadTlv> {
        let Some(rest) = name.strip_prefix(b"ssl_") else {
            let kind = kind(name, name, &NAMES)?;
            return Ok(find(&self.tlvs, kind)?.map(<[u8]>::to_vec));
        };
        let Some(ssl) = find(&self.tlvs, u32::from(SSL))? else {
            return Ok(None);
        };
        let (fixed, within) = ssl.split_first_chunk::<SSL_FIXED>().ok_or(BadTlv::Broken)?;
        if rest == b"verify" {
            let [_, verify @ ..] = *fixed;
            return Ok(Some(u32::from_be_bytes(verify).to_string().into()));
        }
        let kind = kind(rest, name, &SSL_NAMES)?;
        Ok(find(within, kind)?.map(<[u8]>::to_vec))
    }
}

/// The type of this name, or of this hexadecimal number.
fn kind(name: &[u8], whole: &[u8], names: &[(&[u8], u8)]) -> Result<u32, BadTlv> {
    if let Some(digits) = name.strip_prefix(b"0x") {
        let number = std::str::from_utf8(digits)
            .ok()
            .filter(|d| !d.starts_with('+'));
        let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        return number.ok_or_else(|| BadTlv::Invalid(whole.to_vec()));
    }
    let known = names.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, kind)) => Ok(u32::from(*kind)),
        None => Err(BadTlv::Unknown(whole.to_vec())),
    }
}

fn find(tlvs: &[u8], kind: u32) -> Result<Option<&[u8]>, BadTlv> {
    let mut rest = tlvs;
    while !rest.is_empty() {
        let (&[found, high, low], behind) = rest.split_first_chunk().ok_or(BadTlv::Broken)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, behind) = behind.split_at_checked(length).ok_or(BadTlv::Broken)?;
        if u32::from(found) == kind {
            return Ok(Some(value));
        }
        rest = behind;
    }
    Ok(None)
}
