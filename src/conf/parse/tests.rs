use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Parses a text that is no file, and gives the tree as text and the errors as `LINE:COLUMN
/// MESSAGE`.
fn parsed(text: impl Into<Vec<u8>>) -> (String, Vec<String>) {
    run(Start::embedded("test", text))
}

fn run(start: Start) -> (String, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let tree = parse(start, &Outside::system(), &mut diagnostics);
    let told = diagnostics.entries().iter().map(|entry| match entry.place {
        Some(place) => format!("{}:{} {}", place.line, place.column, entry.message),
        None => entry.message.clone(),
    });
    let told: Vec<String> = told.collect();
    assert_eq!(diagnostics.errors(), !told.is_empty());
    (shown(&tree.items), told)
}

fn shown(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        text += &item.name.str();
        for arg in &item.args {
            text += &format!(" {}", arg.str());
        }
        match &item.block {
            Some(items) => text += &format!("{{{}}}", shown(items)),
            None => text.push(';'),
        }
    }
    text
}

#[test]
fn directives_and_blocks_become_a_tree() {
    let cases = [
        ("", ""),
        ("\u{feff}a;", "a;"),
        ("a;\r\nb c;\r\n", "a;b c;"),
        ("a { b { c d; } e; } f;", "a{b{c d;}e;}f;"),
        ("a 'x y' {}", "a x y{}"),
        (
            "location ~ \\.php$ {return 1;}",
            "location ~ \\.php${return 1;}",
        ),
        (
            "content_by_lua_block { if x then t = {1} -- } ' \n end }\na;",
            "content_by_lua_block{}a;",
        ),
        (
            "set_by_lua_block $x { return '}' }",
            "set_by_lua_block $x{}",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parsed(text), (expected.into(), vec![]), "{text:?}");
    }
}

#[test]
fn every_error_has_a_place_and_reading_goes_on() {
    let cases: [(&str, &str, &[&str]); 22] = [
        ("a;; b;", "a;b;", &["1:3 unexpected \";\""]),
        ("a { ; b; }", "a{b;}", &["1:5 unexpected \";\""]),
        ("{ a; } b;", "b;", &["1:1 unexpected \"{\""]),
        ("a; } b;", "a;b;", &["1:4 unexpected \"}\""]),
        ("a { b c }\nd;", "a{b c;}d;", &["1:9 unexpected \"}\""]),
        ("a { \"b\"}\nd;", "a{b;}d;", &["1:8 unexpected \"}\""]),
        ("a \"b\"c d; e;", "e;", &["1:6 unexpected \"c\""]),
        (
            "a \"b\"c {d; \"e\"f; g;} h;",
            "h;",
            &["1:6 unexpected \"c\"", "1:15 unexpected \"f\""],
        ),
        (
            "a b\n",
            "",
            &["2:1 unexpected end of file, expecting \";\" or \"}\""],
        ),
        (
            "a { b c",
            "a{}",
            &["1:8 unexpected end of file, expecting \";\" or \"}\""],
        ),
        (
            "a { b;\n",
            "a{b;}",
            &["2:1 unexpected end of file, expecting \"}\""],
        ),
        (
            "a { b { c;",
            "a{b{c;}}",
            &["1:11 unexpected end of file, expecting \"}\""],
        ),
        (
            "a;\nb 'c;\nd;\n",
            "a;",
            &["2:3 unexpected end of file, probably missing terminating \"'\" character"],
        ),
        (
            "include;",
            "",
            &["1:1 invalid number of arguments in \"include\" directive"],
        ),
        (
            "include a b;",
            "",
            &["1:1 invalid number of arguments in \"include\" directive"],
        ),
        (
            "include a { b; } c;",
            "c;",
            &["1:1 directive \"include\" is not terminated by \";\""],
        ),
        (
            "x_by_lua_block {\n '",
            "x_by_lua_block{}",
            &["2:3 unexpected end of file, expecting \"}\""],
        ),
        ("a;\nb \0c;", "", &["2:3 unexpected NUL byte"]),
        ("\0", "", &["1:1 unexpected NUL byte"]),
        (
            "}}}",
            "",
            &[
                "1:1 unexpected \"}\"",
                "1:2 unexpected \"}\"",
                "1:3 unexpected \"}\"",
            ],
        ),
        ("a { \"b\"c } d;", "a{}d;", &["1:8 unexpected \"c\""]),
        (
            "a { ",
            "a{}",
            &["1:5 unexpected end of file, expecting \"}\""],
        ),
    ];
    for (text, tree, errors) in cases {
        let errors = errors.iter().map(|&error| error.to_owned()).collect();
        assert_eq!(parsed(text), (tree.into(), errors), "{text:?}");
    }
}

