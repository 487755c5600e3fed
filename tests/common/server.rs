//! A server process with a scratch prefix: made from inline configuration, stopped and judged at its end.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::{User, chown, geteuid};
use tempfile::TempDir;

use super::client::Client;
use super::json::Json;
use super::process::{children, signal, stop};
use super::response::Response;
use super::status::status;
use super::wait::wait_until;

/// The modification time of every file a test lays out: Tue, 14 Nov 2023 22:13:20 GMT.
pub const MTIME: Duration = Duration::from_secs(1_700_000_000);

/// Descriptors are inheritable for the moment of a spawn, which must not be another server's.
static SPAWNING: Mutex<()> = Mutex::new(());

/// The program under test.
pub fn binary() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_forkful").into();
    std::env::var_os("FORKFUL_TEST_SERVER")
        .unwrap_or_else(built)
        .into()
}

/// Whether the program under test is our own.
pub fn is_forkful() -> bool {
    !binary().ends_with("nginx")
}

/// A server to be: its files and configuration.
pub struct Setup {
    program: PathBuf,
    prefix: TempDir,
    config: String,
    listeners: Vec<TcpListener>,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
    stderr: Option<Stdio>,
    user: Option<User>,
    wrapper: Vec<OsString>,
}

impl Setup {
    /// A configuration of nothing but an `http` block; one worker, every log in the prefix.
    pub fn http(http: &str) -> Self {
        Self::with_main("worker_processes 1;", http)
    }

    /// The same, with directives of the main context.
    pub fn with_main(main: &str, http: &str) -> Self {
        let user = if geteuid().is_root() {
            "user nobody nogroup;"
        } else {
            ""
        };
        let events = if main.contains("events") {
            ""
        } else {
            "events {}"
        };
        Self::config(&format!(
            "daemon off; pid %PREFIX%/pid; error_log %PREFIX%/error.log info; {user}\n{main}\n\
             {events}\nhttp {{ access_log %PREFIX%/access.log; default_type text/plain;\n{http}\n}}\n"
        ))
    }

    /// A whole configuration. `%PREFIX%` stands for the scratch directory, `%LISTEN%`, `%LISTEN2%`
    /// and `%LISTEN3%` for addresses whose sockets are bound and handed over.
    pub fn config(text: &str) -> Self {
        let prefix = TempDir::new().unwrap();
        fs::set_permissions(prefix.path(), Permissions::from_mode(0o755)).unwrap();
        let mut setup = Self {
            program: binary(),
            prefix,
            config: String::new(),
            listeners: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            stderr: None,
            user: None,
            wrapper: Vec::new(),
        };
        for name in ["%LISTEN%", "%LISTEN2%", "%LISTEN3%"] {
            if text.contains(name) {
                setup.listeners.push(listener());
            }
        }
        setup.config = setup.fill_in(text);
        setup
    }

