//! The upgrade of the binary while it serves, in nginx's way: forth, back, and with binaries that
//! are broken, under load.

mod common;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use common::{
    Load, Reuse, Setup, TestServer, binary, children, descriptors, install, install_script, run,
    scaled_count, signal, skip, tool_is_installed, wait_until,
};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

const WORKERS: usize = 2;
const SITE: &str = "server { listen %LISTEN%; listen unix:%PREFIX%/socket; root %PREFIX%/html; }
    server { listen %LISTEN2% reuseport; root %PREFIX%/html; }";

/// A server started from a binary of its own.
fn upgradable() -> TestServer {
    // What outlives the master that started it becomes a child of this process.
    prctl::set_child_subreaper(true).unwrap();
    let main = format!("worker_processes {WORKERS}; reload_probation 50ms;");
    let setup = Setup::with_main(&main, SITE).file("html/f.txt", body());
    let program = setup.prefix().join("server");
    install(&binary(), &program);
    setup.program(program.to_str().unwrap()).start()
}

fn body() -> &'static str {
    const LINE: &str = "every byte of this is checked\n";
    static BODY: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    BODY.get_or_init(|| LINE.repeat(300))
}

/// Clients of both kinds on both addresses.
fn load(server: &TestServer) -> Vec<Load> {
    let kinds = [Reuse::KeepAlive, Reuse::Never];
    let addresses = server.addresses().iter();
    addresses
        .flat_map(|&address| kinds.map(|kind| Load::start(address, 2, kind, body())))
        .collect()
}

fn finish(load: Vec<Load>) {
    for load in load {
        load.wait_for_more();
        let (answered, failures) = load.finish();
        assert!(failures.is_empty(), "{answered} answered, {failures:?}");
    }
}

fn pid_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether the pid file names this master, and no other file another.
fn is_the_only_one(server: &TestServer, pid: u32) -> bool {
    pid_in(&server.path("pid")) == Some(pid) && !server.path("pid.oldbin").exists()
}

/// Sends USR2 to a master; returns its successor once that has workers.
fn succeed(server: &TestServer, old: u32) -> u32 {
    signal(old, Signal::SIGUSR2);
    wait_until("the successor serves", || {
        let new = pid_in(&server.path("pid")).filter(|&new| new != old)?;
        assert_eq!(pid_in(&server.path("pid.oldbin")), Some(old));
        (children(new).len() == WORKERS).then_some(new)
    })
}

/// Retires the workers of a master whose successor is `new`.
fn retire(old: u32, new: u32) {
    signal(old, Signal::SIGWINCH);
    wait_until("the old workers have left", || {
        (children(old) == [new]).then_some(())
    });
}

/// Waits for the end of a process that has become a child of this one.
fn reap(pid: u32) -> WaitStatus {
    let pid = Pid::from_raw(pid.cast_signed());
    wait_until("it ends", || {
        let status = waitpid(pid, Some(WaitPidFlag::WNOHANG));
        status.ok().filter(|it| *it != WaitStatus::StillAlive)
    })
}

/// Ends a master in order, and checks that it leaves nothing.
fn quit(server: &TestServer, pid: u32) {
    signal(pid, Signal::SIGQUIT);
    let status = reap(pid);
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    for name in ["pid", "pid.oldbin", "socket"] {
        assert!(!server.path(name).exists(), "{name} is left");
    }
}

#[test]
fn forth() {
    let mut server = upgradable();
    let (load, old) = (load(&server), server.pid());
    let new = succeed(&server, old);
    load.iter().for_each(Load::wait_for_more);
    retire(old, new);
    load.iter().for_each(Load::wait_for_more);
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    assert!(is_the_only_one(&server, new));
    load.iter().for_each(Load::wait_for_more);
    UnixStream::connect(server.path("socket")).expect("the socket is still there");
    finish(load);
    wait_until("the successor knows", || {
        server
            .log()
            .contains("whose successor this is, has left")
            .then_some(())
    });
    quit(&server, new);
}

#[test]
fn forth_again_and_again() {
    let mut server = upgradable();
    let load = load(&server);
    let mut pid = succeed(&server, server.pid());
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    for _ in 0..scaled_count(20, 2) {
        let new = succeed(&server, pid);
        retire(pid, new);
        signal(pid, Signal::SIGQUIT);
        reap(pid);
        assert!(is_the_only_one(&server, new));
        pid = new;
    }
    finish(load);
    quit(&server, pid);
}

