use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::super::temp::{Life, TempDir};
use super::*;

const HOW: Put = Put {
    access: 0o640,
    create_path: false,
    time: None,
};

/// A directory with `f` (`text`), `d/x/y` (`deep`) and `d/z`, and where its temporary files are.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        fs::create_dir_all(folder.path("d/x")).expect("made");
        fs::create_dir(folder.path("tmp")).expect("made");
        for (path, text) in [("f", "text"), ("d/x/y", "deep"), ("d/z", "")] {
            fs::write(folder.path(path), text).expect("written");
        }
        folder
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn named(&self, path: &str) -> Named {
        Named {
            path: self.path(path.trim_end_matches('/')),
            slash: path.ends_with('/'),
        }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect(path)
    }

    fn transfer(&self, from: &str, to: &str) -> Transfer {
        Transfer {
            from: self.named(from),
            to: self.named(to),
            overwrite: true,
            moving: false,
            members: true,
        }
    }

    fn body(&self, life: Life, text: &str) -> RequestBody {
        let levels = Vec::new();
        let path = self.path("tmp");
        let file = TempDir { path, levels }.create(life).expect("made");
        file.append(text.as_bytes()).expect("written");
        let length = text.len() as u64;
        RequestBody::File { file, length }
    }

    /// Nothing was left that nobody asked for.
    fn is_tidy(&self) -> bool {
        let hidden = |folder: &str| {
            let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
            entries
                .flatten()
                .any(|entry| entry.path().extension().is_some_and(|it| it == "part"))
        };
        !["", "d", "tmp"].into_iter().any(hidden)
    }
}

fn why<T: fmt::Debug>(result: Result<T, Refused>) -> Why {
    result.expect_err("refused").why
}

#[test]
fn a_body_is_put_from_wherever_it_was_kept() {
    let folder = Folder::new();
    let bodies = [
        RequestBody::Memory(b"body".into()),
        folder.body(Life::Dropped, "body"),
        folder.body(Life::Nameless, "body"),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let path = folder.path(&number.to_string());
        let how = Put {
            time: Some(-1_000_000),
            ..HOW
        };
        assert!(put(&body, &path, how).expect("put").new);
        drop(body);
        let meta = fs::metadata(&path).expect("there");
        assert_eq!(fs::read(&path).expect("read"), b"body");
        assert_eq!((meta.mode() & 0o777, meta.mtime()), (0o640, -1_000_000));
    }
    let body = RequestBody::Memory(b"new".into());
    assert!(!put(&body, &folder.path("f"), HOW).expect("put").new);
    assert_eq!(folder.read("f"), "new");
    assert!(folder.is_tidy());
}

#[test]
fn a_body_that_cannot_be_put_leaves_nothing() {
    let folder = Folder::new();
    let memory = || RequestBody::Memory(b"body".into());
    for body in [memory(), folder.body(Life::Dropped, "body")] {
        for (path, expected) in [
            ("d", Why::OtherKind),
            ("none/f", Why::NoParent),
            ("f/g", Why::NoParent),
            (&"x".repeat(300), Why::NoParent),
        ] {
            let why = why(put(&body, &folder.path(path), HOW));
            assert_eq!(why, expected, "{path}");
        }
    }
    let how = Put {
        create_path: true,
        ..HOW
    };
    let deep = format!("a/b/{}", "x".repeat(300));
    assert_eq!(why(put(&memory(), &folder.path(&deep), how)), Why::NoParent);
    assert!(!folder.path("a").exists(), "what was made for it is gone");
    put(&memory(), &folder.path("a/b/c"), how).expect("put");
    let mode = fs::metadata(folder.path("a/b")).expect("there").mode();
    assert_eq!(mode & 0o777, 0o750);
    assert!(folder.is_tidy());
}

#[test]
fn directories_are_made_one_by_one() {
    let folder = Folder::new();
    assert!(make(&folder.path("n"), 0o644).expect("made").new);
    let mode = fs::metadata(folder.path("n")).expect("there").mode();
    assert_eq!(mode & 0o777, 0o755);
    for (path, expected) in [
        ("n", Why::Exists),
        ("f", Why::Exists),
        ("f/g", Why::NoParent),
        ("none/g", Why::NoParent),
    ] {
        assert_eq!(why(make(&folder.path(path), 0o600)), expected, "{path}");
    }
}