#[test]
fn the_command_line_comes_first_and_has_no_blocks() {
    let with = |text: &str| {
        run(Start {
            directives: Some(text.into()),
            ..Start::embedded("test", "b;")
        })
    };
    assert_eq!(with("a 1; c;"), ("a 1;c;b;".into(), vec![]));
    let cases = [
        (
            "a 1",
            "b;",
            "1:4 unexpected end of parameter, expecting \";\"",
        ),
        (
            "a { c; }",
            "b;",
            "1:1 block directives are not supported in -g option",
        ),
    ];
    for (text, tree, error) in cases {
        assert_eq!(with(text), (tree.into(), vec![error.into()]), "{text}");
    }
    let mut diagnostics = Diagnostics::default();
    let start = Start {
        directives: Some(b"a;;".to_vec()),
        ..Start::embedded("test", "")
    };
    let tree = parse(start, &Outside::system(), &mut diagnostics);
    let line = diagnostics.entries()[0].headline(&tree.sources);
    assert_eq!(line, "unexpected \";\" in command line:1:3");
}

/// A directory of files, the first of them the main one.
fn tree_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Start) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let start = Start::file(directory.path().join(files[0].0));
    (directory, start)
}

#[test]
fn included_files_stand_where_they_are_included() {
    let (_directory, start) = tree_of(&[
        (
            "main.conf",
            "a; include d/*.conf; http { include d/1.conf; 'include' d/no*; } b;",
        ),
        // Relative names are relative to the main file's directory, at every depth.
        ("d/1.conf", "one { include d/x; }"),
        ("d/2.conf", "# empty"),
        ("d/x", "x;"),
    ]);
    assert_eq!(run(start), ("a;one{x;}http{one{x;}}b;".into(), vec![]));
}

#[test]
fn a_file_is_read_once_and_keeps_its_name() {
    let (directory, start) = tree_of(&[("m", "include x; include x;"), ("x", "a;")]);
    let tree = parse(start, &Outside::system(), &mut Diagnostics::default());
    let names: Vec<_> = tree
        .sources
        .iter()
        .map(|source| source.name.clone())
        .collect();
    assert_eq!(
        names,
        [directory.path().join("m"), directory.path().join("x")]
    );
    assert_eq!(
        tree.items[1].name.place,
        Place {
            source: 1,
            line: 1,
            column: 1,
            width: 1
        }
    );
}

#[test]
fn what_cannot_be_included_is_an_error_at_the_include() {
    let (directory, start) = tree_of(&[
        (
            "m",
            "include none;\ninclude d;\n include loop;\ninclude m;\na { include open; }\nb;",
        ),
        ("d/x", ""),
        ("loop", "include m; c;"),
        ("open", "} d {"),
    ]);
    let at = |name: &str| directory.path().join(name).display().to_string();
    let errors = vec![
        format!(
            "1:9 open() \"{}\" failed (2: No such file or directory)",
            at("none")
        ),
        format!("2:9 \"{}\" is not a regular file", at("d")),
        format!("1:9 \"{}\" includes itself", at("m")),
        format!("4:9 \"{}\" includes itself", at("m")),
        "1:1 unexpected \"}\"".into(),
        "1:6 unexpected end of file, expecting \"}\"".into(),
    ];
    assert_eq!(run(start), ("c;a{d{}}b;".into(), errors));
    let missing = run(Start::file(directory.path().join("none"))).1;
    assert_eq!(
        missing,
        [format!(
            "open() \"{}\" failed (2: No such file or directory)",
            at("none")
        )]
    );
}

#[test]
fn every_bound_is_an_error_and_ends_the_reading() {
    let deep = |n: usize| "a {".repeat(n) + &"}".repeat(n);
    let (tree, errors) = parsed(deep(64));
    assert!(tree.starts_with("a{a{") && errors.is_empty());
    assert_eq!(parsed(deep(65)).1, ["1:193 too many nested blocks"]);
    assert_eq!(
        parsed("a{".repeat(1_000_000)).1,
        ["1:129 too many nested blocks"]
    );

    let small = |text: &str, limits| Start {
        limits,
        ..Start::embedded("test", text)
    };
    let words = Limits {
        words: 3,
        ..Limits::default()
    };
    assert_eq!(
        run(small("a b; c;", words.clone())),
        ("a b;c;".into(), vec![])
    );
    let told = run(small("a b; c; d; e;", words)).1;
    assert_eq!(told, ["1:9 the configuration has more than 3 words"]);
    let told = run(small(
        &"a;".repeat(100),
        Limits {
            bytes: 200,
            ..Limits::default()
        },
    ))
    .1;
    assert_eq!(told, ["the configuration is larger than 200 bytes"]);
    let told = parsed(format!("a {};b;", "x".repeat(70_000)));
    assert_eq!(
        told,
        (
            "b;".into(),
            vec!["1:3 too long parameter \"xxxxxxxxxx...\" started".into()]
        )
    );
}

