//! What the top level of a configuration comes to.

use super::*;
use crate::master::loaded::Loaded;

fn request(prefix: &Path, text: &str) -> Request {
    Request {
        start: Start::embedded("test", text),
        prefix: prefix.into(),
        error_log: None,
        keep_user: false,
        subject: None,
    }
}

/// The plan for a configuration in a directory, and what is said about it.
fn plan(prefix: &Path, text: &str) -> (Plan, Vec<String>) {
    let plan = read(&request(prefix, text));
    let entries = plan.draft.diagnostics.entries().iter();
    let said = entries.map(|entry| entry.headline(&plan.sources)).collect();
    (plan, said)
}

#[test]
fn defaults_leave_no_litter() {
    let prefix = tempfile::tempdir().expect("directory");
    let (plan, said) = plan(prefix.path(), "events {}");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].ends_with("logs/error.log\" has no directory, errors go to stderr"),
        "{said:?}"
    );
    assert_eq!(
        (&plan.pid, plan.draft.needs.logs.things().len()),
        (&None, 0)
    );
    assert_eq!(plan.pid_or_default(), prefix.path().join(PID));
    assert!(plan.settings.daemon && plan.settings.master_process);
}

#[test]
fn defaults_of_nginx_are_used_where_their_directory_exists() {
    let prefix = tempfile::tempdir().expect("directory");
    std::fs::create_dir(prefix.path().join("logs")).expect("made");
    let (plan, said) = plan(prefix.path(), "events {}");
    assert_eq!(said, [""; 0]);
    assert_eq!(plan.pid, Some(prefix.path().join(PID)));
    assert_eq!(
        plan.draft.needs.logs.things(),
        [prefix.path().join(ERROR_LOG)]
    );
    let loaded = Loaded::open(plan).expect("opened");
    assert!(prefix.path().join(ERROR_LOG).exists());
    assert_eq!(loaded.log_table()[..], [prefix.path().join(ERROR_LOG)]);
}

#[test]
fn what_is_named_wins() {
    let prefix = tempfile::tempdir().expect("directory");
    let text = "error_log a warn; error_log stderr; pid x.pid; daemon off; events {}";
    let named = Request {
        error_log: Some("b".into()),
        ..request(prefix.path(), text)
    };
    let plan = read(&named);
    assert_eq!(plan.draft.needs.logs.things(), [prefix.path().join("a")]);
    let planned = |level, file| Planned { level, file };
    let expected = [planned(Level::Warn, Some(0)), planned(Level::Error, None)];
    assert_eq!(plan.settings.error_log, expected);
    assert_eq!(plan.pid, Some(prefix.path().join("x.pid")));
    assert!(!plan.settings.daemon);
}

#[test]
fn the_command_line_names_the_log_of_a_configuration_without_one() {
    let prefix = tempfile::tempdir().expect("directory");
    for (name, logs) in [("stderr", vec![]), ("b", vec![prefix.path().join("b")])] {
        let request = Request {
            error_log: Some(name.into()),
            ..request(prefix.path(), "events {}")
        };
        assert_eq!(read(&request).draft.needs.logs.things(), logs);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let prefix = tempfile::tempdir().expect("directory");
    let (_, said) = plan(
        prefix.path(),
        "error_log stderr;\nworker_processes none;\ndaemn off;\nroot /;",
    );
    assert_eq!(
        said,
        [
            "invalid number of workers \"none\" in test:2:18",
            "unknown directive \"daemn\" in test:3:1",
            "\"root\" directive is not allowed here in test:4:1",
        ]
    );
    let (_, said) = plan(prefix.path(), "error_log stderr;");
    assert_eq!(said, ["no \"events\" section in configuration"]);
}

#[test]
fn the_user_can_be_kept() {
    let keep = |text| {
        let request = Request {
            keep_user: true,
            ..request(Path::new("/"), text)
        };
        read(&request).settings.user
    };
    assert_eq!(keep("events {}"), User::Keep);
    if privilege::is_root() {
        assert!(matches!(keep("user root; events {}"), User::Named(_)));
    }
}
