//! `forkful status`: what it tells, in text and JSON.

mod common;

use common::{
    Client, Json, SITE, Setup, TestServer, is_forkful, printed_status, run, signal, wait_until,
};
use nix::sys::signal::Signal;

const MAIN: &str = "worker_processes 1; reload_probation 100ms;";
const RETURNS_ONE: &str = "server { listen %LISTEN%; return 200 \"one\"; }";

/// A server of two workers, a client of it that stays, and the status once its requests are counted.
fn used(http: &str) -> (TestServer, Client, Json) {
    let server = Setup::with_main("worker_processes 2;", http)
        .file("html/f", "text")
        .start();
    let mut client = server.connect();
    for target in ["/f", "/f", "/no"] {
        client.get(target);
    }
    let seen = wait_until("the requests are counted", || {
        let seen = printed_status(&server);
        let requests = |worker: &Json| worker["requests"].number();
        let total: f64 = seen["workers"].items().iter().map(requests).sum();
        (total == 3.0).then_some(seen)
    });
    (server, client, seen)
}

#[test]
fn the_master_and_its_generation_are_told() {
    if !is_forkful() {
        return;
    }
    let (server, _client, seen) = used(SITE);
    assert_eq!(seen["pid"].number(), f64::from(server.pid()));
    assert_eq!(seen["version"].text(), env!("CARGO_PKG_VERSION"));
    assert!(seen["uptime"].number() < 3600.0, "{seen:?}");
    for absent in ["last_reload", "predecessor", "successor"] {
        assert_eq!(seen[absent], Json::Null);
    }
    let [generation] = seen["generations"].items() else {
        panic!("one generation: {seen:?}")
    };
    let numbers = ["number", "workers", "connections"].map(|name| generation[name].number());
    assert_eq!(numbers, [1.0, 2.0, 1.0]);
    assert_eq!(generation["state"].text(), "serving");
}

#[test]
fn what_workers_do_is_counted() {
    if !is_forkful() {
        return;
    }
    let (server, _client, seen) = used(SITE);
    let workers = seen["workers"].items();
    let pids: Vec<_> = workers.iter().map(|it| it["pid"].number()).collect();
    let own = |pid: &u32| pids.contains(&f64::from(*pid));
    assert!(
        pids.len() == 2 && server.workers().iter().all(own),
        "{seen:?}"
    );
    let busy = workers.iter().find(|it| it["requests"].number() > 0.0);
    let busy = busy.expect("one of them");
    let numbers = ["accepted", "connections"].map(|name| busy[name].number());
    assert_eq!(numbers, [1.0, 1.0]);
    let answers = ["2xx", "4xx"].map(|class| busy["responses"][class].number());
    assert_eq!(answers, [2.0, 1.0]);
    assert!(busy["bytes"].number() > 300.0);
}

#[test]
fn odd_addresses_and_deaths_are_told_in_both_forms() {
    if !is_forkful() {
        return;
    }
    let http = "server { listen %LISTEN%; listen \"unix:%PREFIX%/a \\\"b\u{e9}\"; \
                root %PREFIX%/html; }";
    let (mut server, _client, seen) = used(http);
    let listeners = seen["listeners"].items().iter();
    let addresses: Vec<_> = listeners.map(|it| it["address"].text()).collect();
    let odd = format!("unix:{}", server.path("a \"b\u{e9}").display());
    let plain = server.address().to_string();
    assert_eq!(addresses, [plain.as_str(), odd.as_str()]);

    let victim = server.workers()[0];
    server.expect_log("signal 9");
    signal(victim, Signal::SIGKILL);
    let restart = wait_until("the death is known", || {
        printed_status(&server)["restarts"].items().first().cloned()
    });
    assert_eq!(restart["pid"].number(), f64::from(victim));
    let cause = restart["cause"].text();
    assert!(cause.starts_with("exited on signal 9"), "{restart:?}");

    let output = run(&mut server.operator(&["status"]));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let parts = ["GENERATION", "serving", "LISTENER", "exited on signal 9"];
    for part in parts.into_iter().chain([&*odd]) {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// The names of all members, as far as there is one of each.
fn shape(value: &Json) -> String {
    match value {
        Json::List(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Json::Object(members) => {
            let member = |(name, value): &(String, Json)| format!("{name}:{}", shape(value));
            format!(
                "{{{}}}",
                members.iter().map(member).collect::<Vec<_>>().join(",")
            )
        }
        _ => String::new(),
    }
}

#[test]
fn the_status_is_as_documented() {
    if !is_forkful() {
        return;
    }
    let mut server = Setup::with_main(MAIN, RETURNS_ONE).start();
    server.expect_log("signal 9");
    server.expect_log("[emerg]");
    signal(server.workers()[0], Signal::SIGKILL);
    server.edit_config("return", "retrun");
    server.signal(Signal::SIGHUP);
    let seen = wait_until("the death and the reload are known", || {
        let seen = printed_status(&server);
        let lists = ["restarts", "workers"].map(|name| seen[name].items().is_empty());
        let known = lists == [false; 2] && seen["last_reload"] != Json::Null;
        known.then_some(seen)
    });
    let readme = include_str!("../README.md");
    let example = readme.split("```json\n").nth(1).unwrap();
    let example = Json::read(example.split("```").next().unwrap());
    assert_eq!(shape(&example), shape(&seen));
}

#[test]
fn a_configuration_that_broke_hides_no_status() {
    if !is_forkful() {
        return;
    }
    let server = Setup::with_main(MAIN, RETURNS_ONE).start();
    server.edit_config("return", "retrun");
    assert_eq!(printed_status(&server)["generations"].items().len(), 1);
}