#[test]
fn includes_cannot_multiply_without_bound() {
    let mut files = vec![("m".to_owned(), "include 0;".to_owned())];
    for n in 0..20 {
        files.push((n.to_string(), format!("include {};", n + 1).repeat(10)));
    }
    files.push(("20".into(), "a;".into()));
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let (_directory, start) = tree_of(&files);
    let limits = Limits {
        bytes: 100_000,
        ..Limits::default()
    };
    let told = run(Start {
        limits,
        ..start.clone()
    })
    .1;
    assert_eq!(told, ["the configuration is larger than 100000 bytes"]);
    let limits = Limits {
        includes: 5,
        ..Limits::default()
    };
    let told = run(Start { limits, ..start }).1;
    assert_eq!(told.len(), 50);
    assert!(
        told.iter()
            .all(|error| error.ends_with("too many nested includes"))
    );
}

#[test]
fn a_million_directives_are_read_in_bounded_time() {
    let text = "location = /some/path { return 301 /other/path; }\n".repeat(500_000);
    let start = Instant::now();
    let mut diagnostics = Diagnostics::default();
    let tree = parse(
        Start::embedded("big", text),
        &Outside::system(),
        &mut diagnostics,
    );
    assert_eq!((tree.items.len(), diagnostics.errors()), (500_000, false));
    let one_line = "a b; ".repeat(500_000) + "}";
    parse(
        Start::embedded("wide", one_line),
        &Outside::system(),
        &mut diagnostics,
    );
    assert_eq!(
        diagnostics.entries()[0].place.map(|place| place.column),
        Some(2_500_001)
    );
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}

/// A word as a configuration would have to write it.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut written = vec![b'"'];
    for &byte in text {
        match byte {
            b'"' | b'\\' => written.extend([b'\\', byte]),
            b'\n' => written.extend(b"\\n"),
            _ => written.push(byte),
        }
    }
    written.push(b'"');
    written
}

fn written(items: &[(Vec<Vec<u8>>, bool)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (words, block) in items {
        for word in words {
            text.extend(quoted(word));
            text.push(b' ');
        }
        text.extend(if *block { &b"{ x; }\n"[..] } else { b";\n" });
    }
    text
}

const GRAMMAR: &[u8] = b"ab{}{};;\"'\\$# \n\t\r)\0\xc3\xa9";

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        parsed_and_rendered(text);
    }

    #[test]
    fn no_grammar_makes_it_panic(
        text in prop::collection::vec(prop::sample::select(GRAMMAR), 0..60)
    ) {
        parsed_and_rendered(text.clone());
        parsed_and_rendered([b"x_by_lua_block {", &text[..]].concat());
    }

    #[test]
    fn what_is_written_is_read_back(
        items in prop::collection::vec(
            (prop::collection::vec(prop::collection::vec(1u8.., 1..6), 1..4), any::<bool>()),
            0..6,
        )
    ) {
        let tree = parsed_and_rendered(written(&items));
        prop_assert_eq!(tree.items.len(), items.len());
        for (item, (words, block)) in tree.items.iter().zip(items) {
            let all = std::iter::once(&item.name).chain(&item.args);
            prop_assert_eq!(all.map(|word| word.text.clone()).collect::<Vec<_>>(), words);
            prop_assert_eq!(item.block.is_some(), block);
        }
    }
}

fn parsed_and_rendered(text: Vec<u8>) -> Tree {
    let mut diagnostics = Diagnostics::default();
    let tree = parse(
        Start::embedded("test", text),
        &Outside::system(),
        &mut diagnostics,
    );
    for entry in diagnostics.entries() {
        assert!(
            entry
                .place
                .is_some_and(|place| place.line > 0 && place.column > 0)
        );
        let text = entry.render(&tree.sources);
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
    }
    tree
}
