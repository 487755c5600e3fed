//! Logs that do not take their lines: no answer waits for them, what can be written is, and what is
//! lost is counted.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write, pipe};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{
    LIMIT, Load, Reuse, Setup, TestServer, possible, run, signal, skip, status, wait_until,
};
use fancy_regex::Regex;
use nix::libc::O_NONBLOCK;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

/// A server that says hello, and logs to these files.
fn hello(logs: &[&str]) -> String {
    let log = |name: &&str| format!("access_log %PREFIX%/{name} combined;");
    let logs: String = logs.iter().map(log).collect();
    format!("server {{ listen %LISTEN%; {logs} return 200 \"hello\"; }}")
}

/// The least time that is taken for a slow answer.
const SLOW: Duration = Duration::from_millis(10);

/// Asks so often on one connection; returns the time that 99 of 100 answers stay below.
fn ask(server: &TestServer, count: usize) -> Duration {
    let mut client = server.connect();
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let start = Instant::now();
            let answer = client.get("/");
            assert_eq!(answer.text(), "hello");
            if answer.header("Connection") == Some("close") {
                client = server.connect();
            }
            start.elapsed()
        })
        .collect();
    times.sort();
    times[count * 99 / 100]
}

/// The sum of the losses that the error log tells in these words.
fn lost(log: &str, words: &str) -> usize {
    let pattern = Regex::new(&format!("{words}, ([0-9]+) lines? were lost")).unwrap();
    let counts = pattern.captures_iter(log);
    counts
        .map(|it| it.unwrap()[1].parse::<usize>().unwrap())
        .sum()
}

fn count_lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// A disk in a file, which can be made to answer no write.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Option<Disk> {
        let (image, place) = (folder.join("image"), folder.join("disk"));
        File::create(&image).unwrap().set_len(8 << 20).unwrap();
        fs::create_dir(&place).unwrap();
        let made = run(Command::new("mkfs.ext4").arg("-q").arg(&image));
        let mounted = made.status.success()
            && run(Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(&place))
            .status
            .success();
        mounted.then_some(Disk(place))
    }

    fn freeze(&self) {
        assert!(self.fsfreeze("-f"), "it cannot be frozen");
    }

    fn thaw(&self) {
        assert!(self.fsfreeze("-u"), "it cannot be thawed");
    }

    fn fsfreeze(&self, how: &str) -> bool {
        run(Command::new("fsfreeze").arg(how).arg(&self.0))
            .status
            .success()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fsfreeze("-u");
        }
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

/// A server that logs requests on a disk of its own; that disk must be dropped after it.
fn server_with_disk(main: &str) -> Option<(TestServer, Disk)> {
    let tools = ["/usr/sbin/fsfreeze", "/usr/sbin/mkfs.ext4"];
    let tools = tools.iter().all(|tool| common::tool_is_installed(tool));
    if !possible(
        Uid::effective().is_root() && tools,
        "no disk can be frozen here",
    ) {
        return None;
    }
    let main = format!("worker_processes 1; {main}");
    let setup = Setup::with_main(&main, &hello(&["disk/access.log"]));
    let Some(disk) = Disk::mount(setup.prefix()) else {
        skip("no disk can be mounted here");
        return None;
    };
    Some((setup.start(), disk))
}

#[test]
fn a_stuck_disk_delays_no_answer() {
    let Some((mut server, disk)) = server_with_disk("log_queue 32k;") else {
        return;
    };
    let usual = ask(&server, 1000);
    disk.freeze();
    let stuck = ask(&server, 3000);
    disk.thaw();
    let again = "access.log\" takes lines again";
    server.wait_for_log(again);
    let resumed = ask(&server, 1000);
    server.signal(Signal::SIGQUIT);
    server.wait();
    let (log, written) = (server.log(), count_lines(&server.path("disk/access.log")));
    drop(server);
    drop(disk);
    let limit = usual.max(SLOW) * 5;
    assert!(stuck < limit, "{stuck:?} instead of {usual:?}");
    assert!(resumed < limit, "{resumed:?} instead of {usual:?}");
    assert!(lost(&log, again) > 0, "{log}");
    assert_eq!(written + lost(&log, again), 5000, "{log}");
}

