//! What a client says of itself (RFC 7617), true or not.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use crate::http::Head;

/// nginx's: what stands behind the digits is not looked at, nor are bits that are too many.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// What a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its name, which is not empty (`$remote_user`).
    pub user: Vec<u8>,
    /// Its password.
    pub password: Vec<u8>,
}

impl Credentials {
    /// Those in the field `Authorization`, if they are of the scheme Basic.
    pub fn of(head: &Head) -> Option<Credentials> {
        Credentials::parse(head.field("authorization")?)
    }

    fn parse(field: &[u8]) -> Option<Credentials> {
        let (scheme, rest) = field.split_at_checked(b"Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let digits = rest.trim_ascii_start().split(|&byte| byte == b'=').next()?;
        let mut user = BASE64.decode(digits).ok()?;
        let colon = user.iter().position(|&byte| byte == b':')?;
        let password = user.split_off(colon + 1);
        user.truncate(colon);
        (colon > 0).then_some(Credentials { user, password })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_all_states() {
        for (field, expected) in [
            ("Basic YTpi", Some(("a", "b"))),
            ("bAsIc   YTpi", Some(("a", "b"))),
            (
                "Basic YWxpY2U6b3BlbiBzZXNhbWU=",
                Some(("alice", "open sesame")),
            ),
            (
                "Basic YWxpY2U6b3BlbiBzZXNhbWU",
                Some(("alice", "open sesame")),
            ),
            ("Basic YTpi=anything", Some(("a", "b"))),
            ("Basic YTo=", Some(("a", ""))),
            ("Basic YTp=", Some(("a", ""))),
            ("Basic YTpiOmM=", Some(("a", "b:c"))),
            ("Basic OmI=", None),
            ("Basic YQ==", None),
            ("Basic YTpiY", None),
            ("Basic YT*i", None),
            ("Basic Y Tpi", None),
            ("Basic ", None),
            ("Basic", None),
            ("BasicYTpi", None),
            ("Bearer YTpi", None),
            ("", None),
        ] {
            let parsed = Credentials::parse(field.as_bytes());
            let expected = expected.map(|(user, password)| Credentials {
                user: user.into(),
                password: password.into(),
            });
            assert_eq!(parsed, expected, "{field}");
        }
    }
}
