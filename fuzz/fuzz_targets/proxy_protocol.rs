//! The header of the PROXY protocol: it ends where it ends whatever follows, a start of it is never
//! judged otherwise than the whole, and its extensions are read within it.

#![no_main]

use forkful::http::proxy_protocol::{Header, MAX, Read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = Header::read(data);
    for cut in 0..data.len().min(MAX) {
        match (Header::read(&data[..cut]), &whole) {
            (Ok(Read::Partial), _) => {}
            (Ok(Read::Header(header, length)), Ok(Read::Header(same, end))) => {
                assert_eq!((&header, length), (same, *end));
            }
            (Err(broken), Err(_)) => assert!(broken.to_string().len() < 4 * MAX),
            (start, whole) => panic!("{start:?} and then {whole:?}"),
        }
    }
    match whole {
        Ok(Read::Partial) => assert!(data.len() < MAX),
        Ok(Read::Header(header, length)) => {
            assert!((1..=data.len().min(MAX)).contains(&length));
            header.iter().for_each(look_at);
        }
        Err(_) => {}
    }
});

fn look_at(header: &Header) {
    assert!(header.client.len() < MAX && header.server.len() < MAX);
    for name in ["alpn", "authority", "ssl_verify", "ssl_cn", "0x", "0xea", "ssl_0x21", ""] {
        if let Ok(Some(value)) = header.tlv(name.as_bytes()) {
            assert!(value.len() <= MAX);
        }
    }
}
