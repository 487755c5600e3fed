//! A page with commands as it is sent: what stands between them, and what each of them comes to.
//! What one chunk of the page says is carried out before the pages that it includes are asked for,
//! unless one of them is to be waited for: as in nginx.

use std::collections::VecDeque;

use super::Includes;
use super::command::{self, Arguments, Branch, Verb};
use super::encoding::Encoding;
use super::expression::{self, Condition};
use super::include::Include;
use super::memory::{self, Full};
use super::parse::{Command, Parser, Part};
use crate::conf::pattern::{Captures, Pattern};
use crate::http::{Bytes, Chunk, Piece};
use crate::log::Level;
use crate::site::env::{Env, Need};
use crate::site::exchange::Exchange;
use crate::site::source::{Input, Pull, Source};

/// Bytes that are made before any are sent; an include counts as some of them.
const AHEAD: usize = 64 << 10;
const INCLUDE: usize = 4 << 10;

/// Parts of a page that are carried out in one turn.
const SHARE: usize = 500;

/// Parts of fewer bytes are sent together.
const SMALL: usize = 4 << 10;

const ERROR: &str = "[an error occurred while processing the directive]";

/// A command cannot be carried out; why was logged.
pub struct Failed;

/// What is to be sent.
enum Item {
    Text(Chunk),
    Include(Box<Include>),
}

/// A page with commands.
pub struct Page {
    includes: &'static Includes,
    parser: Parser,
    input: Input,
    ended: bool,
    /// What is to be sent, and how many bytes it counts as.
    queue: VecDeque<Item>,
    queued: usize,
    /// The include at the end of the queue is to be waited for.
    waits: bool,
    /// Parts that may still be carried out in this turn.
    share: usize,
    /// What the commands have said so far.
    output: bool,
    chosen: bool,
    branch: Option<Branch>,
    in_block: bool,
    encoding: Encoding,
    error: Bytes,
}

impl Page {
    /// A page that nothing was read of yet.
    pub fn new(includes: &'static Includes, input: Input) -> Page {
        let value_length = usize::try_from(includes.value_length).unwrap_or(usize::MAX);
        Page {
            includes,
            parser: Parser::new(value_length),
            input,
            ended: false,
            queue: VecDeque::new(),
            queued: 0,
            waits: false,
            share: SHARE,
            output: true,
            chosen: false,
            branch: None,
            in_block: false,
            encoding: Encoding::Entity,
            error: ERROR.into(),
        }
    }

    /// Carries out what was read, until something has to be waited for.
    fn work(&mut self, x: &mut Exchange) {
        while !self.waits && self.queued < AHEAD && self.share > 0 {
            match self.parser.part() {
                Some(part) => self.part(x, part),
                None => return,
            }
            self.share -= 1;
        }
    }

    fn part(&mut self, x: &mut Exchange, part: Part) {
        let done = match part {
            Part::Text(text) if self.output => {
                self.add(text);
                Ok(())
            }
            Part::Text(text) if self.in_block => self.keep(x, &text),
            Part::Text(_) => Ok(()),
            Part::Command(command) => self.command(x, command),
            Part::Wrong(what) => {
                let _ = fail::<()>(x, &what);
                Ok(())
            }
            Part::Broken => Err(Failed),
        };
        if done.is_err() && !self.includes.silent {
            self.add(Chunk::from(self.error.clone()));
        }
    }

    fn add(&mut self, text: Chunk) {
        self.queued += text.len();
        self.queue.push_back(Item::Text(text));
    }

    fn keep(&self, x: &Exchange, text: &[u8]) -> Result<(), Failed> {
        match &x.ssi {
            Some(ssi) => room(x, ssi.add_to_block(text)),
            None => Ok(()),
        }
    }

