//! A second master, from the binary that stands now where this one was started from. When, and what
//! follows from its end, is decided elsewhere.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::listeners::{Heirloom, Inherited, Listeners};
use super::pid_file::PidFile;
use crate::log;
use crate::sys::process::{self, Fork, Pid};
use crate::sys::{OsError, scratch, signal};

/// How much of what a successor says at its start is kept, in bytes.
const SAID: u64 = 16 << 10;
/// How many lines of it are logged.
const SAID_LINES: usize = 20;

/// This master among those of its line.
pub(super) struct Upgrade {
    program: PathBuf,
    /// The master that started this one, while it lives.
    predecessor: Option<Pid>,
    successor: Option<Successor>,
}

struct Successor {
    pid: Pid,
    /// What it writes on stderr until it serves, where nobody else would see it.
    said: Option<File>,
}

impl Upgrade {
    /// `started_by_master`: sockets came with this process's environment.
    pub fn new(started_by_master: bool) -> Upgrade {
        Upgrade {
            program: program(),
            predecessor: started_by_master.then(predecessor).flatten(),
            successor: None,
        }
    }

    /// The process of the successor, while it lives.
    pub fn successor(&self) -> Option<Pid> {
        self.successor.as_ref().map(|successor| successor.pid)
    }

    /// The master that started this one, while it lives.
    pub fn predecessor(&self) -> Option<Pid> {
        self.predecessor
    }

    /// The predecessor, once, when it has left.
    pub fn predecessor_left(&mut self) -> Option<Pid> {
        self.predecessor
            .take_if(|predecessor| process::parent() != Some(*predecessor))
    }

    /// Starts the new binary, after the pid file made room for its own. One that cannot be executed
    /// says so in the log and ends.
    ///
    /// # Errors
    /// A line for the log; nothing has changed then.
    pub fn execute(
        &mut self,
        sockets: &Listeners,
        pid_file: Option<&mut PidFile>,
        daemon: bool,
    ) -> Result<Pid, String> {
        if process::pid().number() == 1 {
            return Err("the end of process 1 would end its successor as well".into());
        }
        let mut moved = pid_file;
        if let Some(file) = &mut moved {
            file.set_aside()?;
        }
        let started = self.start(sockets, daemon);
        if let (Err(_), Some(file)) = (&started, moved) {
            file.put_back();
        }
        let failed = |error| format!("fork() failed {}", OsError(&error));
        let successor = started.map_err(failed)?;
        let pid = successor.pid;
        self.successor = Some(successor);
        Ok(pid)
    }

    /// A file that does not answer stalls the child, not this process.
    fn start(&self, sockets: &Listeners, daemon: bool) -> io::Result<Successor> {
        let copies = sockets.inheritable()?;
        // A daemon has no stderr; what a binary that does not start has to say goes there.
        let said = daemon.then(|| scratch::create(SAID)).transpose()?;
        let mut command = self.command(&copies);
        if let Some(said) = &said {
            command.stderr(Stdio::from(said.try_clone()?));
        }
        let mask = signal::block_all()?;
        let forked = process::fork();
        if matches!(forked, Ok(Fork::Child)) {
            let unblocked = signal::reset_to_default().and_then(|()| signal::unblock_all());
            let error = unblocked.err().unwrap_or_else(|| command.exec());
            let program = self.program.display();
            log::alert!("execve(\"{program}\") failed {}", OsError(&error));
            std::process::exit(1);
        }
        signal::restore(&mask)?;
        match forked? {
            Fork::Parent(pid) => Ok(Successor { pid, said }),
            Fork::Child => unreachable!("it has exited"),
        }
    }

    /// The arguments and the environment of this process, and the numbers of the sockets, which
    /// stay open.
    fn command(&self, sockets: &[Heirloom]) -> Command {
        let mut arguments = env::args_os();
        let mut command = Command::new(&self.program);
        command
            .arg0(arguments.next().unwrap_or_default())
            .args(arguments);
        // It names the process whose life systemd watches.
        command.env_remove("WATCHDOG_PID");
        let list = |sockets: &mut dyn Iterator<Item = &Heirloom>| -> String {
            sockets
                .map(|it| format!("{};", it.fd.as_raw_fd()))
                .collect()
        };
        command.env(Inherited::VARIABLE, list(&mut sockets.iter()));
        if sockets.iter().any(|socket| socket.lent) {
            let lent = list(&mut sockets.iter().filter(|socket| socket.lent));
            command.env(Inherited::LENT, lent);
        }
        command
    }

    /// Notes the end of a child. If it was the successor, the pid file is back in its place and
    /// what the successor had to say is in the log.
    pub fn ended(&mut self, pid: Pid, pid_file: Option<&mut PidFile>) {
        let Some(successor) = self.successor.take_if(|successor| successor.pid == pid) else {
            return;
        };
        if let Some(file) = pid_file {
            file.put_back();
        }
        let said = successor.said.map(|file| scratch::text(&file));
        let said = said.and_then(Result::ok).unwrap_or_default();
        for line in String::from_utf8_lossy(&said).lines().take(SAID_LINES) {
            log::error!("new binary process {pid} said: {line}");
        }
    }
}

/// The path that this program was started by, which names the new binary once it is replaced; where
/// the arguments do not tell, the path of the program that runs.
fn program() -> PathBuf {
    let running = fs::read_link("/proc/self/exe").unwrap_or_default();
    let named = env::args_os().next().and_then(found_as);
    let same = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == running);
    named.filter(same).unwrap_or_else(|| undeleted(running))
}

/// Where a command is: a path as it stands, a name along `PATH`.
fn found_as(command: OsString) -> Option<PathBuf> {
    if command.as_bytes().contains(&b'/') {
        return std::path::absolute(command).ok();
    }
    let list = env::var_os("PATH")?;
    let mut places = env::split_paths(&list).map(|place| place.join(&command));
    places
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
}

/// The kernel marks the path of a program that was replaced meanwhile.
fn undeleted(path: PathBuf) -> PathBuf {
    let path = path.into_os_string().into_vec();
    let kept = path.strip_suffix(b" (deleted)").unwrap_or(&path);
    OsString::from_vec(kept.into()).into()
}

/// The process that started this one, if it runs the same program. Its end will be announced.
fn predecessor() -> Option<Pid> {
    let name = |pid: Pid| fs::read(format!("/proc/{pid}/comm")).ok();
    let parent = process::parent()?;
    let same = name(parent).is_some() && name(parent) == name(process::pid());
    if let (true, Err(error)) = (same, process::hear_of_parent_end()) {
        log::alert!("prctl(PR_SET_PDEATHSIG) failed {}", OsError(&error));
    }
    // It may have gone while it was looked at.
    same.then_some(parent)
        .filter(|_| process::parent() == Some(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_it_was_started_from() {
        let shell = found_as("sh".into()).expect("a shell");
        assert!(shell.is_absolute() && shell.ends_with("sh"), "{shell:?}");
        assert_eq!(found_as("/opt/x/../y".into()), Some("/opt/x/../y".into()));
        assert_eq!(
            found_as("./x".into()),
            Some(env::current_dir().expect("here").join("x"))
        );
        assert_eq!(found_as("no-such-program-here".into()), None);
        assert!(program().is_file());
        for path in ["/usr/sbin/x (deleted)", "/usr/sbin/x"] {
            assert_eq!(undeleted(path.into()), PathBuf::from("/usr/sbin/x"));
        }
    }

    #[test]
    fn a_parent_of_another_name_is_no_predecessor() {
        assert_eq!(predecessor(), None);
    }
}
