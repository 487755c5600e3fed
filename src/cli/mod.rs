//! The command line: what was asked for, and doing it.
//!
//! - `arguments`: the words as a value
//! - `source`: which configuration they mean
//! - `order`: `-s` and `status`; `trail`: which master they mean
//! - `text`: help and version
//! - `reference`: `directives`

pub mod arguments;
mod order;
mod reference;
mod source;
mod text;
mod trail;

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic;

use crate::conf::diagnostic::{Entry, Severity};
use crate::log::{self, Level};
use crate::master::door::Form;
use crate::master::load::{self, Plan, Request};
use crate::master::{self, Loaded, Outcome};
use crate::sys::{OsError, signal};
use arguments::{Arguments, Command};
use source::Named;

/// Does what the command line says, without the program's name. Returns in the master and in each
/// worker, see [`master::serve`].
pub fn run(words: impl IntoIterator<Item = OsString>) -> Outcome {
    log::install();
    if let Err(error) = signal::settle() {
        log::alert!("sigaction() failed {}", OsError(&error));
    }
    // A daemon has no other place to say why it dies.
    panic::set_hook(Box::new(|panic| log::alert!("{panic}")));
    match arguments::parse(words) {
        Ok(arguments) => obey(arguments),
        Err(refused) => fail(format_args!("{refused}\nforkful: see `forkful --help`")),
    }
}

fn obey(arguments: Arguments) -> Outcome {
    let found = || source::find(&arguments);
    match &arguments.command {
        Command::Help { long: true } => print(text::long_help()),
        Command::Help { long: false } => eprint(text::help()),
        Command::Version { details } => eprint(text::version(*details)),
        Command::Directives(None) => print(reference::all()),
        Command::Directives(Some(name)) => match reference::one(name) {
            Ok(text) => print(text),
            Err(text) => fail(format_args!("{text}")),
        },
        Command::Test { dump, quiet } => with(found(), |named| test(&named, *dump, *quiet)),
        Command::Signal(order) => with(found(), |named| send(&named.request, *order)),
        Command::Status { json } => with(found(), |named| status(&named.request, *json)),
        Command::Start => with(found(), |named| start(named.request)),
        Command::Serve { directory, listen } => {
            let named = source::of_directory(directory, listen.as_deref());
            with(named, |named| start(named.request))
        }
    }
}

fn with(found: Result<Named, String>, go: impl FnOnce(Named) -> Outcome) -> Outcome {
    match found {
        Ok(named) => go(named),
        Err(text) => fail(format_args!("[emerg] {text}")),
    }
}

fn start(request: Request) -> Outcome {
    let plan = load::read(&request);
    if plan.draft.diagnostics.errors() {
        show(&plan, Severity::Error);
        return Outcome::Exit(1);
    }
    match open(plan) {
        Ok(loaded) => master::serve(loaded),
        Err(text) => fail(format_args!("[emerg] {text}")),
    }
}

/// Opens a plan without errors; its notices go to the log that it names.
fn open(plan: Plan) -> Result<Loaded, String> {
    let messages = plan.messages();
    let loaded = Loaded::open(plan, &[])?;
    loaded.make_current();
    load::write(&messages);
    Ok(loaded)
}

fn test(named: &Named, dump: bool, quiet: bool) -> Outcome {
    let plan = load::read(&named.request);
    let name = named.name.display();
    show(
        &plan,
        if quiet {
            Severity::Error
        } else {
            Severity::Notice
        },
    );
    let failed = || fail(format_args!("configuration file {name} test failed"));
    if plan.draft.diagnostics.errors() {
        return failed();
    }
    let say = |text: &str| {
        if !quiet {
            eprint(format!("forkful: {text}\n"));
        }
    };
    named.note().iter().for_each(|note| say(note));
    say(&format!("the configuration file {name} syntax is ok"));
    if let Err(text) = plan.check_files() {
        eprint(format!("forkful: [emerg] {text}\n"));
        return failed();
    }
    say(&format!("configuration file {name} test is successful"));
    if dump {
        print(plan.dump())
    } else {
        Outcome::Exit(0)
    }
}

fn send(request: &Request, what: arguments::Order) -> Outcome {
    let sent = match trail::find(request) {
        Ok(trail) if trail.errors.is_empty() => order::send(&trail.pid_file, what),
        Ok(trail) => {
            eprint(trail.errors);
            return Outcome::Exit(1);
        }
        Err(refused) => Err(refused),
    };
    match sent {
        Ok(note) => {
            note.iter().for_each(|note| say(Level::Notice, note));
            Outcome::Exit(0)
        }
        Err((level, text)) => refuse(level, &text),
    }
}

/// A configuration that became wrong is no reason not to ask the master that has an older one.
fn status(request: &Request, json: bool) -> Outcome {
    let form = if json { Form::Json } else { Form::Text };
    let trail = match trail::find(request) {
        Ok(trail) => trail,
        Err((level, text)) => return refuse(level, &text),
    };
    match order::status(&trail.pid_file, form) {
        Ok(text) => print(text),
        Err((level, text)) => {
            eprint(trail.errors);
            refuse(level, &text)
        }
    }
}

fn refuse(level: Level, text: &str) -> Outcome {
    say(level, text);
    Outcome::Exit(1)
}

fn say(level: Level, text: &str) {
    log::startup(level, format_args!("{text}"));
}

/// Prints what is wrong with a configuration, see [`shown`].
fn show(plan: &Plan, least: Severity) {
    eprint(shown(plan, least));
}

/// What is wrong with a configuration, with the source lines, down to this severity.
fn shown(plan: &Plan, least: Severity) -> String {
    let diagnostics = &plan.draft.diagnostics;
    let seen = diagnostics
        .entries()
        .iter()
        .filter(|entry| entry.severity as u8 <= least as u8);
    let line = |entry: &Entry| {
        let level = load::level(entry.severity);
        format!("forkful: [{level}] {}\n", entry.render(&plan.sources))
    };
    let more = diagnostics.summary();
    let more = more.map(|more| format!("forkful: {more}\n"));
    seen.map(line).chain(more).collect()
}

fn print(text: impl AsRef<[u8]>) -> Outcome {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => Outcome::Exit(0),
        // Whoever reads has enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Exit(0),
        Err(_) => Outcome::Exit(1),
    }
}

fn eprint(text: impl AsRef<[u8]>) -> Outcome {
    // There is nowhere left to say that it failed.
    let _ = io::stderr().write_all(text.as_ref());
    Outcome::Exit(0)
}

fn fail(text: std::fmt::Arguments<'_>) -> Outcome {
    eprint(format!("forkful: {text}\n"));
    Outcome::Exit(1)
}
