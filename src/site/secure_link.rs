//! `secure_link`: whether a link was made by somebody who knows a secret, and is still good. What
//! follows from it the configuration says, by the variables.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest, Md5};

use super::draft::Draft;
use super::exchange::Exchange;
use super::template::Template;
use super::variables::Declared;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;

directives! {
    /// How links are checked.
    pub struct SecureLink in "ngx_http_secure_link_module" with Draft {
        /// Where in the request the checksum of the link is, and after a comma when it expires.
        check: Check = Check::default() =>
            "secure_link" [HTTP | SERVER | LOCATION] 1, Clone, "", with(secure_link);
    }
    also {
        /// What the checksum is of: its MD5 sum is the one that the link has to have.
        "secure_link_md5" [HTTP | SERVER | LOCATION] 1, Clone, "", with(secure_link_md5);
        /// A secret: a link is `/prefix/sum/link`, with the MD5 sum of `link` and the secret.
        "secure_link_secret" [HTTP | SERVER | LOCATION] 1, Clone, "", with(secure_link_secret);
    }
}

/// What `$secure_link` follows from.
#[derive(Clone, Debug, Default)]
pub struct Check {
    link: Option<Template>,
    md5: Option<Template>,
    secret: Option<Vec<u8>>,
    /// The block in which the latest of them was said.
    block: u64,
}

/// Variables of the check.
pub const DECLARED: Declared = Declared {
    variables: &[("secure_link", result), ("secure_link_expires", expires)],
    families: &[],
    settable: &[],
};

fn secure_link(this: &mut SecureLink, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let link = Template::compile(call.arg(0), draft)?;
    this.check.without_secret(draft.block)?.link = Some(link);
    Ok(())
}

fn secure_link_md5(
    this: &mut SecureLink,
    draft: &mut Draft,
    call: &Call<'_>,
) -> Result<(), Reason> {
    let md5 = Template::compile(call.arg(0), draft)?;
    this.check.without_secret(draft.block)?.md5 = Some(md5);
    Ok(())
}

fn secure_link_secret(
    this: &mut SecureLink,
    draft: &mut Draft,
    call: &Call<'_>,
) -> Result<(), Reason> {
    if this.check.block == draft.block {
        return Err(MIXED.into());
    }
    this.check = Check {
        secret: Some(call.arg(0).text.clone()),
        block: draft.block,
        ..Check::default()
    };
    Ok(())
}

const MIXED: &str =
    "\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"";

impl Check {
    /// For a block that says how links are checked without a secret; one of the blocks around is
    /// forgotten.
    fn without_secret(&mut self, block: u64) -> Result<&mut Check, Reason> {
        if self.secret.take().is_some() && self.block == block {
            return Err(MIXED.into());
        }
        self.block = block;
        Ok(self)
    }
}

/// `1` for a good link, `0` for one that has expired; with a secret, the link. Nothing for others.
fn result(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let check = &x.location.values.secure_link.check;
    if let Some(secret) = &check.secret {
        return link_of(x.head.request_uri(), secret).is_some_and(|link| {
            out.extend_from_slice(link);
            true
        });
    }
    let (Some(link), Some(md5)) = (&check.link, &check.md5) else {
        return false;
    };
    let link = link.value(x);
    let Some((sum, end)) = parts(&link) else {
        return false;
    };
    let good = decode(sum).is_some_and(|sum| same(&sum, &Md5::digest(md5.value(x))));
    let expired = end.is_some_and(|(_, end)| end < x.clock().wall().as_secs());
    if good {
        out.push(if expired { b'0' } else { b'1' });
    }
    good
}

fn expires(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let Some(link) = &x.location.values.secure_link.check.link else {
        return false;
    };
    match parts(&link.value(x)) {
        Some((_, Some((text, _)))) => {
            out.extend_from_slice(text);
            true
        }
        _ => false,
    }
}

/// A checksum, and when it expires: as text, and in seconds since the epoch.
type Parts<'a> = (&'a [u8], Option<(&'a [u8], u64)>);

/// None if the time is none.
fn parts(link: &[u8]) -> Option<Parts<'_>> {
    let Some(comma) = link.iter().position(|&byte| byte == b',') else {
        return Some((link, None));
    };
    let text = &link[comma + 1..];
    let time = value::decimal(text).filter(|&time| time > 0)?;
    Some((&link[..comma], Some((text, time))))
}

