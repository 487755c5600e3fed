//! Whether a password is the one that a line of a password file was made of: the formats of
//! crypt(3), of Apache's htpasswd and of LDAP (RFC 2307). It never tells by its time how much of a
//! hash was right.

use base64::Engine;
use base64::alphabet::{BCRYPT, CRYPT};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use sha_crypt::Params;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{des, md5};

const BCRYPT_64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

/// Bytes of the longest password that crypt(3) takes; it works longer for longer ones.
const LONGEST: usize = 511;

/// Bytes of a password that bcrypt looks at, the zero byte at its end included.
const BCRYPT_MOST: usize = 72;

/// Whether the password is the stored one.
pub fn matches(stored: &[u8], password: &[u8]) -> bool {
    // Such a password is cut off by crypt(3); RFC 7617 section 2 has none.
    if password.contains(&0) {
        return false;
    }
    match hash(stored, password) {
        Some(hash) => hash.ct_eq(stored).into(),
        None => false,
    }
}

/// Whether comparing takes so long that the event loop would notice.
pub fn is_slow(stored: &[u8]) -> bool {
    !stored.starts_with(b"{")
}

/// The password in the form of the stored one; none if that is in no form that is known.
fn hash(stored: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let scheme = SCHEMES.iter().find(|(name, _)| stored.starts_with(name))?;
    let (name, hash) = scheme;
    let is_of_crypt = name != b"$apr1$" && !name.starts_with(b"{");
    if is_of_crypt && password.len() > LONGEST {
        return None;
    }
    let hash = hash(&stored[name.len()..], password)?;
    Some([name, hash.as_slice()].concat())
}

/// The hash of a password with what its form keeps beside it; the latter is found in what is stored.
type Hash = fn(&[u8], &[u8]) -> Option<Vec<u8>>;

const SCHEMES: [(&[u8], Hash); 11] = [
    (b"$apr1$", |stored, password| {
        Some(md5::hash(b"$apr1$", stored, password))
    }),
    (b"{PLAIN}", |_, password| Some(password.to_vec())),
    (b"{SSHA}", salted_sha),
    (b"{SHA}", |_, password| {
        Some(STANDARD.encode(Sha1::digest(password)).into())
    }),
    (b"$1$", |stored, password| {
        Some(md5::hash(b"$1$", stored, password))
    }),
    (b"$2a$", bcrypt),
    (b"$2b$", bcrypt),
    (b"$2y$", bcrypt),
    (b"$5$", sha256),
    (b"$6$", sha512),
    (b"", des::hash),
];

/// SHA-1 of the password and a salt, which stands behind it.
fn salted_sha(stored: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let stored = STANDARD.decode(stored).ok()?;
    let salt = stored.get(20..)?;
    let hash = Sha1::new()
        .chain_update(password)
        .chain_update(salt)
        .finalize();
    Some(STANDARD.encode([&hash[..], salt].concat()).into())
}

/// `COST$SALTHASH`: two digits, 22 characters, 31 characters.
fn bcrypt(stored: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let (cost, rest) = stored.split_at_checked(3)?;
    let number = std::str::from_utf8(cost.strip_suffix(b"$")?).ok()?;
    let rounds = number
        .parse()
        .ok()
        .filter(|rounds| (4..=31).contains(rounds))?;
    let salt = rest.get(..22)?;
    let salt_bytes = BCRYPT_64.decode(salt).ok()?.try_into().ok()?;
    let mut password = [password, b"\0"].concat();
    password.truncate(BCRYPT_MOST);
    let hash = bcrypt::bcrypt(rounds, salt_bytes, &password);
    let hash = BCRYPT_64.encode(&hash[..23]);
    Some([cost, salt, hash.as_bytes()].concat())
}

