//! multipart/byteranges (RFC 9110, 14.6), as nginx lays it out: every delimiter begins with its
//! own line break, the first one too.

use std::io::Write;
use std::ops::Range;

/// The layout of one answer.
#[derive(Clone, Debug)]
pub struct Multipart {
    boundary: u64,
    content_type: Option<Vec<u8>>,
    size: u64,
}

impl Multipart {
    /// Parts of a representation of `size` bytes. The boundary number must be new for every
    /// answer.
    pub fn new(boundary: u64, content_type: Option<&[u8]>, size: u64) -> Multipart {
        Multipart {
            boundary,
            content_type: content_type.map(<[u8]>::to_vec),
            size,
        }
    }

    /// The Content-Type of the answer.
    pub fn content_type(&self) -> Vec<u8> {
        format!("multipart/byteranges; boundary={:020}", self.boundary).into_bytes()
    }

    /// What stands before the bytes of a range.
    pub fn part_head(&self, range: &Range<u64>) -> Vec<u8> {
        let mut head = format!("\r\n--{:020}\r\n", self.boundary).into_bytes();
        if let Some(content_type) = &self.content_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"Content-Range: ");
        head.extend_from_slice(&content_range(range, self.size));
        head.extend_from_slice(b"\r\n\r\n");
        head
    }

    /// What stands after the last part.
    pub fn end(&self) -> Vec<u8> {
        format!("\r\n--{:020}--\r\n", self.boundary).into_bytes()
    }

    /// Length in bytes of the whole body; `None` when it does not fit.
    pub fn length(&self, ranges: &[Range<u64>]) -> Option<u64> {
        ranges
            .iter()
            .try_fold(self.end().len() as u64, |sum, range| {
                sum.checked_add(self.part_head(range).len() as u64)?
                    .checked_add(range.end.checked_sub(range.start)?)
            })
    }
}

/// The value of a Content-Range field of a 206: `bytes 0-4/10`. The range must not be empty.
pub fn content_range(range: &Range<u64>, size: u64) -> Vec<u8> {
    let mut value = Vec::with_capacity(32);
    write!(
        value,
        "bytes {}-{}/{size}",
        range.start,
        range.end.saturating_sub(1)
    )
    .expect("a vector takes any write");
    value
}

/// The value of a Content-Range field of a 416: `bytes */10`.
pub fn unsatisfied_range(size: u64) -> Vec<u8> {
    format!("bytes */{size}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let layout = Multipart::new(7, Some(b"text/plain"), 10);
        let ranges = [0..1, 8..10];
        let mut body = Vec::new();
        for range in &ranges {
            body.extend(layout.part_head(range));
            body.extend(&b"0123456789"[range.start as usize..range.end as usize]);
        }
        body.extend(layout.end());
        let expected = "\r\n--00000000000000000007\r\nContent-Type: text/plain\r\n\
                        Content-Range: bytes 0-0/10\r\n\r\n0\
                        \r\n--00000000000000000007\r\nContent-Type: text/plain\r\n\
                        Content-Range: bytes 8-9/10\r\n\r\n89\
                        \r\n--00000000000000000007--\r\n";
        assert_eq!(std::str::from_utf8(&body), Ok(expected));
        assert_eq!(layout.length(&ranges), Some(body.len() as u64));
        assert_eq!(layout.length(std::slice::from_ref(&(0..u64::MAX))), None);
        assert_eq!(
            layout.content_type(),
            b"multipart/byteranges; boundary=00000000000000000007"
        );
    }

    #[test]
    fn without_a_type() {
        let layout = Multipart::new(7, None, 10);
        let expected = b"\r\n--00000000000000000007\r\nContent-Range: bytes 0-0/10\r\n\r\n";
        assert_eq!(layout.part_head(&(0..1)), expected);
        assert_eq!(unsatisfied_range(10), b"bytes */10");
    }
}