/// A checksum in base64url, as nginx reads it: with or without `=`, behind which nothing counts.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    const LONGEST: usize = 24;
    let end = text.iter().position(|&byte| byte == b'=');
    let digits = &text[..end.unwrap_or(text.len())];
    let fits = text.len() <= LONGEST;
    fits.then(|| LENIENT.decode(digits).ok()).flatten()
}

/// Compares in a time that does not tell where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}

/// The link in `/prefix/sum/link`, if the sum is right.
fn link_of<'a>(uri: &'a [u8], secret: &[u8]) -> Option<&'a [u8]> {
    let mut parts = uri.get(1..)?.splitn(3, |&byte| byte == b'/');
    let (_prefix, sum, link) = (parts.next()?, parts.next()?, parts.next()?);
    let expected = Md5::new()
        .chain_update(link)
        .chain_update(secret)
        .finalize();
    let good = !link.is_empty() && same(&unhex(sum)?, &expected);
    good.then_some(link)
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair.first()?)? * 16 + digit(pair.get(1)?)?) as u8);
    text.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::{said, server};

    const LINKS: &str = "secure_link $arg_md5,$arg_e; secure_link_md5 \"$uri secret$arg_e\";
        location / { return 200 \"[$secure_link] [$secure_link_expires]\"; }";

    fn sum(text: &str) -> String {
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        URL_SAFE_NO_PAD.encode(Md5::digest(text))
    }

    #[test]
    fn a_link_is_good_until_it_expires() {
        let kit = server(LINKS);
        for (sum, end, expected) in [
            (sum("/a secret4000000000"), "4000000000", "[1] [4000000000]"),
            (
                sum("/a secret4000000000") + "==",
                "4000000000",
                "[1] [4000000000]",
            ),
            (sum("/a secret1"), "1", "[0] [1]"),
            (sum("/b secret4000000000"), "4000000000", "[] [4000000000]"),
            (sum("/a secret0"), "0", "[] []"),
            (sum("/a secretx"), "x", "[] []"),
            (sum("/a secret"), "", "[] []"),
            ("short".into(), "4000000000", "[] [4000000000]"),
            ("=".repeat(30), "4000000000", "[] [4000000000]"),
        ] {
            let answer = kit.get(&format!("/a?md5={sum}&e={end}"));
            assert_eq!(answer.body, expected, "{sum} {end}");
        }
        let text =
            "secure_link $arg_md5; secure_link_md5 $uri; location / { return 200 [$secure_link]; }";
        let good = server(text).get(&format!("/a?md5={}", sum("/a")));
        assert_eq!(good.body, "[1]");
    }

    #[test]
    fn a_secret_is_in_the_path() {
        let hex = |text: &str| {
            Md5::digest(text)
                .iter()
                .map(|b| format!("{b:02X}"))
                .collect::<String>()
        };
        let kit = server(
            "secure_link_secret secret; location / {
                 return 200 [$secure_link][$secure_link_expires]; }
             location /none/ { secure_link_secret other; return 200 [$secure_link]; }
             location /plain/ { secure_link $uri; return 200 [$secure_link]; }",
        );
        for (target, expected) in [
            (format!("/p/{}/a/b?c", hex("a/b?csecret")), "[a/b?c][]"),
            (
                format!("/p/{}/a/b", hex("a/bsecret")).to_lowercase(),
                "[a/b][]",
            ),
            (format!("/p/{}/a/b", hex("a/bother")), "[][]"),
            (format!("/p/{}/", hex("secret")), "[][]"),
            ("/p/short/a".into(), "[][]"),
            ("/p".into(), "[][]"),
            (format!("/none/{}/a", hex("aother")), "[a]"),
            (format!("/plain/{}/a", hex("asecret")), "[]"),
        ] {
            assert_eq!(kit.get(&target).body, expected, "{target}");
        }
    }

    #[test]
    fn ways_of_checking_are_not_mixed() {
        for (block, mixed) in [
            ("secure_link_secret a; location / { secure_link b; }", false),
            ("secure_link a; location / { secure_link_secret b; }", false),
            ("secure_link a; secure_link_md5 b;", false),
            ("secure_link a; secure_link_secret b;", true),
            ("secure_link_secret a; secure_link_md5 b;", true),
        ] {
            let said = said(&format!("server {{ listen 80; {block} }}"));
            assert_eq!(said.len(), usize::from(mixed), "{block}: {said:?}");
            assert!(
                said.iter()
                    .all(|line| line.contains("cannot be mixed with"))
            );
        }
    }
}
