//! Ranges: never outside of the representation, never more than it in all; and the multipart body
//! of several is as long as announced.

#![no_main]

use forkful::http::multipart::Multipart;
use forkful::http::range::{self, Ranges};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((numbers, value)) = data.split_first_chunk::<9>() else {
        return;
    };
    let [max_ranges, size @ ..] = *numbers;
    let size = u64::from_le_bytes(size);
    let max_ranges = match max_ranges {
        u8::MAX => u64::MAX,
        number => u64::from(number),
    };
    let ranges = match range::parse(value, size, max_ranges) {
        Ranges::Whole | Ranges::Unsatisfiable => return,
        Ranges::One(range) => vec![range],
        Ranges::Many(ranges) => {
            assert!(ranges.len() > 1);
            ranges
        }
    };
    assert!(ranges.len() as u64 <= max_ranges);
    assert!(
        ranges
            .iter()
            .all(|range| range.start < range.end && range.end <= size)
    );
    let total: u128 = ranges
        .iter()
        .map(|range| u128::from(range.end - range.start))
        .sum();
    assert!(total <= u128::from(size));

    let multipart = Multipart::new(1, Some(b"text/plain"), size);
    let heads: usize = ranges
        .iter()
        .map(|range| multipart.part_head(range).len())
        .sum();
    let length = total + (heads + multipart.end().len()) as u128;
    assert_eq!(multipart.length(&ranges), u64::try_from(length).ok());
});
