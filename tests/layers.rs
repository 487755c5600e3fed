//! The map of the source holds: who may name whom, and where the system is spoken to.

use std::fs;
use std::path::{Path, PathBuf};

/// Low to high; each uses only those before it.
const LAYERS: [&str; 9] = [
    "sys", "log", "conf", "http", "files", "site", "worker", "master", "cli",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|it| it.unwrap().path());
    let below = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    };
    paths.flat_map(below).collect()
}

/// The source files of a layer, with their lines but for comments.
fn lines_of(layer: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = sources(&root.join(layer));
    files.retain(|path| path.extension().is_some_and(|it| it == "rs"));
    assert!(!files.is_empty(), "{layer} is gone");
    let lines = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.map(|line| (path.clone(), line.to_owned()))
            .collect::<Vec<_>>()
    };
    files.iter().flat_map(lines).collect()
}

/// Whether a line has this path, and not as the end of a longer word.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || it == '_' || it == ':')
    })
}

#[test]
fn only_sys_speaks_to_the_system() {
    for layer in &LAYERS[1..] {
        for (file, line) in lines_of(layer) {
            for word in ["unsafe ", "libc::", "nix::"] {
                assert!(!names(&line, word), "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn a_layer_uses_only_those_below() {
    for (height, layer) in LAYERS.iter().enumerate() {
        for (file, line) in lines_of(layer) {
            for above in &LAYERS[height + 1..] {
                let path = format!("crate::{above}::");
                assert!(!names(&line, &path), "{}: {line}", file.display());
            }
        }
    }
}

/// What loading a configuration asks is asked through `conf::outside`, so that one process can check
/// what another one loads. Tests may look, and `$realpath_root` is asked for while serving.
#[test]
fn a_configuration_asks_the_system_in_one_place() {
    let asks = [
        ".to_socket_addrs(",
        "Identity::find(",
        "host::name(",
        ".is_dir(",
        ".exists(",
        "fs::read",
        "fs::metadata(",
        "File::open(",
        "glob::glob",
    ];
    let is_exempt = |file: &Path| {
        let name = file.to_string_lossy();
        name.contains("/conf/outside") || name.contains("/conf/include") || name.contains("test")
    };
    for (file, line) in ["conf", "site"].into_iter().flat_map(lines_of) {
        let asked = asks.iter().find(|call| line.contains(**call));
        assert!(
            asked.is_none() || is_exempt(&file),
            "{}: {line}",
            file.display()
        );
    }
}