    /// Adds a file, readable by all, with [`MTIME`] as its time.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        write_file(&self.prefix.path().join(path), content.as_ref());
        self
    }

    /// Adds a directory with these permissions.
    pub fn folder(self, path: &str, mode: u32) -> Self {
        let path = self.prefix.path().join(path);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Adds arguments to the command line.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|argument| argument.to_string()));
        self
    }

    /// Adds a variable to the environment.
    pub fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Makes something else than a file of the prefix its standard error.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

    /// Chooses another program than the one under test.
    pub fn program(mut self, path: &str) -> Self {
        self.program = path.into();
        self
    }

    /// Starts it as `nobody` where the tests run as root.
    pub fn by_nobody(mut self) -> Self {
        if geteuid().is_root() {
            let user = User::from_name("nobody")
                .unwrap()
                .expect("the system has it");
            chown(self.prefix(), Some(user.uid), Some(user.gid)).unwrap();
            self.user = Some(user);
        }
        self
    }

    /// Starts it by this command, which is to become it.
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(OsString::from).collect();
        self
    }

    /// The scratch directory.
    pub fn prefix(&self) -> &Path {
        self.prefix.path()
    }

    /// Starts the server and waits until it has a pid file and all its workers, which serve.
    pub fn start(self) -> TestServer {
        let mut server = self.spawn();
        wait_until("the server is up", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{}", server.log());
            }
            let serve = || server.serving() >= server.workers_asked_for();
            (server.path("pid").exists() && serve()).then_some(())
        });
        server
    }

    /// Starts the server and waits for nothing.
    pub fn spawn(mut self) -> TestServer {
        let path = self.prefix.path().join("server.conf");
        write_file(&path, self.config.as_bytes());
        let file = || {
            File::create(self.prefix.path().join("stderr"))
                .unwrap()
                .into()
        };
        let stderr = self.stderr.take().unwrap_or_else(file);
        let mut words = self
            .wrapper
            .iter()
            .map(OsString::as_os_str)
            .chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        command
            .arg("-p")
            .arg(self.prefix.path())
            .arg("-c")
            .arg(&path);
        command
            .arg("-e")
            .arg(self.prefix.path().join("error.log"))
            .args(&self.arguments);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command.envs(self.environment);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        let addresses = self
            .listeners
            .iter()
            .map(|it| it.local_addr().unwrap())
            .collect();
        let child = spawn_with(&mut command, &self.listeners);
        TestServer {
            child,
            prefix: self.prefix,
            addresses,
            expected: Vec::new(),
            tolerated: Vec::new(),
            over: false,
        }
    }

    fn fill_in(&self, text: &str) -> String {
        let mut text = text.replace("%PREFIX%", self.prefix.path().to_str().unwrap());
        for (listener, name) in self
            .listeners
            .iter()
            .zip(["%LISTEN%", "%LISTEN2%", "%LISTEN3%"])
        {
            text = text.replace(name, &listener.local_addr().unwrap().to_string());
        }
        text
    }
}

/// A listening socket as a predecessor would hand it over: nginx leaves its flags as they are.
pub fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

/// Starts a command that inherits these sockets, named to it as nginx names them to its successor.
pub fn spawn_with(command: &mut Command, listeners: &[TcpListener]) -> Child {
    let _alone = SPAWNING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let inheritable = |flag| {
        for listener in listeners {
            fcntl(listener, FcntlArg::F_SETFD(flag)).unwrap();
        }
    };
    let names: String = listeners
        .iter()
        .map(|it| format!("{};", it.as_raw_fd()))
        .collect();
    if !listeners.is_empty() {
        command.env("NGINX", names);
    }
    inheritable(FdFlag::empty());
    let child = command.spawn().expect("the server starts");
    inheritable(FdFlag::FD_CLOEXEC);
    child
}

/// Writes a file and gives it, and the directory it is in, the time of all of them.
fn write_file(path: &Path, content: &[u8]) {
    let directory = path.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    fs::write(path, content).unwrap();
    for path in [path, directory] {
        let file = File::open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + MTIME).unwrap();
    }
}

/// The lines of a log that a clean life does not write.
pub fn severe_lines(log: &str) -> impl Iterator<Item = &str> {
    let severe = [
        "[alert]",
        "[emerg]",
        "[crit]",
        "panicked at",
        "AddressSanitizer",
    ];
    log.lines()
        .filter(move |line| severe.iter().any(|word| line.contains(word)))
}

/// A running server. Dropping it stops it and fails the test if its log holds what nobody expected.
pub struct TestServer {
    child: Child,
    prefix: TempDir,
    addresses: Vec<SocketAddr>,
    expected: Vec<&'static str>,
    tolerated: Vec<&'static str>,
    over: bool,
}

impl TestServer {
    /// Starts a server with this `http` block and an index page saying `hello`.
    pub fn http(http: &str) -> Self {
        Setup::http(http).file("html/index.html", "hello").start()
    }

    /// The master's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The workers' process ids.
    pub fn workers(&self) -> Vec<u32> {
        children(self.pid())
    }

    /// The first address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All addresses it listens on, in the order of their names.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A path below the scratch directory.
    pub fn path(&self, path: &str) -> PathBuf {
        self.prefix.path().join(path)
    }

