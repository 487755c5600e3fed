//! Byte strings, and lists of them, behind their lengths: how a process hands another of ours what
//! it read. Reading is total: any bytes are either such strings or are refused.

/// Appends a string.
pub fn put(out: &mut Vec<u8>, string: &[u8]) {
    put_length(out, string.len());
    out.extend_from_slice(string);
}

/// Appends a list of strings.
pub fn put_list(out: &mut Vec<u8>, strings: &[impl AsRef<[u8]>]) {
    put_length(out, strings.len());
    strings.iter().for_each(|string| put(out, string.as_ref()));
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u64).to_le_bytes());
}

/// Takes a string off the start of `from`; `None` when there is none whole.
pub fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(from)?;
    let (string, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(string)
}

/// Takes a list of strings off the start of `from`; `None` when there is none whole. Room is made
/// for the strings that are there, not for those that are announced.
pub fn take_list(from: &mut &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    for _ in 0..take_length(from)? {
        strings.push(take(from)?.to_vec());
    }
    Some(strings)
}

fn take_length(from: &mut &[u8]) -> Option<usize> {
    let (length, rest) = from.split_first_chunk()?;
    *from = rest;
    u64::from_le_bytes(*length).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken() {
        let mut packed = Vec::new();
        put(&mut packed, b"one");
        put_list(&mut packed, &["", "two"]);
        put_list(&mut packed, &[b""; 0]);
        let mut rest = &packed[..];
        assert_eq!(take(&mut rest), Some(&b"one"[..]));
        assert_eq!(take_list(&mut rest), Some(vec![vec![], b"two".to_vec()]));
        assert_eq!(take_list(&mut rest), Some(vec![]));
        assert_eq!(
            (rest, take(&mut rest), take_list(&mut rest)),
            (&b""[..], None, None)
        );
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let mut packed = Vec::new();
        put_list(&mut packed, &["one", "two"]);
        for length in 0..packed.len() {
            assert_eq!(take_list(&mut &packed[..length]), None, "{length}");
        }
    }

    #[test]
    fn announced_strings_take_no_room() {
        for length in [u64::MAX, 1 << 62, 1 << 40] {
            let announced = length.to_le_bytes();
            assert_eq!(take(&mut &announced[..]), None);
            assert_eq!(take_list(&mut &announced[..]), None);
        }
    }
}