#[test]
fn what_is_removed_is_what_was_named() {
    let folder = Folder::new();
    symlink("d", folder.path("link")).expect("linked");
    for (name, depth, expected) in [
        ("none", Depth::Unsaid, Why::Missing),
        ("f/g", Depth::Unsaid, Why::NoParent),
        ("f/", Depth::Unsaid, Why::OtherKind),
        ("d", Depth::Unsaid, Why::OtherKind),
        ("link/", Depth::Unsaid, Why::OtherKind),
        ("d/", Depth::Zero, Why::Depth),
        ("d/", Depth::Other, Why::Depth),
        ("f", Depth::Other, Why::Depth),
    ] {
        assert_eq!(why(remove(&folder.named(name), depth)), expected, "{name}");
    }
    for name in ["link", "f", "d/"] {
        assert!(
            remove(&folder.named(name), Depth::Infinity).is_ok(),
            "{name}"
        );
    }
    assert_eq!(fs::read_dir(folder.path("")).expect("read").count(), 1);
}

#[test]
fn files_are_copied_and_moved() {
    let folder = Folder::new();
    symlink("f", folder.path("link")).expect("linked");
    for (from, to) in [("f", "g"), ("f", "g"), ("link", "h"), ("f", "link")] {
        assert!(!transfer(&folder.transfer(from, to)).expect("copied").new);
        assert_eq!(folder.read(to), "text");
    }
    let link = fs::symlink_metadata(folder.path("link")).expect("there");
    assert!(link.is_file(), "a link is replaced, not followed");
    let order = Transfer {
        moving: true,
        ..folder.transfer("f", "g")
    };
    transfer(&order).expect("moved");
    assert!(!folder.path("f").exists() && folder.read("g") == "text");
    assert!(folder.is_tidy());
}

#[test]
fn directories_are_copied_and_moved_as_a_whole() {
    for moving in [false, true] {
        for target in ["e/", "old/", "link/"] {
            let folder = Folder::new();
            fs::create_dir(folder.path("old")).expect("made");
            fs::write(folder.path("old/kept"), "").expect("written");
            symlink("old", folder.path("link")).expect("linked");
            let order = Transfer {
                moving,
                ..folder.transfer("d/", target)
            };
            assert!(transfer(&order).expect("done").new);
            assert_eq!(folder.read(&format!("{target}x/y")), "deep");
            let other = folder.path(&format!("{target}kept"));
            assert!(!other.exists(), "what was there is gone");
            assert_eq!(folder.path("d").exists(), !moving);
            assert_eq!(folder.path("old/kept").exists(), target != "old/");
            assert!(folder.is_tidy());
        }
    }
    let folder = Folder::new();
    let order = Transfer {
        members: false,
        ..folder.transfer("d/", "e/")
    };
    transfer(&order).expect("copied");
    assert_eq!(fs::read_dir(folder.path("e")).expect("read").count(), 0);
}

#[test]
fn what_may_not_be_copied_is_left_as_it_is() {
    let folder = Folder::new();
    for (from, to, expected) in [
        ("none", "g", Why::Missing),
        ("none/", "g/", Why::Missing),
        ("f/", "g/", Why::Missing),
        ("d", "g", Why::Directory),
        ("f", "d", Why::IntoDirectory),
        ("f", "none/g", Why::NoParent),
        ("d/", "none/g/", Why::NoParent),
        ("f", "f/g", Why::Missing),
    ] {
        for moving in [false, true] {
            let order = Transfer {
                moving,
                ..folder.transfer(from, to)
            };
            assert_eq!(why(transfer(&order)), expected, "{from} to {to}");
        }
    }
    let order = Transfer {
        overwrite: false,
        ..folder.transfer("f", "d/z")
    };
    assert_eq!(why(transfer(&order)), Why::Kept);
    assert_eq!(
        (folder.read("d/z"), folder.read("f")),
        (String::new(), "text".into())
    );
    assert!(folder.is_tidy());
}

#[test]
fn one_directory_by_two_names_is_not_lost() {
    let folder = Folder::new();
    symlink(".", folder.path("here")).expect("linked");
    let order = Transfer {
        moving: true,
        ..folder.transfer("d/", "here/d/")
    };
    transfer(&order).expect_err("refused");
    assert_eq!(folder.read("d/x/y"), "deep");
    assert!(folder.is_tidy());
}

#[test]
fn a_place_is_taken_only_while_it_may_be() {
    let folder = Folder::new();
    let kept = Transfer {
        overwrite: false,
        ..folder.transfer("f", "d/z")
    };
    // As if the place had been free when it was looked at.
    let late = transfer::arrive(&folder.path("f"), &kept);
    assert_eq!(why(late), Why::Kept);
    assert_eq!(folder.read("d/z"), "");
}
