//! The command line, nginx's and ours, as a value. Nothing is done or printed here.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve the configuration.
    Start,
    /// `-t`, and with `dump` `-T`: check the configuration; `quiet` is `-q`.
    Test {
        /// Print every configuration file read.
        dump: bool,
        /// Print errors only.
        quiet: bool,
    },
    /// `-s`: signal the running master.
    Signal(Order),
    /// `-v`, and with `details` `-V`.
    Version {
        /// Print how it was built.
        details: bool,
    },
    /// `-h` and `-?`: a screen of help; `long` is `--help`.
    Help {
        /// Print all of it.
        long: bool,
    },
    /// `serve DIR [--listen ADDR]`: serve a directory without a configuration.
    Serve {
        /// What is served.
        directory: PathBuf,
        /// What `listen` would say.
        listen: Option<String>,
    },
    /// `directives [NAME]`: print the reference.
    Directives(Option<String>),
    /// `status`, and with `json` `--json`: print how the running master is.
    Status {
        /// For programs.
        json: bool,
    },
}

/// What `-s` tells the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Exit at once: SIGTERM.
    Stop,
    /// Exit when the running requests are finished: SIGQUIT.
    Quit,
    /// Open the logs again: SIGUSR1.
    Reopen,
    /// Load the configuration again: SIGHUP.
    Reload,
}

/// A whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// What is to be done.
    pub command: Command,
    /// `-c`: the configuration file, relative to the prefix.
    pub file: Option<PathBuf>,
    /// `-p`: the prefix.
    pub prefix: Option<PathBuf>,
    /// `-e`: the error log until the configuration names one.
    pub error_log: Option<PathBuf>,
    /// `-g`: directives put before the configuration.
    pub globals: Option<OsString>,
}

/// Why a command line is refused, in nginx's words.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a command line, without the program's name.
///
/// # Errors
/// In nginx's words, to be printed after `forkful: `.
pub fn parse<I>(words: I) -> Result<Arguments, Refused>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let mut words = words.into_iter().map(Into::into).peekable();
    let subcommands = ["serve", "directives", "status"];
    let subcommand = words.next_if(|word| subcommands.iter().any(|name| word == name));
    let parser = Parser::from_args(words);
    match subcommand.as_ref().and_then(|name| name.to_str()) {
        Some("serve") => serve(parser),
        Some("directives") => directives(parser),
        Some(_) => status(parser),
        None => options(parser),
    }
}

/// What `-v -t -q` and their kin amount to: as in nginx the order does not matter.
#[derive(Default)]
struct Switches {
    version: bool,
    details: bool,
    help: bool,
    long_help: bool,
    test: bool,
    dump: bool,
    quiet: bool,
    order: Option<Order>,
}

impl Switches {
    fn command(self) -> Command {
        match self {
            _ if self.help || self.long_help => Command::Help {
                long: self.long_help,
            },
            _ if self.version && !self.test => Command::Version {
                details: self.details,
            },
            _ if self.test => Command::Test {
                dump: self.dump,
                quiet: self.quiet,
            },
            _ => self.order.map_or(Command::Start, Command::Signal),
        }
    }
}

fn options(mut parser: Parser) -> Result<Arguments, Refused> {
    let mut switches = Switches::default();
    let mut arguments = plain(Command::Start);
    while let Some(argument) = parser.next().map_err(refused)? {
        match argument {
            Arg::Short('?' | 'h') => switches.help = true,
            Arg::Long("help") => switches.long_help = true,
            Arg::Short('v') | Arg::Long("version") => switches.version = true,
            Arg::Short('V') => (switches.version, switches.details) = (true, true),
            Arg::Short('t') => switches.test = true,
            Arg::Short('T') => (switches.test, switches.dump) = (true, true),
            Arg::Short('q') => switches.quiet = true,
            Arg::Short('s') => switches.order = Some(order(&value(&mut parser, "-s", PARAMETER)?)?),
            Arg::Short(letter) => arguments.place(letter, &mut parser)?,
            // As `-c` would name it; nginx has no words without an option.
            Arg::Value(file) if switches.test && arguments.file.is_none() => {
                arguments.file = Some(file.into());
            }
            other => return Err(unknown(&other)),
        }
    }
    arguments.command = switches.command();
    Ok(arguments)
}

impl Arguments {
    /// An option that says which configuration is meant.
    fn place(&mut self, letter: char, parser: &mut Parser) -> Result<(), Refused> {
        match letter {
            'c' => self.file = Some(value(parser, "-c", FILE)?.into()),
            'p' => self.prefix = Some(value(parser, "-p", DIRECTORY)?.into()),
            'e' => self.error_log = Some(value(parser, "-e", FILE)?.into()),
            'g' => self.globals = Some(value(parser, "-g", PARAMETER)?),
            other => return Err(unknown(&Arg::Short(other))),
        }
        Ok(())
    }
}

const FILE: &str = "file name";
const DIRECTORY: &str = "directory name";
const PARAMETER: &str = "parameter";

/// The value of an option; as in nginx it may not be empty.
fn value(parser: &mut Parser, option: &str, what: &str) -> Result<OsString, Refused> {
    let value = parser.value().ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| Refused(format!("option \"{option}\" requires {what}")))
}

fn order(name: &OsStr) -> Result<Order, Refused> {
    match name.to_str() {
        Some("stop") => Ok(Order::Stop),
        Some("quit") => Ok(Order::Quit),
        Some("reopen") => Ok(Order::Reopen),
        Some("reload") => Ok(Order::Reload),
        _ => Err(Refused(format!(
            "invalid option: \"-s {}\"",
            name.display()
        ))),
    }
}

