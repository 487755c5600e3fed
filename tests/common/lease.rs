//! A file that does not answer.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A lease on a file: whoever opens it waits until the lease is given up, as on a file system that
/// does not answer.
pub struct Lease(Child);

impl Lease {
    /// `None` where nobody can take one.
    pub fn take(path: &Path) -> Option<Lease> {
        // F_SETLEASE, F_WRLCK. That somebody wants the file is told by SIGIO.
        let script = "$SIG{IO} = 'IGNORE'; open(F, '+<', $ARGV[0]) or die; \
                      fcntl(F, 1024, 1) or die; $| = 1; print \"held\\n\"; <STDIN>;";
        let mut child = Command::new("perl")
            .args(["-e", script])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let answer = child.stdout.take().unwrap();
        BufReader::new(answer).read_line(&mut line).unwrap();
        let lease = Lease(child);
        (line == "held\n").then_some(lease)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
