//! `-s` and `status`: what is said to the master that a pid file names.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::arguments::Order;
use crate::log::Level;
use crate::master::door::{Answer, Form, Question, Unanswered, ask};
use crate::master::pid_file;
use crate::sys::OsError;
use crate::sys::process::{self, Pid, pid};
use crate::sys::signal::Signal;

impl Order {
    fn signal(self) -> Signal {
        match self {
            Order::Stop => Signal::Term,
            Order::Quit => Signal::Quit,
            Order::Reopen => Signal::Usr1,
            Order::Reload => Signal::Hup,
        }
    }
}

/// A level and words of nginx's, to be printed.
type Refused = (Level, String);

/// Sends it to the master of a pid file. A reload waits for what comes of it where the master can
/// be asked; else there is something to be noted.
///
/// # Errors
/// In nginx's words and at nginx's levels; when the process of that number is another program's;
/// and why a reload failed.
pub fn send(path: &Path, order: Order) -> Result<Option<String>, Refused> {
    let master = find(path)?;
    if order != Order::Reload {
        return kill(master, order.signal()).map(|()| None);
    }
    match ask(master, Question::Reload) {
        Ok(Answer::Done(_)) => Ok(None),
        Ok(Answer::Failed(why)) => Err((Level::Emerg, why)),
        Err(why @ (Unanswered::Unreachable(_) | Unanswered::Stranger(_))) => {
            kill(master, Signal::Hup)?;
            let text = "signal 1 (SIGHUP) was sent, what comes of it is in the error log: process";
            Ok(Some(format!("{text} {master} cannot be asked, {why}")))
        }
        Err(why) => Err(unasked(master, &why)),
    }
}

/// How the master of a pid file is.
///
/// # Errors
/// As [`send`]; and when it cannot be asked.
pub fn status(path: &Path, form: Form) -> Result<String, Refused> {
    let master = find(path)?;
    match ask(master, Question::Status(form)) {
        Ok(Answer::Done(text)) => Ok(text),
        Ok(Answer::Failed(why)) => Err((Level::Error, why)),
        Err(why) => Err(unasked(master, &why)),
    }
}

fn unasked(master: Pid, why: &Unanswered) -> Refused {
    (
        Level::Error,
        format!("process {master} cannot be asked, {why}"),
    )
}

/// The process that a pid file names, if it can be one of ours.
fn find(path: &Path) -> Result<Pid, Refused> {
    let master = pid_file::read(path).map_err(|text| (Level::Error, text))?;
    let names = name(pid()).zip(name(master));
    if let Some((own, name)) = names.filter(|(own, name)| own != name && !same_program(master)) {
        let path = path.display();
        let text = format!(
            "process {master} of \"{path}\" is \"{name}\", not \"{own}\": the file is left over, \
             no signal was sent"
        );
        return Err((Level::Error, text));
    }
    Ok(master)
}

fn kill(master: Pid, signal: Signal) -> Result<(), Refused> {
    process::kill(master, signal).map_err(|error| {
        let (number, error) = (signal.number(), OsError(&error));
        (
            Level::Alert,
            format!("kill({master}, {number}) failed {error}"),
        )
    })
}

/// Whether a process runs the program that this one runs, or what was at its place before an
/// upgrade.
fn same_program(other: Pid) -> bool {
    program(pid()).is_some_and(|own| program(other) == Some(own))
}

/// Where the program of a process is, or was; `None` when that cannot be seen.
fn program(pid: Pid) -> Option<Vec<u8>> {
    let place = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let place = place.into_os_string().into_vec();
    Some(place.strip_suffix(b" (deleted)").unwrap_or(&place).into())
}

/// The name that a process was started by, in 15 bytes; `None` when there is no such process or it
/// cannot be seen.
fn name(pid: Pid) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_ascii_end().escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_to(text: &str) -> (Level, String) {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("x.pid");
        fs::write(&path, text).expect("written");
        let (level, text) = send(&path, Order::Reload).expect_err("refused");
        (level, text.replace(path.to_str().expect("text"), "FILE"))
    }

    #[test]
    fn refused_in_the_words_of_nginx() {
        let (level, text) = send(Path::new("/none/x.pid"), Order::Stop).expect_err("refused");
        let expected = "open() \"/none/x.pid\" failed (2: No such file or directory)";
        assert_eq!((level, text.as_str()), (Level::Error, expected));
        assert_eq!(
            send_to("x"),
            (Level::Error, "invalid PID number \"x\" in \"FILE\"".into())
        );
        let gone = "kill(99999999, 1) failed (3: No such process)";
        assert_eq!(send_to("99999999"), (Level::Alert, gone.into()));
    }

    #[test]
    fn another_program_is_left_alone() {
        let (level, text) = send_to("1");
        assert_eq!(level, Level::Error);
        assert!(text.starts_with("process 1 of \"FILE\" is \""), "{text}");
    }
}
