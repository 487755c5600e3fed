//! `if`: instructions, and in a location other settings, for requests that pass a test.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use super::{Order, Step};
use crate::conf::diagnostic::Reason;
use crate::conf::table::{
    Arity, Call, Directive, Inherit, LOCATION, LOCATION_IF, SERVER, SERVER_IF, Shape,
};
use crate::conf::tree::Word;
use crate::log::{Legible, Level};
use crate::site::draft::Draft;
use crate::site::env::{Env, Need};
use crate::site::exchange::Exchange;
use crate::site::location::{Location, Name};
use crate::site::matching::Matcher;
use crate::site::scope::{self, Scope};
use crate::site::template::Template;
use crate::site::variables::Variable;
use crate::sys::OsError;
use crate::sys::file::{Absence, Kind, Meta};

/// A test, and what holds for the requests that pass it.
#[derive(Debug)]
pub struct Conditional {
    /// The test.
    pub test: Test,
    /// How many of the instructions that follow are only for those that pass.
    pub steps: usize,
    /// The settings for these; none in a server, where there are only instructions.
    pub location: Option<Location>,
}

/// What is asked of a request. Where a flag follows, the answer has to be that.
#[derive(Debug)]
pub enum Test {
    /// Whether a variable is neither empty nor `0`.
    Set(Variable),
    /// Whether it has this value.
    Equal(Variable, Template, bool),
    /// Whether a pattern matches it.
    Match(Variable, Matcher, bool),
    /// What stands at a path.
    File(FileTest, bool),
}

/// A question about a path.
#[derive(Debug)]
pub struct FileTest {
    /// The path.
    pub path: Template,
    is: fn(&Meta) -> bool,
}

/// The row of `if`.
pub fn directive() -> Directive<Scope, Draft> {
    Directive {
        name: "if",
        module: "ngx_http_rewrite_module",
        contexts: SERVER | LOCATION,
        arity: Arity::from(1..),
        shape: Shape::Scope,
        inherit: Inherit::Many,
        default: "",
        doc: "Holds for requests that pass a test: `($variable)`, `($variable = text)`, `!=`, \
              `~ pattern`, `~*`, `!~`, `!~*`, `(-f path)`, `-d`, `-e`, `-x` and these after `!`.",
        set: if_,
    }
}

fn if_(scope: &mut Scope, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let test = test(draft, call.args())?;
    let in_location = call.context == LOCATION;
    let context = if in_location { LOCATION_IF } else { SERVER_IF };
    let mut child = scope::read(scope, draft, call.block(), context);
    let within = std::mem::take(&mut child.own.program.steps);
    let conditional = Conditional {
        test,
        steps: within.len(),
        location: in_location.then(|| child.into_location(Name::If, draft)),
    };
    let program = &mut scope.own.program;
    program.add(call, Order::If(Rc::new(conditional)));
    for Step { order, .. } in within {
        program.add(call, order);
    }
    Ok(())
}

/// A word of a condition without its parentheses, and as it is in the configuration.
type Part<'a> = (&'a [u8], &'a Word);

fn test(draft: &mut Draft, words: &[Word]) -> Result<Test, Reason> {
    let parts = without_parentheses(words)?;
    let (first, word) = parts[0];
    let refused = || invalid((first, word));
    if let [b'$', name @ ..] = first
        && !name.is_empty()
    {
        let mut variable = || draft.variables.reference(name, Some(word.place));
        return match parts[1..] {
            [] => Ok(Test::Set(variable())),
            [operator, value] => compare(variable(), draft, operator, value),
            _ => Err(refused()),
        };
    }
    let (question, wanted) = match first {
        [b'!', b'-', question] => (question, false),
        [b'-', question] => (question, true),
        _ => return Err(refused()),
    };
    let [_, (path, place)] = parts[..] else {
        return Err(refused());
    };
    let path = Template::compile_part(path, place, draft)?;
    let is: fn(&Meta) -> bool = match question {
        b'f' => |meta| meta.kind == Kind::Regular,
        b'd' => |meta| meta.kind == Kind::Directory,
        b'e' => |_| true,
        b'x' => |meta| meta.mode & 0o100 != 0,
        _ => return Err(refused()),
    };
    Ok(Test::File(FileTest { path, is }, wanted))
}

/// The words between the parentheses, which may stand alone or touch what is within; at least one.
fn without_parentheses(words: &[Word]) -> Result<Vec<Part<'_>>, Reason> {
    let mut parts: Vec<Part<'_>> = words.iter().map(|word| (&word.text[..], word)).collect();
    let Some((b'(', first)) = parts[0].0.split_first() else {
        return Err(invalid(parts[0]));
    };
    parts[0].0 = first;
    let last = parts.len() - 1;
    let Some((b')', before)) = parts[last].0.split_last() else {
        return Err(invalid(parts[last]));
    };
    let end = parts[last];
    parts[last].0 = before;
    parts.retain(|(text, word)| !text.is_empty() || word.text.is_empty());
    if parts.is_empty() {
        Err(invalid(end))
    } else {
        Ok(parts)
    }
}

fn invalid((text, word): Part<'_>) -> Reason {
    let text = String::from_utf8_lossy(text);
    Reason::from(format!("invalid condition \"{text}\"")).at(word.place)
}

fn compare(
    variable: Variable,
    draft: &mut Draft,
    (operator, place): Part<'_>,
    (value, word): Part<'_>,
) -> Result<Test, Reason> {
    let mut pattern =
        |caseless| Matcher::new(value, caseless, draft).map_err(|reason| reason.at(word.place));
    Ok(match operator {
        b"=" => Test::Equal(variable, Template::compile_part(value, word, draft)?, true),
        b"!=" => Test::Equal(variable, Template::compile_part(value, word, draft)?, false),
        b"~" => Test::Match(variable, pattern(false)?, true),
        b"~*" => Test::Match(variable, pattern(true)?, true),
        b"!~" => Test::Match(variable, pattern(false)?, false),
        b"!~*" => Test::Match(variable, pattern(true)?, false),
        _ => {
            let operator = String::from_utf8_lossy(operator);
            let what = format!("unexpected \"{operator}\" in condition");
            return Err(Reason::from(what).at(place.place));
        }
    })
}

impl FileTest {
    /// Whether what stands at a path is of the kind that was asked for.
    pub fn holds(&self, path: &[u8], x: &mut Exchange, env: &mut dyn Env) -> Result<bool, Need> {
        let path = Path::new(OsStr::from_bytes(path));
        Ok(match x.stat(env, path)? {
            Ok(meta) => (self.is)(&meta),
            Err(error) => {
                if Absence::of(&error) != Absence::Missing {
                    let why = OsError(&error);
                    let what = format_args!("stat() \"{}\" failed {why}", Legible(path));
                    x.log(Level::Crit, what);
                }
                false
            }
        })
    }
}
