//! One macro a level, for the process's error log: `log::warn!("...")`. The line of a request goes
//! to its location's log, see [`super::ErrorLog::write`].

/// The record carries nginx's level as `level`; the `log` crate has fewer.
#[doc(hidden)]
#[macro_export]
macro_rules! log_at {
    ($level:ident, $($message:tt)+) => {{
        const LEVEL: $crate::log::Level = $crate::log::Level::$level;
        ::log::log!(LEVEL.nearest(), level = LEVEL as u8; $($message)+)
    }};
}

/// It cannot start or go on.
#[macro_export]
macro_rules! log_emerg {
    ($($message:tt)+) => { $crate::log_at!(Emerg, $($message)+) };
}

/// Somebody should act now.
#[macro_export]
macro_rules! log_alert {
    ($($message:tt)+) => { $crate::log_at!(Alert, $($message)+) };
}

/// Something that must work does not.
#[macro_export]
macro_rules! log_crit {
    ($($message:tt)+) => { $crate::log_at!(Crit, $($message)+) };
}

/// One request or operation failed.
#[macro_export]
macro_rules! log_error {
    ($($message:tt)+) => { $crate::log_at!(Error, $($message)+) };
}

/// A doubtful setting or state.
#[macro_export]
macro_rules! log_warn {
    ($($message:tt)+) => { $crate::log_at!(Warn, $($message)+) };
}

/// A step in the server's life.
#[macro_export]
macro_rules! log_notice {
    ($($message:tt)+) => { $crate::log_at!(Notice, $($message)+) };
}

/// What clients did wrong.
#[macro_export]
macro_rules! log_info {
    ($($message:tt)+) => { $crate::log_at!(Info, $($message)+) };
}

/// For developers.
#[macro_export]
macro_rules! log_debug {
    ($($message:tt)+) => { $crate::log_at!(Debug, $($message)+) };
}
