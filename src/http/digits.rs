//! Numbers as they are written into heads and log lines: without the machinery of formatting, which
//! costs more than the rest of a head.

/// Appends a decimal number.
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    digits::<10>(out, number);
}

/// Appends a hexadecimal number, in small letters.
pub fn hexadecimal(out: &mut Vec<u8>, number: u64) {
    digits::<16>(out, number);
}

fn digits<const BASE: u64>(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_formatting_writes_them() {
        for number in [0, 9, 10, 15, 16, 255, 12345, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            out.push(b' ');
            hexadecimal(&mut out, number);
            assert_eq!(out, format!("{number} {number:x}").into_bytes());
        }
    }
}
