//! What was recorded is what is replayed, and nothing else.

use proptest::prelude::*;

use super::*;

/// Asks everything there is to ask; the answers in a form that can be compared.
fn ask_all(outside: &Outside, folder: &Path) -> Vec<String> {
    let missing = folder.join("missing");
    vec![
        format!("{:?}", outside.text(&folder.join("a.conf"), 100)),
        format!("{:?}", outside.text(&missing, 100)),
        format!("{:?}", outside.files(folder, "*.conf")),
        format!("{:?}", outside.files(folder, "[a")),
        format!("{:?}", outside.addresses("localhost")),
        format!("{:?}", outside.addresses("::1")),
        format!("{:?}", outside.addresses("no.such.host.invalid")),
        format!("{:?}", outside.identity("root", None)),
        format!("{:?}", outside.identity("4242", Some("4343"))),
        format!("{:?}", outside.identity("no such user", None)),
        format!("{:?}", outside.host_name()),
        format!("{}", outside.is_directory(folder)),
        format!("{}", outside.is_directory(&missing)),
    ]
}

#[test]
fn a_replay_answers_as_the_system_did_and_does_not_look() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.conf"), b"events {}\xff\0").expect("written");
    let system = Outside::system();
    let recorded = ask_all(&system, folder.path());
    let path = folder.path().to_owned();
    folder.close().expect("removed");
    assert_eq!(ask_all(&system, &path), recorded, "asked once");

    let replay = Outside::replay(&system.transcript()).expect("a transcript");
    assert_eq!(ask_all(&replay, &path), recorded);
    assert_eq!(replay.missing(), [""; 0]);
    assert_eq!(replay.transcript(), system.transcript());
}

#[test]
fn an_unknown_question_is_named() {
    let replay = Outside::replay(b"").expect("an empty transcript");
    let expected = "open \"/dev/null\" was not asked when it was checked";
    assert_eq!(replay.text(Path::new("/dev/null"), 9), Err(expected.into()));
    assert!(!replay.is_directory(Path::new("/")));
    assert!(replay.identity("root", None).is_err());
    let known = [
        expected,
        "stat \"/\" was not asked when it was checked",
        "getpwnam \"root\" was not asked when it was checked",
    ];
    assert_eq!(replay.missing(), known);
    assert_eq!(Outside::system().missing(), [""; 0]);
}

#[test]
fn a_transcript_cut_short_is_none() {
    let system = Outside::system();
    system.host_name();
    let transcript = system.transcript();
    for length in 1..transcript.len() {
        assert!(Outside::replay(&transcript[..length]).is_none(), "{length}");
    }
}

/// Answers of the wrong form must not do harm either.
fn replay(bytes: &[u8]) {
    if let Some(replay) = Outside::replay(bytes) {
        assert_eq!(
            Outside::replay(&replay.transcript()).map(|again| again.transcript()),
            Some(replay.transcript())
        );
        ask_all(&replay, Path::new("/x"));
    }
}

fn record(call: &str, arguments: &[&str], words: &[Vec<u8>]) -> Vec<u8> {
    let question: Vec<_> = std::iter::once(call)
        .chain(arguments.iter().copied())
        .collect();
    let mut out = Vec::new();
    packed::put_list(&mut out, &question);
    put_answer(&mut out, &Ok(words.to_vec()));
    out
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        replay(&bytes);
    }

    #[test]
    fn any_small_lengths_are_read(
        bytes in prop::collection::vec(prop::sample::select(&[0u8, 0, 0, 1, 2, 3, 255][..]), 0..200)
    ) {
        replay(&bytes);
    }

    #[test]
    fn any_answers_are_taken(
        words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..4)
    ) {
        let calls = [
            record("open", &["/x/a.conf"], &words),
            record("glob", &["/x", "*.conf"], &words),
            record("getaddrinfo", &["localhost"], &words),
            record("getpwnam", &["root"], &words),
            record("gethostname", &[], &words),
            record("stat", &["/x"], &words),
        ];
        replay(&calls.concat());
    }
}