#[test]
fn back() {
    let server = upgradable();
    let (load, old) = (load(&server), server.pid());
    for _ in 0..scaled_count(20, 2) {
        let new = succeed(&server, old);
        retire(old, new);
        load.iter().for_each(Load::wait_for_more);
        server.signal(Signal::SIGHUP);
        wait_until("the old workers are back", || {
            (children(old).len() == WORKERS + 1).then_some(())
        });
        load.iter().for_each(Load::wait_for_more);
        signal(new, Signal::SIGQUIT);
        wait_until("all is as before", || {
            (is_the_only_one(&server, old) && children(old).len() == WORKERS).then_some(())
        });
        load.iter().for_each(Load::wait_for_more);
    }
    UnixStream::connect(server.path("socket")).expect("the socket is still there");
    finish(load);
}

#[test]
fn a_successor_that_is_killed_gives_all_back() {
    let mut server = upgradable();
    server.expect_log("exited on signal 9");
    let (load, old) = (load(&server), server.pid());
    let new = succeed(&server, old);
    retire(old, new);
    signal(new, Signal::SIGKILL);
    wait_until("all is as before", || {
        (is_the_only_one(&server, old) && children(old).len() == WORKERS).then_some(())
    });
    finish(load);
}

#[test]
fn an_old_master_that_is_killed_leaves_its_successor_serving() {
    let mut server = upgradable();
    let load = load(&server);
    let new = succeed(&server, server.pid());
    server.kill_master();
    load.iter().for_each(Load::wait_for_more);
    finish(load);
    wait_until("the successor knows", || {
        server
            .log()
            .contains("whose successor this is, has left")
            .then_some(())
    });
    fs::remove_file(server.path("pid.oldbin")).unwrap();
    quit(&server, new);
}

/// What stands in the place of the binary, and what the log says of it.
const BROKEN: [(Option<(&str, u32)>, &str); 6] = [
    (None, "failed (2: No such file or directory)"),
    (
        Some(("#!/bin/sh\n", 0o644)),
        "failed (13: Permission denied)",
    ),
    (Some(("\x7fELF, no more", 0o755)), "exited with code"),
    (Some(("#!/bin/sh\nexit 0\n", 0o755)), "exited with code 0"),
    (Some(("#!/bin/sh\nexit 7\n", 0o755)), "exited with code 7"),
    (
        Some(("#!/bin/sh\nkill -SEGV $$\n", 0o755)),
        "exited on signal 11",
    ),
];

#[test]
fn a_broken_binary_leaves_the_old_one_serving() {
    let mut server = upgradable();
    server.expect_log("server\") failed (");
    server.expect_log("exited on signal 11");
    let (load, old) = (load(&server), server.pid());
    let workers = server.workers();
    for (number, (file, says)) in BROKEN.into_iter().enumerate() {
        fs::remove_file(server.path("server")).ok();
        if let Some((text, mode)) = file {
            install_script(text, &server.path("server"));
            fs::set_permissions(server.path("server"), Permissions::from_mode(mode)).unwrap();
        }
        server.signal(Signal::SIGUSR2);
        wait_until(says, || {
            let log = server.log();
            let ended = log.matches("this one goes on").count() > number;
            (ended && log.contains(says) && is_the_only_one(&server, old)).then_some(())
        });
        load.iter().for_each(Load::wait_for_more);
    }
    assert_eq!(server.workers(), workers);
    finish(load);
}

#[test]
fn a_successor_that_cannot_load_the_configuration_leaves_the_old_one_serving() {
    let mut server = upgradable();
    server.expect_log("unknown directive \"nonsense\"");
    let (load, old) = (load(&server), server.pid());
    server.edit_config("events {}", "events { nonsense; }");
    server.signal(Signal::SIGUSR2);
    server.wait_for_log("exited with code 1, this one goes on");
    wait_until("the pid file is back", || {
        is_the_only_one(&server, old).then_some(())
    });
    finish(load);
    server.edit_config("events { nonsense; }", "events {}");
    let new = succeed(&server, old);
    signal(new, Signal::SIGTERM);
    wait_until("the pid file is back", || {
        is_the_only_one(&server, old).then_some(())
    });
}

