use super::*;

#[test]
fn what_differs_is_translated() {
    let cases = [
        (r"^/a\.b\/c\-d\_e", r"^/a\x2Eb/c\x2Dd_e"),
        (r"\.php$", r"\x2Ephp\n?\z"),
        (r"a$|b$", r"a\n?\z|b\n?\z"),
        (r"(a|$)", r"(a|(?=\n?\z))"),
        (r"(?m)a$", r"(?m)a$"),
        (r"a{,3}b{2,}c{x}d{1,2}", r"a\x7B,3\x7Db{2,}c\x7Bx\x7Dd{1,2}"),
        (r"[^]a]", r"[^\x5Da]"),
        (r"[\w-.]", r"[\w\x2D\x2E]"),
        (r"[a-]", r"[a\x2D]"),
        (r"[a-\d]", r"[a\-\d]"),
        (r"[[:alpha:][:^digit:]]", r"[[:alpha:][:^digit:]]"),
        (r"[a[b]", r"[a\x5Bb]"),
        (r"[a&&b~~c]", r"[a\x26\x26b\x7E\x7Ec]"),
        (r"\Qa.b\E+", r"a\x2Eb+"),
        (r"(?'x'a)\k{x}", r"(?<x>a)\k<x>"),
        (r"(a)\g{-1}\g1", r"(a)(?:\1)(?:\1)"),
        (r"\<\>", r"\x3C\x3E"),
        (r"\x2f\x{2F}\07\cA", r"//\x07\x01"),
        ("\u{e9}+", r"\xC3\xA9+"),
        (r"a(?#c)b", "ab"),
        (r"((?i)a|b)c", r"((?i)a|b(?-i))c"),
        (r"(?i)a(?-i:b(?s)c)d", r"(?i)a(?-i:b(?s)c(?i-s))d"),
    ];
    for (pattern, expected) in cases {
        let pattern = translate(pattern.as_bytes(), false).map(|translated| translated.pattern);
        assert_eq!(pattern, Ok(expected.to_owned()));
    }
}

#[test]
fn groups_are_counted_and_named() {
    let translated = translate(br"(a)(?:b)(?<x>c)(?P<y>d(e))(?=(f))\(", false).unwrap();
    assert_eq!(translated.groups, 5);
    assert_eq!(translated.names, [("x".to_owned(), 2), ("y".to_owned(), 3)]);
}

#[test]
fn what_pcre_refuses_is_refused() {
    for pattern in [
        r"\",
        r"[a",
        r"[]",
        r"[b-a]",
        r"(?<1a>b)",
        r"(?<>b)",
        r"(?<a",
        r"(?<a>b)(?<a>c)",
        r"\y",
        r"\x{100}",
        r"\x{zz}",
        r"(*UTF8)a",
        r"\k",
        r"\g{-1}",
        r"(?#",
        r"\L",
        r"\c",
    ] {
        assert!(translate(pattern.as_bytes(), false).is_err(), "{pattern}");
    }
}
