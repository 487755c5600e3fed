//! Which configuration a command line means: a file, or the embedded one that serves a directory.

use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::arguments::{Arguments, Command};
use crate::conf::diagnostic::Diagnostics;
use crate::conf::outside::Outside;
use crate::conf::parse::{Main, Start, parse};
use crate::master::load::Request;
use crate::sys::OsError;

/// The configuration of a prefix, unless `-c` names another.
const FILE: &str = "conf/forkful.conf";
/// What the embedded configuration is called in messages.
const EMBEDDED: &str = "<embedded>";
/// Where the embedded configuration listens.
const ADDRESS: &str = "127.0.0.1:8080";

/// The top level of the embedded configuration but for its blocks: what `-g` does not set itself.
const TOP: [(&str, &str); 4] = [
    ("daemon", "off;"),
    ("pid", "/dev/null;"),
    ("error_log", "stderr warn;"),
    ("worker_processes", "auto;"),
];

/// A configuration and its name in messages.
pub struct Named {
    pub name: PathBuf,
    pub request: Request,
}

impl Named {
    /// What a test of it has to say: a directory without a configuration passes, too.
    pub fn note(&self) -> Option<String> {
        let prefix = self.request.prefix.display();
        let embedded = matches!(self.request.start.main, Main::Embedded(..));
        embedded.then(|| format!("{prefix} has no {FILE}, it is served as {EMBEDDED} says"))
    }
}

/// The configuration of a command line: `-c`, else that of the prefix, else the embedded one, which
/// serves the prefix.
///
/// # Errors
/// Those of [`of_directory`], if it is to be served.
pub fn find(arguments: &Arguments) -> Result<Named, String> {
    let here = env::current_dir().unwrap_or_else(|_| ".".into());
    let prefix = match &arguments.prefix {
        Some(prefix) => here.join(prefix),
        None => here,
    };
    let named = arguments.file.as_ref();
    let file = prefix.join(named.map_or(Path::new(FILE), PathBuf::as_path));
    // One that is there and cannot be read is an error, not a reason to serve something else.
    let missing = || matches!(fs::metadata(&file), Err(e) if e.kind() == io::ErrorKind::NotFound);
    let globals = arguments.globals.clone().map(OsStringExt::into_vec);
    let mut found = match named {
        // There is no master to talk to that would serve the embedded one.
        None if missing() && !talks(&arguments.command) => {
            served(&prefix, ADDRESS, globals.as_deref().unwrap_or_default())?
        }
        _ => from_file(file, prefix, named.is_none() && arguments.prefix.is_none()),
    };
    found.request.start.directives = globals;
    found.request.error_log = arguments.error_log.clone();
    Ok(found)
}

/// Whether it concerns a master that runs.
fn talks(command: &Command) -> bool {
    matches!(command, Command::Signal(_) | Command::Status { .. })
}

/// `of_clone`: it was found in the current directory, and not named: somebody tries it out.
fn from_file(file: PathBuf, prefix: PathBuf, of_clone: bool) -> Named {
    let request = Request {
        start: Start::file(&file),
        prefix,
        error_log: None,
        keep_user: of_clone,
        subject: of_clone.then(|| file.clone()),
    };
    Named {
        name: file,
        request,
    }
}

/// The embedded configuration for a directory.
///
/// # Errors
/// In nginx's words: `open() "/x" failed (2: No such file or directory)`.
pub fn of_directory(directory: &Path, listen: Option<&str>) -> Result<Named, String> {
    served(directory, listen.unwrap_or(ADDRESS), b"")
}

fn served(directory: &Path, listen: &str, globals: &[u8]) -> Result<Named, String> {
    let name = directory.display();
    let failed = |error| format!("open() \"{name}\" failed {}", OsError(&error));
    let directory = directory.canonicalize().map_err(failed)?;
    if !directory.is_dir() {
        return Err(format!("\"{name}\" is not a directory"));
    }
    let start = Start::embedded(EMBEDDED, text(listen, globals));
    let subject = Some(directory.clone());
    let request = Request {
        start,
        prefix: directory,
        error_log: None,
        keep_user: true,
        subject,
    };
    Ok(Named {
        name: EMBEDDED.into(),
        request,
    })
}

