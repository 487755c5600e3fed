//! Files in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{Content, Found, Opened, Query};
use crate::sys::file::{Entry, Kind, Meta};

/// When every file was changed last: Sun, 06 Nov 1994 08:49:37 GMT.
pub const CHANGED: i64 = 784_111_777;

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;

/// What a name in memory stands for.
pub enum Node {
    /// A file of so many bytes.
    File(Arc<File>, u64),
    /// A directory.
    Directory,
    /// A FIFO, or something of the kind.
    Special,
    /// Nobody may look at it.
    Closed,
}

/// Files by their path.
#[derive(Default)]
pub struct Disk(BTreeMap<PathBuf, Node>);

impl Disk {
    /// Adds something, and the directories above it.
    pub fn add(&mut self, path: &str, node: Node) {
        for above in Path::new(path).ancestors().skip(1) {
            let known = self.0.entry(above.to_owned());
            known.or_insert(Node::Directory);
        }
        self.0.insert(path.into(), node);
    }

    /// The answer to a question.
    pub fn look(&self, query: &Query) -> Found {
        match query {
            Query::Open(path) | Query::OpenGuarded(path, _) => Found::Opened(self.open(path)),
            Query::Stat(path) | Query::StatGuarded(path, _) => {
                Found::Meta(self.find(path).map(Node::meta))
            }
            Query::List(path) => Found::Entries(self.list(path)),
            Query::Real(path) => Found::Real(path.canonicalize()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<&Node> {
        let above = path
            .ancestors()
            .skip(1)
            .filter_map(|above| self.0.get(above));
        let slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        for node in above.chain(self.0.get(path).filter(|_| slash)) {
            match node {
                Node::Directory => {}
                Node::Closed => return Err(io::Error::from_raw_os_error(EACCES)),
                _ => return Err(io::Error::from_raw_os_error(ENOTDIR)),
            }
        }
        self.0
            .get(path)
            .ok_or_else(|| io::Error::from_raw_os_error(ENOENT))
    }

    fn open(&self, path: &Path) -> io::Result<Opened> {
        let node = self.find(path)?;
        let file = match node {
            Node::File(file, _) => file.clone(),
            Node::Closed => return Err(io::Error::from_raw_os_error(EACCES)),
            _ => Arc::new(tempfile::tempfile()?),
        };
        Ok(Opened {
            content: Content::Open(file),
            meta: node.meta(),
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        if matches!(self.find(path)?, Node::Closed) {
            return Err(io::Error::from_raw_os_error(EACCES));
        }
        let within = self
            .0
            .iter()
            .filter(|(name, _)| name.parent() == Some(path));
        let entry = |(name, node): (&PathBuf, &Node)| Entry {
            name: name
                .file_name()
                .expect("a name")
                .as_encoded_bytes()
                .to_vec(),
            meta: node.meta(),
        };
        Ok(within.map(entry).collect())
    }
}

impl Node {
    /// A file with this content.
    pub fn file(content: &str) -> Node {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(content.as_bytes()).expect("written");
        Node::File(Arc::new(file), content.len() as u64)
    }

    fn meta(&self) -> Meta {
        let (kind, size) = match self {
            Node::File(_, size) => (Kind::Regular, *size),
            Node::Directory | Node::Closed => (Kind::Directory, 4096),
            Node::Special => (Kind::Other, 0),
        };
        Meta {
            size,
            mtime: CHANGED,
            mtime_nanos: 0,
            changed: (CHANGED, 0),
            kind,
            inode: 1,
            device: 1,
            mode: 0o644,
        }
    }
}
