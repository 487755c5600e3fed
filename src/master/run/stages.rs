//! Configurations that take each other's place: the next is loaded, becomes the current one, and
//! until its probation is over the former may be restored. When, others decide.

use std::rc::Rc;
use std::time::Instant;

use super::{Event, Listeners, Loaded, Loop, PidFile, Stage, log, reopen};
use crate::master::listeners::Inherited;
use crate::site::zones::Zone;
use crate::sys::channel::MAX_DESCRIPTORS;
use crate::sys::process::Pid;
use crate::worker::command::Command;

impl Stage {
    /// Takes over the pid file of the stage that it replaces, if both want the same.
    fn inherit_pid_file(&mut self, other: &mut Stage) {
        if self.pid_file.is_none() && self.loaded.pid == other.loaded.pid {
            self.pid_file = other.pid_file.take();
        }
    }

    /// What it shares with another stage gets its own options back; it has listened with them
    /// before.
    fn listen_again(&self) {
        let _ = self.listeners.listen(&Listeners::default());
    }

    /// Removes what only it had.
    fn drop_beside(self, current: &Stage) {
        self.listeners.close(&current.listeners);
        self.pid_file.into_iter().for_each(PidFile::remove);
    }
}

impl Loop {
    pub(super) fn load(&mut self, number: u64) {
        let unchecked = || vec!["the configuration was not checked".into()];
        let checked = self.checks.take(number).ok_or_else(unchecked);
        let loaded = checked.and_then(|outside| self.current.loaded.reload(outside, &self.zones()));
        let plan = match loaded.and_then(|loaded| self.stage(number, loaded)) {
            Ok(stage) => Ok(self.next.insert(stage).loaded.terms()),
            Err(mut lines) => {
                lines.iter().for_each(|line| log::emerg!("{line}"));
                Err(lines.swap_remove(0))
            }
        };
        self.events.push_back(Event::Loaded {
            generation: number,
            plan,
        });
    }

    /// Binds and writes what a new configuration wants; what it shares with the current one is
    /// kept.
    ///
    /// # Errors
    /// At least one line, in nginx's words.
    fn stage(&self, number: u64, loaded: Loaded) -> Result<Stage, Vec<String>> {
        let held = &self.current.listeners;
        let none = Inherited::default();
        let listeners = Listeners::bind(&loaded.listeners, loaded.workers, held, &none)
            .map_err(|refused| refused.lines)?;
        let moved = loaded.pid != self.current.loaded.pid;
        let pid_file = moved.then(|| loaded.write_pid()).transpose();
        match pid_file.map(Option::flatten) {
            Ok(pid_file) => Ok(Stage {
                number,
                born: Instant::now(),
                loaded,
                listeners,
                pid_file,
            }),
            Err(line) => {
                listeners.close(held);
                Err(vec![line])
            }
        }
    }

    pub(super) fn listen(&mut self, number: u64) {
        let Some(next) = &self.next else { return };
        self.events
            .push_back(match next.listeners.listen(&self.current.listeners) {
                Ok(()) => Event::Listening(number),
                Err(mut refused) => {
                    let error = refused.lines.swap_remove(0);
                    refused.lines.iter().for_each(|line| log::emerg!("{line}"));
                    self.current.listen_again();
                    Event::ListenFailed {
                        generation: number,
                        error,
                    }
                }
            });
    }

    /// The next configuration becomes the current one. What it does not listen on is left to the
    /// workers of the one before.
    pub(super) fn adopt(&mut self) {
        let Some(mut next) = self.next.take() else {
            return;
        };
        next.inherit_pid_file(&mut self.current);
        let former = std::mem::replace(&mut self.current, next);
        self.keep_for(&former);
        self.former = Some(former);
        self.current.loaded.make_current();
    }

    /// Tells the workers of a configuration that no longer serves which endpoints are theirs alone.
    fn keep_for(&self, stage: &Stage) {
        for endpoint in stage.listeners.without(&self.current.listeners) {
            let command = Command::Keep { endpoint };
            self.children.tell_all(stage.number, command);
        }
    }

    /// There is no way back any more.
    pub(super) fn settle(&mut self) {
        if let Some(former) = self.former.take() {
            former.drop_beside(&self.current);
        }
    }

    pub(super) fn discard(&mut self, number: u64) {
        if let Some(stage) = self.next.take_if(|stage| stage.number == number) {
            stage.drop_beside(&self.current);
        } else if self.current.number == number
            && let Some(former) = self.former.take()
        {
            self.restore(former);
        }
    }

    /// The configuration before is the current one again.
    fn restore(&mut self, mut former: Stage) {
        former.inherit_pid_file(&mut self.current);
        let failed = std::mem::replace(&mut self.current, former);
        self.keep_for(&failed);
        let number = self.current.number;
        for (endpoint, first, sockets) in self.current.listeners.absorb(&failed.listeners) {
            self.children.hand_out(number, endpoint, first, &sockets);
        }
        self.current.listen_again();
        failed.drop_beside(&self.current);
        self.current.loaded.make_current();
    }

    /// Gives a worker what came with a command and found no room.
    pub(super) fn hand_again(&self, pid: Pid, command: Command) {
        match command {
            Command::Reopen { first } => reopen::hand_again(&self.children, pid, first),
            Command::Take { endpoint, first }
                if self.children.generation(pid) == Some(self.current.number) =>
            {
                let sockets = self.current.listeners.of(endpoint, first);
                let part = &sockets[..sockets.len().min(MAX_DESCRIPTORS)];
                self.children.hand(pid, command, part);
            }
            _ => {}
        }
    }

    /// Those that serve, may yet serve, or may serve again.
    fn stages(&self) -> impl Iterator<Item = &Stage> {
        let others = self.next.iter().chain(&self.former);
        others.chain([&self.current])
    }

    /// All zones that any configuration or worker has.
    fn zones(&self) -> Vec<Rc<Zone>> {
        let of_stages = self.stages().flat_map(|stage| &stage.loaded.site.zones);
        of_stages.chain(self.children.zones()).cloned().collect()
    }

    /// Also those of a configuration that may yet serve, or serve again.
    pub(super) fn reopen_logs(&self) {
        let logs: Vec<_> = self.stages().map(|stage| &stage.loaded.logs).collect();
        reopen::reopen(&logs, &self.children);
    }
}