    /// Writes a file while the server runs.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write_file(&self.path(path), content.as_ref());
    }

    /// Replaces text of the configuration file.
    pub fn edit_config(&self, from: &str, to: &str) {
        let path = self.path("server.conf");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the configuration has no {from:?}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// A new connection to the first address.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// A GET on a connection of its own.
    pub fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }

    /// Sends a signal to the master.
    pub fn signal(&self, which: Signal) {
        signal(self.pid(), which);
    }

    /// Kills the master, as no orderly end does.
    pub fn kill_master(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.over = true;
    }

    /// The program as an operator calls it, told of this server: these words, then which one.
    pub fn operator(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).arg("-p").arg(self.path(""));
        command.arg("-c").arg(self.path("server.conf"));
        command.arg("-e").arg(self.path("error.log"));
        command
    }

    /// The number of workers in the configuration file; 1 where it says `auto` or nothing.
    fn workers_asked_for(&self) -> usize {
        let config = fs::read_to_string(self.path("server.conf")).unwrap();
        let value = config.split("worker_processes ").nth(1).unwrap_or("1;");
        let number = value
            .split(';')
            .next()
            .and_then(|number| number.parse().ok());
        number.unwrap_or(1)
    }

    /// The number of workers that are there to serve, and are done with their start if the server
    /// tells.
    fn serving(&self) -> usize {
        let serves = |worker: &&Json| worker["state"].text() == "serving";
        match status(self.pid()) {
            Some(status) => status["workers"].items().iter().filter(serves).count(),
            None => self.workers().len(),
        }
    }

    /// Reloads and waits until all workers are new and as many as asked for.
    pub fn reload(&self) {
        let (old, count) = (self.workers(), self.workers_asked_for());
        self.signal(Signal::SIGHUP);
        wait_until("the reload is done", || {
            let new = self.workers();
            (new.len() >= count && new.iter().all(|pid| !old.contains(pid))).then_some(())
        });
    }

    /// Waits until the master has ended; returns its exit code.
    pub fn wait(&mut self) -> i32 {
        let status = wait_until("the server ends", || self.child.try_wait().unwrap());
        self.over = true;
        status.code().expect("an exit code, not a signal")
    }

    /// The error log so far, with what went to standard error.
    pub fn log(&self) -> String {
        let read = |name| fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("stderr"), read("error.log")].concat()).into_owned()
    }

    /// Waits for a line in the error log.
    pub fn wait_for_log(&self, pattern: &str) {
        wait_until(&format!("the log says {pattern:?}"), || {
            self.log().contains(pattern).then_some(())
        });
    }

    /// Declares that the log must hold a severe line with this text.
    pub fn expect_log(&mut self, pattern: &'static str) {
        self.expected.push(pattern);
    }

    /// Declares that Debian's nginx may log a severe line with this text where we may not.
    pub fn tolerate_of_nginx(&mut self, pattern: &'static str) {
        if !is_forkful() {
            self.tolerated.push(pattern);
        }
    }

    /// Stops the server, checks its exit code and log, and returns the log.
    pub fn finish(mut self) -> String {
        self.judge()
    }

    fn judge(&mut self) -> String {
        if !self.over {
            self.over = true;
            assert!(
                stop(&mut self.child),
                "TERM did not end the server:\n{}",
                self.log()
            );
            let status = self.child.wait().unwrap();
            assert!(
                status.success(),
                "the server ended with {status}:\n{}",
                self.log()
            );
        }
        let log = self.log();
        for pattern in &self.expected {
            assert!(log.contains(pattern), "the log lacks {pattern:?}:\n{log}");
        }
        let expected = |line: &str| {
            (self.expected.iter().chain(&self.tolerated)).any(|pattern| line.contains(pattern))
        };
        for line in severe_lines(&log) {
            assert!(expected(line), "unexpected in the log: {line}");
        }
        log
    }
}

impl TestServer {
    /// A master that took this one's place would outlive a test that fails.
    fn kill_successor(&self) {
        let text = fs::read_to_string(self.path("pid")).unwrap_or_default();
        let pid = text.trim().parse().ok();
        if let Some(pid) = pid.filter(|&pid| pid != self.pid()) {
            let all = children(pid).into_iter().chain([pid]);
            all.for_each(|pid| signal(pid, Signal::SIGKILL));
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.judge();
            return;
        }
        self.kill_successor();
        if !self.over {
            stop(&mut self.child);
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}
