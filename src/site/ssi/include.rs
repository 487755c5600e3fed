//! A page within a page: an exchange of its own, whose body stands where the command stood, is the
//! value of a variable (`set`), or is replaced where there is none (`stub`).

use super::command::Arguments;
use super::page::{Failed, evaluate, fail, room};
use crate::http::{Chunk, path};
use crate::log::Level;
use crate::site::answer::{Answer, Body, Response};
use crate::site::env::Env;
use crate::site::exchange::Exchange;
use crate::site::filter;
use crate::site::run::{self, Step};
use crate::site::source::{Input, Stop};
use crate::site::subrequest;

/// Bytes of a page that becomes the value of a variable.
const VALUE: usize = 64 << 10;

/// A page that is included.
pub struct Include {
    exchange: Box<Exchange>,
    /// Its body, once it has one.
    body: Option<Input>,
    /// What stands there if nothing else does.
    stub: Option<Vec<u8>>,
    /// The variable that it becomes the value of, and what there is of it.
    set: Option<(Vec<u8>, Vec<u8>)>,
    /// The page around it waits for it.
    awaited: bool,
}

impl Include {
    /// What a command says, as a page of `x`.
    pub fn new(x: &mut Exchange, arguments: &Arguments) -> Result<Include, Failed> {
        let awaited = check(x, arguments)?;
        let target = arguments.get("virtual").or(arguments.get("file"));
        let (uri, args) = target_of(x, target.unwrap_or_default())?;
        let stub = match arguments.get("stub") {
            Some(name) => Some(stub(x, name)?),
            None => None,
        };
        let set = arguments.get("set").map(<[u8]>::to_vec);
        if let Some(name) = &set {
            let ssi = x.ssi.get_or_insert_default();
            if !ssi.knows(name) {
                let made = ssi.set(name, Vec::new());
                room(x, made)?;
            }
        }
        let mut exchange = x.child(uri, args).map_err(|_| Failed)?;
        // What stands in place of an error is the stub.
        exchange.in_error_page = stub.is_some();
        Ok(Include {
            exchange,
            body: None,
            stub,
            awaited: awaited || set.is_some(),
            set: set.map(|name| (name, Vec::new())),
        })
    }

