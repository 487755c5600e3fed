//! Configurations that take each other's place: the next becomes the current one, and until its
//! probation is over the former may be restored. When, others decide.

use super::{Event, Listeners, Loop, PidFile, Stage, log, reopen};
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

    /// Also those of a configuration that may yet serve, or serve again.
    pub(super) fn reopen_logs(&self) {
        let stages = self.next.iter().chain(&self.former).chain([&self.current]);
        let logs: Vec<_> = stages.map(|stage| &stage.loaded.logs).collect();
        reopen::reopen(&logs, &self.children);
    }
}
