//! In a container: as process 1 of its namespace, on a read-only root, with logs on the terminal.

mod common;

use std::fs::{self, Permissions};
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use common::{
    Client, LIMIT, binary, children, listener, run, signal, spawn_with, wait_until, within,
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Directives of the main context, and what a request gets.
const LOGS: &str = "daemon off; error_log stderr notice; worker_processes 2;";
const SITE: &str = "access_log /dev/stdout; server { listen %LISTEN%; root %PREFIX%/html; }";
/// Makes the root read-only, then becomes the command that follows.
const READ_ONLY: &str = "mount --make-rprivate / && mount -o remount,bind,ro / && exec \"$@\"";

/// Whether this machine lets us make namespaces.
fn possible() -> bool {
    let mut command = Command::new("unshare");
    command.args([
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
        READ_ONLY,
        "sh",
        "true",
    ]);
    let made = command.output().is_ok_and(|output| output.status.success());
    common::possible(made, "no namespaces can be made here")
}

struct Container {
    /// `unshare`, which waits for the server.
    child: Child,
    place: TempDir,
    address: SocketAddr,
}

impl Container {
    fn start(main: &str) -> Container {
        let place = TempDir::new().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let config = format!("{LOGS} {main} events {{}} http {{ {SITE} }}")
            .replace("%PREFIX%", place.path().to_str().unwrap())
            .replace("%LISTEN%", &address.to_string());
        for directory in ["html", "logs"] {
            fs::create_dir(place.path().join(directory)).unwrap();
        }
        fs::write(place.path().join("html/big"), vec![b'x'; 20 << 20]).unwrap();
        fs::write(place.path().join("server.conf"), config).unwrap();
        let mut command = Command::new("unshare");
        command.args([
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-c",
            READ_ONLY,
            "sh",
        ]);
        command.arg(binary()).arg("-p").arg(place.path());
        command.arg("-c").arg(place.path().join("server.conf"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = spawn_with(&mut command, &[listener]);
        Container {
            child,
            place,
            address,
        }
    }

    /// The same, once it has workers.
    fn serving(main: &str) -> Container {
        let container = Container::start(main);
        wait_until("it serves", || {
            (container.workers().len() == 2).then_some(())
        });
        container
    }

    /// The master, as this namespace numbers it.
    fn master(&self) -> u32 {
        wait_until("it has begun", || children(self.child.id()).pop())
    }

    fn workers(&self) -> Vec<u32> {
        let program = fs::read_link(format!("/proc/{}/exe", self.master()));
        match program.is_ok_and(|program| program == binary()) {
            true => children(self.master()),
            false => Vec::new(),
        }
    }

    /// Waits for its end; returns its status and what it has written on stdout and stderr.
    fn wait(mut self) -> (ExitStatus, String, String) {
        let status = within(LIMIT, || self.child.try_wait().unwrap());
        let status = status.unwrap_or_else(|| {
            signal(self.master(), Signal::SIGKILL);
            panic!("it does not end");
        });
        let (mut out, mut err) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        (status, out, err)
    }
}

#[test]
fn logs_on_the_terminal_and_a_root_that_is_read_only() {
    if !possible() {
        return;
    }
    let container = Container::serving("");
    assert!(fs::metadata(container.place.path().join("logs")).is_ok());
    assert_eq!(Client::connect(container.address).get("/none").status, 404);
    let mut client = Client::connect(container.address);
    client.send_get("/big");
    client.fill().unwrap();
    signal(container.master(), Signal::SIGQUIT);
    assert_eq!(
        client.response().body.len(),
        20 << 20,
        "QUIT lets it finish"
    );
    let (status, out, err) = container.wait();
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(out.contains("\"GET /none HTTP/1.1\" 404"), "{out}");
    assert!(err.contains("logs/nginx.pid\" is not written"), "{err}");
    assert!(err.contains("SIGQUIT) received, shutting down"), "{err}");
}

#[test]
fn a_pid_file_that_was_asked_for_and_cannot_be_written_is_an_error() {
    if !possible() {
        return;
    }
    let (status, _, err) = Container::start("pid %PREFIX%/pid;").wait();
    assert_eq!(status.code(), Some(1), "{err}");
    assert!(
        err.contains("pid\" failed (30: Read-only file system)"),
        "{err}"
    );
}

/// As with the network of the host: each master is process 1, and asked by that number.
#[test]
fn each_of_two_in_one_network_is_asked_by_its_own() {
    if !possible() {
        return;
    }
    for container in [0; 2].map(|_| Container::serving("pid /dev/null;")) {
        let place = container.place.path().display().to_string();
        fs::write(format!("{place}/pid"), "1\n").unwrap();
        let names_it = format!("pid {place}/pid; events {{}}");
        fs::write(format!("{place}/operator.conf"), names_it).unwrap();
        let mut enter = Command::new("nsenter");
        enter.args(["--pid", "--mount", "--target"]);
        enter.arg(container.master().to_string()).arg(binary());
        enter.args(["-s", "reload", "-c"]);
        let output = run(enter.arg(format!("{place}/operator.conf")));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{output:?}");
        signal(container.master(), Signal::SIGQUIT);
        let (_, _, log) = container.wait();
        assert!(!log.contains("bind() failed"), "{log}");
    }
}

#[test]
fn process_1_reaps_what_it_adopts_and_is_not_replaced() {
    if !possible() {
        return;
    }
    let container = Container::serving("pid /dev/null;");
    let (master, workers) = (container.master(), container.workers());
    let namespace = Path::new("/proc").join(master.to_string()).join("ns/pid");
    // The shell leaves an orphan, which process 1 of its namespace adopts.
    let orphan = "sleep 60 >/dev/null 2>&1 &";
    let mut enter = Command::new("nsenter");
    enter.arg(format!("--pid={}", namespace.display()));
    assert!(run(enter.args(["sh", "-c", orphan])).status.success());
    let orphan = wait_until("it is adopted", || {
        let mut children = children(master).into_iter();
        children.find(|child| !workers.contains(child))
    });
    signal(orphan, Signal::SIGKILL);
    wait_until("it is reaped", || {
        (children(master) == workers).then_some(())
    });
    signal(master, Signal::SIGUSR2);
    signal(workers[0], Signal::SIGKILL);
    wait_until("the worker is replaced", || {
        let now = container.workers();
        (now.len() == 2 && !now.contains(&workers[0])).then_some(())
    });
    assert_eq!(Client::connect(container.address).get("/none").status, 404);
    signal(master, Signal::SIGTERM);
    let (status, _, err) = container.wait();
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(
        err.contains("not changed: the end of process 1 would end"),
        "{err}"
    );
    assert!(
        err.contains("unknown process"),
        "the orphan was no child: {err}"
    );
}

#[test]
fn signals_that_mean_nothing_here_do_not_end_process_1() {
    if !possible() {
        return;
    }
    let container = Container::serving("pid /dev/null;");
    let master = container.master();
    for which in [
        Signal::SIGPIPE,
        Signal::SIGALRM,
        Signal::SIGWINCH,
        Signal::SIGIO,
    ] {
        signal(master, which);
        assert_eq!(Client::connect(container.address).get("/none").status, 404);
    }
    signal(master, Signal::SIGUSR1);
    let workers = container.workers();
    signal(master, Signal::SIGHUP);
    wait_until("a reload is done", || {
        let now = container.workers();
        (now.len() == 2 && !now.iter().any(|pid| workers.contains(pid))).then_some(())
    });
    assert_eq!(Client::connect(container.address).get("/none").status, 404);
    signal(master, Signal::SIGINT);
    let (status, _, err) = container.wait();
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(
        !err.contains("[alert]") && !err.contains("[emerg]"),
        "{err}"
    );
}
