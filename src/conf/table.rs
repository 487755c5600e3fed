//! Directive tables, applied to a configuration. Generic code here owns unknown names, wrong
//! contexts, wrong arities and duplicates; a setter returns only its reason. No directive is known
//! by name in this file.

use std::collections::HashMap;

use super::diagnostic::{Reason, Severity, suggest};
use super::tree::Item;

pub use super::context::{
    Arity, Contexts, EVENTS, HTTP, LIMIT_EXCEPT, LOCATION, LOCATION_IF, MAIN, SERVER, SERVER_IF,
};
pub use super::directive::{Call, Directive, Holds, Inherit, Setter, Shape, Shared, Stranger};

/// All directives of one kind of target.
pub struct Table<T, S> {
    rows: Vec<Directive<T, S>>,
    by_name: HashMap<&'static str, Vec<usize>>,
    stranger: fn(&Item, Contexts) -> Stranger,
}

impl<T, S: Shared> Table<T, S> {
    /// A table of these rows; `stranger` is asked about every name that is not in it.
    pub fn new(rows: Vec<Directive<T, S>>, stranger: fn(&Item, Contexts) -> Stranger) -> Self {
        let mut by_name: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            by_name.entry(row.name).or_default().push(index);
        }
        Table {
            rows,
            by_name,
            stranger,
        }
    }

    /// Its rows, in the order of their declaration.
    pub fn rows(&self) -> &[Directive<T, S>] {
        &self.rows
    }

    /// Whether a directive of this name is in it.
    pub fn knows(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Applies a block's directives to `target`: first the values in their order, then the
    /// blocks within, so that these inherit also what is written below them.
    pub fn apply(&self, target: &mut T, shared: &mut S, items: &[Item], context: Contexts) {
        let mut seen: HashMap<&'static str, u32> = HashMap::new();
        let mut scopes = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let Some(row) = self.find(shared, item, context) else {
                continue;
            };
            let count = seen.entry(row.name).or_default();
            *count += 1;
            let first = *count == 1;
            let directive = Call {
                item,
                context,
                first,
                at,
            };
            if !first && row.inherit.once() {
                report(
                    shared,
                    item,
                    format!("\"{}\" directive is duplicate", row.name),
                );
            } else if row.shape == Shape::Scope {
                scopes.push((row, directive));
            } else {
                call(row, target, shared, &directive);
            }
        }
        for (row, scope) in scopes {
            call(row, target, shared, &scope);
        }
    }

    /// The row for this directive, or none once what is wrong with it has been reported.
    fn find(&self, shared: &mut S, item: &Item, context: Contexts) -> Option<&Directive<T, S>> {
        let name = String::from_utf8_lossy(&item.name.text);
        let Some(candidates) = self.by_name.get(&*name) else {
            self.report_stranger(shared, item, &name, context);
            return None;
        };
        let here = candidates
            .iter()
            .map(|&i| &self.rows[i])
            .find(|r| r.contexts.contains(context));
        let Some(row) = here else {
            report(shared, item, misplaced(&name));
            return None;
        };
        if let Some(wrong) = misuse(row, item, &name) {
            report(shared, item, wrong);
            return None;
        }
        Some(row)
    }

    fn report_stranger(&self, shared: &mut S, item: &Item, name: &str, context: Contexts) {
        if shared.knows(name) {
            return report(shared, item, misplaced(name));
        }
        match (self.stranger)(item, context) {
            Stranger::Notice(why) => {
                let what = format!("\"{name}\" directive has no effect: {why}");
                shared
                    .diagnostics()
                    .notice(Severity::Notice, Some(item.name.place), what);
            }
            Stranger::Error(why) => {
                shared.refused(item);
                report(
                    shared,
                    item,
                    format!("\"{name}\" directive is not supported: {why}"),
                );
            }
            Stranger::Unknown => {
                shared.refused(item);
                let known = self.rows.iter().filter(|r| r.contexts.contains(context));
                let mut reason = Reason::from(format!("unknown directive \"{name}\""));
                reason.help = suggest(name, known.map(|r| r.name))
                    .map(|near| format!("did you mean \"{near}\"?"));
                shared.diagnostics().error(Some(item.name.place), reason);
            }
        }
    }
}

fn call<T, S: Shared>(row: &Directive<T, S>, target: &mut T, shared: &mut S, call: &Call<'_>) {
    if let Err(reason) = (row.set)(target, shared, call) {
        shared.refused(call.item);
        let place = reason.place.unwrap_or(call.item.name.place);
        shared
            .diagnostics()
            .error(Some(place), reason.named(row.name));
    }
}

fn misplaced(name: &str) -> String {
    format!("\"{name}\" directive is not allowed here")
}

fn misuse<T, S>(row: &Directive<T, S>, item: &Item, name: &str) -> Option<String> {
    if !row.arity.admits(item.args.len()) {
        return Some(format!(
            "invalid number of arguments in \"{name}\" directive"
        ));
    }
    match (row.shape, &item.block) {
        (Shape::Simple, Some(_)) => {
            Some(format!("directive \"{name}\" is not terminated by \";\""))
        }
        (Shape::Value | Shape::Scope, None) => {
            Some(format!("directive \"{name}\" has no opening \"{{\""))
        }
        _ => None,
    }
}

fn report<S: Shared>(shared: &mut S, item: &Item, what: String) {
    shared
        .diagnostics()
        .error(Some(item.name.place), Reason::from(what));
}

#[cfg(test)]
mod tests;
