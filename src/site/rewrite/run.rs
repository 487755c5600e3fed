//! Follows the instructions of a server or a location for one request. An exchange that has to
//! wait for the file system keeps how far it came.

use super::condition::{Conditional, Test};
use super::{Order, Rewrite, Step, Then};
use crate::log::Level;
use crate::site::env::{Env, Need};
use crate::site::exchange::Exchange;
use crate::site::locate;
use crate::site::matching::{Matcher, TooHard};
use crate::site::run::{Flow, Phase};
use crate::site::template::Template;
use crate::site::variables::Variable;
use crate::site::{redirect, root};

/// How far the instructions of a block were followed.
pub struct Run {
    steps: &'static [Step],
    next: usize,
    /// Whether captures are escaped where they are used.
    quotes: bool,
    /// Whether the request has another path now, and its location is to be looked for.
    moved: bool,
    logs: bool,
}

/// What came of an instruction.
enum Turn {
    /// Go on so many instructions further.
    On(usize),
    End,
    Away(Flow),
}

/// Follows what the server says for all its requests.
pub fn server(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    follow(x, env).map_or_else(|flow| flow, |_| Flow::Next)
}

/// Follows what the location says for all its requests.
pub fn location(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    if std::ptr::eq(x.location, &x.server.location) {
        return Flow::Next;
    }
    match follow(x, env) {
        Ok(true) => relocate(x),
        Ok(false) => Flow::Next,
        Err(flow) => flow,
    }
}

/// Looks for the location of another path.
fn relocate(x: &mut Exchange) -> Flow {
    if !x.spend_redirect() {
        let what = "rewrite or internal redirection cycle while processing";
        let what = format_args!("{what} \"{}\"", x.uri.escape_ascii());
        x.log(Level::Error, what);
        return Flow::Fail(500);
    }
    x.location = &x.server.location;
    Flow::Goto(Phase::Locate)
}

/// Follows the instructions of the block that the request is in: to their end, where it says
/// whether the request has another path, or to another flow.
fn follow(x: &mut Exchange, env: &mut dyn Env) -> Result<bool, Flow> {
    let mut run = match x.rewriting.take() {
        Some(run) => *run,
        None => {
            root::resolve(x, env).map_err(Flow::Wait)?;
            match Run::new(x) {
                Some(run) => run,
                None => return Ok(false),
            }
        }
    };
    match run.go(x, env) {
        Ok(Some(flow)) => Err(flow),
        Ok(None) => Ok(run.moved),
        Err(need) => {
            x.rewriting = Some(Box::new(run));
            Err(Flow::Wait(need))
        }
    }
}

impl Run {
    /// The instructions of the block that the request is in; none if there are none.
    fn new(x: &Exchange) -> Option<Run> {
        let steps = &x.location.own.program.steps;
        (!steps.is_empty()).then_some(Run {
            steps,
            next: 0,
            quotes: true,
            moved: false,
            logs: x.location.values.rewriting.logs,
        })
    }

    fn go(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Flow>, Need> {
        while let Some(step) = self.steps.get(self.next) {
            match self.turn(&step.order, x, env)? {
                Turn::On(count) => self.next += count,
                Turn::End => break,
                Turn::Away(flow) => return Ok(Some(flow)),
            }
        }
        Ok(None)
    }

    fn turn(
        &mut self,
        order: &'static Order,
        x: &mut Exchange,
        env: &mut dyn Env,
    ) -> Result<Turn, Need> {
        Ok(match order {
            Order::Set(target, value) => {
                let value = self.value(value, x);
                target.set(x, value);
                Turn::On(1)
            }
            Order::Break => {
                self.moved = false;
                Turn::End
            }
            Order::Return(answer) => Turn::Away(answer.answer(x)),
            Order::Rewrite(rewrite) => self.rewrite(rewrite, x),
            Order::If(conditional) => self.choose(conditional, x, env)?,
        })
    }

    fn value(&self, template: &Template, x: &Exchange) -> Vec<u8> {
        let mut value = Vec::new();
        template.write_quoted(x, self.quotes && x.is_escaped(), &mut value);
        value
    }

    fn choose(
        &self,
        conditional: &'static Conditional,
        x: &mut Exchange,
        env: &mut dyn Env,
    ) -> Result<Turn, Need> {
        let holds = match &conditional.test {
            Test::Set(variable) => !matches!(&text(variable, x)[..], b"" | b"0"),
            Test::Equal(variable, value, wanted) => {
                (text(variable, x) == self.value(value, x)) == *wanted
            }
            Test::Match(variable, matcher, wanted) => {
                match self.matches(matcher, &text(variable, x), x) {
                    Ok(matched) => matched == *wanted,
                    Err(TooHard) => return Ok(Turn::Away(locate::too_hard(x, "condition"))),
                }
            }
            Test::File(test, wanted) => {
                let path = self.value(&test.path, x);
                test.holds(&path, x, env)? == *wanted
            }
        };
        if !holds {
            return Ok(Turn::On(1 + conditional.steps));
        }
        if let Some(location) = &conditional.location {
            x.location = location;
        }
        Ok(Turn::On(1))
    }

    fn rewrite(&mut self, rewrite: &Rewrite, x: &mut Exchange) -> Turn {
        match self.matches(&rewrite.matcher, &x.uri, x) {
            Ok(true) => {}
            Ok(false) => return Turn::On(1),
            Err(TooHard) => return Turn::Away(locate::too_hard(x, "rewrite")),
        }
        if let Then::Redirect(status) = rewrite.then {
            let to = rewrite.replacement.destination(x);
            self.say(
                x,
                format_args!("rewritten redirect: \"{}\"", to.escape_ascii()),
            );
            return Turn::Away(redirect::answer(x, status, to));
        }
        x.internal = true;
        self.moved = rewrite.then != Then::Break;
        self.quotes = false;
        (x.uri, x.args) = rewrite.replacement.target(x);
        let (uri, args) = (x.uri.escape_ascii(), x.args.escape_ascii());
        self.say(
            x,
            format_args!("rewritten data: \"{uri}\", args: \"{args}\""),
        );
        if x.uri.is_empty() {
            let what = format_args!("the rewritten URI has a zero length");
            x.log(Level::Error, what);
            return Turn::Away(Flow::Fail(500));
        }
        match rewrite.then {
            Then::Continue => Turn::On(1),
            _ => Turn::End,
        }
    }

    /// Whether a pattern matches. If it does not, there are no captures any more.
    fn matches(&self, matcher: &Matcher, text: &[u8], x: &Exchange) -> Result<bool, TooHard> {
        let matched = matcher.matches(text, x)?;
        if !matched {
            x.captures.borrow_mut().groups.clear();
        }
        let verb = if matched { "matches" } else { "does not match" };
        let (pattern, text) = (matcher.text().escape_ascii(), text.escape_ascii());
        self.say(x, format_args!("\"{pattern}\" {verb} \"{text}\""));
        Ok(matched)
    }

    fn say(&self, x: &Exchange, what: std::fmt::Arguments<'_>) {
        if self.logs {
            x.log(Level::Notice, what);
        }
    }
}

/// The value of a variable; empty if it has none.
fn text(variable: &Variable, x: &Exchange) -> Vec<u8> {
    let mut text = Vec::new();
    if !variable.write(x, &mut text) {
        text.clear();
    }
    text
}
