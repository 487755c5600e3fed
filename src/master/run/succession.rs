//! The loop's part in an upgrade: a successor is started, or the predecessor has left.

use super::{Event, Loop, Stage};

impl Loop {
    /// The end of the master before this one is announced as that of a child.
    pub(super) fn succeed(&mut self) {
        let Some(predecessor) = self.upgrade.predecessor_left() else {
            return;
        };
        self.events.push_back(Event::PredecessorLeft(predecessor));
        let others = self.next.iter_mut().chain(&mut self.former);
        others
            .chain([&mut self.current])
            .for_each(|stage| stage.listeners.own());
    }

    /// Starts the successor.
    pub(super) fn execute_binary(&mut self) {
        let Stage {
            loaded,
            listeners,
            pid_file,
            ..
        } = &mut self.current;
        let daemon = loaded.settings.daemon;
        let executed = self.upgrade.execute(listeners, pid_file.as_mut(), daemon);
        self.events.push_back(match executed {
            Ok(pid) => Event::Executed(pid),
            Err(why) => Event::ExecuteFailed(why),
        });
    }
}
