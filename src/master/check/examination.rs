//! The child's side of a check: it loads the configuration whole, says what comes of it, and ends.
//! It binds nothing and writes no pid file.

use std::fs;
use std::io::{self, Write};
use std::rc::Rc;

use mio::unix::pipe::Sender;

use super::findings::{Findings, Refusal};
use crate::conf::outside::Outside;
use crate::log::Level;
use crate::master::load::{self, Plan, Request};
use crate::master::loaded::Loaded;
use crate::sys::process::Pid;
use crate::sys::socket::Address;
use crate::sys::{OsError, limit, process, signal};

/// All that a checker has once it has left the master behind.
pub struct Examination {
    pub(super) master: Pid,
    pub(super) request: Request,
    /// Bytes of memory that it may take.
    pub(super) memory: u64,
    pub(super) findings: Sender,
    /// Where it writes its last words, should it crash.
    pub(super) words: Sender,
}

impl Examination {
    /// Examines the configuration; returns the exit code of the process.
    pub fn run(self) -> i32 {
        let findings = match self.prepare() {
            Ok(()) => examine(&self.request),
            Err(error) => Findings::Refused(Refusal::new(format!(
                "the configuration cannot be checked {}",
                OsError(&error)
            ))),
        };
        let sent = self.findings.set_nonblocking(false);
        // Without a master nobody is left to tell.
        match sent.and_then(|()| (&self.findings).write_all(&findings.pack())) {
            Ok(()) => 0,
            Err(_) => 1,
        }
    }

    /// The signals of a fresh process, no life beyond the master's, and bounded memory.
    fn prepare(&self) -> io::Result<()> {
        process::end_with(self.master)?;
        signal::reset_to_default()?;
        signal::ignore_requests()?;
        signal::unblock_all()?;
        process::redirect_stderr(&self.words)?;
        // Where memory ends before the limit, this is the process that the kernel is to end.
        let _ = fs::write("/proc/self/oom_score_adj", "1000");
        limit::confine_memory(self.memory)
    }
}

fn examine(request: &Request) -> Findings {
    let outside = Rc::new(Outside::system());
    let mut plan = load::read_from(request, Rc::clone(&outside));
    if plan.draft.diagnostics.errors() {
        return Findings::Refused(refusal(&plan));
    }
    reach(&plan);
    let lines = plan.messages();
    // It serves nobody; and its memory is limited, which that of a zone need not be.
    plan.draft.needs.zones.clear();
    match Loaded::open(plan, &[]) {
        Ok(_) => Findings::Sound(outside.transcript()),
        Err(why) => Findings::Refused(Refusal { why, lines }),
    }
}

/// Looks at the paths that the master will write, whatever is there: if a file system does not
/// answer, it is this process that waits for it.
fn reach(plan: &Plan) {
    let sockets = plan.draft.needs.listeners.iter();
    let sockets = sockets.filter_map(|need| match &need.address {
        Address::Unix(path) => Some(path),
        Address::Ip(_) => None,
    });
    for path in sockets.chain(&plan.pid) {
        let _ = fs::symlink_metadata(path);
    }
}

/// Its last error is why, and the count of those that are not shown says nothing of its own.
fn refusal(plan: &Plan) -> Refusal {
    let mut lines = plan.messages();
    let summary = plan.draft.diagnostics.summary();
    let last = lines
        .iter()
        .rposition(|(level, text)| *level == Level::Emerg && Some(text) != summary.as_ref());
    let why = last.map(|last| lines.remove(last).1).unwrap_or_default();
    Refusal { why, lines }
}
