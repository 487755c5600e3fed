//! A checker's end as the master sees it; the processes here are stand-ins.

use std::io::Write;
use std::process::{Child, Command};

use mio::unix::pipe::Sender;

use super::*;
use crate::log::Level;

const MEMORY: u64 = 1000;

/// A checker whose two pipes the test writes.
struct Bench {
    checker: Checker,
    findings: Sender,
    words: Sender,
    process: Child,
}

fn bench() -> Bench {
    let process = Command::new("sleep").arg("1000").spawn().expect("started");
    let (to_findings, findings) = pipe::new().expect("a pipe");
    let (to_words, words) = pipe::new().expect("a pipe");
    let checker = Checker {
        generation: 2,
        pid: Pid::new(process.id() as i32).expect("a number"),
        memory: MEMORY,
        findings,
        received: Vec::new(),
        words,
    };
    Bench {
        checker,
        findings: to_findings,
        words: to_words,
        process,
    }
}

impl Bench {
    /// What is concluded when the process has said this and ended so; its number is left out.
    fn conclude(
        mut self,
        said: &[u8],
        words: &str,
        status: ExitStatus,
    ) -> Result<Outside, Refusal> {
        self.findings.write_all(said).expect("written");
        self.words.write_all(words.as_bytes()).expect("written");
        let _ = self.process.kill();
        self.process.wait().expect("ended");
        let own = format!("{NAME} {} ", self.checker.pid);
        self.checker.conclude(status).map_err(|refusal| Refusal {
            why: refusal.why.replace(&own, ""),
            ..refusal
        })
    }
}

const EXITED: ExitStatus = ExitStatus::Code(0);

fn ended_by(number: i32) -> ExitStatus {
    ExitStatus::Signal {
        number,
        core: false,
    }
}

#[test]
fn findings_are_taken() {
    let outside = Outside::system();
    let name = outside.host_name();
    let sound = Findings::Sound(outside.transcript()).pack();
    let replay = bench().conclude(&sound, "noise", EXITED).expect("sound");
    assert_eq!(replay.host_name(), name);

    let refusal = Refusal {
        why: "why".into(),
        lines: vec![(Level::Warn, "before".into())],
    };
    let packed = Findings::Refused(refusal.clone()).pack();
    let concluded = bench().conclude(&packed, "", EXITED);
    assert_eq!(concluded.expect_err("refused"), refusal);
}

#[test]
fn an_end_without_findings_has_a_cause() {
    let sound = Findings::Sound(Vec::new()).pack();
    let cut = Findings::Refused(Refusal::new("why")).pack();
    let garbage = Findings::Sound(b"garbage".to_vec()).pack();
    let memory = "memory allocation of 4096 bytes failed\n";
    let (exits, ended) = ("exited with code 0", "exited on signal 11 (SIGSEGV)");
    for (said, words, status, expected) in [
        (&b""[..], "", EXITED, exits),
        (&cut[..10], "", EXITED, exits),
        (&garbage, "", EXITED, exits),
        (&sound, "", ended_by(11), ended),
        (
            &b""[..],
            " torn\n\x1b ",
            ended_by(11),
            "exited on signal 11 (SIGSEGV): torn\\n\\x1b",
        ),
        (
            &b""[..],
            "why\n",
            ExitStatus::Code(1),
            "exited with code 1: why",
        ),
        (
            &b""[..],
            memory,
            ended_by(6),
            "is out of memory, reload_memory is 1000 bytes",
        ),
    ] {
        let concluded = bench().conclude(said, words, status);
        let refusal = concluded.expect_err("it ended");
        assert_eq!(refusal, Refusal::new(expected));
    }
}

#[test]
fn what_it_says_is_taken_as_it_comes_and_bounded() {
    let mut bench = bench();
    bench.checker.hear();
    for part in [&b"s"[..], &[0; 999]] {
        bench.findings.write_all(part).expect("written");
        bench.checker.hear();
    }
    assert_eq!(bench.checker.received.len(), 1000);
    assert!(
        bench.process.try_wait().expect("known").is_none(),
        "in bounds"
    );
    bench.findings.write_all(&[0; 5000]).expect("written");
    bench.checker.hear();
    let status = bench.process.wait().expect("ended");
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9)
    );
    assert_eq!(bench.checker.received.len(), 1001);
    let refusal = bench.checker.conclude(ended_by(9)).expect_err("too much");
    let expected = "read more than it may hand over, reload_memory is 1000 bytes";
    assert!(refusal.why.ends_with(expected), "{}", refusal.why);
}
