//! `map`: a variable whose value another text decides.

use std::borrow::Cow;
use std::rc::Rc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::matching::{Matcher, TooHard};
use super::template::Template;
use super::variables::Computed;
use super::wildcard::{Refused, Wildcards};
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::{Item, Word};
use crate::conf::value;
use crate::directives;

directives! {
    /// Variables that are made of others.
    pub struct Maps in "ngx_http_map_module" with Draft {}
    also {
        /// Makes a variable whose value depends on a text: `map text $variable { value result; }`,
        /// with `default`, `hostnames`, `volatile`, `include`, and patterns after `~` or `~*`.
        "map" [HTTP] 2, Many, "", block(map);
        /// Accepted: our tables size themselves.
        "map_hash_max_size" [HTTP] 1, Once, "2048", check(value::number);
        /// Accepted: our tables size themselves.
        "map_hash_bucket_size" [HTTP] 1, Once, "64", check(value::number);
    }
}

/// What a block says.
#[derive(Debug)]
struct Map {
    source: Template,
    names: Wildcards<Template>,
    patterns: Vec<(Matcher, Template)>,
    default: Option<Template>,
    hostnames: bool,
    volatile: bool,
}

/// The name of a variable that a directive makes.
///
/// # Errors
/// It is written without its `$`.
pub fn variable_name(word: &Word) -> Result<&[u8], Reason> {
    let name = word.text.strip_prefix(b"$");
    name.ok_or_else(|| Reason::about("invalid variable name", word))
}

fn map(_: &mut Maps, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let mut map = Map {
        source: Template::compile(call.arg(0), draft)?,
        names: Wildcards::default(),
        patterns: Vec::new(),
        default: None,
        hostnames: false,
        volatile: false,
    };
    let name = variable_name(call.arg(1))?;
    for item in call.block() {
        map.line(item, draft)
            .map_err(|reason| reason.at(item.name.place))?;
    }
    let defined = draft.variables.define(name, Rc::new(map));
    defined
        .map(drop)
        .map_err(|reason| reason.at(call.arg(1).place))
}

impl Map {
    fn line(&mut self, item: &Item, draft: &mut Draft) -> Result<(), Reason> {
        let key = &item.name;
        let [result] = &item.args[..] else {
            return self.flag(item);
        };
        if item.block.is_some() {
            return Err("unexpected \"{\"".into());
        }
        let result = Template::compile(result, draft)?;
        if key.is("default") {
            if self.default.replace(result).is_some() {
                return Err("duplicate default map parameter".into());
            }
        } else if let Some(pattern) = key.text.strip_prefix(b"~") {
            let loose = pattern.strip_prefix(b"*");
            let matcher = Matcher::new(loose.unwrap_or(pattern), loose.is_some(), draft)?;
            self.patterns.push((matcher, result));
        } else {
            let name = key.text.strip_prefix(b"\\").unwrap_or(&key.text);
            return self.add(name, result);
        }
        Ok(())
    }

    fn flag(&mut self, item: &Item) -> Result<(), Reason> {
        match &item.name.text[..] {
            _ if item.block.is_some() => return Err("unexpected \"{\"".into()),
            b"hostnames" if item.args.is_empty() => self.hostnames = true,
            b"volatile" if item.args.is_empty() => self.volatile = true,
            _ => return Err("invalid number of the map parameters".into()),
        }
        Ok(())
    }

    fn add(&mut self, name: &[u8], result: Template) -> Result<(), Reason> {
        let added = match self.hostnames {
            true => self.names.add(name, result),
            false => self.names.add_exact(name, result),
        };
        added.map_err(|refused| refused.reason(name))
    }

    /// The result for a text: one that is written for it, else that of the first pattern that
    /// matches, whose captures are those of the request then.
    fn find(&self, text: &[u8], x: &Exchange) -> Result<Option<&Template>, TooHard> {
        let name = match text {
            [name @ .., b'.'] if self.hostnames => name,
            name => name,
        };
        let name = match name.iter().any(u8::is_ascii_uppercase) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        if let Some(result) = self.names.find(&name) {
            return Ok(Some(result));
        }
        if name.is_empty() {
            // As in nginx, where no pattern is tried on it.
            return Ok(None);
        }
        for (matcher, result) in &self.patterns {
            if matcher.matches(text, x)? {
                return Ok(Some(result));
            }
        }
        Ok(None)
    }
}

impl Refused {
    /// In the words of nginx.
    pub fn reason(self, name: &[u8]) -> Reason {
        let shown = String::from_utf8_lossy(name);
        match self {
            Refused::Invalid => format!("invalid hostname or wildcard \"{shown}\"").into(),
            Refused::Taken => {
                format!("conflicting parameter \"{}\"", shown.to_ascii_lowercase()).into()
            }
        }
    }
}

impl Computed for Map {
    /// A pattern's captures are there for its result, and then again what was there before.
    fn write(&self, x: &Exchange, out: &mut Vec<u8>) -> bool {
        let text = self.source.value(x);
        let before = (!self.patterns.is_empty()).then(|| x.captures.borrow().clone());
        let result = self.find(&text, x).unwrap_or_else(|TooHard| {
            x.give_up("map");
            None
        });
        if let Some(result) = result.or(self.default.as_ref()) {
            result.write(x, out);
        }
        if let Some(before) = before {
            x.captures.replace(before);
        }
        true
    }

    fn volatile(&self) -> bool {
        self.volatile
    }
}
