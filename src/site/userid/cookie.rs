//! The cookie as it is written and read: 16 bytes in base64, and a mark in place of padding.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Expires, Id, Issued, UserId};
use crate::http::date;
use crate::log::Level;
use crate::site::exchange::Exchange;
use crate::site::variables::request::find_cookie;

/// The characters of an identifier, without padding.
const LENGTH: usize = 22;

/// The last bits of an identifier's last character mean nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The client's cookie and its identifier, if it has a good one.
pub fn read(userid: &UserId, x: &Exchange) -> Option<(Vec<u8>, Id)> {
    let (field, cookie) = find_cookie(x, &userid.name)?;
    let complain = |what: &str| {
        let field = field.escape_ascii();
        x.log(
            Level::Error,
            format_args!("client sent {what} userid cookie \"{field}\""),
        );
    };
    let Some(digits) = cookie.get(..LENGTH) else {
        complain("too short");
        return None;
    };
    match BASE64.decode(digits).map(Id::try_from) {
        // The last number of one that was issued is none.
        Ok(Ok([.., 0, 0, 0, 0])) => None,
        Ok(Ok(id)) => Some((cookie.to_vec(), id)),
        _ => {
            complain("invalid");
            None
        }
    }
}

/// The value of a cookie.
pub fn value(id: &Id, mark: Option<u8>) -> Vec<u8> {
    finished(BASE64.encode(id).into_bytes(), mark)
}

fn finished(mut digits: Vec<u8>, mark: Option<u8>) -> Vec<u8> {
    digits.extend([mark.unwrap_or(b'='), b'=']);
    digits
}

/// The client's cookie with the mark that it lacks; none if it has it.
pub fn marked(userid: &UserId, (cookie, id): &(Vec<u8>, Id)) -> Option<Issued> {
    let mark = userid.mark?;
    let (digits, rest) = cookie.split_at_checked(LENGTH)?;
    let has_it = rest.starts_with(&[mark, b'=']);
    (!has_it).then(|| Issued {
        id: *id,
        value: finished(digits.to_vec(), Some(mark)),
    })
}

/// The field that sets it, at this time.
pub fn field(userid: &UserId, value: &[u8], now: u64) -> Vec<u8> {
    let mut field = [&userid.name, &b"="[..], value].concat();
    match userid.expires {
        Expires::Off => {}
        Expires::Max => field.extend_from_slice(b"; expires=Thu, 31-Dec-37 23:55:55 GMT"),
        Expires::After(seconds) => {
            field.extend_from_slice(b"; expires=");
            field.extend(time(now.saturating_add(seconds)).bytes());
        }
    }
    if let Some(domain) = &userid.domain {
        field.extend_from_slice(b"; domain=");
        field.extend_from_slice(domain);
    }
    field.extend_from_slice(b"; path=");
    field.extend_from_slice(&userid.path);
    for flag in &userid.flags {
        field.extend_from_slice(b"; ");
        field.extend_from_slice(flag.as_bytes());
    }
    field
}

/// A time as Netscape's cookies had it; a year past 2037 has four digits.
fn time(seconds: u64) -> String {
    let date = date::format(i64::try_from(seconds).unwrap_or(i64::MAX));
    let date = String::from_utf8_lossy(&date).into_owned();
    let words: Vec<&str> = date.split(' ').collect();
    let &[weekday, day, month, year, time, zone] = &words[..] else {
        return date;
    };
    let is_near = year.parse().is_ok_and(|year: u32| year <= 2037);
    let year = year.get(2..).filter(|_| is_near).unwrap_or(year);
    format!("{weekday} {day}-{month}-{year} {time} {zone}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_netscapes() {
        assert_eq!(time(0), "Thu, 01-Jan-70 00:00:00 GMT");
        assert_eq!(time(2_145_916_555), "Thu, 31-Dec-37 23:55:55 GMT");
        assert_eq!(time(4_102_444_800), "Fri, 01-Jan-2100 00:00:00 GMT");
    }
}
