//! What systemd is told, and what it hands over; a stand-in has its place.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{
    LIMIT, Setup, TestServer, binary, children, install_script, run, signal, skip,
    tool_is_installed, wait_until,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

const SITE: &str = "server { listen %LISTEN%; return 200 served; }";

/// The socket that a service manager listens on.
struct StandIn(UnixDatagram);

impl StandIn {
    fn at(path: &Path) -> StandIn {
        StandIn(UnixDatagram::bind(path).unwrap())
    }

    /// The next message, as lines.
    fn hear(&self) -> Vec<String> {
        self.0.set_read_timeout(Some(LIMIT)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("a message in time");
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The lines of all messages up to the one that has this line.
    fn hear_until(&self, line: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while !heard.iter().any(|it| it == line) {
            heard.extend(self.hear());
        }
        heard
    }
}

fn setup(main: &str) -> (Setup, StandIn) {
    let setup = Setup::with_main(main, SITE);
    let path = setup.prefix().join("notify");
    let stand_in = StandIn::at(&path);
    (setup.environment("NOTIFY_SOCKET", path), stand_in)
}

#[test]
fn ready_once_a_worker_is() {
    let (setup, manager) = setup("worker_processes 2;");
    let server = setup.spawn();
    assert_eq!(manager.hear(), ["STATUS=starting"]);
    let ready = manager.hear();
    assert_eq!(ready, ["READY=1", "STATUS=1 worker, generation 1"]);
    assert_eq!(server.get("/").text(), "served");
    assert_eq!(manager.hear(), ["STATUS=2 workers, generation 1"]);
}

#[test]
fn never_ready_without_a_worker() {
    let (setup, manager) = setup("worker_processes 1; working_directory /nowhere;");
    let mut server = setup.spawn();
    server.expect_log("chdir(");
    server.expect_log("it cannot start");
    assert_eq!(server.wait(), 1);
    let heard = manager.hear_until("STOPPING=1");
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
}

#[test]
fn a_reload_and_its_outcome() {
    let (setup, manager) = setup("worker_processes 1;");
    let mut server = setup.spawn();
    manager.hear_until("READY=1");
    server.signal(Signal::SIGHUP);
    let heard = manager.hear_until("STATUS=1 worker, generation 2, last reload succeeded");
    let at = |start: &str| heard.iter().position(|line| line.starts_with(start));
    let (began, when) = (at("RELOADING=1").unwrap(), at("MONOTONIC_USEC=").unwrap());
    assert!(began < when && when < at("READY=1").unwrap(), "{heard:?}");

    server.edit_config("events {}", "events { nonsense; }");
    server.expect_log("\"nonsense\"");
    server.signal(Signal::SIGHUP);
    let heard = manager.hear_until("STATUS=1 worker, generation 2, last reload failed");
    assert!(heard.contains(&"RELOADING=1".to_owned()), "{heard:?}");
    server.signal(Signal::SIGQUIT);
    manager.hear_until("STOPPING=1");
    assert_eq!(server.wait(), 0);
}

#[test]
fn the_abstract_namespace() {
    let name = format!("forkful-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = StandIn(UnixDatagram::bind_addr(&address).unwrap());
    let setup = Setup::http(SITE).environment("NOTIFY_SOCKET", format!("@{name}"));
    let _server = setup.spawn();
    manager.hear_until("READY=1");
}

#[test]
fn the_watchdog_hears_the_master_while_it_runs() {
    let (setup, manager) = setup("worker_processes 1;");
    let server = setup.environment("WATCHDOG_USEC", "100000").spawn();
    manager.hear_until("READY=1");
    for _ in 0..5 {
        manager.hear_until("WATCHDOG=1");
    }
    server.signal(Signal::SIGSTOP);
    // What was on its way is heard; then comes nothing more.
    manager
        .0
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    while manager.0.recv(&mut [0; 64]).is_ok() {}
    server.signal(Signal::SIGCONT);
    manager.hear_until("WATCHDOG=1");
}

#[test]
fn a_manager_that_does_not_listen_holds_nothing_up() {
    let (setup, manager) = setup("worker_processes 1;");
    let flood = UnixDatagram::unbound().unwrap();
    flood.set_nonblocking(true).unwrap();
    while flood.send_to(b"x", setup.prefix().join("notify")).is_ok() {}
    let server = setup.start();
    assert_eq!(server.get("/").text(), "served");
    server.reload();
    manager.hear_until("READY=1");
}

/// The process of the new binary, once it has workers.
fn successor(server: &TestServer) -> Option<u32> {
    let text = fs::read_to_string(server.path("pid")).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    (pid != server.pid() && !children(pid).is_empty()).then_some(pid)
}

#[test]
fn the_service_passes_to_the_successor() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let (setup, manager) = setup("worker_processes 1;");
    let mut server = setup.spawn();
    manager.hear_until("READY=1");
    server.signal(Signal::SIGUSR2);
    let successor = wait_until("it serves", || successor(&server));
    server.signal(Signal::SIGQUIT);
    let heard = manager.hear_until(&format!("MAINPID={successor}"));
    assert!(!heard.contains(&"STOPPING=1".to_owned()), "{heard:?}");
    assert_eq!(server.wait(), 0);
    manager.hear_until("READY=1");
    assert_eq!(server.get("/").text(), "served");
    signal(successor, Signal::SIGTERM);
    manager.hear_until("STOPPING=1");
}

#[test]
fn the_watchdog_hears_the_successor_while_the_old_master_drains() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let path = TempDir::new().unwrap();
    let path = path.path().join("notify");
    let manager = StandIn::at(&path);
    let size = 20 << 20;
    let site = "server { listen %LISTEN%; root html; }";
    let mut server = Setup::with_main("worker_processes 1;", site)
        .file("html/big", vec![b'x'; size])
        .environment("NOTIFY_SOCKET", path)
        .environment("WATCHDOG_USEC", "100000")
        .spawn();
    manager.hear_until("READY=1");
    let mut slow = server.connect();
    slow.send_get("/big");
    slow.fill().unwrap();
    server.signal(Signal::SIGUSR2);
    let successor = wait_until("the successor serves", || successor(&server));
    server.signal(Signal::SIGQUIT);
    manager.hear_until(&format!("MAINPID={successor}"));
    for _ in 0..5 {
        manager.hear_until("WATCHDOG=1");
    }
    assert_eq!(children(server.pid()).len(), 2, "the old one drains");
    assert_eq!(slow.response().body.len(), size);
    assert_eq!(server.wait(), 0);
    // Beats that nobody has heard leave no room for the last word.
    manager.hear_until("READY=1");
    signal(successor, Signal::SIGTERM);
    manager.hear_until("STOPPING=1");
}

/// Does for a program what systemd does for a service with sockets: those that the server would
/// inherit in nginx's way are given to it in systemd's.
const ACTIVATE: &str = r#"#!/bin/bash
IFS=';' read -r -a given <<<"$NGINX"
unset NGINX
number=70
for socket in "${given[@]}"; do
    eval "exec $((number++))<&$socket $socket<&-"
done
export LISTEN_FDS=${#given[@]} LISTEN_FDNAMES=web:other LISTEN_PID=${LISTEN_PID:-$$}
for ((i = 0; i < LISTEN_FDS; i++)); do
    eval "exec $((3 + i))<&$((70 + i)) $((70 + i))<&-"
done
exec PROGRAM "$@"
"#;

fn write_activate(path: &Path) {
    let script = ACTIVATE.replace("PROGRAM", binary().to_str().unwrap());
    install_script(&script, path);
}

fn activated(http: &str) -> Setup {
    let setup = Setup::http(http);
    let path = setup.prefix().join("activate");
    write_activate(&path);
    setup.program(path.to_str().unwrap())
}

#[test]
fn sockets_of_the_manager_are_served_and_others_closed() {
    let site = "server { listen %LISTEN%; return 200 served; } # %LISTEN2%";
    let server = activated(site).start();
    assert_eq!(server.get("/").text(), "served");
    let other = server.addresses()[1];
    let closed = format!("inherited socket for {other} is not configured, closed");
    assert!(server.log().contains(&closed), "{}", server.log());
    server.reload();
    assert_eq!(server.get("/").text(), "served");
}

#[test]
fn sockets_for_another_process_are_none_of_ours() {
    let site = "server { listen unix:%PREFIX%/socket; return 200; } # %LISTEN% %LISTEN2%";
    let server = activated(site).environment("LISTEN_PID", "1").start();
    assert!(!server.log().contains("inherited socket"));
}

/// A socket unit's file is systemd's, also after an upgrade.
#[test]
fn the_file_of_a_lent_socket_stays() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let place = TempDir::new().unwrap();
    let within = |name: &str| place.path().join(name);
    write_activate(&within("activate"));
    let unix = UnixListener::bind(within("socket")).unwrap();
    let config = format!(
        "daemon off; pid {0}/pid; error_log {0}/error.log notice; events {{}}
         http {{ access_log off; server {{ listen unix:{0}/socket; return 200; }} }}",
        place.path().display()
    );
    fs::write(within("server.conf"), config).unwrap();
    let mut command = Command::new(within("activate"));
    command
        .arg("-p")
        .arg(place.path())
        .arg("-c")
        .arg(within("server.conf"));
    let lent = TcpListener::from(OwnedFd::from(unix.try_clone().unwrap()));
    let mut server = common::spawn_with(&mut command, &[lent]);
    let pid = |name: &str| -> Option<u32> {
        let text = fs::read_to_string(within(name)).ok()?;
        text.trim()
            .parse()
            .ok()
            .filter(|&pid| !children(pid).is_empty())
    };
    let old = wait_until("it serves", || pid("pid"));
    signal(old, Signal::SIGUSR2);
    let new = wait_until("the successor serves", || {
        pid("pid").filter(|&new| new != old)
    });
    signal(old, Signal::SIGQUIT);
    wait_until("the old master has left", || server.try_wait().unwrap());
    wait_until("the successor knows", || {
        let log = fs::read_to_string(within("error.log")).unwrap();
        log.contains("has left").then_some(())
    });
    signal(new, Signal::SIGQUIT);
    wait_until("it ends", || (!within("pid").exists()).then_some(()));
    assert!(within("socket").exists());
}

#[test]
fn the_units_are_in_order() {
    if !tool_is_installed("/usr/bin/systemd-analyze") {
        return skip("systemd is not installed");
    }
    // The program that the unit names must exist.
    let place = TempDir::new().unwrap();
    for name in ["forkful.service", "forkful.socket"] {
        let text = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("conf")
                .join(name),
        );
        let text = text
            .unwrap()
            .replace("/usr/sbin/forkful", binary().to_str().unwrap());
        fs::write(place.path().join(name), text).unwrap();
    }
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "forkful.service", "forkful.socket"]);
    let output = run(command.current_dir(place.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{output:?}");
}

/// The system calls that a set of systemd's, or a name, stands for.
fn expand(sets: &str, name: &str) -> Vec<String> {
    if !name.starts_with('@') {
        return vec![name.to_owned()];
    }
    let lines = sets.lines().skip_while(|line| *line != name).skip(1);
    let members = lines.take_while(|line| line.starts_with(' '));
    let members = members.map(str::trim).filter(|it| !it.starts_with('#'));
    members.flat_map(|member| expand(sets, member)).collect()
}

/// What the service unit's filter lets through.
fn allowed() -> Vec<String> {
    let output = run(Command::new("systemd-analyze").arg("syscall-filter"));
    let sets = String::from_utf8(output.stdout).unwrap();
    let unit = include_str!("../conf/forkful.service");
    let filter = unit
        .lines()
        .find_map(|line| line.strip_prefix("SystemCallFilter="));
    let names = filter.unwrap().split_whitespace();
    names.flat_map(|name| expand(&sets, name)).collect()
}

#[test]
fn the_filter_of_the_unit_lets_through_what_is_called() {
    let tools = ["/usr/bin/systemd-analyze", "/usr/bin/strace"];
    if !tools.iter().all(|tool| tool_is_installed(tool)) {
        return skip("systemd or strace is not installed");
    }
    let setup = Setup::with_main("worker_processes 2;", SITE);
    let (path, trace) = (setup.prefix().join("traced"), setup.prefix().join("trace"));
    let (program, trace_name) = (binary(), trace.display().to_string());
    let script = format!(
        "#!/bin/sh\nexec /usr/bin/strace -D -f -qq -o {trace_name} {} \"$@\"\n",
        program.display()
    );
    install_script(&script, &path);
    let mut server = setup.program(path.to_str().unwrap()).start();
    assert_eq!(server.get("/").text(), "served");
    server.reload();
    server.signal(Signal::SIGUSR1);
    server.wait_for_log("SIGUSR1) received");
    server.signal(Signal::SIGUSR2);
    server.wait_for_log("start new binary process");
    assert_eq!(server.get("/").text(), "served");
    wait_until("the successor has workers", || {
        let pid = fs::read_to_string(server.path("pid"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        (pid != server.pid() && children(pid).len() == 2).then(|| signal(pid, Signal::SIGTERM))
    });
    server.wait_for_log("exited with code 0, this one goes on");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);

    let allowed = allowed();
    let trace = fs::read_to_string(trace).unwrap();
    let call = |line: &'_ str| -> Option<String> {
        let (name, _) = line.split_whitespace().nth(1)?.split_once('(')?;
        Some(name.to_owned())
    };
    let called: BTreeSet<String> = trace.lines().filter_map(call).collect();
    assert!(
        called.contains("accept4") && called.contains("execve"),
        "{called:?}"
    );
    let refused: Vec<_> = called
        .iter()
        .filter(|name| !allowed.contains(name))
        .collect();
    assert!(refused.is_empty(), "the filter refuses {refused:?}");
}