#[test]
fn masters_do_not_fight() {
    let server = upgradable();
    let (load, old) = (load(&server), server.pid());
    let new = succeed(&server, old);
    server.signal(Signal::SIGUSR2);
    server.wait_for_log("SIGUSR2) received, ignored");
    server.signal(Signal::SIGHUP);
    server.wait_for_log("SIGHUP) received, ignored");
    signal(new, Signal::SIGUSR2);
    server.wait_for_log("whose successor this is, still runs");
    signal(new, Signal::SIGHUP);
    server.wait_for_log("SIGHUP) received, reconfiguring");
    assert_eq!(pid_in(&server.path("pid")), Some(new));
    assert_eq!(pid_in(&server.path("pid.oldbin")), Some(old));
    signal(new, Signal::SIGQUIT);
    wait_until("the pid file is back", || {
        is_the_only_one(&server, old).then_some(())
    });
    UnixStream::connect(server.path("socket")).expect("the socket is still there");
    finish(load);
}

#[test]
fn an_upgrade_waits_for_a_reload() {
    let server = upgradable();
    let (load, old) = (load(&server), server.pid());
    server.signal(Signal::SIGHUP);
    let new = succeed(&server, old);
    signal(new, Signal::SIGQUIT);
    wait_until("the pid file is back", || {
        is_the_only_one(&server, old).then_some(())
    });
    finish(load);
}

#[test]
fn the_new_binary_begins_with_default_signals() {
    let mut server = upgradable();
    server.tolerate_of_nginx("unlink()");
    let old = server.pid();
    let found = server.path("signals");
    let script = format!(
        "#!/bin/sh\nexec grep ^Sig /proc/self/status >{}\n",
        found.display()
    );
    fs::remove_file(server.path("server")).unwrap();
    install_script(&script, &server.path("server"));
    server.signal(Signal::SIGUSR2);
    server.wait_for_log("exited with code 0");
    wait_until("the pid file is back", || {
        is_the_only_one(&server, old).then_some(())
    });
    let found = fs::read_to_string(found).unwrap();
    let set = |name: &str| {
        let set = found.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(set.expect("it is there").trim(), 16).unwrap()
    };
    let pipe = 1 << (Signal::SIGPIPE as u64 - 1);
    assert_eq!((set("SigBlk:"), set("SigIgn:") & pipe), (0, 0), "{found}");
}

/// All that a master may be sent, but for what ends it at once.
const SIGNALS: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
    Signal::SIGALRM,
    Signal::SIGPIPE,
    Signal::SIGQUIT,
];

/// At any moment to the master or its successor; only that one is told to quit.
#[test]
fn a_storm_of_mixed_signals_ends_in_order() {
    let server = upgradable();
    let old = server.pid();
    let load: Vec<Load> = (server.addresses().iter())
        .map(|&address| Load::start(address, 2, Reuse::Never, body()))
        .collect();
    let successor = || pid_in(&server.path("pid")).filter(|&pid| pid != old);
    let open = descriptors(old).len();
    let mut random = 1_u32;
    for round in 0..scaled_count(1000, 100) {
        random = random.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let which = SIGNALS[(random >> 16) as usize % SIGNALS.len()];
        let new = successor().filter(|_| random >> 30 > 0);
        match (new, which) {
            (None, Signal::SIGQUIT) => {}
            (new, _) => signal(new.unwrap_or(old), which),
        }
        load[round % load.len()].wait_for_more();
    }
    wait_until("one master with its workers is left", || {
        if let Some(new) = successor() {
            signal(new, Signal::SIGQUIT);
        }
        (is_the_only_one(&server, old) && children(old).len() == WORKERS).then_some(())
    });
    finish(load);
    wait_until("no descriptor is left over", || {
        (descriptors(old).len() <= open).then_some(())
    });
}

/// A daemon, started from a binary of its own; it becomes a child of this process.
struct Daemon {
    place: TempDir,
    address: SocketAddr,
    pid: u32,
}