/// The directory is the prefix: its name, which may hold anything, need not be written.
fn text(listen: &str, globals: &[u8]) -> String {
    // What is wrong with them is reported when they are read for good.
    let given = parse(
        Start::embedded("", globals),
        &Outside::system(),
        &mut Diagnostics::default(),
    )
    .items;
    let own = TOP
        .iter()
        .filter(|(name, _)| !given.iter().any(|item| item.name.is(name)));
    let top: String = own
        .map(|(name, value)| format!("{name} {value}\n"))
        .collect();
    let listen = listen.replace('\\', "\\\\").replace('"', "\\\"");
    let types = include_str!("../../conf/mime.types");
    format!(
        "{top}events {{}}
http {{
    {types}
    default_type application/octet-stream;
    access_log off;
    sendfile on;
    tcp_nopush on;
    server {{
        listen \"{listen}\";
        root '';
        autoindex on;
    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments;
    use crate::master::load;

    fn found(words: &[&str]) -> Named {
        find(&arguments::parse(words).expect("valid")).expect("found")
    }

    fn main_file(named: &Named) -> Option<&Path> {
        match &named.request.start.main {
            Main::File(path) => Some(path),
            Main::Embedded(..) => None,
        }
    }

    #[test]
    fn a_named_file_is_relative_to_the_prefix() {
        let cases = [
            (vec!["-p", "/srv", "-c", "a.conf"], "/srv/a.conf"),
            (vec!["-p", "/srv", "-c", "/etc/a.conf"], "/etc/a.conf"),
        ];
        for (words, expected) in cases {
            let named = found(&words);
            assert_eq!(main_file(&named), Some(Path::new(expected)));
            assert_eq!(named.request.prefix, Path::new("/srv"));
            assert!(!named.request.keep_user && named.request.subject.is_none());
        }
    }

    #[test]
    fn without_a_file_the_prefix_is_served() {
        let prefix = tempfile::tempdir().expect("directory");
        let path = prefix.path().to_str().expect("text");
        let named = found(&["-p", path, "-g", "worker_processes 3;", "-e", "x"]);
        assert_eq!(
            (main_file(&named), named.name.as_path()),
            (None, Path::new(EMBEDDED))
        );
        assert_eq!(named.request.subject.as_deref(), Some(prefix.path()));
        assert_eq!(
            named.request.start.directives.as_deref(),
            Some(&b"worker_processes 3;"[..])
        );
        assert_eq!(named.request.error_log, Some("x".into()));
        let signalled = found(&["-p", path, "-s", "stop"]);
        assert_eq!(
            main_file(&signalled),
            Some(prefix.path().join(FILE).as_path())
        );

        fs::create_dir(prefix.path().join("conf")).expect("made");
        let file = prefix.path().join(FILE);
        fs::write(&file, "").expect("written");
        assert_eq!(main_file(&found(&["-p", path])), Some(file.as_path()));
    }

    #[test]
    fn a_prefix_without_a_file_is_a_directory() {
        let find = |words: &[&str]| find(&arguments::parse(words).expect("valid"));
        let missing = "open() \"/none\" failed (2: No such file or directory)";
        for words in [&["-p", "/none"][..], &["-p", "/none", "-t"]] {
            assert_eq!(find(words).err().as_deref(), Some(missing));
        }
        assert!(find(&["-p", "/none", "-c", "/etc/a.conf"]).is_ok());
        let note = |words: &[&str]| found(words).note();
        let says = "/ has no conf/forkful.conf, it is served as <embedded> says";
        assert_eq!(note(&["-p", "/"]).as_deref(), Some(says));
        assert_eq!(note(&["-p", "/", "-c", "/etc/a.conf"]), None);
    }

    #[test]
    fn only_a_directory_is_served() {
        let missing = of_directory(Path::new("/none"), None)
            .err()
            .expect("refused");
        assert_eq!(
            missing,
            "open() \"/none\" failed (2: No such file or directory)"
        );
        let file = of_directory(Path::new("/dev/null"), None)
            .err()
            .expect("refused");
        assert_eq!(file, "\"/dev/null\" is not a directory");
        let named =
            of_directory(Path::new("/usr/.."), None).unwrap_or_else(|text| panic!("{text}"));
        assert_eq!(named.request.prefix, Path::new("/"));
    }

    #[test]
    fn globals_take_the_place_of_what_is_embedded() {
        let globals = "daemon on; pid x; error_log y; worker_processes 3; user z;";
        let text = text(ADDRESS, globals.as_bytes());
        assert!(text.starts_with("events {"), "{text}");
        let prefix = tempfile::tempdir().expect("directory");
        let path = prefix.path().to_str().expect("text");
        let messages = |globals| {
            let named = found(&["-p", path, "-g", globals]);
            load::read(&named.request).messages()
        };
        assert_eq!(messages("worker_processes 1;"), []);
        assert_eq!(messages("worker_processes 0;").len(), 1, "reported once");
    }

    #[test]
    fn an_address_cannot_leave_its_quotes() {
        assert!(text("1\";}\\", b"").contains("listen \"1\\\";}\\\\\";"));
    }
}
