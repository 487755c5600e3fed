//! Tests of the pages: wording, layout and hostile names. The lines were read off nginx's listing.

use super::*;

const NOON: Stamp = Stamp {
    year: 2026,
    month: 11,
    day: 20,
    hour: 12,
    minute: 4,
};

fn file(name: &[u8], size: u64) -> Entry {
    Entry {
        name: name.to_vec(),
        directory: false,
        size,
        modified: NOON,
    }
}

fn directory(name: &[u8]) -> Entry {
    Entry {
        directory: true,
        ..file(name, 4096)
    }
}

fn error(status: u16, server: &str) -> String {
    String::from_utf8(error_page(status, server.as_bytes()).expect("a page")).expect("UTF-8")
}

/// The lines of entries, without what stands around them.
fn lines(entries: Vec<Entry>, sizes: Sizes) -> Vec<String> {
    let page = String::from_utf8(listing(b"/", entries, sizes)).expect("UTF-8");
    let (_, rest) = page
        .split_once("<a href=\"../\">../</a>\n")
        .expect("the way up");
    let (lines, _) = rest.split_once("</pre>").expect("an end");
    lines.lines().map(str::to_owned).collect()
}

fn only_line(entry: Entry) -> String {
    let mut lines = lines(vec![entry], Sizes::Exact);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

#[test]
fn error_pages_are_worded_as_nginx_words_them() {
    let cases = [
        (301, "301 Moved Permanently"),
        (302, "302 Found"),
        (308, "308 Permanent Redirect"),
        (400, "400 Bad Request"),
        (401, "401 Authorization Required"),
        (404, "404 Not Found"),
        (405, "405 Not Allowed"),
        (408, "408 Request Time-out"),
        (414, "414 Request-URI Too Large"),
        (431, "431 Request Header Fields Too Large"),
        (503, "503 Service Temporarily Unavailable"),
        (505, "505 HTTP Version Not Supported"),
    ];
    for (status, title) in cases {
        let page = error(status, "forkful/1.0");
        assert!(page.contains(&format!("<title>{title}</title>")), "{page}");
        assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
        assert!(page.contains("<footer>forkful/1.0</footer>"), "{page}");
    }
}

#[test]
fn own_statuses_go_out_as_400_and_say_why() {
    let cases = [
        (494, "Request Header Or Cookie Too Large"),
        (495, "The SSL certificate error"),
        (496, "No required SSL certificate was sent"),
        (497, "The plain HTTP request was sent to HTTPS port"),
    ];
    for (status, detail) in cases {
        let page = error(status, "forkful");
        assert!(
            page.contains(&format!("<title>400 {detail}</title>")),
            "{page}"
        );
        assert!(
            page.contains(&format!("<h1>400 Bad Request</h1>\n<p>{detail}</p>")),
            "{page}"
        );
    }
}

#[test]
fn some_answers_have_no_page() {
    for status in [100, 200, 204, 206, 300, 304, 418, 498, 499, 506, 599, 999] {
        assert_eq!(error_page(status, b"forkful"), None, "{status}");
    }
}

#[test]
fn the_signature_is_escaped_and_may_be_absent() {
    assert!(error(404, "<b>&\u{202e}").contains("<footer>&lt;b&gt;&amp;\u{202e}</footer>"));
    assert!(error(404, "a\r\nb\0").contains("<footer>a\u{fffd}\u{fffd}b\u{fffd}</footer>"));
    let unsigned = error(404, "");
    assert!(
        !unsigned.contains("<hr>") && !unsigned.contains("<footer>"),
        "{unsigned}"
    );
    let page = error_page(404, b"\xff").expect("a page");
    assert!(
        String::from_utf8(page)
            .expect("UTF-8")
            .contains("<footer>\u{fffd}</footer>")
    );
}

#[test]
fn lines_are_those_of_nginx() {
    let cases = [
        (
            directory(b"a b"),
            "<a href=\"a%20b/\">a b/</a>                                               \
             20-Nov-2026 12:04                   -",
        ),
        (
            file(b"b9999", 9999),
            "<a href=\"b9999\">b9999</a>                                              \
             20-Nov-2026 12:04                9999",
        ),
        (
            file("é".as_bytes(), 5_368_709_120),
            "<a href=\"%C3%A9\">é</a>                                                  \
             20-Nov-2026 12:04          5368709120",
        ),
        (
            file(b"amp&x", 0),
            "<a href=\"amp%26x\">amp&amp;x</a>                                              \
             20-Nov-2026 12:04                   0",
        ),
    ];
    for (entry, expected) in cases {
        assert_eq!(only_line(entry), expected);
    }
}

#[test]
fn long_names_are_cut_by_characters() {
    let date = "20-Nov-2026 12:04";
    for letter in ["y", "é", "\u{10348}"] {
        let fits = only_line(file(letter.repeat(50).as_bytes(), 0));
        assert!(
            fits.contains(&format!(">{}</a> {date}", letter.repeat(50))),
            "{fits}"
        );
        let cut = only_line(file(letter.repeat(51).as_bytes(), 0));
        assert!(
            cut.contains(&format!(">{}..&gt;</a> {date}", letter.repeat(47))),
            "{cut}"
        );
    }
    let slash_fits = only_line(directory("d".repeat(49).as_bytes()));
    assert!(
        slash_fits.contains(&format!(">{}/</a> {date}", "d".repeat(49))),
        "{slash_fits}"
    );
    let no_room = only_line(directory("d".repeat(50).as_bytes()));
    assert!(
        no_room.contains(&format!("/\">{}</a> {date}", "d".repeat(50))),
        "{no_room}"
    );
}

#[test]
fn directories_come_first_and_bytes_decide() {
    let entries = vec![
        file(b"b", 0),
        file(b"\xff", 0),
        directory(b"z"),
        file(b"B", 0),
        directory(b"a"),
    ];
    let hrefs: Vec<String> = lines(entries, Sizes::Exact)
        .iter()
        .map(|line| line.split('"').nth(1).expect("a link").to_owned())
        .collect();
    assert_eq!(hrefs, ["a/", "z/", "B", "b", "%FF"]);
}

#[test]
fn sizes_are_rounded_as_in_nginx() {
    let cases = [
        (0, "      0"),
        (9999, "   9999"),
        (10_000, "    10K"),
        (10_751, "    10K"),
        (10_752, "    11K"),
        (1_048_575, "  1024K"),
        (1_048_576, "     1M"),
        (1_572_863, "     1M"),
        (1_572_864, "     2M"),
        (1_073_741_823, "  1024M"),
        (5_368_709_120, "     5G"),
        (u64::MAX, "17179869184G"),
    ];
    for (size, expected) in cases {
        let line = lines(vec![file(b"f", size)], Sizes::Rounded).remove(0);
        assert!(line.ends_with(&format!("12:04 {expected}")), "{line}");
    }
    let line = lines(vec![directory(b"d")], Sizes::Rounded).remove(0);
    assert!(line.ends_with("12:04       -"), "{line}");
}

#[test]
fn hostile_names_stay_text() {
    let cases: [(&[u8], &str, &str); 10] = [
        (
            b"<img src=x onerror=alert(1)>",
            "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E",
            "&lt;img src=x onerror=alert(1)&gt;",
        ),
        (b"\"'", "%22%27", "&quot;&#39;"),
        (
            b"javascript:alert(1)",
            "javascript%3Aalert%281%29",
            "javascript:alert(1)",
        ),
        (b"//evil.example", "%2F%2Fevil.example", "//evil.example"),
        (b"#a?b;c", "%23a%3Fb%3Bc", "#a?b;c"),
        (b"%41&amp;", "%2541%26amp%3B", "%41&amp;amp;"),
        (
            b"a\r\n</pre>\x1b\x7f",
            "a%0D%0A%3C%2Fpre%3E%1B%7F",
            "a\u{fffd}\u{fffd}&lt;/pre&gt;\u{fffd}\u{fffd}",
        ),
        (b"\xff\xfe", "%FF%FE", "\u{fffd}\u{fffd}"),
        (
            b"\xc2\x85\xef\xbf\xbf\xef\xb7\x90",
            "%C2%85%EF%BF%BF%EF%B7%90",
            "\u{fffd}\u{fffd}\u{fffd}",
        ),
        (b"back\\slash", "back%5Cslash", "back\\slash"),
    ];
    for (name, href, text) in cases {
        let line = only_line(file(name, 0));
        assert!(
            line.starts_with(&format!("<a href=\"{href}\">{text}</a> ")),
            "{line}"
        );
    }
}

#[test]
fn the_title_is_escaped() {
    let page = String::from_utf8(listing(b"/<b>\n\xff/", Vec::new(), Sizes::Exact)).expect("UTF-8");
    let title = "Index of /&lt;b&gt;\u{fffd}\u{fffd}/";
    assert!(page.contains(&format!("<title>{title}</title>")), "{page}");
    assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
}

#[test]
fn impossible_months_do_not_panic() {
    assert_eq!(Stamp { month: 0, ..NOON }.to_string(), "20-Jan-2026 12:04");
    assert_eq!(
        Stamp { month: 200, ..NOON }.to_string(),
        "20-Dec-2026 12:04"
    );
}
