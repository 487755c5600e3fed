//! Passwords hashed by MD5, as FreeBSD's crypt(3) made them (`$1$`) and Apache does (`$apr1$`).

use md5::{Digest, Md5};

use super::password::encode;

/// Characters of a salt that count.
const SALT: usize = 8;
/// Times that the hash is hashed again.
const ROUNDS: usize = 1000;

/// `SALT$HASH` of a password, with the salt of `stored`.
pub fn hash(magic: &[u8], stored: &[u8], password: &[u8]) -> Vec<u8> {
    let salt = stored
        .split(|&byte| byte == b'$')
        .next()
        .unwrap_or_default();
    let salt = &salt[..salt.len().min(SALT)];
    let mut hash = start(magic, salt, password);
    for round in 0..ROUNDS {
        hash = again(round, &hash, salt, password);
    }
    let order = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4];
    let bytes = order.map(|at| hash[at]);
    [salt, b"$", &encode(&bytes), &encode(&[hash[11]])].concat()
}

fn start(magic: &[u8], salt: &[u8], password: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = digest(&[password, salt, password]);
    let mut outer = Md5::new();
    outer.update(password);
    outer.update(magic);
    outer.update(salt);
    for chunk in password.chunks(inner.len()) {
        outer.update(&inner[..chunk.len()]);
    }
    let mut left = password.len();
    while left > 0 {
        // An oddity of the first implementation that all others share.
        outer.update(if left & 1 == 1 { &[0] } else { &password[..1] });
        left >>= 1;
    }
    outer.finalize().into()
}

fn again(round: usize, hash: &[u8], salt: &[u8], password: &[u8]) -> [u8; 16] {
    let odd = round % 2 == 1;
    let (first, last) = if odd {
        (password, hash)
    } else {
        (hash, password)
    };
    let salt = if round.is_multiple_of(3) { b"" } else { salt };
    let middle = if round.is_multiple_of(7) {
        b""
    } else {
        password
    };
    digest(&[first, salt, middle, last])
}

fn digest(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Md5::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}
