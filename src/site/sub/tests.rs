//! Where a text is split makes no difference to what is found in it.

use super::search::{Part, Search, Strings};
use proptest::prelude::*;

fn replaced(strings: &[&str], once: bool, chunks: &[&[u8]]) -> String {
    let strings = strings.iter().map(|string| string.as_bytes().to_vec());
    let mut search = Search::new(Strings::new(strings), once);
    let mut out = String::new();
    let mut take = |search: &mut Search| {
        while let Some(part) = search.part() {
            match part {
                Part::Text(text) => out.push_str(&String::from_utf8_lossy(&text)),
                Part::Match(index) => out.push_str(&format!("({index})")),
            }
        }
    };
    for chunk in chunks {
        search.go_on(chunk.to_vec().into());
        take(&mut search);
    }
    search.end();
    take(&mut search);
    out
}

#[test]
fn the_leftmost_and_first_named_is_found() {
    for (strings, once, text, expected) in [
        (&["b"][..], false, "abcabc", "a(0)ca(0)c"),
        (&["b"], true, "abcabc", "a(0)cabc"),
        (&["</head>"], true, "<a></HEAD></head>", "<a>(0)</head>"),
        (&["ab", "abc"], false, "abcab", "(0)c(0)"),
        (&["abc", "ab"], false, "abcabab", "(0)(1)(1)"),
        (&["bc", "abcd"], false, "abcd abce", "(1) a(0)e"),
        (&["aab"], false, "aaaaab", "aaa(0)"),
        (&["aa"], false, "aaaaa", "(0)(0)a"),
        (&["a", "b"], true, "aabb", "(0)a(1)b"),
        (&["abcdef", "cd"], false, "abcde", "ab(1)e"),
        (&["x"], false, "", ""),
        (&["xyz"], false, "xy", "xy"),
    ] {
        assert_eq!(
            replaced(strings, once, &[text.as_bytes()]),
            expected,
            "{text}"
        );
        for at in 0..=text.len() {
            let (a, b) = text.as_bytes().split_at(at);
            assert_eq!(replaced(strings, once, &[a, b]), expected, "{text} at {at}");
        }
    }
}

/// What is found by looking at every place in turn.
fn naive(strings: &[&str], once: bool, text: &str) -> String {
    let mut out = String::new();
    let mut done = vec![false; strings.len()];
    let mut rest = text;
    while !rest.is_empty() {
        let found = (0..strings.len()).find(|&i| !done[i] && rest.starts_with(strings[i]));
        match found {
            Some(index) => {
                done[index] = once;
                out.push_str(&format!("({index})"));
                rest = &rest[strings[index].len()..];
            }
            None => {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        strings in prop::collection::vec("[ab]{1,4}", 1..4),
        text in "[abc]{0,40}",
        size in 1usize..7,
        once: bool,
    ) {
        let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        prop_assert_eq!(replaced(&strings, once, &chunks), naive(&strings, once, &text));
    }
}
