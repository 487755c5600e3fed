//! What needs root is tested only when the tests run as root.

use std::fs;

use super::super::alone::alone;
use super::*;

/// A line of /proc/self/status.
fn status(name: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").expect("read");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .expect("a line");
    line.trim_start_matches(':')
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn users_and_groups_have_names_or_numbers() {
    let root = Identity::find("root", None).expect("root");
    assert_eq!((root.uid(), root.gid()), (0, 0));
    assert_eq!(Identity::find("0", Some("root")).expect("root"), root);
    let number = Identity::find("54321", None).expect("a number");
    assert_eq!(
        (number.name.clone(), number.uid(), number.gid()),
        (None, 54321, 54321)
    );

    let error = |user, group| Identity::find(user, group).unwrap_err().to_string();
    assert_eq!(
        error("no-such-user", None),
        "getpwnam(\"no-such-user\") failed"
    );
    assert_eq!(
        error("root", Some("no-such-group")),
        "getgrnam(\"no-such-group\") failed"
    );
    assert_eq!(error("-1", None), "getpwnam(\"-1\") failed");
}

#[test]
fn privileges_go_for_good() {
    alone("sys::privilege::tests::privileges_go_for_good", || {
        if !is_root() {
            return;
        }
        let number = Identity::find("54321", Some("54322")).expect("numbers");
        drop_privileges(&number).expect("dropped");
        assert!(!is_root());
        assert_eq!(status("Uid"), "54321 54321 54321 54321");
        assert_eq!(status("Gid"), "54322 54322 54322 54322");
        assert_eq!(status("Groups"), "54322");
        assert_eq!(status("CapEff"), "0000000000000000");
        let error = drop_privileges(&number).unwrap_err().to_string();
        assert_eq!(
            error,
            "setgroups(54322) failed (1: Operation not permitted)"
        );
    });
}

#[test]
fn root_is_left_without_its_power() {
    alone(
        "sys::privilege::tests::root_is_left_without_its_power",
        || {
            if !is_root() {
                return;
            }
            drop_privileges(&Identity::find("root", None).expect("root")).expect("dropped");
            assert_eq!(status("Uid"), "0 0 0 0");
            assert_eq!(status("CapEff"), "0000000000000000");
            assert_eq!(status("CapBnd"), "0000000000000000");
            let other = Identity::find("54321", None).expect("a number");
            assert!(drop_privileges(&other).is_err(), "nobody else any more");
        },
    );
}

#[test]
fn kept_capabilities_are_noticed() {
    alone(
        "sys::privilege::tests::kept_capabilities_are_noticed",
        || {
            if !is_root() {
                return;
            }
            prctl::set_keepcaps(true).expect("kept");
            let error =
                drop_privileges(&Identity::find("54321", None).expect("a number")).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("root privileges were dropped, but"),
                "{error}"
            );
        },
    );
}

#[test]
fn capabilities_go_and_the_user_stays() {
    alone(
        "sys::privilege::tests::capabilities_go_and_the_user_stays",
        || {
            let user = status("Uid");
            drop_capabilities().expect("dropped");
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(status(set), "0000000000000000", "{set}");
            }
            assert_eq!(status("Uid"), user);
            if is_root() {
                assert_eq!(status("CapBnd"), "0000000000000000");
            }
            set_no_new_privileges().expect("set");
            assert_eq!(status("NoNewPrivs"), "1");
        },
    );
}