#[test]
fn what_the_queue_holds_survives_a_stuck_disk() {
    let Some((mut server, disk)) = server_with_disk("") else {
        return;
    };
    ask(&server, 10);
    disk.freeze();
    ask(&server, 1000);
    disk.thaw();
    ask(&server, 10);
    server.signal(Signal::SIGQUIT);
    server.wait();
    assert_eq!(count_lines(&server.path("disk/access.log")), 1020);
    assert!(!server.log().contains("takes "), "{}", server.log());
    drop(server);
    drop(disk);
}

/// A FIFO in a server's prefix, opened for reading.
fn fifo(setup: &Setup, name: &str) -> File {
    let path = setup.prefix().join(name);
    mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
    let reader = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path);
    reader.unwrap()
}

/// All that a FIFO holds whose writers have gone.
fn rest_of(mut reader: File) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_end_does_not_wait_for_a_log_that_nobody_reads() {
    for (signal, main) in [
        (Signal::SIGTERM, ""),
        (Signal::SIGQUIT, "worker_shutdown_timeout 1s;"),
    ] {
        let main = format!("worker_processes 1; log_queue 64k; {main}");
        let setup = Setup::with_main(&main, &hello(&["fifo"]));
        let reader = fifo(&setup, "fifo");
        let mut server = setup.start();
        server.expect_log("fifo\" takes no lines");
        ask(&server, 5000);
        let start = Instant::now();
        server.signal(signal);
        server.wait();
        assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        let log = server.log();
        let written = rest_of(reader).lines().count();
        assert!(written > 100, "what found room is there");
        assert_eq!(written + lost(&log, "fifo\" takes no lines"), 5000, "{log}");
        assert!(!log.contains("exited on signal"), "{log}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_no_other() {
    let main = "worker_processes 1; log_queue 64k;";
    let setup = Setup::with_main(main, &hello(&["fifo", "access.log"]));
    let mut reader = fifo(&setup, "fifo");
    let mut server = setup.start();
    server.expect_log("fifo\" takes no lines");
    ask(&server, 5000);
    wait_until("every line is in the file", || {
        (count_lines(&server.path("access.log")) == 5000).then_some(())
    });
    let mut taken = Vec::new();
    wait_until("the loss is told once the fifo is read", || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            taken.extend_from_slice(&piece[..count]);
        }
        server
            .log()
            .contains("fifo\" takes lines again")
            .then_some(())
    });
    let taken = String::from_utf8(taken).unwrap();
    assert!(
        taken.lines().all(|line| line.ends_with("\"-\" \"-\"")),
        "a line in pieces"
    );
    assert_eq!(
        taken.lines().count() + lost(&server.log(), "takes lines again"),
        5000
    );
}

/// What is read slowly slows the server down, when the queue is full; it loses nothing.
#[test]
fn a_slow_reader_gets_every_line_at_saturation() {
    let main = "worker_processes 2; log_queue 16k;";
    let setup = Setup::with_main(main, &hello(&["fifo"]));
    let mut reader = fifo(&setup, "fifo");
    let mut server = setup.start();
    let reads = std::thread::spawn(move || {
        let (mut text, mut piece) = (Vec::new(), [0; 512]);
        wait_until("the fifo ends", || {
            while let Ok(count) = reader.read(&mut piece) {
                if count == 0 {
                    return Some(());
                }
                text.extend_from_slice(&piece[..count]);
            }
            None
        });
        String::from_utf8(text).unwrap()
    });
    let load = Load::start(server.address(), 8, Reuse::KeepAlive, "hello");
    (0..20).for_each(|_| load.wait_for_more());
    let (answered, failures) = load.finish();
    server.signal(Signal::SIGQUIT);
    server.wait();
    let text = reads.join().unwrap();
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(text.lines().count(), answered, "{}", server.log());
    assert!(
        text.lines().all(|line| line.ends_with("\"-\" \"-\"")),
        "a line in pieces"
    );
}