impl Daemon {
    fn start(program: &Path) -> Daemon {
        prctl::set_child_subreaper(true).unwrap();
        let place = TempDir::new().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let address = own_address();
        let text = format!(
            "daemon on; pid {0}/pid; error_log {0}/error.log notice; worker_processes {WORKERS};
             events {{}} http {{ access_log off; server {{ listen {address}; root {0}; }} }}",
            place.path().display()
        );
        fs::write(place.path().join("server.conf"), text).unwrap();
        fs::write(place.path().join("f.txt"), body()).unwrap();
        install(program, &place.path().join("server"));
        let mut command = Command::new(place.path().join("server"));
        command
            .arg("-p")
            .arg(place.path())
            .args(["-c", "server.conf"]);
        let output = run(&mut command);
        assert!(output.status.success(), "{output:?}");
        let pid = wait_until("it serves", || {
            pid_in(&place.path().join("pid")).filter(|&pid| children(pid).len() == WORKERS)
        });
        Daemon {
            place,
            address,
            pid,
        }
    }

    /// Puts another program in the place of the binary, and has it executed; returns its master.
    fn change(&mut self, program: &Path) -> u32 {
        let path = |name| self.place.path().join(name);
        install(program, &path("new"));
        fs::rename(path("new"), path("server")).unwrap();
        signal(self.pid, Signal::SIGUSR2);
        let old = self.pid;
        self.pid = wait_until("the successor serves", || {
            let new = pid_in(&path("pid")).filter(|&new| new != old)?;
            (children(new).len() == WORKERS).then_some(new)
        });
        self.pid
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.path().join("error.log")).unwrap()
    }
}

/// An address that no other test of this machine uses.
fn own_address() -> SocketAddr {
    let number = std::process::id();
    let host = Ipv4Addr::new(127, 98, (number >> 8) as u8, number as u8);
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn a_daemon_is_upgraded_and_says_what_a_broken_binary_said() {
    let daemon = Daemon::start(&binary());
    let load = Load::start(daemon.address, 2, Reuse::KeepAlive, body());
    let place = daemon.place.path();
    let program = place.join("server");
    fs::rename(&program, place.join("good")).unwrap();
    let broken = "#!/bin/sh\necho no such library >&2; exit 127\n";
    install_script(broken, &program);
    signal(daemon.pid, Signal::SIGUSR2);
    wait_until("the log says why", || {
        let log = daemon.log();
        let said = log.contains("said: no such library");
        (said && log.contains("exited with code 127")).then_some(())
    });
    assert_eq!(pid_in(&place.join("pid")), Some(daemon.pid));

    fs::rename(place.join("good"), &program).unwrap();
    signal(daemon.pid, Signal::SIGUSR2);
    let new = wait_until("the successor serves", || {
        let new = pid_in(&place.join("pid")).filter(|&new| new != daemon.pid)?;
        (children(new).len() == WORKERS).then_some(new)
    });
    let stderr = fs::read_link(format!("/proc/{new}/fd/2")).unwrap();
    assert_eq!(stderr, Path::new("/dev/null"));
    signal(daemon.pid, Signal::SIGQUIT);
    reap(daemon.pid);
    finish(vec![load]);
    signal(new, Signal::SIGQUIT);
    reap(new);
    assert!(!place.join("pid").exists() && !place.join("pid.oldbin").exists());
}

#[test]
fn from_nginx_and_to_nginx() {
    let nginx = Path::new("/usr/sbin/nginx");
    if !tool_is_installed("/usr/sbin/nginx") {
        return skip("nginx is not installed");
    }
    let mut daemon = Daemon::start(nginx);
    let load = Load::start(daemon.address, 2, Reuse::Never, body());
    for program in [&binary(), nginx, &binary()] {
        let old = daemon.pid;
        let new = daemon.change(program);
        signal(old, Signal::SIGWINCH);
        wait_until("its workers have left", || {
            (children(old) == [new]).then_some(())
        });
        load.wait_for_more();
        signal(old, Signal::SIGQUIT);
        reap(old);
        load.wait_for_more();
    }
    let (_, failures) = load.finish();
    println!("{failures:?}");
    assert!(failures.is_empty(), "{failures:?}\n{}", daemon.log());
    signal(daemon.pid, Signal::SIGQUIT);
    reap(daemon.pid);
}