fn serve(mut parser: Parser) -> Result<Arguments, Refused> {
    let (mut directory, mut listen) = (None, None);
    while let Some(argument) = parser.next().map_err(refused)? {
        match argument {
            Arg::Value(path) if directory.is_none() => directory = Some(PathBuf::from(path)),
            Arg::Long("listen") => {
                let address = value(&mut parser, "--listen", "address")?;
                listen = Some(address.to_string_lossy().into_owned());
            }
            Arg::Long("help") | Arg::Short('h' | '?') => return Ok(help()),
            other => return Err(unknown(&other)),
        }
    }
    let directory = directory.ok_or_else(|| Refused("\"serve\" requires directory name".into()))?;
    Ok(plain(Command::Serve { directory, listen }))
}

fn directives(mut parser: Parser) -> Result<Arguments, Refused> {
    let mut name = None;
    while let Some(argument) = parser.next().map_err(refused)? {
        match argument {
            Arg::Value(word) if name.is_none() => name = Some(word.to_string_lossy().into_owned()),
            Arg::Long("help") | Arg::Short('h' | '?') => return Ok(help()),
            other => return Err(unknown(&other)),
        }
    }
    Ok(plain(Command::Directives(name)))
}

fn status(mut parser: Parser) -> Result<Arguments, Refused> {
    let mut arguments = plain(Command::Status { json: false });
    while let Some(argument) = parser.next().map_err(refused)? {
        match argument {
            Arg::Long("json") => arguments.command = Command::Status { json: true },
            Arg::Long("help") | Arg::Short('h' | '?') => return Ok(help()),
            Arg::Short(letter) => arguments.place(letter, &mut parser)?,
            other => return Err(unknown(&other)),
        }
    }
    Ok(arguments)
}

fn help() -> Arguments {
    plain(Command::Help { long: true })
}

fn plain(command: Command) -> Arguments {
    Arguments {
        command,
        file: None,
        prefix: None,
        error_log: None,
        globals: None,
    }
}

fn unknown(argument: &Arg<'_>) -> Refused {
    let what = match argument {
        Arg::Short(letter) => letter.to_string(),
        Arg::Long(name) => format!("--{name}"),
        Arg::Value(word) => word.display().to_string(),
    };
    Refused(format!("invalid option: \"{what}\""))
}

fn refused(error: lexopt::Error) -> Refused {
    Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Result<Command, String> {
        let parsed = parse(line.split_whitespace());
        parsed
            .map(|arguments| arguments.command)
            .map_err(|refused| refused.to_string())
    }

    #[test]
    fn commands() {
        let test = |dump, quiet| Command::Test { dump, quiet };
        let directory = || "www".into();
        let listen = Some("8080".into());
        let cases = [
            ("", Command::Start),
            ("-q", Command::Start),
            ("-t", test(false, false)),
            ("-tq", test(false, true)),
            ("-T", test(true, false)),
            ("-v -t", test(false, false)),
            ("-v", Command::Version { details: false }),
            ("--version", Command::Version { details: false }),
            ("-Vq", Command::Version { details: true }),
            ("-tqh", Command::Help { long: false }),
            ("-?", Command::Help { long: false }),
            ("--help", Command::Help { long: true }),
            ("-s reload", Command::Signal(Order::Reload)),
            ("-sstop", Command::Signal(Order::Stop)),
            (
                "serve www",
                Command::Serve {
                    directory: directory(),
                    listen: None,
                },
            ),
            (
                "serve --listen=8080 www",
                Command::Serve {
                    directory: directory(),
                    listen,
                },
            ),
            ("serve -h", Command::Help { long: true }),
            ("directives --help", Command::Help { long: true }),
            ("directives", Command::Directives(None)),
            ("directives root", Command::Directives(Some("root".into()))),
            ("status", Command::Status { json: false }),
            ("status -c x --json -p y", Command::Status { json: true }),
            ("status --help", Command::Help { long: true }),
        ];
        for (line, expected) in cases {
            assert_eq!(command(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn values() {
        let words = [
            "-c",
            "a.conf",
            "-p/srv",
            "-e",
            "stderr",
            "-g",
            "daemon off;",
        ];
        let arguments = parse(words).expect("valid");
        assert_eq!(arguments.file, Some("a.conf".into()));
        assert_eq!(arguments.prefix, Some("/srv".into()));
        assert_eq!(arguments.error_log, Some("stderr".into()));
        assert_eq!(arguments.globals, Some("daemon off;".into()));
        let named = parse(["-t", "site.conf"]).expect("valid");
        assert_eq!(named.file, Some("site.conf".into()));
    }

    #[test]
    fn refused_in_the_words_of_nginx() {
        let cases = [
            ("-x", r#"invalid option: "x""#),
            ("-tx", r#"invalid option: "x""#),
            ("foo", r#"invalid option: "foo""#),
            ("-t foo bar", r#"invalid option: "bar""#),
            ("-c a -t foo", r#"invalid option: "foo""#),
            ("-c", r#"option "-c" requires file name"#),
            ("-e", r#"option "-e" requires file name"#),
            ("-p", r#"option "-p" requires directory name"#),
            ("-g", r#"option "-g" requires parameter"#),
            ("-s", r#"option "-s" requires parameter"#),
            ("-s foo", r#"invalid option: "-s foo""#),
            ("--frob", r#"invalid option: "--frob""#),
            ("serve", r#""serve" requires directory name"#),
            ("serve a b", r#"invalid option: "b""#),
            ("directives a b", r#"invalid option: "b""#),
            ("status -t", r#"invalid option: "t""#),
            ("status x", r#"invalid option: "x""#),
            ("status -c", r#"option "-c" requires file name"#),
        ];
        for (line, expected) in cases {
            assert_eq!(command(line), Err(expected.into()), "{line}");
        }
    }
}
