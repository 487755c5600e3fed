//! Strings with variables, compiled once: nothing is looked up by name per request.

use std::borrow::Cow;
use std::iter;
use std::rc::Rc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::variables::Variable;
use crate::conf::diagnostic::Reason;
use crate::conf::template::{self, Part as Written};
use crate::conf::tree::Word;
use crate::http::path::{Escape, escape};

/// A string that may depend on the request.
#[derive(Clone, Debug)]
pub struct Template(Rc<[Part]>);

#[derive(Clone, Debug)]
enum Part {
    Literal(Rc<[u8]>),
    Variable(Variable),
    Capture(usize),
}

impl Template {
    /// A string without variables.
    pub fn literal(text: &[u8]) -> Template {
        Template(Rc::new([Part::Literal(text.into())]))
    }

    /// Compiles a word of the configuration.
    ///
    /// # Errors
    /// A name that is no variable's, or none at all.
    pub fn compile(word: &Word, draft: &mut Draft) -> Result<Template, Reason> {
        Template::compile_part(&word.text, word, draft)
    }

    /// Compiles a text that is a part of a word, or made of one.
    ///
    /// # Errors
    /// As [`Template::compile`].
    pub fn compile_part(text: &[u8], word: &Word, draft: &mut Draft) -> Result<Template, Reason> {
        let compile = |part| match part {
            Written::Literal(text) => Part::Literal(text.into()),
            Written::Capture(number) => Part::Capture(number),
            Written::Variable(name) => {
                Part::Variable(draft.variables.reference(&name, Some(word.place)))
            }
        };
        let parts = template::split(text).map_err(|reason| reason.at(word.place))?;
        Ok(Template(parts.into_iter().map(compile).collect()))
    }

    /// This template with a text before it, in which `$` means itself.
    pub fn below(self, text: &[u8]) -> Template {
        match self.fixed() {
            Some(rest) => Template::literal(&[text, rest].concat()),
            None => {
                let first = iter::once(Part::Literal(text.into()));
                Template(first.chain(self.0.iter().cloned()).collect())
            }
        }
    }

    /// The text, if it is the same for every request.
    pub fn fixed(&self) -> Option<&[u8]> {
        match &*self.0 {
            [] => Some(b""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// What it starts with, whatever the request.
    pub fn prefix(&self) -> Vec<u8> {
        let literals = self.0.iter().map_while(|part| match part {
            Part::Literal(text) => Some(&**text),
            _ => None,
        });
        literals.collect::<Vec<_>>().concat()
    }

    /// Names of the computed variables in it, in lower case.
    pub fn computed(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(Variable::Plain(name, _)) => Some(*name),
            _ => None,
        })
    }

    /// Appends its value for this request.
    pub fn write(&self, x: &Exchange, out: &mut Vec<u8>) {
        self.write_quoted(x, false, out);
    }

    /// As [`Template::write`]; captures may be percent-encoded, to stand in a query.
    pub fn write_quoted(&self, x: &Exchange, quoted: bool, out: &mut Vec<u8>) {
        for part in &*self.0 {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => {
                    variable.write(x, out);
                }
                Part::Capture(number) => x.with_capture(*number, |text| match quoted {
                    true => out.extend_from_slice(&escape(text, Escape::Args)),
                    false => out.extend_from_slice(text),
                }),
            }
        }
    }

    /// Its value for this request.
    pub fn value(&self, x: &Exchange) -> Cow<'_, [u8]> {
        match self.fixed() {
            Some(text) => Cow::Borrowed(text),
            None => {
                let mut out = Vec::new();
                self.write(x, &mut out);
                Cow::Owned(out)
            }
        }
    }
}
