//! The operator's side of the door: asks a master and waits for its answer.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::address;
use super::question::{Answer, LONGEST, Question, WAIT};
use crate::sys::OsError;
use crate::sys::process::Pid;
use crate::sys::socket::Peer;

/// How long a master may take to take notice of a question; its answer may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// There is no such door, or it cannot be reached from here.
    Unreachable(io::Error),
    /// Another process has taken the name.
    Stranger(Peer),
    /// The master did not answer, or not to the end.
    Silent(io::Error),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Unreachable(error) => write!(f, "connect() failed {}", OsError(error)),
            Unanswered::Stranger(Peer { pid, uid }) => {
                write!(f, "its door is held by another process, ")?;
                match pid {
                    Some(pid) => write!(f, "{pid} of user {uid}"),
                    None => write!(f, "one of user {uid}"),
                }
            }
            Unanswered::Silent(error) if error.kind() == io::ErrorKind::WouldBlock => {
                write!(f, "it has said nothing for {PATIENCE:?}")
            }
            Unanswered::Silent(error) => write!(f, "it does not answer {}", OsError(error)),
        }
    }
}

/// Asks the master of this number. Waits for as long as the answer takes, once it is under way.
///
/// # Errors
/// Those of [`Unanswered`]; a refusal by the master is an answer.
pub fn ask(master: Pid, question: Question) -> Result<Answer, Unanswered> {
    let stream = connect(master).map_err(Unanswered::Unreachable)?;
    let peer = Peer::of(&stream).map_err(Unanswered::Unreachable)?;
    if peer.pid != Some(master) {
        return Err(Unanswered::Stranger(peer));
    }
    converse(&stream, question).map_err(Unanswered::Silent)
}

/// mio's connect does not wait for a master that accepts nobody.
fn connect(master: Pid) -> io::Result<UnixStream> {
    let stream = mio::net::UnixStream::connect_addr(&address(master)?)?;
    let stream = UnixStream::from(stream);
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn converse(mut stream: &UnixStream, question: Question) -> io::Result<Answer> {
    // One that does not let us in has closed already, and said why.
    let _ = stream.write_all(question.line().as_bytes());
    let mut reader = BufReader::new(stream);
    let mut line = read_line(&mut reader)?;
    if line == WAIT {
        stream.set_read_timeout(None)?;
        line = read_line(&mut reader)?;
    }
    let (done, length) = Answer::head(&line).ok_or(io::ErrorKind::InvalidData)?;
    let mut text = Vec::new();
    if reader.take(length).read_to_end(&mut text)? as u64 != length {
        return Err(ended());
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(if done {
        Answer::Done(text)
    } else {
        Answer::Failed(text)
    })
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match reader.take(LONGEST as u64).read_line(&mut line)? {
        0 => Err(ended()),
        _ => Ok(line),
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it ended without a word")
}
