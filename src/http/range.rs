//! The Range field (RFC 9110, 14.2): which bytes of a representation are asked for.

use std::ops::Range;

/// What a Range field asks for, given the size of the representation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ranges {
    /// The field is to be ignored: 200 and everything.
    Whole,
    /// 206 with this range; never empty.
    One(Range<u64>),
    /// 206 as multipart/byteranges, in the order asked for; none is empty, together they are no
    /// longer than the whole.
    Many(Vec<Range<u64>>),
    /// 416
    Unsatisfiable,
}

/// Reads the value of a Range field for a representation of `size` bytes.
///
/// As nginx does: another unit than bytes, no range at all, or ranges that together are longer than
/// the whole, are ignored; a malformed set is unsatisfiable; of more than `max_ranges` ranges
/// (directive `max_ranges`, 0: ranges are off) the whole is sent.
pub fn parse(value: &[u8], size: u64, max_ranges: u64) -> Ranges {
    let Some(set) = strip_unit(value) else {
        return Ranges::Whole;
    };
    if max_ranges == 0 {
        return Ranges::Whole;
    }
    let mut found = Vec::new();
    let mut left = size;
    for spec in set.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        if spec.is_empty() {
            continue; // an empty list element counts as none (RFC 9110, 5.6.1.2)
        }
        let Some(range) = parse_spec(spec, size) else {
            return Ranges::Unsatisfiable;
        };
        if range.start < range.end {
            match left.checked_sub(range.end - range.start) {
                Some(rest) if (found.len() as u64) < max_ranges => left = rest,
                _ => return Ranges::Whole,
            }
            found.push(range);
        } else if range.start == 0 {
            return Ranges::Whole; // everything of nothing
        }
    }
    match found.len() {
        0 => Ranges::Unsatisfiable,
        1 => Ranges::One(found.swap_remove(0)),
        _ => Ranges::Many(found),
    }
}

fn strip_unit(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    (unit.eq_ignore_ascii_case(b"bytes=") && !set.is_empty()).then_some(set)
}

/// `first-last`, `first-` or `-length`, cut to the size. `None`: malformed.
fn parse_spec(spec: &[u8], size: u64) -> Option<Range<u64>> {
    let dash = spec.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (spec[..dash].trim_ascii(), spec[dash + 1..].trim_ascii());
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        size
    } else {
        number(last)?.saturating_add(1).min(size)
    };
    Some(first..end)
}

/// A decimal of any length; what does not fit is the greatest that does (RFC 9110, 14.1.2).
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(value.saturating_mul(10).saturating_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        use Ranges::*;
        let huge = "99999999999999999999999999";
        let table: Vec<(String, u64, u64, Ranges)> = vec![
            ("bytes=0-4".into(), 10, 9, One(0..5)),
            ("Bytes=0-4".into(), 10, 9, One(0..5)),
            ("bytes=5-".into(), 10, 9, One(5..10)),
            ("bytes=-3".into(), 10, 9, One(7..10)),
            ("bytes=-30".into(), 10, 9, One(0..10)),
            ("bytes=0-99".into(), 10, 9, One(0..10)),
            (format!("bytes=2-{huge}"), 10, 9, One(2..10)),
            (format!("bytes=-{huge}"), 10, 9, One(0..10)),
            (format!("bytes={huge}-"), 10, 9, Unsatisfiable),
            (" bytes=0-4".into(), 10, 9, Whole),
            ("bytes=".into(), 10, 9, Whole),
            ("bytes= 0 - 4 ".into(), 10, 9, One(0..5)),
            ("bytes=0-0,-1".into(), 10, 9, Many(vec![0..1, 9..10])),
            (
                "bytes=0-0, 2-2 ,,4-4".into(),
                10,
                9,
                Many(vec![0..1, 2..3, 4..5]),
            ),
            ("bytes=0-0,20-30".into(), 10, 9, One(0..1)),
            ("bytes=0-6,3-9".into(), 10, 9, Whole),
            ("bytes=0-,0-0".into(), u64::MAX, 9, Whole),
            ("bytes=0-0,1-1,2-2".into(), 10, 2, Whole),
            ("bytes=0-0,1-1".into(), 10, 2, Many(vec![0..1, 1..2])),
            ("bytes=0-0".into(), 10, 0, Whole),
            ("bytes=10-".into(), 10, 9, Unsatisfiable),
            ("bytes=-0".into(), 10, 9, Unsatisfiable),
            ("bytes=5-2".into(), 10, 9, Unsatisfiable),
            ("bytes=,".into(), 10, 9, Unsatisfiable),
            ("bytes=-".into(), 10, 9, Unsatisfiable),
            ("bytes=a-b".into(), 10, 9, Unsatisfiable),
            ("bytes=1".into(), 10, 9, Unsatisfiable),
            ("bytes=0-4x".into(), 10, 9, Unsatisfiable),
            ("bytes=0-1-2".into(), 10, 9, Unsatisfiable),
            ("bytes=+1-2".into(), 10, 9, Unsatisfiable),
            ("lines=0-4".into(), 10, 9, Whole),
            ("".into(), 10, 9, Whole),
            ("bytes=0-".into(), 0, 9, Whole),
            ("bytes=-5".into(), 0, 9, Whole),
            ("bytes=1-".into(), 0, 9, Unsatisfiable),
            ("bytes=0-".into(), u64::MAX, 9, One(0..u64::MAX)),
            (
                format!("bytes=0-{}", u64::MAX),
                u64::MAX,
                9,
                One(0..u64::MAX),
            ),
        ];
        for (value, size, max, expected) in table {
            assert_eq!(
                parse(value.as_bytes(), size, max),
                expected,
                "{value} of {size}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_past_the_end(value in "bytes=[-0-9, ]{0,40}", size in any::<u64>(), max in 0u64..5) {
            let ranges = match parse(value.as_bytes(), size, max) {
                Ranges::One(range) => vec![range],
                Ranges::Many(ranges) => ranges,
                _ => vec![],
            };
            prop_assert!(ranges.len() as u64 <= max);
            prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= size));
        }

        #[test]
        fn anything_is_read_without_panic(
            value in proptest::collection::vec(any::<u8>(), 0..60),
            size in any::<u64>(),
        ) {
            parse(&value, size, u64::MAX);
        }
    }
}
