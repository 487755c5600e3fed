use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1_000_000;

fn pattern(text: &str) -> Pattern {
    Pattern::new(text.as_bytes(), false, LIMIT).unwrap_or_else(|why| panic!("{}", why.message))
}

/// Patterns of real configurations: what they match and what they do not.
const MATCHES: &[(&str, &[&str], &[&str])] = &[
    (
        r"\.php$",
        &["/a.php", "/a.php\n"],
        &["/a.php5", "/aphp", "/a.php\n\n", "/a.php/x"],
    ),
    (
        r"/\.(?!well-known)",
        &["/.git/config", "/a/.env"],
        &["/.well-known/acme", "/a.b"],
    ),
    (r"/\.(?!well-known).*", &["/.htaccess"], &["/.well-known"]),
    (r"^/(?!api|admin)", &["/", "/index"], &["/api/x", "/admin"]),
    (r"(?<!\.min)\.js$", &["/a.js"], &["/a.min.js"]),
    (
        r"^(?!.*\.(?:jpg|png)$).*$",
        &["/a.gif"],
        &["/a.jpg", "/b/c.png"],
    ),
    (r"/\.ht", &["/.htpasswd"], &["/aht"]),
    (r"~$", &["/a~"], &["/~a"]),
    (r"^/~(.+?)(/.*)?$", &["/~user", "/~user/x"], &["/user"]),
    (
        r"\.(jpg|jpeg|gif|png|ico|css|js)$",
        &["/a.css"],
        &["/a.cssx", "/css"],
    ),
    (
        r"\.(?:css|js|woff2?|svg)$",
        &["/f.woff", "/f.woff2"],
        &["/f.woff3"],
    ),
    (
        r".+\.(jpe?g|png)(\?.*)?$",
        &["/x.jpeg", "/x.jpg?1"],
        &["/.jp"],
    ),
    (r"^/images/", &["/images/"], &["/x/images/"]),
    (r"^/$", &["/"], &["//", ""]),
    (r"^$", &["", "\n"], &["a"]),
    (r"^/user/(\d+)$", &["/user/42"], &["/user/", "/user/4x"]),
    (
        r"^/[a-z]{2}(?:-[A-Z]{2})?/",
        &["/en/", "/en-GB/"],
        &["/eng/", "/en-gb/"],
    ),
    (
        r"^/page\.html/?$",
        &["/page.html", "/page.html/"],
        &["/page-html"],
    ),
    (r"^/(?:a|b|)/", &["/a/", "//"], &["/c/"]),
    (r"^~^\\x", &[], &["x"]),
    (
        r"^www\d+\.example\.com$",
        &["www1.example.com"],
        &["www.example.com"],
    ),
    (
        r"^(.+)\.example\.org$",
        &["a.b.example.org"],
        &[".example.org", "example.org"],
    ),
    (
        r"^[^.]+\.example\.com$",
        &["a.example.com"],
        &["a.b.example.com"],
    ),
    (
        r"^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$",
        &["127.0.0.1"],
        &["127.0.1", "1234.1.1.1"],
    ),
    (r"[[:alnum:]]+", &["a1"], &["--", ""]),
    (r"^[[:alpha:]_][[:alnum:]_]*$", &["_x1"], &["1x", "a-b"]),
    (r"^[[:^digit:]]+$", &["abc"], &["ab1"]),
    (r"^[]a]+$", &["]a]"], &["[", "b"]),
    (r"^[^]a]+$", &["b["], &["]", "a"]),
    (r"^[a[b]+$", &["[ab"], &["c"]),
    (r"^[\w-]+$", &["a-b_c"], &["a.b"]),
    (r"^[\w.-]+$", &["a-b.c"], &["a/b"]),
    (r"^[a-z0-9_\-\.]+$", &["a-b.c_"], &["A"]),
    (r"^[\d\s]+$", &["1 2\t3"], &["a"]),
    (r"^[^/]+/[^/]+$", &["a/b", "a\n/b"], &["a/b/c"]),
    (r"^[a-z&&x]+$", &["a&x"], &["1"]),
    (r"^[\]\[]+$", &["[]"], &["a"]),
    (r"^[\x41-\x43]+$", &["ABC"], &["D"]),
    (r"^[\/]$", &["/"], &["\\"]),
    (r"^a++b$", &["aaab"], &["aaa"]),
    (r"^a++ab", &[], &["aaab"]),
    (r"^(?>a+)ab", &[], &["aaab"]),
    (r"^(?>a|ab)c$", &["ac"], &["abc"]),
    (r"^\h+$", &[" \t"], &["\n", "a", "f"]),
    (r"^a\Rb$", &["a\nb", "a\r\nb"], &["a\n\nb", "ab"]),
    (r"^a\vb$", &["a\nb", "a\x0bb"], &["a b"]),
    (r"^a\Nb$", &["axb"], &["a\nb"]),
    (r"^a{,3}$", &["a{,3}"], &["a", "aaa"]),
    (r"^a{2,3}$", &["aa", "aaa"], &["a", "aaaa"]),
    (r"^a{2,}$", &["aa", "aaaa"], &["a"]),
    (r"^{x}$", &["{x}"], &["x"]),
    (r"^\{[0-9]+\}$", &["{1}"], &["1"]),
    (r"\_\-\/\.\:\=\%\!\@\,\;", &["_-/.:=%!@,;"], &["_"]),
    (r"^\x2f\x{41}$", &["/A"], &["/B"]),
    (r"^\Qa.b*c\E+$", &["a.b*ccc"], &["aXb*c", "a.bbc"]),
    (r"^\Q$1", &["$1"], &["1"]),
    (r"\bfoo\b", &["a foo b", "foo"], &["food", "_foo"]),
    (r"\Bfoo", &["xfoo"], &["foo"]),
    (r"\Afoo\z", &["foo"], &["foo\n", "xfoo"]),
    (r"\Afoo\Z", &["foo", "foo\n"], &["foo\n\n"]),
    (r"(?i)^/ADMIN", &["/admin", "/Admin"], &["/adm"]),
    (r"^/(?i:ADMIN)/x$", &["/admin/x"], &["/admin/X"]),
    (r"^(?:(?i)a|b)c$", &["Ac", "Bc"], &["aC"]),
    (r"^((?i)a)+b$", &["aAb"], &["aB"]),
    (r"^(?i:a(?-i)b)c$", &["Abc"], &["aBc", "abC"]),
    (r"(?s)^a.b$", &["a\nb"], &["ab"]),
    (r"^a.b$", &["axb"], &["a\nb"]),
    (r"(?m)^b$", &["a\nb\nc"], &["a\nbb"]),
    (r"^(a)\1$", &["aa"], &["ab"]),
    (r"^(?<q>['x]).*\k<q>$", &["'a'", "xax"], &["'ax"]),
    (r"^(a|b)\g{1}$", &["aa", "bb"], &["ab"]),
    (r"^(?:(?:a|b)c)+$", &["acbc"], &["ab"]),
    (
        r"(?<=/)index\.html$",
        &["/index.html"],
        &["index.html", "xindex.html"],
    ),
    (r"(?<!a|bc)d", &["d", "xd"], &["ad", "bcd"]),
    (r"^(?=.*\d)(?=.*[a-z]).+$", &["a1"], &["a", "1"]),
    (r"(^|/)\.", &["/.a", ".a"], &["a.b"]),
    (
        r"^/api(/|$)",
        &["/api", "/api/x", "/api\n"],
        &["/apix", "/api\n\n"],
    ),
    (
        r"(\.well-known|\.git)(?:/|$)",
        &["/.git", "/.git/x"],
        &["/.gitx"],
    ),
    (
        r"MSIE [1-6]\.(?!.*SV1)",
        &["MSIE 6.0"],
        &["MSIE 6.0 SV1", "MSIE 7.0"],
    ),
    (
        r"(bot|crawl|spider|slurp)",
        &["Googlebot/2.1"],
        &["Firefox"],
    ),
    (r"^(GET|HEAD|POST)$", &["GET"], &["GETS", "PUT"]),
    (
        r"^https?://([^/]+\.)?example\.(com|org)(:\d+)?(/|$)",
        &["http://a.example.org:80"],
        &["ftp://"],
    ),
    (r"%[0-9a-fA-F]{2}", &["%2f"], &["%2g"]),
    (r"[?&]utm_[a-z]+=", &["?utm_x=1"], &["utm"]),
    (r"a#b c", &["a#b c"], &["ab"]),
    (r"^\<a\>$", &["<a>"], &["a"]),
    (
        r"\.(?:sql(?:\.gz)?|bak|swp|old|orig)$",
        &["/d.sql.gz", "/x.bak"],
        &["/x.sqlx"],
    ),
    (
        r"^/wp-(?:admin|login\.php|json/(?!oembed))",
        &["/wp-json/x"],
        &["/wp-json/oembed"],
    ),
    (
        r"^/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
        &["/01234567-89ab-cdef-0123-456789abcdef"],
        &["/0123"],
    ),
    (
        r"^(?:/(?:[^/.][^/]*|\.well-known))*/?$",
        &["/a/b", "/.well-known/x"],
        &["/.git"],
    ),
    (
        r"\.[0-9a-f]{8,20}\.(?:js|css)$",
        &["/app.0123abcd.js"],
        &["/app.js"],
    ),
    (
        r"^/(?P<lang>en|de)(?P<rest>/.*)?$",
        &["/en", "/de/x"],
        &["/fr"],
    ),
    (r"^\d+\s\w+\S\D\W$", &["12 ab.x-"], &["12"]),
    (r"\t\n\r\f\e\a", &["\t\n\r\x0c\x1b\x07"], &["t"]),
    ("^/\u{e9}+$", &["/\u{e9}"], &["/\u{e9}\u{e9}", "/e"]),
    ("^/(?:\u{e9})+$", &["/\u{e9}\u{e9}"], &["/"]),
    ("^/[\u{e9}]+$", &["/\u{e9}"], &["/e"]),
    ("^.{2}$", &["\u{e9}", "ab"], &["a"]),
];

