//! Bodies in a content coding, and what they stand for, by the encoders' own tools.

use std::io::{Read, Write};

use super::response::Response;

/// Codes bytes: `gzip`, `br` or `zstd`.
pub fn coded(coding: &str, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    match coding {
        "gzip" => {
            let level = flate2::Compression::fast();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 16);
            encoder.write_all(bytes).unwrap();
            encoder.into_inner()
        }
        "zstd" => zstd::encode_all(bytes, 1).unwrap(),
        other => panic!("no coding: {other}"),
    }
}

/// The response with its body decoded. One that cannot be is left as it is.
pub fn decoded(response: &Response) -> Response {
    let (mut body, coded) = (Vec::new(), &response.body[..]);
    let read = match response.header("Content-Encoding") {
        _ if coded.is_empty() || response.status == 206 => return response.clone(),
        Some("gzip") => flate2::read::MultiGzDecoder::new(coded).read_to_end(&mut body),
        Some("br") => brotli::Decompressor::new(coded, 4096).read_to_end(&mut body),
        Some("zstd") => zstd::Decoder::new(coded).and_then(|mut it| it.read_to_end(&mut body)),
        _ => return response.clone(),
    };
    if read.is_err() {
        return response.clone();
    }
    Response {
        body,
        ..response.clone()
    }
}
