//! The few words that the master and a worker exchange over their channel. Not the channel itself.

/// The exit code of a worker whose start failed for a reason that a replacement would meet again,
/// as nginx's 2.
pub const START_FAILED: i32 = 2;

/// Slots that a worker accepts for: its own, and those before it that have no worker. They follow
/// each other; after the last slot comes the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The first of them.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

impl Slots {
    /// Every slot.
    pub const ALL: Slots = Slots {
        first: 0,
        count: u32::MAX,
    };

    /// Whether `slot`, one of `workers`, is among them.
    pub fn contain(self, slot: usize, workers: usize) -> bool {
        let distance = (slot + workers - self.first as usize % workers) % workers;
        distance < self.count as usize
    }
}

/// What the master tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Accept connections from the sockets that all workers share and from those of these slots,
    /// and from no others; or look whether any wait, if that is what it does already.
    Admit {
        /// Whose sockets.
        slots: Slots,
    },
    /// Go on accepting for this endpoint when paused, and take what waits there before leaving:
    /// nobody else will.
    Keep {
        /// Its number in the site.
        endpoint: u32,
    },
    /// Further sockets of an endpoint come with this message.
    Take {
        /// Its number in the site.
        endpoint: u32,
        /// The number of the first of them among the endpoint's sockets.
        first: u32,
    },
    /// Stop accepting, but for endpoints to be kept; serve what was accepted.
    Pause,
    /// Stop accepting, finish the running requests, give idle connections the time that
    /// `keepalive_min_timeout` grants them, exit.
    Retire,
    /// Stop accepting, finish the running requests, exit.
    Quit,
    /// Exit at once.
    Stop,
    /// Say [`Report::Pong`].
    Ping,
    /// Write to the logs that come with this message, one descriptor for each, in the order of the
    /// log table.
    Reopen {
        /// The place in the table of the first of them: a message has room for a few hundred
        /// descriptors.
        first: u32,
    },
}

/// Room for any message of this file.
pub const LONGEST: usize = 10;

impl Command {
    /// The message that stands for it.
    pub fn message(self) -> Vec<u8> {
        let message = |word: u8, numbers: &[u32]| {
            let numbers = numbers.iter().flat_map(|number| number.to_ne_bytes());
            [word].into_iter().chain(numbers).collect()
        };
        match self {
            Command::Admit { slots } => message(b'A', &[slots.first, slots.count]),
            Command::Keep { endpoint } => message(b'K', &[endpoint]),
            Command::Take { endpoint, first } => message(b'T', &[endpoint, first]),
            Command::Pause => message(b'P', &[]),
            Command::Retire => message(b'E', &[]),
            Command::Quit => message(b'Q', &[]),
            Command::Stop => message(b'S', &[]),
            Command::Ping => message(b'?', &[]),
            Command::Reopen { first } => message(b'R', &[first]),
        }
    }

    /// What a message says; `None` when it is no command.
    pub fn read(message: &[u8]) -> Option<Command> {
        let (word, rest) = message.split_first()?;
        let (numbers, odd) = rest.as_chunks();
        let numbers: Vec<u32> = numbers.iter().map(|it| u32::from_ne_bytes(*it)).collect();
        if !odd.is_empty() {
            return None;
        }
        match (word, &numbers[..]) {
            (b'A', &[first, count]) => Some(Command::Admit {
                slots: Slots { first, count },
            }),
            (b'K', &[endpoint]) => Some(Command::Keep { endpoint }),
            (b'T', &[endpoint, first]) => Some(Command::Take { endpoint, first }),
            (b'P', []) => Some(Command::Pause),
            (b'E', []) => Some(Command::Retire),
            (b'Q', []) => Some(Command::Quit),
            (b'S', []) => Some(Command::Stop),
            (b'?', []) => Some(Command::Ping),
            (b'R', &[first]) => Some(Command::Reopen { first }),
            _ => None,
        }
    }
}

/// What a worker tells the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It can serve, and waits for [`Command::Admit`].
    Ready,
    /// Its loop turns: it has read [`Command::Ping`].
    Pong,
    /// It had no room for the descriptors that came with this command, and wants them again.
    Missed(Command),
}

impl Report {
    /// The message that stands for it.
    pub fn message(self) -> Vec<u8> {
        match self {
            Report::Ready => b"r".to_vec(),
            Report::Pong => b"!".to_vec(),
            Report::Missed(command) => [b"m", &command.message()[..]].concat(),
        }
    }

    /// What a message says; `None` when it is no report.
    pub fn read(message: &[u8]) -> Option<Report> {
        match message {
            b"r" => Some(Report::Ready),
            b"!" => Some(Report::Pong),
            [b'm', command @ ..] => Command::read(command).map(Report::Missed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_reads_as_what_was_said() {
        let slots = Slots {
            first: 4095,
            count: 70_000,
        };
        for command in [
            Command::Admit { slots },
            Command::Keep { endpoint: 300 },
            Command::Take {
                endpoint: 300,
                first: 4096,
            },
            Command::Pause,
            Command::Retire,
            Command::Quit,
            Command::Stop,
            Command::Ping,
            Command::Reopen { first: 70_000 },
        ] {
            let missed = Report::Missed(command);
            assert!(missed.message().len() <= LONGEST);
            assert_eq!(Command::read(&command.message()), Some(command));
            assert_eq!(Report::read(&command.message()), None);
            assert_eq!(Report::read(&missed.message()), Some(missed));
        }
        for report in [Report::Ready, Report::Pong] {
            assert_eq!(Report::read(&report.message()), Some(report));
        }
        for other in [
            &b""[..],
            b"A",
            b"AA",
            b"x",
            b"R",
            b"R12345",
            b"P1234",
            b"mx",
        ] {
            assert_eq!((Command::read(other), Report::read(other)), (None, None));
        }
    }

    #[test]
    fn slots_go_round() {
        let of = |first, count, workers| {
            let slots = Slots { first, count };
            let found = (0..workers).filter(|&slot| slots.contain(slot, workers));
            found.collect::<Vec<_>>()
        };
        assert_eq!(of(2, 1, 4), [2]);
        assert_eq!(of(3, 3, 4), [0, 1, 3]);
        assert_eq!(of(0, 4, 4), [0, 1, 2, 3]);
        assert_eq!(of(0, u32::MAX, 1), [0]);
        assert_eq!(of(1, 0, 4), [] as [usize; 0]);
    }
}
