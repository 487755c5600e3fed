//! Listings for programs (`autoindex_format json | jsonp | xml`), byte for byte as nginx writes
//! them. Names are bytes of no particular encoding, and stay what they are.

use std::io::Write;

use crate::http::date;
use crate::sys::clock;
use crate::sys::file::{Entry, Kind};

/// The listing as JSON; with the name of a function, as a call of it (JSONP).
pub fn json(entries: &[Entry], callback: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 96 * entries.len());
    if let Some(name) = callback {
        out.extend_from_slice(b"/* callback */\r\n");
        out.extend_from_slice(name);
        out.push(b'(');
    }
    out.push(b'[');
    for (index, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\r\n{ " } else { b",\r\n{ " });
        json_entry(&mut out, entry);
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(b"\r\n]");
    if callback.is_some() {
        out.extend_from_slice(b");");
    }
    out
}

fn json_entry(out: &mut Vec<u8>, entry: &Entry) {
    out.extend_from_slice(b"\"name\":\"");
    json_text(out, &entry.name);
    write!(out, "\", \"type\":\"{}\", \"mtime\":\"", kind(entry)).unwrap_or_default();
    out.extend_from_slice(&date::format(entry.meta.mtime));
    out.push(b'"');
    if entry.meta.kind == Kind::Regular {
        write!(out, ", \"size\":{}", entry.meta.size).unwrap_or_default();
    }
}

fn json_text(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => write!(out, "\\u{byte:04X}").unwrap_or_default(),
            _ => out.push(byte),
        }
    }
}

/// The listing as XML.
pub fn xml(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 96 * entries.len());
    out.extend_from_slice(b"<?xml version=\"1.0\"?>\r\n<list>\r\n");
    for entry in entries {
        let t = clock::utc(entry.meta.mtime);
        let kind = kind(entry);
        write!(
            out,
            "<{kind} mtime=\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z\"",
            t.year, t.month, t.day, t.hour, t.minute, t.second
        )
        .unwrap_or_default();
        if entry.meta.kind == Kind::Regular {
            write!(out, " size=\"{}\"", entry.meta.size).unwrap_or_default();
        }
        out.push(b'>');
        xml_text(&mut out, &entry.name);
        write!(out, "</{kind}>\r\n").unwrap_or_default();
    }
    out.extend_from_slice(b"</list>\r\n");
    out
}

fn xml_text(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            _ => out.push(byte),
        }
    }
}

fn kind(entry: &Entry) -> &'static str {
    match entry.meta.kind {
        Kind::Directory => "directory",
        Kind::Regular => "file",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file::Meta;

    fn entry(name: &[u8], kind: Kind) -> Entry {
        Entry {
            name: name.to_vec(),
            meta: Meta {
                size: 3,
                mtime: 784_111_777,
                mtime_nanos: 0,
                changed: (0, 0),
                kind,
                inode: 1,
                device: 1,
                mode: 0o644,
            },
        }
    }

    #[test]
    fn names_are_escaped_as_nginx_escapes_them() {
        let entries = [
            entry(b"sub", Kind::Directory),
            entry(b"n\n\x01\x1f\"\\<&>\xff", Kind::Regular),
            entry(b"fifo", Kind::Other),
        ];
        let time = "Sun, 06 Nov 1994 08:49:37 GMT";
        let expected = format!(
            "[\r\n{{ \"name\":\"sub\", \"type\":\"directory\", \"mtime\":\"{time}\" }},\r\n\
             {{ \"name\":\"n\\n\\u0001\\u001F\\\"\\\\<&>\u{fffd}\", \"type\":\"file\", \
             \"mtime\":\"{time}\", \"size\":3 }},\r\n\
             {{ \"name\":\"fifo\", \"type\":\"other\", \"mtime\":\"{time}\" }}\r\n]"
        );
        assert_eq!(String::from_utf8_lossy(&json(&entries, None)), expected);
        let time = "1994-11-06T08:49:37Z";
        let expected = format!(
            "<?xml version=\"1.0\"?>\r\n<list>\r\n<directory mtime=\"{time}\">sub</directory>\r\n\
             <file mtime=\"{time}\" size=\"3\">n\n\x01\x1f&quot;\\&lt;&amp;&gt;\u{fffd}</file>\r\n\
             <other mtime=\"{time}\">fifo</other>\r\n</list>\r\n"
        );
        assert_eq!(String::from_utf8_lossy(&xml(&entries)), expected);
    }

    #[test]
    fn an_empty_directory_has_a_listing_too() {
        assert_eq!(json(&[], None), b"[\r\n]");
        assert_eq!(json(&[], Some(b"f")), b"/* callback */\r\nf([\r\n]);");
        assert_eq!(
            xml(&[]),
            b"<?xml version=\"1.0\"?>\r\n<list>\r\n</list>\r\n"
        );
    }
}