    fn command(&mut self, x: &mut Exchange, command: Command) -> Result<(), Failed> {
        let Some(kind) = command::find(&command.name) else {
            let name = command.name.escape_ascii();
            return match self.output {
                true => fail(x, &format!("invalid SSI command: \"{name}\"")),
                false => Ok(()),
            };
        };
        if !self.output && kind.verb != Verb::Endblock {
            if self.in_block {
                return self.keep(x, &command.text());
            }
            if kind.follows.is_none() {
                return Ok(());
            }
        }
        let in_place = match (kind.follows, self.branch) {
            (None, _) => true,
            (Some(latest), Some(branch)) => branch <= latest,
            (Some(_), None) => false,
        };
        if !in_place {
            let name = command.name.escape_ascii();
            return fail(x, &format!("invalid context of SSI command: \"{name}\""));
        }
        match kind.arguments(command) {
            Ok(arguments) => self.carry_out(x, kind.verb, &arguments),
            Err(what) => fail(x, &what),
        }
    }

    fn carry_out(
        &mut self,
        x: &mut Exchange,
        verb: Verb,
        arguments: &Arguments,
    ) -> Result<(), Failed> {
        match verb {
            Verb::Include => {
                let include = Include::new(x, arguments)?;
                self.waits = include.is_awaited();
                self.queued += INCLUDE;
                self.queue.push_back(Item::Include(Box::new(include)));
            }
            Verb::Echo => self.echo(x, arguments)?,
            Verb::Config => self.config(x, arguments),
            Verb::Set => set(x, arguments)?,
            Verb::If if self.branch.is_some() => {
                return fail(x, "the \"if\" command inside the \"if\" command");
            }
            Verb::If | Verb::Elif => {
                self.output = !self.chosen && holds(x, arguments)?;
                self.chosen |= self.output;
                self.branch = Some(Branch::If);
            }
            Verb::Else => {
                self.output = !self.chosen;
                self.branch = Some(Branch::Else);
            }
            Verb::Endif => (self.output, self.chosen, self.branch) = (true, false, None),
            Verb::Block => {
                let name = arguments.get("name").unwrap_or_default();
                let ssi = x.ssi.get_or_insert_default();
                let opened = ssi.open_block(name);
                room(x, opened)?;
                (self.output, self.in_block) = (false, true);
            }
            Verb::Endblock => (self.output, self.in_block) = (true, false),
        }
        Ok(())
    }

    fn echo(&mut self, x: &Exchange, arguments: &Arguments) -> Result<(), Failed> {
        let name = arguments.get("var").unwrap_or_default();
        let value = match (memory::value(x, name), arguments.get("default")) {
            (Some(value), _) => value,
            (None, Some(default)) => default.to_vec().into(),
            (None, None) => "(none)".into(),
        };
        if value.is_empty() {
            return Ok(());
        }
        if let Some(encoding) = arguments.get("encoding") {
            match Encoding::named(encoding) {
                Some(encoding) => self.encoding = encoding,
                None => {
                    let name = encoding.escape_ascii();
                    let what = format!("unknown encoding \"{name}\" in the \"echo\" command");
                    let _ = fail::<()>(x, &what);
                }
            }
        }
        self.add(Chunk::from(self.encoding.encode(value)));
        Ok(())
    }

    fn config(&mut self, x: &mut Exchange, arguments: &Arguments) {
        if let Some(format) = arguments.get("timefmt") {
            x.ssi.get_or_insert_default().time_format = Some(format.to_vec());
        }
        if let Some(message) = arguments.get("errmsg") {
            let message: std::sync::Arc<[u8]> = message.into();
            self.error = message.into();
        }
    }