#[test]
fn standard_error_that_nobody_reads_delays_no_answer() {
    let (mut reader, writer) = pipe().unwrap();
    let config =
        "daemon off; worker_processes 1; pid %PREFIX%/pid; error_log stderr info; events {}
        http { access_log off; server { listen %LISTEN%; root %PREFIX%/html;
        location = / { return 200 \"hello\"; } } }";
    let full = writer.try_clone().unwrap();
    let mut server = Setup::config(config).stderr(writer).start();
    let usual = ask(&server, 1000);
    // Far more than a pipe holds.
    for _ in 0..1000 {
        assert!(matches!(server.get("/none").status, 403 | 404));
    }
    let stuck = ask(&server, 1000);
    assert!(
        stuck < usual.max(SLOW) * 5,
        "{stuck:?} instead of {usual:?}"
    );
    drop(full);
    let reads = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    server.signal(Signal::SIGQUIT);
    assert_eq!(server.wait(), 0);
    let text = reads.join().unwrap();
    assert_eq!(text.matches("(2: No such file or directory)").count(), 1000);
}

/// Waits until the only worker is another one, which answers.
fn is_replaced(server: &TestServer, worker: u32) -> u32 {
    signal(worker, Signal::SIGKILL);
    let next = wait_until("the worker is replaced", || {
        let workers = server.workers();
        workers.first().copied().filter(|&next| next != worker)
    });
    assert_eq!(server.get("/").text(), "hello");
    next
}

#[test]
fn a_full_pipe_does_not_hold_up_the_master() {
    let setup = Setup::with_main("error_log %PREFIX%/fifo info;", &hello(&[]));
    let mut reader = fifo(&setup, "fifo");
    let mut writer = OpenOptions::new()
        .write(true)
        .custom_flags(O_NONBLOCK)
        .open(setup.prefix().join("fifo"))
        .unwrap();
    let mut server = setup.start();
    server.expect_log("exited on signal 9");
    while writer.write(&[b'x'; 4096]).is_ok() {}
    let first = server.workers()[0];
    let second = is_replaced(&server, first);
    let third = is_replaced(&server, second);
    let mut text = Vec::new();
    wait_until("the pipe is empty", || {
        let mut piece = [0; 4096];
        match reader.read(&mut piece) {
            Ok(count) => text.extend_from_slice(&piece[..count]),
            Err(_) => return Some(()),
        }
        None
    });
    is_replaced(&server, third);
    let told = wait_until("it is told what it did not take", || {
        let mut piece = [0; 4096];
        if let Ok(count) = reader.read(&mut piece) {
            text.extend_from_slice(&piece[..count]);
        }
        let text = String::from_utf8_lossy(&text);
        (text.contains("takes lines again") && text.contains(&format!("{third} exited")))
            .then(|| lost(&text, "fifo\" takes lines again"))
    });
    let status = status(server.pid()).expect("an answer");
    assert_eq!(status["log_lines_lost"].number(), told as f64);
    assert!(told >= 2, "one line for each worker");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), 0);
}

#[test]
fn a_stuck_disk_under_the_error_log_does_not_hold_up_what_is_to_be_done() {
    let Some((mut server, disk)) = server_with_disk("error_log %PREFIX%/disk/error.log notice;")
    else {
        return;
    };
    let mut client = server.connect();
    assert_eq!(client.get("/").text(), "hello");
    disk.freeze();
    server.signal(Signal::SIGQUIT);
    client.expect_closed();
    disk.thaw();
    assert_eq!(server.wait(), 0);
    let log = fs::read_to_string(server.path("disk/error.log")).unwrap();
    assert!(log.contains("SIGQUIT) received"), "{log}");
    drop(server);
    drop(disk);
}
