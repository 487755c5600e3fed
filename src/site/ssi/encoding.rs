//! How the values of variables are written into a page (`echo encoding`).

use crate::http::Bytes;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    None,
    /// As a part of a URI.
    Url,
    /// As HTML text.
    Entity,
}

impl Encoding {
    /// The one of this name.
    pub fn named(name: &[u8]) -> Option<Encoding> {
        match name {
            b"none" => Some(Encoding::None),
            b"url" => Some(Encoding::Url),
            b"entity" => Some(Encoding::Entity),
            _ => None,
        }
    }

    /// A value, written like that.
    pub fn encode(self, value: Bytes) -> Bytes {
        let each = match self {
            Encoding::None => return value,
            Encoding::Url => of_url,
            Encoding::Entity => of_text,
        };
        let mut out = Vec::with_capacity(value.len() + value.len() / 8);
        value.iter().for_each(|&byte| each(byte, &mut out));
        out.into()
    }
}

/// The bytes that nginx escapes for HTML.
fn of_url(byte: u8, out: &mut Vec<u8>) {
    match byte {
        ..=b' ' | b'{'..=b'}' | 0x7f.. => escape(byte, out),
        byte if b"\"#%'<>\\^`".contains(&byte) => escape(byte, out),
        _ => out.push(byte),
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS[usize::from(value)];
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

fn of_text(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'<' => out.extend_from_slice(b"&lt;"),
        b'>' => out.extend_from_slice(b"&gt;"),
        b'&' => out.extend_from_slice(b"&amp;"),
        b'"' => out.extend_from_slice(b"&quot;"),
        _ => out.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_nginx_writes_them() {
        let all: Vec<u8> = (b' '..=0x80).collect();
        for (encoding, expected) in [
            (
                Encoding::Url,
                "%20!%22%23$%25&%27()*+,-./0123456789:;%3C=%3E?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[%5C]%5E_\
                 %60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%7F%80",
            ),
            (
                Encoding::Entity,
                " !&quot;#$%&amp;'()*+,-./0123456789:;&lt;=&gt;?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\
                 `abcdefghijklmnopqrstuvwxyz{|}~\u{7f}\u{fffd}",
            ),
        ] {
            let encoded = encoding.encode(all.clone().into());
            assert_eq!(String::from_utf8_lossy(&encoded), expected, "{encoding:?}");
        }
        assert_eq!(*Encoding::None.encode(all.clone().into()), all);
    }
}