#[test]
fn patterns_of_real_configurations() {
    assert!(MATCHES.len() >= 80);
    for (text, yes, no) in MATCHES {
        let pattern = pattern(text);
        for subject in *yes {
            assert_eq!(
                pattern.is_match(subject.as_bytes()),
                Ok(true),
                "{text} on {subject:?}"
            );
        }
        for subject in *no {
            assert_eq!(
                pattern.is_match(subject.as_bytes()),
                Ok(false),
                "{text} on {subject:?}"
            );
        }
        // With and without captures the answer is the same.
        for subject in yes.iter().chain(*no) {
            let found = pattern.captures(subject.as_bytes(), &mut Captures::default());
            assert_eq!(
                found,
                pattern.is_match(subject.as_bytes()),
                "{text} on {subject:?}"
            );
        }
    }
}

#[test]
fn groups_are_captured() {
    let cases: [(&str, &str, &[Option<&str>]); 9] = [
        (r"^/(\d+)/(.*)$", "/42/x/y", &[Some("42"), Some("x/y")]),
        (r"^(.+\.php)(/.+)?$", "/a.php", &[Some("/a.php"), None]),
        (
            r"^(.+\.php)(/.+)$",
            "/a.php/b.php/c",
            &[Some("/a.php/b.php"), Some("/c")],
        ),
        (
            r"^(.+?\.php)(/.*)$",
            "/a.php/b.php/c",
            &[Some("/a.php"), Some("/b.php/c")],
        ),
        (
            r"^/(?<a>x)?(?P<b>y)(?'c'z)$",
            "/yz",
            &[None, Some("y"), Some("z")],
        ),
        (r"(a|b)*$", "ab", &[Some("b")]),
        (r"(/|$)", "ab\n", &[Some("")]),
        (r"([^/]*)$", "/a\n", &[Some("a\n")]),
        (r"(?<!x)(a+)(?=b)", "xaab", &[Some("a")]),
    ];
    for (text, subject, expected) in cases {
        let pattern = pattern(text);
        let mut captures = Captures::default();
        assert_eq!(
            pattern.captures(subject.as_bytes(), &mut captures),
            Ok(true),
            "{text}"
        );
        assert_eq!(pattern.captures_len(), expected.len(), "{text}");
        let found = (1..=expected.len()).map(|group| Some(&subject[captures.get(group)?]));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(
            (captures.get(0), captures.get(expected.len() + 1)),
            (None, None)
        );
    }
}