    /// What is next of the queue; none once it is empty.
    fn give(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Option<Pull> {
        let mut out = Vec::new();
        while let Some(item) = self.queue.front_mut() {
            let text = match item {
                Item::Text(text) => std::mem::replace(text, Chunk::from(Bytes::EMPTY)),
                Item::Include(_) if !out.is_empty() => break,
                Item::Include(include) => match include.next(x, env) {
                    Ok(Some(chunk)) => return Some(Pull::Piece(Piece::Bytes(chunk))),
                    Ok(None) => Chunk::from(Bytes::EMPTY),
                    Err(stop) => return Some(stop.into()),
                },
            };
            self.queue.pop_front();
            if out.is_empty() && text.len() >= SMALL {
                return Some(Pull::Piece(Piece::Bytes(text)));
            }
            out.extend_from_slice(&text);
            if out.len() >= SMALL {
                break;
            }
        }
        (!out.is_empty()).then(|| Pull::Piece(Piece::Bytes(out.into())))
    }
}

impl Source for Page {
    fn pull(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Pull {
        loop {
            self.work(x);
            if let Some(pull) = self.give(x, env) {
                return pull;
            }
            let was_full = std::mem::take(&mut self.queued) >= AHEAD;
            let waited = std::mem::take(&mut self.waits);
            if self.share == 0 {
                self.share = SHARE;
                return Pull::Wait(Need::Turn);
            }
            if waited || was_full {
                continue;
            }
            if self.ended {
                return Pull::End;
            }
            match self.input.next(x, env) {
                Ok(Some(chunk)) => self.parser.go_on(chunk),
                Ok(None) => {
                    self.ended = true;
                    if let Some(part) = self.parser.end() {
                        self.part(x, part);
                    }
                }
                Err(stop) => return stop.into(),
            }
        }
    }
}

/// Logs why a command cannot be carried out.
pub fn fail<T>(x: &Exchange, what: &str) -> Result<T, Failed> {
    x.log(Level::Error, format_args!("{what}"));
    Err(Failed)
}

/// Logs that there is no room for what is to be remembered, if so.
pub fn room(x: &Exchange, done: Result<(), Full>) -> Result<(), Failed> {
    done.or_else(|Full| fail(x, "too much is set by SSI commands"))
}

/// A string with its variables evaluated.
pub fn evaluate(x: &Exchange, text: &[u8]) -> Result<Vec<u8>, Failed> {
    let lookup = |name: &[u8]| memory::value(x, name).map(|value| value.to_vec());
    expression::evaluate(text, &lookup).or_else(|what| fail(x, &what))
}

fn set(x: &mut Exchange, arguments: &Arguments) -> Result<(), Failed> {
    let name = arguments.get("var").unwrap_or_default();
    let value = evaluate(x, arguments.get("value").unwrap_or_default())?;
    let done = x.ssi.get_or_insert_default().set(name, value);
    room(x, done)
}

/// Whether the condition of an `if` holds.
fn holds(x: &mut Exchange, arguments: &Arguments) -> Result<bool, Failed> {
    let text = arguments.get("expr").unwrap_or_default();
    let lookup = |name: &[u8]| memory::value(x, name).map(|value| value.to_vec());
    let condition = expression::condition(text, &lookup).or_else(|what| fail(x, &what))?;
    match condition {
        Condition::Known(holds) => Ok(holds),
        Condition::Matches {
            text,
            pattern,
            negated,
        } => Ok(matches(x, &pattern, &text)? != negated),
    }
}

/// Whether a pattern of the page matches; if so, its captures are variables from now on.
fn matches(x: &mut Exchange, pattern: &[u8], text: &[u8]) -> Result<bool, Failed> {
    let limit = x.location.values.matching.limit;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let pattern = Pattern::new(pattern, false, limit).or_else(|why| fail(x, &why.message))?;
    let mut groups = Captures::default();
    let found = pattern.captures(text, &mut groups);
    let whole = found.and_then(|_| pattern.find(text));
    let Some(whole) = whole.or_else(|limit| fail(x, &limit.to_string()))? else {
        return Ok(false);
    };
    let group = |number| match number {
        0 => Some(text[whole.clone()].to_vec()),
        number => groups.get(number).map(|range| text[range].to_vec()),
    };
    let last = (0..=pattern.captures_len())
        .rev()
        .find(|&it| group(it).is_some());
    let captures = (0..=last.unwrap_or(0)).map(|it| group(it).unwrap_or_default());
    let ssi = x.ssi.get_or_insert_default();
    ssi.capture(captures.collect());
    let set = |(name, number): &(String, usize)| {
        ssi.set(name.as_bytes(), group(*number).unwrap_or_default())
    };
    let named = pattern.names().iter().try_for_each(set);
    room(x, named)?;
    Ok(true)
}
