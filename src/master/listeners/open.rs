//! The sockets of a start. An address in use is waited for: its owner may be about to leave.

use std::thread;
use std::time::Duration;

use super::{Inherited, Listeners, Refused, Wanted};
use crate::log;

/// How often it is tried, and the time between, as in nginx.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

impl Listeners {
    /// Binds what is wanted and listens, on `inherited` sockets where there are some.
    ///
    /// # Errors
    /// Lines for the log, in nginx's words.
    pub fn open(
        wanted: &[Wanted],
        workers: usize,
        inherited: Inherited,
    ) -> Result<Listeners, Vec<String>> {
        for _ in 0..ATTEMPTS {
            match attempt(wanted, workers, &inherited) {
                Ok(listeners) => {
                    inherited
                        .close()
                        .iter()
                        .for_each(|line| log::notice!("{line}"));
                    return Ok(listeners);
                }
                Err(refused) if !refused.in_use => return Err(refused.lines),
                Err(refused) => refused.lines.iter().for_each(|line| log::emerg!("{line}")),
            }
            log::notice!("try again to bind() after {}ms", PAUSE.as_millis());
            thread::sleep(PAUSE);
        }
        Err(vec!["still could not bind()".into()])
    }
}

fn attempt(wanted: &[Wanted], workers: usize, inherited: &Inherited) -> Result<Listeners, Refused> {
    let listeners = Listeners::bind(wanted, workers, &Listeners::default(), inherited)?;
    match listeners.listen(&Listeners::default()) {
        Ok(()) => Ok(listeners),
        Err(refused) => {
            listeners.close(&Listeners::default());
            Err(refused)
        }
    }
}