#[test]
fn names_and_case() {
    let names = |text| pattern(text).names().to_vec();
    assert_eq!(
        names(r"(x)(?<a>.)(?P<b>.)(?'c'.)"),
        [("a".into(), 2), ("b".into(), 3), ("c".into(), 4)]
    );
    let caseless = Pattern::new(b"\\.PHP$|[k-m]\xe9", true, LIMIT).unwrap();
    assert_eq!(caseless.is_match(b"/a.php"), Ok(true));
    assert_eq!(caseless.is_match(b"L\xe9"), Ok(true));
    assert_eq!(caseless.is_match(b"L\xc9"), Ok(false));
    // No Unicode folding: the Kelvin sign is no k.
    assert_eq!(
        Pattern::new(b"^k$", true, LIMIT)
            .unwrap()
            .is_match("\u{212a}".as_bytes()),
        Ok(false)
    );
}

#[test]
fn bytes_that_are_no_text_match_themselves() {
    let pattern = Pattern::new(b"^/\xff\xfe*[\x80-\x82]$", false, LIMIT).unwrap();
    assert_eq!(pattern.is_match(b"/\xff\xfe\xfe\x81"), Ok(true));
    assert_eq!(pattern.is_match(b"/\xff\x83"), Ok(false));
    assert_eq!(
        Pattern::new(b"^[^a].\\W$", false, LIMIT)
            .unwrap()
            .is_match(b"\xff\xc3\x80"),
        Ok(true)
    );
}

