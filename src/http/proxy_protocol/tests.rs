use super::*;

const TCP4: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n";

/// A header of version 2: version and command, family and transport, what follows.
fn v2(version_command: u8, family_transport: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend([version_command, family_transport]);
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Two IPv4 addresses and their ports.
const ADDRESSES: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x0f, 0xa0, 0, 80];

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    bytes
}

fn header(tlvs: &[u8]) -> Header {
    Header {
        client: b"192.0.2.1".to_vec(),
        client_port: 4000,
        server: b"192.0.2.2".to_vec(),
        server_port: 80,
        tlvs: tlvs.to_vec(),
    }
}

#[test]
fn both_versions_say_the_same() {
    let known = Some(header(b""));
    for (input, expected) in [
        (TCP4.as_bytes().to_vec(), known.clone()),
        (v2(0x21, 0x11, &ADDRESSES), known),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
        (v2(0x20, 0x11, &ADDRESSES), None),
        (v2(0x21, 0x12, &ADDRESSES), None),
        (v2(0x21, 0x31, &[0; 216]), None),
        (v2(0x21, 0x00, b""), None),
    ] {
        let length = input.len();
        let whole = Ok(Read::Header(expected, length));
        assert_eq!(Header::read(&input), whole);
        for cut in 0..length {
            assert_eq!(Header::read(&input[..cut]), Ok(Read::Partial), "{cut}");
        }
        let more = [&input[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(Header::read(&more), whole);
    }
}

#[test]
fn ipv6() {
    let mut body = [0; 36];
    (body[0], body[15], body[31], body[35]) = (0x20, 1, 2, 80);
    let Ok(Read::Header(Some(v2), _)) = Header::read(&v2(0x21, 0x21, &body)) else {
        panic!("no header");
    };
    assert_eq!(
        (&v2.client[..], &v2.server[..]),
        (&b"2000::1"[..], &b"::2"[..])
    );
    assert_eq!((v2.client_port, v2.server_port), (0, 80));
    let line = b"PROXY TCP6 2000::1 ::2 0 80\r\n";
    assert_eq!(Header::read(line), Ok(Read::Header(Some(v2), line.len())));
}

#[test]
fn what_is_no_header_is_refused_at_once() {
    for (input, shown) in [
        ("GET / HTTP/1.1\r\n", "GET / HTTP/1.1"),
        ("PROXX", "PROXX"),
        ("\r\nGET", ""),
        ("PROXY TCP4\r\n", "PROXY TCP4"),
        (
            "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
            "PROXY UDP4 1.1.1.1 2.2.2.2 1 2",
        ),
        (
            "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1",
        ),
        (
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536",
        ),
        (
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 +2\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 +2",
        ),
        (
            "PROXY TCP4 1.1.1.1 host 1 2\r\n",
            "PROXY TCP4 1.1.1.1 host 1 2",
        ),
        (
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 1 2",
        ),
    ] {
        let broken = Err(Broken::Line(shown.as_bytes()));
        assert_eq!(Header::read(input.as_bytes()), broken, "{input}");
    }
    let endless = "PROXY UNKNOWN".to_owned() + &" ".repeat(MAX_LINE);
    assert!(Header::read(endless.as_bytes()).is_err());
    assert_eq!(
        Broken::Line(b"\x16\x03").to_string(),
        r#"broken header: "\x16\x03""#
    );
}

#[test]
fn version_2_is_bounded_and_whole() {
    assert_eq!(
        Header::read(&v2(0x31, 0x11, &ADDRESSES)),
        Err(Broken::Version(3))
    );
    assert_eq!(
        Header::read(&v2(0x21, 0x11, &[0; 11])),
        Err(Broken::Addresses)
    );
    assert_eq!(
        Header::read(&v2(0x21, 0x21, &[0; 35])),
        Err(Broken::Addresses)
    );
    assert!(Header::read(&v2(0x21, 0x11, &[0; MAX - FIXED])).is_ok());
    let fixed = &v2(0x21, 0x11, &[0; MAX - FIXED + 1])[..FIXED];
    assert_eq!(Header::read(fixed), Err(Broken::TooLarge));
}

#[test]
fn extensions_have_names_and_numbers() {
    let mut ssl = vec![1, 0, 0, 0, 7];
    ssl.extend(tlv(0x21, b"TLSv1.3"));
    ssl.extend(tlv(0x22, b"name"));
    let all = [tlv(0x02, b"example.com"), tlv(0xea, b""), tlv(0x20, &ssl)].concat();
    let mut input = ADDRESSES.to_vec();
    input.extend(&all);
    let expected = Some(header(&all));
    let input = v2(0x21, 0x11, &input);
    assert_eq!(
        Header::read(&input),
        Ok(Read::Header(expected, input.len()))
    );

    let value = |name: &str| header(&all).tlv(name.as_bytes()).unwrap();
    assert_eq!(value("authority").unwrap(), b"example.com");
    assert_eq!(value("0x02").unwrap(), b"example.com");
    assert_eq!(value("0xea").unwrap(), b"");
    assert_eq!(value("ssl").unwrap(), ssl);
    assert_eq!(value("ssl_verify").unwrap(), b"7");
    assert_eq!(value("ssl_version").unwrap(), b"TLSv1.3");
    assert_eq!(value("ssl_0x22").unwrap(), b"name");
    assert_eq!(
        (value("alpn"), value("0x1ff"), value("ssl_cipher")),
        (None, None, None)
    );
    assert_eq!(header(b"").tlv(b"ssl_verify"), Ok(None));
}

#[test]
fn extensions_that_are_none_are_told() {
    let told = |tlvs: &[u8], name: &str| header(tlvs).tlv(name.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        told(b"", "nothing"),
        "unknown PROXY protocol TLV \"nothing\""
    );
    assert_eq!(told(b"", "0xg"), "invalid PROXY protocol TLV \"0xg\"");
    assert_eq!(told(b"", "0x"), "invalid PROXY protocol TLV \"0x\"");
    let broken = "broken PROXY protocol TLV";
    assert_eq!(told(b"\x01\0", "alpn"), broken);
    assert_eq!(told(b"\x01\0\x03ab", "authority"), broken);
    assert_eq!(told(&tlv(0x20, b"\x01\0"), "ssl_cn"), broken);
}
