use std::fs;
use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::files::look;

const TERMS: Terms = Terms {
    valid: Duration::from_secs(60),
    min_uses: 1,
    errors: false,
};

/// A directory with files, what is kept of them, and the time.
struct Kit {
    folder: tempfile::TempDir,
    files: OpenFiles,
    now: Instant,
}

fn kit(max: usize) -> Kit {
    let idle = Duration::from_secs(20);
    Kit {
        folder: tempfile::tempdir().expect("a folder"),
        files: OpenFiles::new(Limits { max, idle }),
        now: Instant::now(),
    }
}

impl Kit {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file there by a rename, as deployments do.
    fn put(&self, name: &str, content: &str) {
        fs::write(self.path("new"), content).expect("written");
        fs::rename(self.path("new"), self.path(name)).expect("renamed");
    }

    /// Asks for a file as a request does: what is kept, or the file system. Says which it was.
    fn ask(&mut self, query: &Query, terms: Terms) -> (bool, Found) {
        if let Some(found) = self.files.answer(query, terms, self.now) {
            return (true, found);
        }
        let found = look(query);
        self.files.keep(query, &found, terms, self.now);
        (false, found)
    }

    fn open(&mut self, name: &str, terms: Terms) -> (bool, Found) {
        self.ask(&Query::Open(self.path(name)), terms)
    }

    fn is_kept(&mut self, name: &str, terms: Terms) -> bool {
        self.open(name, terms).0
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// What a file that was asked for has in it, as long as was said.
    fn read(&mut self, name: &str) -> String {
        let (_, found) = self.open(name, TERMS);
        let Found::Opened(Ok(opened)) = &found else {
            panic!("{found:?}");
        };
        let Content::Open(file) = &opened.content else {
            panic!("{found:?}");
        };
        let mut bytes = vec![0; opened.meta.size as usize];
        assert_eq!(file::pread(file, &mut bytes, 0).expect("read"), bytes.len());
        String::from_utf8(bytes).expect("a text")
    }

    fn descriptors(&self) -> usize {
        let folder = self.folder.path().canonicalize().expect("there");
        let open = fs::read_dir("/proc/self/fd").expect("there");
        let target = |fd: std::io::Result<fs::DirEntry>| fs::read_link(fd.ok()?.path()).ok();
        open.filter_map(target)
            .filter(|target| target.starts_with(&folder))
            .count()
    }
}

#[test]
fn a_replaced_file_is_seen_when_its_time_is_over() {
    let mut kit = kit(10);
    kit.put("a", "old");
    assert_eq!(kit.read("a"), "old");
    kit.put("a", "newer");
    kit.pass(19);
    assert_eq!(kit.read("a"), "old");
    for _ in 0..3 {
        kit.pass(19);
        kit.read("a");
    }
    assert_eq!(kit.read("a"), "newer", "a minute has passed");
}

#[test]
fn a_file_that_was_written_to_is_opened_anew() {
    let mut kit = kit(10);
    kit.put("a", "0123456789");
    assert_eq!(kit.read("a"), "0123456789");
    fs::write(kit.path("a"), "0123").expect("written");
    assert_eq!(kit.read("a"), "0123");
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(kit.path("a"))
        .expect("there");
    file.write_all(b"45").expect("written");
    assert_eq!(kit.read("a"), "012345");
    assert!(kit.is_kept("a", TERMS));
}

#[test]
fn errors_are_kept_if_that_is_wanted() {
    let errors = Terms {
        errors: true,
        ..TERMS
    };
    let mut kit = kit(10);
    for (terms, kept) in [(TERMS, false), (errors, true)] {
        assert!(!kit.is_kept("missing", terms));
        assert_eq!(kit.is_kept("missing", terms), kept);
    }
    kit.put("missing", "here");
    assert!(kit.open("missing", errors).1.error().is_some());
    assert!(kit.open("a", TERMS).1.error().is_some());
    kit.pass(61);
    assert!(kit.open("missing", errors).1.error().is_none());
}

#[test]
fn a_file_is_kept_once_it_was_asked_for_often_enough() {
    let terms = Terms {
        min_uses: 3,
        ..TERMS
    };
    let mut kit = kit(10);
    kit.put("a", "a");
    let kept: Vec<_> = (0..5).map(|_| kit.is_kept("a", terms)).collect();
    assert_eq!(kept, [false, false, false, true, true]);
    kit.pass(21);
    kit.files.expire(kit.now);
    assert!(!kit.is_kept("a", terms), "it was counted within 20 seconds");
}

#[test]
fn directories_are_kept_without_a_descriptor_and_pipes_not_at_all() {
    let mut kit = kit(10);
    fs::create_dir(kit.path("folder")).expect("made");
    let (_, found) = kit.open("folder", TERMS);
    drop(found);
    assert_eq!(kit.descriptors(), 0);
    let (kept, found) = kit.open("folder", TERMS);
    assert!(
        kept && found
            .meta()
            .is_some_and(|meta| meta.kind == Kind::Directory)
    );
    for path in ["folder", "missing"] {
        let query = Query::Stat(kit.path(path));
        assert!(!kit.ask(&query, TERMS).0);
        assert_eq!(kit.ask(&query, TERMS).0, path == "folder");
    }
    let socket = std::os::unix::net::UnixListener::bind(kit.path("socket")).expect("bound");
    for _ in 0..2 {
        assert!(!kit.ask(&Query::Stat(kit.path("socket")), TERMS).0);
    }
    drop(socket);
}

#[test]
fn descriptors_are_bounded_and_closed_when_idle() {
    let mut kit = kit(3);
    for name in ["a", "b", "c", "d", "e"] {
        kit.put(name, name);
        kit.open(name, TERMS);
        kit.pass(1);
    }
    assert_eq!(kit.descriptors(), 3);
    for (name, kept) in [("c", true), ("d", true), ("e", true), ("b", false)] {
        assert_eq!(kit.is_kept(name, TERMS), kept, "{name}");
    }
    assert!(!kit.is_kept("c", TERMS), "it was the one used longest ago");
    assert_eq!(kit.descriptors(), 3);
    assert_eq!(
        kit.files.deadline(),
        Some(kit.now + Duration::from_secs(20))
    );
    kit.pass(19);
    kit.open("b", TERMS);
    kit.pass(1);
    kit.files.expire(kit.now);
    assert_eq!(kit.descriptors(), 1);
    kit.pass(19);
    kit.files.expire(kit.now);
    assert_eq!((kit.descriptors(), kit.files.deadline()), (0, None));
}
