//! What of an event's actions is done first. Not what they are.

use super::Action;

/// Puts what may wait for a disk last, so that a log that takes no lines holds up nothing else of
/// the same event; and what ends a wait or the process after it, so that the log has said why.
pub(super) fn urgent_first(mut actions: Vec<Action>) -> Vec<Action> {
    actions.sort_by_key(|action| {
        matches!(
            action,
            Action::Log(..) | Action::ReopenLogs | Action::Answer(..) | Action::Exit(_)
        )
    });
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Level;

    #[test]
    fn logs_come_last_and_in_their_order() {
        let log = |text: &str| Action::Log(Level::Notice, text.into());
        let answer = || Action::Answer(1, Ok(()));
        let actions = vec![
            log("one"),
            Action::Check(2),
            Action::ReopenLogs,
            log("two"),
            answer(),
            Action::Close,
            Action::Exit(0),
        ];
        let expected = [
            Action::Check(2),
            Action::Close,
            log("one"),
            Action::ReopenLogs,
            log("two"),
            answer(),
            Action::Exit(0),
        ];
        assert_eq!(urgent_first(actions), expected);
    }
}
