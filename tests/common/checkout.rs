//! A copy of what a clone serves, `conf` and `examples`, and a program that runs there as from a terminal.

use std::fs::{self, File, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::client::Client;
use super::process::{children, stop};
use super::response::Response;
use super::server::{binary, listener, severe_lines, spawn_with};
use super::wait::wait_until;

/// Where every configuration of the repository listens.
const ADDRESS: &str = "127.0.0.1:8080";

/// The copy. Its configurations are as they stand, but for the address.
pub struct Checkout {
    directory: TempDir,
    listener: TcpListener,
}

impl Checkout {
    /// Readable by all.
    pub fn new() -> Self {
        let checkout = Self {
            directory: TempDir::new().unwrap(),
            listener: listener(),
        };
        let address = checkout.listener.local_addr().unwrap().to_string();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["conf", "examples"] {
            copy(
                &repository.join(name),
                &checkout.path().join(name),
                &address,
            );
        }
        checkout.with_mode(0o755)
    }

    /// The same, with another mode of its directory.
    pub fn with_mode(self, mode: u32) -> Self {
        fs::set_permissions(self.path(), Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Adds a file.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Runs the program there.
    pub fn start(self, arguments: &[&str]) -> Foreground {
        Foreground::start(self.directory, self.listener, arguments)
    }
}

fn copy(from: &Path, to: &Path, address: &str) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to, address);
        } else if from.extension().is_some_and(|it| it == "conf") {
            let text = fs::read_to_string(&from).unwrap();
            assert!(text.contains(ADDRESS), "{} listens nowhere", from.display());
            fs::write(to, text.replace(ADDRESS, address)).unwrap();
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// A running program. Dropping it stops it, and fails the test if that or its log is not in order.
pub struct Foreground {
    child: Child,
    directory: TempDir,
    stderr: TempDir,
    address: SocketAddr,
}

impl Foreground {
    /// Runs the program in `directory`, with a socket handed over, until it has workers.
    pub fn start(directory: TempDir, listener: TcpListener, arguments: &[&str]) -> Self {
        let stderr = TempDir::new().unwrap();
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(stderr.path().join("stderr")).unwrap());
        let address = listener.local_addr().unwrap();
        let child = spawn_with(&mut command, &[listener]);
        let mut program = Self {
            child,
            directory,
            stderr,
            address,
        };
        wait_until("the program has workers", || {
            if let Some(status) = program.child.try_wait().unwrap() {
                panic!("it has ended with {status}:\n{}", program.said());
            }
            (!program.workers().is_empty()).then_some(())
        });
        program
    }

    /// The directory it runs in.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The workers' process ids.
    pub fn workers(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// What it has written on the terminal.
    pub fn said(&self) -> String {
        fs::read_to_string(self.stderr.path().join("stderr")).unwrap()
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// A GET on a connection of its own.
    pub fn get(&self, target: &str) -> Response {
        self.connect().get(target)
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        if std::thread::panicking() {
            stop(&mut self.child);
            eprintln!("the program said:\n{}", self.said());
            return;
        }
        assert!(stop(&mut self.child), "TERM did not end it");
        let (status, said) = (self.child.wait().unwrap(), self.said());
        assert!(status.success(), "it ended with {status}:\n{said}");
        assert_eq!(severe_lines(&said).next(), None, "in its log");
    }
}
