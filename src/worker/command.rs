//! The few words that the master and a worker exchange over their channel. Not the channel itself.

/// The exit code of a worker whose start failed for a reason that a replacement would meet again, as nginx's 2.
pub const START_FAILED: i32 = 2;

/// What the master tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start accepting connections; or look whether any wait, if it accepts already.
    Admit,
    /// Stop accepting; serve what was accepted.
    Pause,
    /// Stop accepting, finish the running requests, give idle connections the time that
    /// `keepalive_min_timeout` grants them, exit.
    Retire,
    /// Stop accepting, finish the running requests, exit.
    Quit,
    /// Exit at once.
    Stop,
    /// Write to the logs that come with this message, one descriptor for each, in the order of the log table.
    Reopen {
        /// The place in the table of the first of them: a message has room for a few hundred descriptors.
        first: u32,
    },
}

/// Room for any message of this file.
pub const LONGEST: usize = 5;

impl Command {
    /// The message that stands for it.
    pub fn message(self) -> Vec<u8> {
        match self {
            Command::Admit => b"A".into(),
            Command::Pause => b"P".into(),
            Command::Retire => b"E".into(),
            Command::Quit => b"Q".into(),
            Command::Stop => b"S".into(),
            Command::Reopen { first } => [&b"R"[..], &first.to_ne_bytes()].concat(),
        }
    }

    /// What a message says; `None` when it is no command.
    pub fn read(message: &[u8]) -> Option<Command> {
        match message {
            b"A" => Some(Command::Admit),
            b"P" => Some(Command::Pause),
            b"E" => Some(Command::Retire),
            b"Q" => Some(Command::Quit),
            b"S" => Some(Command::Stop),
            [b'R', first @ ..] => {
                let first = u32::from_ne_bytes(first.try_into().ok()?);
                Some(Command::Reopen { first })
            }
            _ => None,
        }
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
        let reopen = Command::Reopen { first: 70_000 };
        for command in [
            Command::Admit,
            Command::Pause,
            Command::Retire,
            Command::Quit,
            Command::Stop,
            reopen,
        ] {
            assert!(command.message().len() <= LONGEST);
            assert_eq!(Command::read(&command.message()), Some(command));
            assert_eq!(Report::read(&command.message()), None);
        }
        assert_eq!(Report::read(&Report::Ready.message()), Some(Report::Ready));
        for other in [&b""[..], b"AA", b"x", b"R", b"R12345"] {
            assert_eq!((Command::read(other), Report::read(other)), (None, None));
        }
    }
}