fn sha256(stored: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let (before, salt, params) = sha_parts(stored)?;
    let hash = sha_crypt::sha256_crypt(password, salt, params);
    let (mut a, mut b, mut c) = (0, 10, 20);
    let mut bytes = Vec::with_capacity(32);
    for _ in 0..10 {
        bytes.extend([hash[c], hash[b], hash[a]]);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    Some(
        [
            before,
            b"$",
            &encode(&bytes),
            &encode(&[hash[30], hash[31]]),
        ]
        .concat(),
    )
}

fn sha512(stored: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let (before, salt, params) = sha_parts(stored)?;
    let hash = sha_crypt::sha512_crypt(password, salt, params);
    let (mut a, mut b, mut c) = (0, 21, 42);
    let mut bytes = Vec::with_capacity(64);
    for _ in 0..21 {
        bytes.extend([hash[c], hash[b], hash[a]]);
        (a, b, c) = (b + 1, c + 1, a + 1);
    }
    Some([before, b"$", &encode(&bytes), &encode(&[hash[63]])].concat())
}

/// `[rounds=N$]SALT$HASH`: all before the hash, the salt, and the rounds.
fn sha_parts(stored: &[u8]) -> Option<(&[u8], &[u8], Params)> {
    let (rounds, rest) = match stored.strip_prefix(b"rounds=") {
        None => (Params::RECOMMENDED_ROUNDS, stored),
        Some(rest) => {
            let end = rest.iter().position(|&byte| byte == b'$')?;
            let number = std::str::from_utf8(&rest[..end]).ok()?;
            (number.parse().ok()?, &rest[end + 1..])
        }
    };
    let end = rest
        .iter()
        .position(|&byte| byte == b'$')
        .unwrap_or(rest.len());
    let salt = &rest[..end.min(16)];
    let before = &stored[..stored.len() - rest.len() + salt.len()];
    Some((before, salt, Params::new(rounds).ok()?))
}

/// crypt(3)'s digits: groups of three bytes, six bits each, the lowest first.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let digits = CRYPT.as_str().as_bytes();
    let group = |group: &[u8]| {
        let bits = group
            .iter()
            .rev()
            .fold(0, |bits, &byte| bits << 8 | u32::from(byte));
        let count = group.len() + 1;
        (0..count)
            .map(move |at| digits[(bits >> (6 * at)) as usize & 63])
            .collect::<Vec<_>>()
    };
    bytes.chunks(3).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_all_forms() {
        let many = |count| "x".repeat(count);
        for (stored, password) in [
            ("abNANd1rDfiNc", "secret"),
            ("abNANd1rDfiNc", "secret"),
            ("abmF1QH4PEr.E", ""),
            ("./VkXszknr/Aw", "averylongpassword"),
            ("$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", "secret"),
            ("$1$$qRPK7m23GJusamGpoGLby/", ""),
            ("$1$ab$xYxcg6Ku8Fq4wHdUunBv1.", &many(70)),
            ("$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret"),
            ("$apr1$abcdefgh$5BXFitQfFCqqBWb6d.WVy1", &many(36)),
            ("$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.", ""),
            (
                "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
                "secret",
            ),
            ("$5$ab$qRq/oZkUn9lJUSIcgVT3NbpSDsjn.r137TBSoCt2kCA", ""),
            (
                "$5$rounds=1000$saltstringsaltst$P/psnalDJ2UyDjcLdLAGOEqcMHyX09rPWa6zNzYpkw4",
                "secret",
            ),
            (
                "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77\
                 vwPZN.Pq.H91p5hVO1",
                "secret",
            ),
            (
                "$6$rounds=1234$ab$cdmU88t8vmoChk6GIJJPjvknVr9uReCj8z4pkwrXg.75hB9gS4XDEKrMp9MLTj\
                 HbtG0H/Me28oeDuw7bsG9Tw0",
                "secret",
            ),
            (
                "$6$$A439u/DRm.c9tOT8nxekKMHPNMB1gpfWcjKxRKgHcM.nZsycjQRA1vPOSVSa9h/h/loFkpA0r5i2o\
                 SazxtgEG.",
                &many(150),
            ),
            (
                "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
                "secret",
            ),
            (
                "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i",
                &many(80),
            ),
            (
                "$2a$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq",
                "",
            ),
            ("{PLAIN}secret", "secret"),
            ("{PLAIN}", ""),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"),
            ("{SSHA}yI6cZwQadOA1e+/f+T+H3eCQQhRzYWx0", "password"),
        ] {
            assert!(matches(stored.as_bytes(), password.as_bytes()), "{stored}");
            let other = format!("{password}\0");
            assert!(!matches(stored.as_bytes(), other.as_bytes()), "{stored}");
            assert!(!matches(stored.as_bytes(), b"Secret"), "{stored}");
        }
    }

    #[test]
    fn bytes_beyond_ascii_are_bytes() {
        assert!(matches(b"zZzWupMwWeF5A", b"\xff\xfe"));
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        for stored in [
            "",
            "a",
            "*0",
            "!",
            "x",
            "plain",
            "p!",
            "$1x",
            "$3$abc",
            "$y$j9T$abc$def",
            "{SSHA}",
            "{SSHA}Zm9vCg==",
            "{SSHA}_____wQadOA1e+/f+T+H3eCQQhRzYWx0",
            "{SHA}",
            "{SHA}Zm9vCg==",
            "{MD5}X03MO1qnZdYdgyfeuILPmQ==",
            "$2y$",
            "$2y$05",
            "$2y$05$",
            "$2y$99$abcdefghijklmno",
            "$2y$5$abcdefghijklmnopqrstuu",
            "$2y$05$abcdefghijklmnopqrstu!",
            "$5$",
            "$6$rounds=",
            "$6$rounds=1$ab$",
            "$6$rounds=x$ab$",
            "$5$rounds=99999999999$ab$",
            "$1$",
            "$apr1$",
            "abNANd1rDfiNcc",
            "abNANd1rDfiN",
        ] {
            for password in ["", "secret", stored] {
                assert!(!matches(stored.as_bytes(), password.as_bytes()), "{stored}");
            }
        }
    }
}
