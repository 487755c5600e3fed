//! What reading a configuration asks of the system, each of which may hang or fail: files, masks,
//! hosts, users. Every answer is kept, the same question is asked once, and a transcript of them
//! answers in place of the system: what one process has checked is what another one loads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{include, packed};
use crate::sys::host;
use crate::sys::privilege::Identity;

/// A call and its arguments, as messages show them: `open "/etc/nginx/nginx.conf"`.
type Question = Vec<Vec<u8>>;
/// What the system said, or why it did not, in the words of a message.
type Answer = Result<Vec<Vec<u8>>, String>;

/// The system, or a transcript of what it has said.
#[derive(Debug)]
pub struct Outside {
    known: RefCell<BTreeMap<Question, Answer>>,
    /// What the transcript lacks; `None` while the system can be asked.
    missing: Option<RefCell<Vec<String>>>,
}

impl Outside {
    /// The system itself.
    pub fn system() -> Outside {
        Outside {
            known: RefCell::default(),
            missing: None,
        }
    }

    /// A transcript in place of the system, which is not asked; `None` for bytes that are none.
    pub fn replay(transcript: &[u8]) -> Option<Outside> {
        let mut known = BTreeMap::new();
        let mut rest = transcript;
        while !rest.is_empty() {
            let question = packed::take_list(&mut rest)?;
            known.insert(question, take_answer(&mut rest)?);
        }
        Some(Outside {
            known: RefCell::new(known),
            missing: Some(RefCell::default()),
        })
    }

    /// Everything that was asked so far, with its answers.
    pub fn transcript(&self) -> Vec<u8> {
        let mut transcript = Vec::new();
        for (question, answer) in &*self.known.borrow() {
            packed::put_list(&mut transcript, question);
            put_answer(&mut transcript, answer);
        }
        transcript
    }

    /// What was asked and a transcript did not know, in words for a message.
    pub fn missing(&self) -> Vec<String> {
        self.missing
            .as_ref()
            .map(|missing| missing.borrow().clone())
            .unwrap_or_default()
    }

    /// The text of a regular file of at most `max` bytes.
    pub fn text(&self, path: &Path, max: u64) -> Result<Vec<u8>, String> {
        let answer = self.ask("open", &[bytes(path)], || {
            let text = include::read(path, max).map_err(|reason| reason.message)?;
            Ok(vec![text])
        });
        answer.and_then(one)
    }

    /// The files that the argument of `include` names, in their order.
    pub fn files(&self, prefix: &Path, argument: &str) -> Result<Vec<PathBuf>, String> {
        let answer = self.ask("glob", &[bytes(prefix), argument.as_bytes()], || {
            let files = include::files(prefix, argument).map_err(|reason| reason.message)?;
            Ok(files.iter().map(|path| bytes(path).to_vec()).collect())
        });
        let path = |bytes| PathBuf::from(OsString::from_vec(bytes));
        Ok(answer?.into_iter().map(path).collect())
    }

    /// The addresses of a host, each once; an address is its own.
    pub fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let answer = self.ask("getaddrinfo", &[host.as_bytes()], || resolve(host))?;
        answer.into_iter().map(parsed).collect()
    }

    /// The user and the group of these names or numbers, see [`Identity::find`].
    pub fn identity(&self, user: &str, group: Option<&str>) -> Result<Identity, String> {
        let names: Vec<&[u8]> = [Some(user), group]
            .into_iter()
            .flatten()
            .map(str::as_bytes)
            .collect();
        let answer = self.ask("getpwnam", &names, || {
            let found = Identity::find(user, group).map_err(|error| error.to_string())?;
            let numbers = [found.uid(), found.gid()].map(|number| number.to_string().into_bytes());
            let name = found.name().map(|name| name.to_bytes().to_vec());
            Ok(numbers.into_iter().chain(name).collect())
        })?;
        let mut answer = answer.into_iter();
        let (uid, gid) = (answer.next(), answer.next());
        let number = |text: Option<Vec<u8>>| parsed(text.unwrap_or_default());
        Ok(Identity::known(answer.next(), number(uid)?, number(gid)?))
    }

    /// The name of this machine; empty if it has none.
    pub fn host_name(&self) -> Vec<u8> {
        let name = || host::name().map(|name| vec![name.into_bytes()]);
        let answer = self.ask("gethostname", &[], || {
            name().map_err(|error| error.to_string())
        });
        answer.and_then(one).unwrap_or_default()
    }

    /// Whether there is a directory of this name.
    pub fn is_directory(&self, path: &Path) -> bool {
        let answer = self.ask("stat", &[bytes(path)], || match path.is_dir() {
            true => Ok(Vec::new()),
            false => Err("no directory".into()),
        });
        answer.is_ok()
    }

    /// The answer that is known, or that of the system.
    fn ask(&self, call: &str, arguments: &[&[u8]], system: impl FnOnce() -> Answer) -> Answer {
        let question: Question = [call.as_bytes()]
            .iter()
            .chain(arguments)
            .map(|word| word.to_vec())
            .collect();
        if let Some(answer) = self.known.borrow().get(&question) {
            return answer.clone();
        }
        if let Some(missing) = &self.missing {
            let what = format!("{} was not asked when it was checked", shown(&question));
            missing.borrow_mut().push(what.clone());
            return Err(what);
        }
        let answer = system();
        self.known.borrow_mut().insert(question, answer.clone());
        answer
    }
}

fn shown(question: &Question) -> String {
    let mut words = question.iter().map(|word| String::from_utf8_lossy(word));
    let call = words.next().unwrap_or_default().into_owned();
    words.fold(call, |shown, word| shown + " \"" + &word + "\"")
}

fn put_answer(out: &mut Vec<u8>, answer: &Answer) {
    match answer {
        Ok(words) => {
            out.push(1);
            packed::put_list(out, words);
        }
        Err(why) => {
            out.push(0);
            packed::put(out, why.as_bytes());
        }
    }
}

fn take_answer(from: &mut &[u8]) -> Option<Answer> {
    match from.split_off_first()? {
        1 => packed::take_list(from).map(Ok),
        0 => packed::take(from).map(|why| Err(String::from_utf8_lossy(why).into_owned())),
        _ => None,
    }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn one(words: Vec<Vec<u8>>) -> Result<Vec<u8>, String> {
    words.into_iter().next().ok_or_else(|| "no answer".into())
}

fn parsed<T: std::str::FromStr>(word: Vec<u8>) -> Result<T, String> {
    let text = String::from_utf8_lossy(&word);
    text.parse()
        .map_err(|_| format!("invalid answer \"{text}\""))
}

fn resolve(host: &str) -> Answer {
    let found = (host, 0).to_socket_addrs();
    let mut addresses: Vec<Vec<u8>> = Vec::new();
    for address in found.into_iter().flatten() {
        let text = address.ip().to_string().into_bytes();
        if !addresses.contains(&text) {
            addresses.push(text);
        }
    }
    match addresses.is_empty() {
        true => Err("host not found".into()),
        false => Ok(addresses),
    }
}

#[cfg(test)]
mod tests;
