//! nginx's eight levels.

use std::fmt;
use std::str::FromStr;

/// How grave a message is, the gravest first and least: `Emerg < Debug`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "nginx's names; the macros of `log` say what they are for"
)]
pub enum Level {
    Emerg = 1,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
}

impl Level {
    /// All of them, the gravest first.
    pub const ALL: [Level; 8] = [
        Level::Emerg,
        Level::Alert,
        Level::Crit,
        Level::Error,
        Level::Warn,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];

    /// As in `error_log` and in a line's brackets.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Emerg => "emerg",
            Level::Alert => "alert",
            Level::Crit => "crit",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }

    /// The level of the `log` crate, which has fewer.
    pub const fn nearest(self) -> log::Level {
        match self {
            Level::Emerg | Level::Alert | Level::Crit | Level::Error => log::Level::Error,
            Level::Warn => log::Level::Warn,
            Level::Notice | Level::Info => log::Level::Info,
            Level::Debug => log::Level::Debug,
        }
    }

    /// The level of a record: the one it carries, or that of a library's own; none for `trace`.
    pub(super) fn of(record: &log::Record<'_>) -> Option<Level> {
        let carried = record
            .key_values()
            .get("level".into())
            .and_then(|value| value.to_u64());
        match (carried, record.level()) {
            (Some(number), _) => Level::ALL.into_iter().find(|level| *level as u64 == number),
            (None, log::Level::Error) => Some(Level::Error),
            (None, log::Level::Warn) => Some(Level::Warn),
            (None, log::Level::Info) => Some(Level::Info),
            (None, log::Level::Debug) => Some(Level::Debug),
            (None, log::Level::Trace) => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is no level's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Level, UnknownLevel> {
        Level::ALL
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or(UnknownLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order() {
        for pair in Level::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
            assert!(pair[0].nearest() <= pair[1].nearest());
        }
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert_eq!("ERROR".parse::<Level>(), Err(UnknownLevel));
    }

    #[test]
    fn records_carry_their_level() {
        let level = |level: log::Level, pairs: &[(&str, u8)]| {
            Level::of(
                &log::Record::builder()
                    .level(level)
                    .key_values(&pairs)
                    .build(),
            )
        };
        assert_eq!(
            level(log::Level::Error, &[("level", 2)]),
            Some(Level::Alert)
        );
        assert_eq!(
            level(log::Level::Info, &[("level", 6)]),
            Some(Level::Notice)
        );
        assert_eq!(level(log::Level::Info, &[]), Some(Level::Info));
        assert_eq!(level(log::Level::Trace, &[]), None);
    }
}