    /// Whether nothing behind it is carried out before it has ended.
    pub fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// The next bytes that stand there; none at the end.
    pub fn next(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Chunk>, Stop> {
        loop {
            let Some(body) = &mut self.body else {
                let response = match run::inner(&mut self.exchange, x, env) {
                    Step::Answer(response) => Some(*response),
                    Step::Wait(need) => return Err(Stop::Wait(need)),
                    Step::Drop => None,
                };
                self.body = Some(Input::new(self.answered(x, env, response)));
                continue;
            };
            if let Some(why) = x.woken() {
                self.exchange.wake(why);
            }
            let chunk = body.next(&mut self.exchange, env)?;
            match &chunk {
                Some(chunk) => subrequest::passed(&mut self.exchange, chunk),
                None if self.stub.is_none() => subrequest::log(&self.exchange),
                None => {}
            }
            match (&mut self.set, chunk) {
                (None, None) => return Ok(self.take_stub()),
                (None, Some(chunk)) => {
                    self.stub = None;
                    return Ok(Some(chunk));
                }
                (Some((_, value)), Some(chunk)) if value.len() + chunk.len() <= VALUE => {
                    value.extend_from_slice(&chunk);
                }
                (Some(_), Some(_)) => {
                    let size = VALUE + 1;
                    let what = format_args!("too big subrequest response: {size}");
                    self.exchange.log(Level::Error, what);
                    return Err(Stop::Failed);
                }
                (Some((name, value)), None) => {
                    let ssi = x.ssi.get_or_insert_default();
                    let done = ssi.set(name, std::mem::take(value));
                    // What is too much was logged; the variable stays as it is.
                    let _ = room(x, done);
                    return Ok(None);
                }
            }
        }
    }

    /// The body of what was answered: of an error, what stands in place of it.
    fn answered(&mut self, x: &Exchange, env: &mut dyn Env, response: Option<Response>) -> Body {
        let Some(Response { head, length, body }) = response else {
            return Body::Empty;
        };
        let failed = head.status >= 300;
        let media = x
            .sent
            .head
            .as_ref()
            .and_then(|head| head.content_type.clone());
        self.exchange.answered(head, length);
        if !failed {
            return body;
        }
        if self.set.take().is_some() {
            return Body::Empty;
        }
        let Some(stub) = self.stub.take() else {
            return body;
        };
        self.exchange.error_status = None;
        let media = media.unwrap_or_else(|| "text/html".into());
        let answer = Answer::bytes(200, media, stub);
        match filter::apply(&mut self.exchange, env, answer) {
            Ok(response) => response.body,
            Err(_) => Body::Empty,
        }
    }

    fn take_stub(&mut self) -> Option<Chunk> {
        let stub = self.stub.take().filter(|stub| !stub.is_empty());
        stub.map(Chunk::from)
    }
}

/// Refuses parameters that do not go together; whether the page is to be waited for.
fn check(x: &Exchange, arguments: &Arguments) -> Result<bool, Failed> {
    let shown = |text: &[u8]| text.escape_ascii().to_string();
    match (arguments.get("virtual"), arguments.get("file")) {
        (Some(uri), Some(file)) => fail(
            x,
            &format!(
                "inclusion may be either virtual=\"{}\" or file=\"{}\"",
                shown(uri),
                shown(file)
            ),
        )?,
        (None, None) => fail(x, "no parameter in \"include\" SSI command")?,
        _ => {}
    }
    if arguments.get("set").is_some() && arguments.get("stub").is_some() {
        let what = "\"set\" and \"stub\" cannot be used together in \"include\" SSI command";
        fail(x, what)?;
    }
    match (arguments.get("wait"), arguments.get("file")) {
        (Some(_), Some(file)) => {
            let file = shown(file);
            fail(x, &format!("\"wait\" cannot be used with file=\"{file}\""))
        }
        (None, file) => Ok(file.is_some()),
        (Some(wait), None) if wait.eq_ignore_ascii_case(b"yes") => Ok(true),
        (Some(wait), None) if wait.eq_ignore_ascii_case(b"no") => Ok(false),
        (Some(wait), None) => {
            let wait = shown(wait);
            fail(
                x,
                &format!("invalid value \"{wait}\" in the \"wait\" parameter"),
            )
        }
    }
}

fn stub(x: &Exchange, name: &[u8]) -> Result<Vec<u8>, Failed> {
    let block = x.ssi.as_ref().and_then(|ssi| ssi.block(name));
    match block {
        Some(block) => Ok(block),
        None => {
            let name = name.escape_ascii();
            fail(x, &format!("\"stub\"=\"{name}\" for \"include\" not found"))
        }
    }
}

/// Path and query of a page, as a page at `x.uri` names it.
fn target_of(x: &Exchange, text: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Failed> {
    let mut target = evaluate(x, text)?;
    if !target.is_empty() && !target.starts_with(b"/") {
        let folder = x
            .uri
            .iter()
            .rposition(|&byte| byte == b'/')
            .map_or(0, |at| at + 1);
        target.splice(0..0, x.uri[..folder].iter().copied());
    }
    let (path, args) = match target.iter().position(|&byte| byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (&target[..], &b""[..]),
    };
    let path = path::unescape(path).into_owned();
    if is_unsafe(&path) {
        let path = path.escape_ascii();
        // Spelt so that the keyword stands in the code of src/sys alone.
        return fail(x, &format!("unsafe\x20URI \"{path}\" was detected"));
    }
    Ok((path, args.to_vec()))
}

fn is_unsafe(path: &[u8]) -> bool {
    let above = path.split(|&byte| byte == b'/').any(|part| part == b"..");
    path.is_empty() || path.contains(&0) || above
}
