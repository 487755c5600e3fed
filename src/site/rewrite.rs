//! `rewrite`, `set`, `break`, `return` and `if`: instructions that a server or a location has for
//! its requests, in their order. How each is written is here and beside; `run` follows them.

mod condition;
mod replacement;
mod returning;
mod run;

use std::rc::Rc;

use super::draft::Draft;
use super::map::variable_name;
use super::matching::Matcher;
use super::template::Template;
use super::variables::Target;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use replacement::Replacement;

pub use condition::{Conditional, directive as if_directive};
pub use run::{Run, location, server};

directives! {
    /// What is said while instructions are followed.
    pub struct Rewriting in "ngx_http_rewrite_module" with Draft {
        /// Logs which patterns match and what comes of it, at the level `notice`.
        logs: bool = false =>
            "rewrite_log" [HTTP | SERVER | LOCATION | SERVER_IF | LOCATION_IF] 1, Clone, "off",
            set(value::flag);
        /// Warns of a variable that is used before `set` has given it a value.
        warns: bool = true =>
            "uninitialized_variable_warn" [HTTP | SERVER | LOCATION | SERVER_IF | LOCATION_IF] 1,
            Clone, "on", set(value::flag);
    }
}

directives! {
    /// The instructions of a block.
    pub struct Program in "ngx_http_rewrite_module" with Draft {
        /// Changes the path of requests that match: `rewrite pattern replacement [last | break |
        /// redirect | permanent]`. A replacement that starts with a scheme is a redirect; one that
        /// ends with `?` drops the query.
        steps: Vec<Step> = Vec::new() =>
            "rewrite" [SERVER | LOCATION | SERVER_IF | LOCATION_IF] 2..=3, Many, "", with(rewrite);
    }
    also {
        /// Gives a variable a value: `set $name value`.
        "set" [SERVER | LOCATION | SERVER_IF | LOCATION_IF] 2, Many, "", with(set);
        /// Ends the instructions; the request goes on where it is.
        "break" [SERVER | LOCATION | SERVER_IF | LOCATION_IF] 0, Many, "", with(break_);
        /// Ends the instructions and answers: `return code [text]`, `return code URI` or `return
        /// URI`. 444 closes the connection without a word.
        "return" [SERVER | LOCATION | SERVER_IF | LOCATION_IF] 1..=2, Many, "",
            with(returning::return_);
    }
}

/// An instruction, and its place in the block.
#[derive(Clone, Debug)]
pub struct Step {
    at: usize,
    order: Order,
}

#[derive(Clone, Debug)]
enum Order {
    Rewrite(Rc<Rewrite>),
    Set(Target, Template),
    Break,
    Return(returning::Return),
    If(Rc<Conditional>),
}

#[derive(Debug)]
struct Rewrite {
    matcher: Matcher,
    replacement: Replacement,
    then: Then,
}

/// What happens after a replacement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// The next instruction.
    Continue,
    /// The location is looked for.
    Last,
    /// The request goes on where it is.
    Break,
    /// The client is sent there, with this status.
    Redirect(u16),
}

impl Program {
    /// Adds an instruction at its place, behind those of the same place. A block is read after what
    /// stands around it.
    fn add(&mut self, call: &Call<'_>, order: Order) {
        let at = call.at;
        let index = self.steps.partition_point(|step| step.at <= at);
        self.steps.insert(index, Step { at, order });
    }
}

fn rewrite(this: &mut Program, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (pattern, target) = (call.arg(0), call.arg(1));
    let matcher =
        Matcher::new(&pattern.text, false, draft).map_err(|reason| reason.at(pattern.place))?;
    if target.text.is_empty() {
        return Err(Reason::from("empty replacement").at(target.place));
    }
    let then = match call.args().get(2) {
        None if leads_away(&target.text) => Then::Redirect(302),
        None => Then::Continue,
        Some(flag) => match &flag.text[..] {
            b"permanent" => Then::Redirect(301),
            b"redirect" => Then::Redirect(302),
            b"last" | b"break" if leads_away(&target.text) => Then::Redirect(302),
            b"last" => Then::Last,
            b"break" => Then::Break,
            _ => return Err(Reason::about("invalid parameter", flag)),
        },
    };
    let redirects = matches!(then, Then::Redirect(_));
    let replacement = Replacement::compile(target, redirects, draft)?;
    let rewrite = Rewrite {
        matcher,
        replacement,
        then,
    };
    this.add(call, Order::Rewrite(Rc::new(rewrite)));
    Ok(())
}

/// Whether a text is where a client is to go, rather than a path.
fn leads_away(text: &[u8]) -> bool {
    let starts = [&b"http://"[..], b"https://", b"$scheme"];
    starts.iter().any(|start| text.starts_with(start))
}

fn set(this: &mut Program, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (variable, value) = (call.arg(0), call.arg(1));
    let target = draft.variables.target(variable_name(variable)?);
    let target = target.map_err(|reason| reason.at(variable.place))?;
    let value = Template::compile(value, draft)?;
    this.add(call, Order::Set(target, value));
    Ok(())
}

fn break_(this: &mut Program, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.add(call, Order::Break);
    Ok(())
}
