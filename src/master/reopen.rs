//! SIGUSR1: every log is opened again by its path, here and in the workers.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::children::Children;
use crate::log::{self, LogFiles};
use crate::sys::process::Pid;
use crate::sys::{OsError, file};
use crate::worker::command::Command;

/// Opens the logs of this process, which may be several sets, and of all workers anew; one that
/// cannot be opened goes on in its old file.
pub(super) fn reopen(own: &[&LogFiles], children: &Children) {
    let own = || own.iter().flat_map(|logs| logs.iter());
    let mut opened: HashMap<PathBuf, File> = HashMap::new();
    for path in own()
        .map(|log| log.path())
        .chain(children.logs().map(PathBuf::as_path))
    {
        if !opened.contains_key(path)
            && let Some(file) = open(path)
        {
            opened.insert(path.into(), file);
        }
    }
    for log in own() {
        if let Some(new) = opened.get(log.path())
            && let Err(error) = log.replace(new.as_fd())
        {
            log::alert!(
                "dup3() for \"{}\" failed {}",
                log.path().display(),
                OsError(&error)
            );
        }
    }
    children.reopen(|path| match opened.get(path) {
        Some(new) => Some(new.as_fd()),
        None => own().find(|log| log.path() == path).map(AsFd::as_fd),
    });
}

/// Opens the logs again for which a worker had no room, from this place in its table on. If one
/// cannot be opened it keeps those that it has.
pub(super) fn hand_again(children: &Children, pid: Pid, first: u32) {
    let opened: Option<Vec<File>> = children.logs_of(pid, first).map(|it| open(it)).collect();
    if let Some(opened) = opened {
        children.hand(pid, Command::Reopen { first }, &opened);
    }
}

fn open(path: &Path) -> Option<File> {
    let opened = file::open_log(path);
    if let Err(error) = &opened {
        log::emerg!("open() \"{}\" failed {}", path.display(), OsError(error));
    }
    opened.ok()
}
