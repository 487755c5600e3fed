//! Passwords hashed by DES (FIPS 46), as crypt(3) always could: a block of zeros is encrypted 25
//! times with the password as the key, and the salt swaps bits in between. Of a password eight
//! characters count, and seven bits of each.

use base64::Engine;
use base64::alphabet::CRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const CRYPT_64: GeneralPurpose = GeneralPurpose::new(&CRYPT, NO_PAD);

/// Times that the block is encrypted.
const TIMES: usize = 25;

/// The salt, the two characters that `stored` starts with, and the hash of a password with it;
/// none if these are no salt.
pub fn hash(stored: &[u8], password: &[u8]) -> Option<Vec<u8>> {
    let digits = CRYPT.as_str().as_bytes();
    let value = |digit: &u8| digits.iter().position(|known| known == digit);
    let salt = stored.get(..2)?;
    let swapped = value(&salt[0])? | value(&salt[1])? << 6;
    let block = encrypt(&keys(password), swapped as u32);
    let hash = CRYPT_64.encode(block.to_be_bytes());
    Some([salt, hash.as_bytes()].concat())
}

/// The bits that `order` names, counted from 1 at the most significant of `width`.
fn permute(bits: u64, width: u8, order: &[u8]) -> u64 {
    let bit = |at: &u8| bits >> (width - at) & 1;
    order.iter().fold(0, |out, at| out << 1 | bit(at))
}

/// The key of each round: 48 bits.
fn keys(password: &[u8]) -> [u64; 16] {
    let mut key = [0; 8];
    for (byte, character) in key.iter_mut().zip(password) {
        *byte = character << 1;
    }
    let chosen = permute(u64::from_be_bytes(key), 64, &KEY_CHOICE);
    let (mut left, mut right) = (chosen >> 28, chosen & HALF_KEY);
    SHIFTS.map(|shift| {
        left = rotate(left, shift);
        right = rotate(right, shift);
        permute(left << 28 | right, 56, &ROUND_KEY_CHOICE)
    })
}

const HALF_KEY: u64 = (1 << 28) - 1;

fn rotate(half: u64, by: u32) -> u64 {
    (half << by | half >> (28 - by)) & HALF_KEY
}

/// The block of zeros, encrypted so many times. The permutations at the ends of one encryption and
/// at the start of the next one cancel out.
fn encrypt(keys: &[u64; 16], salt: u32) -> u64 {
    // Its lowest bit stands for the first bit of either half of 24.
    let swapped = u64::from(salt.reverse_bits() >> 8);
    let (mut left, mut right) = (0, 0);
    for _ in 0..TIMES {
        for key in keys {
            (left, right) = (right, left ^ mix(right, *key, swapped));
        }
        (left, right) = (right, left);
    }
    permute(left << 32 | right, 64, &FINAL)
}

/// What one round adds: the half block is widened, salted, keyed, substituted and permuted.
fn mix(half: u64, key: u64, swapped: u64) -> u64 {
    let wide = permute(half, 32, &WIDEN);
    let differing = (wide >> 24 ^ wide) & swapped;
    let keyed = wide ^ (differing << 24 | differing) ^ key;
    let substituted = SUBSTITUTES.iter().enumerate().fold(0, |out, (at, table)| {
        let six = (keyed >> (42 - 6 * at)) as usize & 63;
        // Its outer two bits choose the row.
        let (row, column) = ((six >> 4 & 2) | six & 1, six >> 1 & 15);
        out << 4 | table[row] >> (60 - 4 * column) & 15
    });
    permute(substituted, 32, &PERMUTE)
}

#[rustfmt::skip]
const KEY_CHOICE: [u8; 56] = [
    57, 49, 41, 33, 25, 17,  9,  1, 58, 50, 42, 34, 26, 18,
    10,  2, 59, 51, 43, 35, 27, 19, 11,  3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15,  7, 62, 54, 46, 38, 30, 22,
    14,  6, 61, 53, 45, 37, 29, 21, 13,  5, 28, 20, 12,  4,
];

const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

#[rustfmt::skip]
const ROUND_KEY_CHOICE: [u8; 48] = [
    14, 17, 11, 24,  1,  5,  3, 28, 15,  6, 21, 10,
    23, 19, 12,  4, 26,  8, 16,  7, 27, 20, 13,  2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48,
    44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

#[rustfmt::skip]
const WIDEN: [u8; 48] = [
    32,  1,  2,  3,  4,  5,  4,  5,  6,  7,  8,  9,
     8,  9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
    16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25,
    24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32,  1,
];

/// The S-boxes: four rows of sixteen digits each.
const SUBSTITUTES: [[u64; 4]; 8] = [
    [
        0xe4d1_2fb8_3a6c_5907,
        0x0f74_e2d1_a6cb_9538,
        0x41e8_d62b_fc97_3a50,
        0xfc82_4917_5b3e_a06d,
    ],
    [
        0xf18e_6b34_972d_c05a,
        0x3d47_f28e_c01a_69b5,
        0x0e7b_a4d1_58c6_932f,
        0xd8a1_3f42_b67c_05e9,
    ],
    [
        0xa09e_63f5_1dc7_b428,
        0xd709_346a_285e_cbf1,
        0xd649_8f30_b12c_5ae7,
        0x1ad0_6987_4fe3_b52c,
    ],
    [
        0x7de3_069a_1285_bc4f,
        0xd8b5_6f03_472c_1ae9,
        0xa690_cb7d_f13e_5284,
        0x3f06_a1d8_945b_c72e,
    ],
    [
        0x2c41_7ab6_853f_d0e9,
        0xeb2c_47d1_50fa_3986,
        0x421b_ad78_f9c5_630e,
        0xb8c7_1e2d_6f09_a453,
    ],
    [
        0xc1af_9268_0d34_e75b,
        0xaf42_7c95_61de_0b38,
        0x9ef5_28c3_704a_1db6,
        0x432c_95fa_be17_608d,
    ],
    [
        0x4b2e_f08d_3c97_5a61,
        0xd0b7_491a_e35c_2f86,
        0x14bd_c37e_af68_0592,
        0x6bd8_14a7_950f_e23c,
    ],
    [
        0xd284_6fb1_a93e_50c7,
        0x1fd8_a374_c56b_0e92,
        0x7b41_9ce2_06ad_f358,
        0x21e7_4a8d_fc90_356b,
    ],
];

#[rustfmt::skip]
const PERMUTE: [u8; 32] = [
    16,  7, 20, 21, 29, 12, 28, 17,  1, 15, 23, 26,  5, 18, 31, 10,
     2,  8, 24, 14, 32, 27,  3,  9, 19, 13, 30,  6, 22, 11,  4, 25,
];

#[rustfmt::skip]
const FINAL: [u8; 64] = [
    40,  8, 48, 16, 56, 24, 64, 32, 39,  7, 47, 15, 55, 23, 63, 31,
    38,  6, 46, 14, 54, 22, 62, 30, 37,  5, 45, 13, 53, 21, 61, 29,
    36,  4, 44, 12, 52, 20, 60, 28, 35,  3, 43, 11, 51, 19, 59, 27,
    34,  2, 42, 10, 50, 18, 58, 26, 33,  1, 41,  9, 49, 17, 57, 25,
];
