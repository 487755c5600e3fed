//! The few words that the master and a worker exchange over their channel: one byte each. Not the channel itself.

/// The exit code of a worker whose start failed for a reason that a replacement would meet again, as nginx's 2.
pub const START_FAILED: i32 = 2;

/// What the master tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start accepting connections.
    Admit,
    /// Stop accepting; serve what was accepted.
    Pause,
    /// Stop accepting, finish the running requests, exit.
    Quit,
    /// Exit at once.
    Stop,
    /// Write to the logs that come with this message, one descriptor for each, in the order of the log table.
    Reopen,
}

impl Command {
    const ALL: [Command; 5] = [
        Command::Admit,
        Command::Pause,
        Command::Quit,
        Command::Stop,
        Command::Reopen,
    ];

    /// The message that stands for it.
    pub fn message(self) -> [u8; 1] {
        match self {
            Command::Admit => *b"A",
            Command::Pause => *b"P",
            Command::Quit => *b"Q",
            Command::Stop => *b"S",
            Command::Reopen => *b"R",
        }
    }

    /// What a message says; `None` when it is no command.
    pub fn read(message: &[u8]) -> Option<Command> {
        Command::ALL
            .into_iter()
            .find(|command| command.message() == message)
    }
}

/// What a worker tells the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It can serve, and waits for [`Command::Admit`].
    Ready,
}

impl Report {
    /// The message that stands for it.
    pub fn message(self) -> [u8; 1] {
        match self {
            Report::Ready => *b"r",
        }
    }

    /// What a message says; `None` when it is no report.
    pub fn read(message: &[u8]) -> Option<Report> {
        (message == Report::Ready.message()).then_some(Report::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_reads_as_what_was_said() {
        for command in Command::ALL {
            assert_eq!(Command::read(&command.message()), Some(command));
            assert_eq!(Report::read(&command.message()), None);
        }
        assert_eq!(Report::read(&Report::Ready.message()), Some(Report::Ready));
        for other in [&b""[..], b"AA", b"x"] {
            assert_eq!((Command::read(other), Report::read(other)), (None, None));
        }
    }
}
