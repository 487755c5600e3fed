//! Finding and reading the files of a configuration. It parses nothing.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::diagnostic::Reason;

/// The files that the argument of `include` names, in the order nginx takes them (by bytes). A
/// plain name is itself, whether it exists or not; a mask may match nothing.
pub fn files(prefix: &Path, argument: &str) -> Result<Vec<PathBuf>, Reason> {
    let path = prefix.join(argument);
    if !argument.contains(['*', '?', '[']) {
        return Ok(vec![path]);
    }
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let directory = glob::Pattern::escape(&prefix.to_string_lossy());
    let mask = Path::new(&directory).join(single_stars(argument));
    let matches = glob::glob_with(&mask.to_string_lossy(), options)
        .map_err(|error| format!("glob() \"{}\" failed ({error})", path.display()))?;
    // What cannot be read is not matched, as with glob(3).
    let mut files: Vec<PathBuf> = matches.flatten().collect();
    files.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(files)
}

/// `**` is no more than `*` in glob(3), and more than that in the `glob` crate.
fn single_stars(mask: &str) -> String {
    let mut single = String::with_capacity(mask.len());
    for character in mask.chars() {
        if character != '*' || !single.ends_with('*') {
            single.push(character);
        }
    }
    single
}

/// Reads a regular file of at most `max` bytes; what is no file is refused unopened, so that a FIFO
/// cannot block.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, Reason> {
    let failed = |error| Reason::from(failure("open()", path, &error));
    let metadata = fs::metadata(path).map_err(failed)?;
    if path == Path::new("/dev/null") {
        return Ok(Vec::new());
    }
    if !metadata.is_file() {
        return Err(format!("\"{}\" is not a regular file", path.display()).into());
    }
    let file = File::open(path).map_err(failed)?;
    let mut text = Vec::new();
    file.take(max.saturating_add(1))
        .read_to_end(&mut text)
        .map_err(|error| failure("read()", path, &error))?;
    if text.len() as u64 > max {
        return Err(too_large(max));
    }
    Ok(text)
}

/// The reason for a configuration that has grown past its bound.
pub fn too_large(max: u64) -> Reason {
    format!("the configuration is larger than {max} bytes").into()
}

/// `open() "/x" failed (2: No such file or directory)`.
fn failure(call: &str, path: &Path, error: &io::Error) -> String {
    let text = error.to_string();
    let path = path.display();
    match error.raw_os_error() {
        Some(number) => {
            let text = text.trim_end_matches(&format!(" (os error {number})"));
            format!("{call} \"{path}\" failed ({number}: {text})")
        }
        None => format!("{call} \"{path}\" failed ({text})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_match_as_in_glob_3() {
        let directory = tempfile::tempdir().unwrap();
        for name in [
            "a/x.conf",
            "a-b/x.conf",
            "B.conf",
            "a.conf",
            ".h.conf",
            "b.txt",
            "[c].conf",
        ] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let cases: [(&str, &[&str]); 8] = [
            ("*.conf", &["B.conf", "[c].conf", "a.conf"]),
            ("**.conf", &["B.conf", "[c].conf", "a.conf"]),
            ("*/*.conf", &["a-b/x.conf", "a/x.conf"]),
            ("[ab].conf", &["a.conf"]),
            ("[!a].conf", &["B.conf"]),
            ("?.txt", &["b.txt"]),
            ("none/*.conf", &[]),
            ("plain.conf", &["plain.conf"]),
        ];
        for (mask, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|name| directory.path().join(name))
                .collect();
            assert_eq!(files(directory.path(), mask), Ok(expected), "{mask}");
        }
        assert!(
            files(directory.path(), "[a")
                .unwrap_err()
                .message
                .starts_with("glob() \"")
        );
    }

    #[test]
    fn a_prefix_with_brackets_is_no_mask() {
        let directory = tempfile::Builder::new().prefix("[x]").tempdir().unwrap();
        let file = directory.path().join("a.conf");
        fs::write(&file, "").unwrap();
        assert_eq!(files(directory.path(), "*.conf"), Ok(vec![file]));
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let message = |result: Result<Vec<u8>, Reason>| result.unwrap_err().message;
        let shown = path.display();
        assert_eq!(
            message(read(&path, 10)),
            format!("open() \"{shown}\" failed (2: No such file or directory)")
        );
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10), Ok(b"0123456789".to_vec()));
        assert_eq!(
            message(read(&path, 9)),
            "the configuration is larger than 9 bytes"
        );
        let shown = directory.path().display();
        assert_eq!(
            message(read(directory.path(), 9)),
            format!("\"{shown}\" is not a regular file")
        );
        assert_eq!(read(Path::new("/dev/null"), 9), Ok(vec![]));
        assert_eq!(
            message(read(Path::new("/dev/zero"), 9)),
            "\"/dev/zero\" is not a regular file"
        );
    }
}
