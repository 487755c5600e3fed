//! From a configuration to the pid file of the master that runs. To read it may take for ever (an
//! include on a file system that does not answer), so a thread does it, which is left alone then.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::shown;
use crate::conf::diagnostic::Severity;
use crate::log::Level;
use crate::master::load::{self, Request};

/// How long a configuration may take to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a configuration tells about the master that runs.
pub struct Trail {
    /// Its pid file, as far as can be told.
    pub pid_file: PathBuf,
    /// What is wrong with the configuration, to be printed; empty if nothing is.
    pub errors: String,
}

/// Reads the configuration.
///
/// # Errors
/// It takes too long.
pub fn find(request: &Request) -> Result<Trail, (Level, String)> {
    let (sender, receiver) = mpsc::channel();
    let request = request.clone();
    thread::spawn(move || {
        let plan = load::read(&request);
        // Nobody waits for it any more if it took too long.
        let _ = sender.send(Trail {
            pid_file: plan.pid_or_default(),
            errors: shown(&plan, Severity::Error),
        });
    });
    let late = "to read the configuration takes too long, no signal was sent";
    let found = receiver.recv_timeout(PATIENCE);
    found.map_err(|_| (Level::Error, late.into()))
}