#[test]
fn a_failed_match_keeps_the_captures() {
    let mut captures = Captures::default();
    pattern("(a)").captures(b"xa", &mut captures).unwrap();
    assert_eq!(pattern("(b)").captures(b"xa", &mut captures), Ok(false));
    assert_eq!(captures.get(1), Some(1..2));
    assert_eq!(pattern("x").captures(b"xa", &mut captures), Ok(true));
    assert_eq!(captures.get(1), None);
}

#[test]
fn catastrophic_patterns_are_answered_or_reach_the_limit() {
    let mut subject = vec![b'a'; 4000];
    subject.push(b'!');
    let start = Instant::now();
    for text in [r"(a+)+$", r"^(a|aa)+$", r"^(a*)*b$", r"(.*a){12}b"] {
        assert_eq!(pattern(text).is_match(&subject), Ok(false), "{text}");
    }
    subject.truncate(60);
    subject.push(b'!');
    // Some of these the engine answers all the same: then the answer is right.
    let mut limited = 0;
    for text in [r"^(?=a)(a+)+\1?$", r"^(a|\1a|aa)+$", r"^(?:(?!b)a|a)+$"] {
        let answer = pattern(text).is_match(&subject);
        assert_ne!(answer, Ok(true), "{text}");
        let captured = pattern(text).captures(&subject, &mut Captures::default());
        assert_eq!(captured, answer, "{text}");
        limited += usize::from(answer == Err(LimitReached));
    }
    assert!(limited >= 2);
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}

#[test]
fn what_does_not_compile_has_a_reason() {
    let cases = [
        ("(a", "invalid regular expression \"(a\": "),
        ("a)", "invalid regular expression \"a)\": "),
        (
            "[a",
            "invalid regular expression \"[a\": missing terminating ] for character class",
        ),
        ("*a", "invalid regular expression \"*a\": "),
        (
            "a\\",
            "invalid regular expression \"a\\\": \\ at end of pattern",
        ),
        (
            "(?<a>x)(?<a>y)",
            "invalid regular expression \"(?<a>x)(?<a>y)\": two groups have",
        ),
        ("(?q)", "invalid regular expression \"(?q)\": "),
        // The engine would panic when it matches one that names a group that is not there.
        (
            "(?(1)a|b)",
            "invalid regular expression \"(?(1)a|b)\": \"(?(\" is not supported",
        ),
        (
            "((((a{999}){999}){999}){999})",
            "invalid regular expression",
        ),
    ];
    for (text, expected) in cases {
        let told = Pattern::new(text.as_bytes(), false, LIMIT)
            .unwrap_err()
            .message;
        assert!(
            told.starts_with(expected) && told.len() > expected.len() - 1,
            "{told}"
        );
    }
}

const SYNTAX: &[u8] = b"ab(?)[]{}^$|*+\\.,12:<=!P>-'QEdwhx#\xc3\xa9";

proptest! {
    #[test]
    fn no_pattern_makes_it_panic(
        text in prop::collection::vec(prop::sample::select(SYNTAX), 0..24),
        subject in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        if let Ok(pattern) = Pattern::new(&text, false, 1000) {
            let mut captures = Captures::default();
            let _ = pattern.captures(&subject, &mut captures);
            for group in 1..=pattern.captures_len() {
                prop_assert!(captures.get(group).is_none_or(|range| range.end <= subject.len()));
            }
        }
    }

    #[test]
    fn an_escaped_text_matches_itself(text in prop::collection::vec(1u8.., 1..12)) {
        let escaped: String = text.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        let pattern = Pattern::new(format!("\\A{escaped}\\z").as_bytes(), false, 1000).unwrap();
        prop_assert_eq!(pattern.is_match(&text), Ok(true));
        let raw: Vec<u8> = text.iter().flat_map(|&byte| match byte {
            byte if byte.is_ascii() && !byte.is_ascii_alphanumeric() => vec![b'\\', byte],
            byte => vec![byte],
        }).collect();
        let pattern = Pattern::new(&raw, false, 1000).unwrap();
        prop_assert_eq!(pattern.is_match(&text), Ok(true));
    }
}

#[test]
fn names_are_found_in_what_may_be_a_pattern() {
    for (text, expected) in [
        ("~^(?<a>x)(?P<b_1>y)(?'c'z)", &["a", "b_1", "c"][..]),
        ("(?<=x)(?<!y)(?:z)(?<", &[]),
        ("(?<open>[", &["open"]),
    ] {
        let found: Vec<_> = names_within(text.as_bytes()).collect();
        let expected: Vec<_> = expected.iter().map(|name| name.as_bytes()).collect();
        assert_eq!(found, expected, "{text}");
    }
}
