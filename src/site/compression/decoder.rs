//! A content coding back into bytes, so many at a time: a small file can hold a huge body.

use std::io;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::DParameter;

use super::encoder::ZSTD_WINDOW;
use crate::http::Coding;

/// Where a decoder has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken.
    pub read: usize,
    /// Bytes given.
    pub written: usize,
}

/// A decoder on its way through a body.
pub struct Decoder {
    inner: Inner,
    /// The body could end here.
    at_end: bool,
    /// It cannot go on, as is told once all before is given.
    failed: Option<io::Error>,
}

enum Inner {
    Gzip(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(raw::Decoder<'static>),
}

impl Decoder {
    /// One for a new body.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(coding: Coding) -> io::Result<Decoder> {
        let inner = match coding {
            Coding::Gzip => Inner::Gzip(gzip()),
            Coding::Brotli => {
                let alloc = StandardAlloc::default;
                Inner::Brotli(Box::new(BrotliState::new(alloc(), alloc(), alloc())))
            }
            Coding::Zstd => {
                let mut decoder = raw::Decoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
                Inner::Zstd(decoder)
            }
        };
        Ok(Decoder {
            inner,
            at_end: false,
            failed: None,
        })
    }

    /// Whether the body may end where it is now.
    pub fn is_complete(&self) -> bool {
        self.at_end
    }

    /// Takes bytes of the body and gives what they stand for, as far as there is room.
    ///
    /// # Errors
    /// They are not what they should be, and all before was given.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<Progress> {
        if self.at_end && input.is_empty() {
            return Ok(Progress::default());
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut progress = Progress::default();
        let stepped = self.advance(input, output, &mut progress);
        self.at_end = *stepped.as_ref().unwrap_or(&false);
        match stepped {
            Err(error) if progress.written == 0 => return Err(error),
            stepped => self.failed = stepped.err(),
        }
        Ok(progress)
    }

    /// Goes on, notes how far that went, and says whether the body could end there.
    fn advance(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        Progress { read, written }: &mut Progress,
    ) -> io::Result<bool> {
        match &mut self.inner {
            Inner::Gzip(decoder) => {
                // One after another may follow (RFC 1952 section 2.2).
                if self.at_end {
                    *decoder = gzip();
                }
                let (taken, given) = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(input, output, FlushDecompress::None);
                *read = (decoder.total_in() - taken) as usize;
                *written = (decoder.total_out() - given) as usize;
                Ok(status? == Status::StreamEnd)
            }
            Inner::Brotli(state) => {
                let (mut left, mut room, mut total) = (input.len(), output.len(), 0);
                let result = BrotliDecompressStream(
                    &mut left, read, input, &mut room, written, output, &mut total, state,
                );
                let surplus = self.at_end && !input.is_empty();
                if surplus || matches!(result, BrotliResult::ResultFailure) {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                Ok(matches!(result, BrotliResult::ResultSuccess))
            }
            Inner::Zstd(decoder) => {
                let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(output));
                let left = decoder.run(&mut from, &mut to);
                (*read, *written) = (from.pos(), to.pos());
                Ok(left? == 0)
            }
        }
    }
}

fn gzip() -> Decompress {
    Decompress::new_gzip(15)
}

#[cfg(test)]
pub mod tests {
    use super::super::encoder::tests::{page, recipes};
    use super::*;

    fn try_decode(coding: Coding, bytes: &[u8], room: usize) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::new(coding)?;
        let (mut out, mut at) = (Vec::new(), 0);
        let mut buffer = vec![0; room];
        loop {
            let Progress { read, written } = decoder.step(&bytes[at..], &mut buffer)?;
            at += read;
            out.extend_from_slice(&buffer[..written]);
            if read == 0 && written == 0 {
                let whole = decoder.is_complete() && at == bytes.len();
                return whole
                    .then_some(out)
                    .ok_or(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// All that these bytes stand for.
    pub fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        try_decode(coding, bytes, 1000).unwrap()
    }

    #[test]
    fn bodies_of_several_members() {
        for recipe in recipes().filter(|recipe| recipe.coding != Coding::Brotli) {
            let [one, two] = [page(3000), page(5000)];
            let coded = [recipe.encode(&one).unwrap(), recipe.encode(&two).unwrap()].concat();
            assert_eq!(
                decode(recipe.coding, &coded),
                [one, two].concat(),
                "{recipe:?}"
            );
        }
    }

    #[test]
    fn bodies_that_are_cut_short_or_wrong() {
        for recipe in recipes() {
            let coded = recipe.encode(&page(5000)).unwrap();
            let cut = &coded[..coded.len() / 2];
            assert!(try_decode(recipe.coding, cut, 100).is_err(), "{recipe:?}");
            let mut longer = coded.clone();
            longer.extend_from_slice(b"surplus");
            assert!(
                try_decode(recipe.coding, &longer, 100).is_err(),
                "{recipe:?}"
            );
            assert!(
                try_decode(recipe.coding, b"<p>page", 100).is_err(),
                "{recipe:?}"
            );
        }
    }

    #[test]
    fn what_comes_before_an_error_is_given() {
        let [one, two] = [page(50), page(100_000)];
        let gzip = recipes().next().unwrap();
        let coded = [gzip.encode(&one).unwrap(), gzip.encode(&two).unwrap()].concat();
        let mut wrong = coded.clone();
        let middle = coded.len() / 2;
        wrong[middle..].fill(0xff);
        let mut decoder = Decoder::new(gzip.coding).unwrap();
        let (mut given, mut at, mut buffer) = (Vec::new(), 0, vec![0; 200_000]);
        while let Ok(Progress { read, written }) = decoder.step(&wrong[at..], &mut buffer) {
            at += read;
            given.extend_from_slice(&buffer[..written]);
        }
        assert!(given.len() > 40_000, "{}", given.len());
        let same = given
            .iter()
            .zip([one, two].concat())
            .take_while(|(a, b)| **a == *b);
        assert!(same.count() > 40_000);
    }

    #[test]
    fn a_small_file_gives_its_huge_body_in_small_steps() {
        let zeroes = vec![0; 1 << 20];
        for recipe in recipes().filter(|recipe| recipe.level == 1) {
            let coded = recipe.encode(&zeroes).unwrap();
            let mut decoder = Decoder::new(recipe.coding).unwrap();
            let progress = decoder.step(&coded, &mut [0; 100]).unwrap();
            assert!(progress.written <= 100, "{recipe:?}");
            assert_eq!(
                decode(recipe.coding, &coded).len(),
                zeroes.len(),
                "{recipe:?}"
            );
        }
    }
}
