//! Bytes into a content coding, at once or slice by slice. What is coded, and where, is decided
//! elsewhere.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression};
use zstd::zstd_safe::CParameter;

use crate::http::Coding;

/// Bytes of a writer between the brotli encoder and its output.
const BUFFER: usize = 4 << 10;
/// No client has to take a larger window of zstd (RFC 9659), as a power of 2.
pub const ZSTD_WINDOW: u32 = 23;
/// The largest window of brotli that is worth its memory to a whole file, as a power of 2.
const BROTLI_WINDOW: u32 = 22;

/// How bytes are to be coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// The coding.
    pub coding: Coding,
    /// How hard the encoder tries, on the scale of its own reference implementation.
    pub level: i32,
    /// How far it looks back, as a power of 2; zstd's level says it itself.
    pub window: u32,
}

impl Recipe {
    /// The same for a body of this size that is coded once and sent often: at least the effort
    /// that such bodies are worth.
    pub fn for_many(self, size: u64) -> Recipe {
        let (level, window) = match self.coding {
            Coding::Gzip => (6, 0),
            Coding::Brotli => (6, (u64::BITS - size.leading_zeros()).min(BROTLI_WINDOW)),
            Coding::Zstd => (9, 0),
        };
        Recipe {
            level: self.level.max(level),
            window: self.window.max(window),
            ..self
        }
    }

    /// About how many bytes an encoder has for a body of unknown length.
    pub fn memory(&self) -> u64 {
        match self.coding {
            Coding::Gzip => 512 << 10,
            Coding::Brotli if self.level < 5 => (2 << self.window) + (1 << 20),
            Coding::Brotli => (4 << self.window) + (4 << 20),
            Coding::Zstd if self.level < 4 => 4 << 20,
            Coding::Zstd => 32 << 20,
        }
    }

    /// Whether a few kilobytes are coded in less time than handing them to a thread is worth.
    pub fn is_quick(&self) -> bool {
        self.level
            <= match self.coding {
                Coding::Gzip => 6,
                Coding::Brotli => 1,
                Coding::Zstd => 3,
            }
    }

    /// Codes all there is.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn encode(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoder = Encoder::sized(self, Some(bytes.len()))?;
        let mut out = encoder.push(bytes)?;
        out.append(&mut encoder.finish()?);
        Ok(out)
    }
}

/// An encoder on its way through a body.
pub struct Encoder(Inner);

enum Inner {
    Gzip(ZlibEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    /// One for a body of unknown length.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(recipe: Recipe) -> io::Result<Encoder> {
        Encoder::sized(recipe, None)
    }

    fn sized(recipe: Recipe, length: Option<usize>) -> io::Result<Encoder> {
        let Recipe { level, window, .. } = recipe;
        Ok(Encoder(match recipe.coding {
            Coding::Gzip => {
                // This zlib tries a little less on each level than the one that nginx has.
                let level = Compression::new((level + 1).clamp(1, 9) as u32);
                let gzip = Compress::new_gzip(level, window as u8);
                Inner::Gzip(ZlibEncoder::new_with_compress(Vec::new(), gzip))
            }
            Coding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: level,
                    lgwin: window as i32,
                    size_hint: length.unwrap_or(0),
                    ..BrotliEncoderParams::default()
                };
                let writer = CompressorWriter::with_params(Vec::new(), BUFFER, &params);
                Inner::Brotli(Box::new(writer))
            }
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level)?;
                if level > 19 {
                    encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW))?;
                }
                encoder.set_pledged_src_size(length.map(|length| length as u64))?;
                Inner::Zstd(encoder)
            }
        }))
    }

    /// Takes bytes, and gives what comes out for now; often nothing.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let out = match &mut self.0 {
            Inner::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Inner::Brotli(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Inner::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
        };
        Ok(std::mem::take(out))
    }

    /// What comes out last.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self.0 {
            Inner::Gzip(encoder) => encoder.finish(),
            Inner::Brotli(encoder) => Ok(encoder.into_inner()),
            Inner::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::decoder::tests::decode;
    use super::*;

    /// A page of about this many bytes, as compressible as pages are.
    pub fn page(bytes: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut page = Vec::with_capacity(bytes);
        while page.len() < bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let word = format!("<li>{:x} of {}</li>\n", state >> 48, page.len());
            page.extend_from_slice(word.as_bytes());
        }
        page.truncate(bytes);
        page
    }

    /// Recipes of all kinds.
    pub fn recipes() -> impl Iterator<Item = Recipe> {
        let levels = [
            (Coding::Gzip, &[1, 6, 9][..], [9, 15]),
            (Coding::Brotli, &[0, 1, 5, 9], [10, 19]),
            (Coding::Zstd, &[-7, 1, 9, 22], [0, 0]),
        ];
        levels.into_iter().flat_map(|(coding, levels, windows)| {
            let recipe = move |(&level, window)| Recipe {
                coding,
                level,
                window,
            };
            let all = levels.iter().flat_map(move |l| windows.map(|w| (l, w)));
            all.map(recipe)
        })
    }

    #[test]
    fn what_is_coded_can_be_decoded() {
        for recipe in recipes() {
            for length in [0, 1, 100, 70_000] {
                let bytes = page(length);
                let whole = recipe.encode(&bytes).unwrap();
                assert_eq!(decode(recipe.coding, &whole), bytes, "{recipe:?} {length}");
                let mut encoder = Encoder::new(recipe).unwrap();
                let mut slices = Vec::new();
                for slice in bytes.chunks(10_000) {
                    slices.extend(encoder.push(slice).unwrap());
                }
                slices.extend(encoder.finish().unwrap());
                assert_eq!(decode(recipe.coding, &slices), bytes, "{recipe:?} {length}");
            }
        }
    }

    #[test]
    fn what_is_sent_often_is_smaller_and_in_order_of_preference() {
        let bytes = include_bytes!("../../../README.md");
        let defaults = [
            (Coding::Brotli, 6, 19),
            (Coding::Zstd, 1, 0),
            (Coding::Gzip, 1, 15),
        ];
        let mut sizes = Vec::new();
        for (coding, level, window) in defaults {
            let recipe = Recipe {
                coding,
                level,
                window,
            };
            let once = recipe.encode(bytes).unwrap().len();
            let often = recipe
                .for_many(bytes.len() as u64)
                .encode(bytes)
                .unwrap()
                .len();
            assert!(
                often <= once && once < bytes.len() / 2,
                "{recipe:?} {often} {once}"
            );
            sizes.push(often);
        }
        assert!(sizes.is_sorted(), "{sizes:?}");
    }

    #[test]
    fn a_window_fits_its_body_and_what_was_asked_for() {
        let window = |window, size| {
            let recipe = Recipe {
                coding: Coding::Brotli,
                level: 0,
                window,
            };
            recipe.for_many(size).window
        };
        assert_eq!(window(10, 20_000), 15);
        assert_eq!(window(19, 20_000), 19);
        assert_eq!(window(19, 3 << 20), 22);
        assert_eq!(window(19, 1 << 40), 22);
        assert_eq!(window(24, 1), 24);
    }
}
