//! Directive tables: what a directive is called, where it may stand, what it takes, what it sets.
//! Generic code here owns unknown names, wrong contexts, wrong arities and duplicates; a setter
//! returns only its reason. No directive is known by name in this file.

use std::collections::HashMap;
use std::fmt;
use std::ops::{BitOr, RangeFrom, RangeInclusive};

use super::diagnostic::{Diagnostics, Reason, Severity, suggest};
use super::tree::{Item, Word};

/// A set of the blocks a directive may stand in, as nginx names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contexts(u16);

/// The top level of the configuration.
pub const MAIN: Contexts = Contexts(1);
/// `events { }`
pub const EVENTS: Contexts = Contexts(1 << 1);
/// `http { }`
pub const HTTP: Contexts = Contexts(1 << 2);
/// `server { }`
pub const SERVER: Contexts = Contexts(1 << 3);
/// `location { }`
pub const LOCATION: Contexts = Contexts(1 << 4);
/// `if { }` in a `server { }`
pub const SERVER_IF: Contexts = Contexts(1 << 5);
/// `if { }` in a `location { }`
pub const LOCATION_IF: Contexts = Contexts(1 << 6);
/// `limit_except { }`
pub const LIMIT_EXCEPT: Contexts = Contexts(1 << 7);

const CONTEXT_NAMES: [(Contexts, &str); 8] = [
    (MAIN, "main"),
    (EVENTS, "events"),
    (HTTP, "http"),
    (SERVER, "server"),
    (LOCATION, "location"),
    (SERVER_IF, "if in server"),
    (LOCATION_IF, "if in location"),
    (LIMIT_EXCEPT, "limit_except"),
];

impl Contexts {
    /// Whether all of `other` is in this set.
    pub fn contains(self, other: Contexts) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the contexts, in nginx's spelling.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        CONTEXT_NAMES
            .iter()
            .filter(move |(c, _)| self.contains(*c))
            .map(|(_, name)| *name)
    }
}

impl BitOr for Contexts {
    type Output = Contexts;
    fn bitor(self, other: Contexts) -> Contexts {
        Contexts(self.0 | other.0)
    }
}

/// How many arguments a directive takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arity {
    least: usize,
    most: usize,
}

impl Arity {
    fn admits(self, count: usize) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

impl From<usize> for Arity {
    fn from(exactly: usize) -> Arity {
        Arity {
            least: exactly,
            most: exactly,
        }
    }
}

impl From<RangeInclusive<usize>> for Arity {
    fn from(range: RangeInclusive<usize>) -> Arity {
        Arity {
            least: *range.start(),
            most: *range.end(),
        }
    }
}

impl From<RangeFrom<usize>> for Arity {
    fn from(range: RangeFrom<usize>) -> Arity {
        Arity {
            least: range.start,
            most: usize::MAX,
        }
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, usize::MAX) => write!(f, "{least} or more"),
            (least, most) if least == most => write!(f, "{least}"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}

/// How a directive relates to itself: in the same block and in the blocks around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inherit {
    /// Once in a block, which otherwise has the value of the block around it.
    Clone,
    /// Any number of times; the first in a block replaces all that was inherited.
    Replace,
    /// Once in a block; blocks within do not inherit it.
    Once,
    /// Any number of times; blocks within do not inherit it.
    Many,
}

impl Inherit {
    fn once(self) -> bool {
        matches!(self, Inherit::Clone | Inherit::Once)
    }
}

/// Whether a directive takes `;` or a block, and when that block is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Ends with `;`.
    Simple,
    /// A block that is itself a value (`types { }`).
    Value,
    /// A block of directives, built from its parent once all of the parent's values are known.
    Scope,
}

/// One directive as it stands in the configuration, as its setter sees it.
pub struct Call<'a> {
    /// The directive with its arguments and its block.
    pub item: &'a Item,
    /// The block it stands in: exactly one context.
    pub context: Contexts,
    /// Whether it is the first of its name in this block.
    pub first: bool,
}

impl<'a> Call<'a> {
    /// Argument `index`, from 0. The arity in the table says which exist.
    pub fn arg(&self, index: usize) -> &'a Word {
        &self.item.args[index]
    }

    /// All arguments.
    pub fn args(&self) -> &'a [Word] {
        &self.item.args
    }

    /// The directives of its block; none for a simple directive.
    pub fn block(&self) -> &'a [Item] {
        self.item.block.as_deref().unwrap_or_default()
    }
}

/// Stores what a directive says in `T`; `S` is what all blocks of one configuration share.
pub type Setter<T, S> = fn(&mut T, &mut S, &Call<'_>) -> Result<(), Reason>;

/// One directive: the only place that knows it.
pub struct Directive<T, S> {
    /// Its name.
    pub name: &'static str,
    /// The nginx module it belongs to, or `forkful` for our own.
    pub module: &'static str,
    /// Where it may stand.
    pub contexts: Contexts,
    /// How many arguments it takes.
    pub arity: Arity,
    /// What it ends with.
    pub shape: Shape,
    /// How it relates to itself.
    pub inherit: Inherit,
    /// Its default as one would write it; empty if it has none.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// What it sets.
    pub set: Setter<T, S>,
}

/// What is known of a name that is in no table.
pub enum Stranger {
    /// Nothing: an error, with the nearest known name as a hint.
    Unknown,
    /// Known, not supported, and without it the answers are the same.
    Notice(String),
    /// Known, not supported, and what is served would differ without it.
    Error(String),
}

/// A target that holds the values of the module `M`.
pub trait Holds<M> {
    /// The values of the module, to be changed.
    fn module(&mut self) -> &mut M;
}

/// What the blocks of one configuration share.
pub trait Shared {
    /// Where errors and notices go.
    fn diagnostics(&mut self) -> &mut Diagnostics;

    /// Whether a directive of this name is in any table of the configuration.
    fn knows(&self, _name: &str) -> bool {
        false
    }
}

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
        for item in items {
            let Some(row) = self.find(shared, item, context) else {
                continue;
            };
            let count = seen.entry(row.name).or_default();
            *count += 1;
            let first = *count == 1;
            if !first && row.inherit.once() {
                report(
                    shared,
                    item,
                    format!("\"{}\" directive is duplicate", row.name),
                );
            } else if row.shape == Shape::Scope {
                scopes.push((
                    row,
                    Call {
                        item,
                        context,
                        first,
                    },
                ));
            } else {
                call(
                    row,
                    target,
                    shared,
                    &Call {
                        item,
                        context,
                        first,
                    },
                );
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
        match (self.stranger)(item, context) {
            Stranger::Notice(why) => {
                let what = format!("\"{name}\" directive has no effect: {why}");
                shared
                    .diagnostics()
                    .notice(Severity::Notice, Some(item.name.place), what);
            }
            Stranger::Error(why) => {
                report(
                    shared,
                    item,
                    format!("\"{name}\" directive is not supported: {why}"),
                );
            }
            Stranger::Unknown if shared.knows(name) => {
                report(shared, item, misplaced(name));
            }
            Stranger::Unknown => {
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

/// Declares a module's values together with the directives that set them.
///
/// ```text
/// directives! {
///     /// Listings of directories.
///     pub struct Listing in "ngx_http_autoindex_module" with Draft {
///         /// Produces a listing of a directory that has no index file.
///         enabled: bool = false => "autoindex" [HTTP | SERVER | LOCATION] 1, Clone, "off",
///             set(value::flag);
///         /// Shows this instead.
///         pages: Vec<Page> = Vec::new() => "error_page" [HTTP | SERVER] 2.., Replace, "",
///             with(error_page);
///     }
///     also {
///         /// Accepted: our tables size themselves.
///         "types_hash_max_size" [HTTP | SERVER | LOCATION] 1, Clone, "1024", check(value::size);
///         /// A value that is a block.
///         "types" [HTTP | SERVER | LOCATION] 0, Replace, "", block(types);
///     }
/// }
/// ```
///
/// A field is followed by the directive that sets it: name, contexts, number of arguments
/// (`1`, `1..=2`, `2..`), [`Inherit`], default, and how:
/// - `set(f)`: `f(&Word)` parses the only argument into the field;
/// - `check(f)`: the same, but nothing is stored;
/// - `with(f)`: `f(&mut Self, &mut Shared, &Call)` does what is needed;
/// - `block(f)`: as `with`, and the directive takes a block.
#[macro_export]
macro_rules! directives {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $Name:ident in $module:literal with $Shared:ty {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $Type:ty = $init:expr =>
                    $name:literal [$($context:ident)|+] $arity:expr, $inherit:ident, $default:literal,
                    $how:ident($what:expr);
            )*
        }
        $(also {
            $(
                $(#[doc = $more_doc:literal])+
                $more_name:literal [$($more_context:ident)|+] $more_arity:expr, $more_inherit:ident,
                    $more_default:literal, $more_how:ident($more_what:expr);
            )*
        })?
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        $vis struct $Name {
            $(
                $(#[doc = $doc])+
                pub $field: $Type,
            )*
        }

        impl Default for $Name {
            fn default() -> Self {
                $Name { $($field: $init,)* }
            }
        }

        impl $Name {
            /// The rows of this module's directives, for any target that holds its values.
            pub fn directives<T: $crate::conf::table::Holds<$Name>>()
            -> Vec<$crate::conf::table::Directive<T, $Shared>> {
                vec![
                    $($crate::conf::table::Directive {
                        name: $name,
                        module: $module,
                        contexts: $($crate::conf::table::$context)|+,
                        arity: $crate::conf::table::Arity::from($arity),
                        shape: $crate::directives!(@shape $how),
                        inherit: $crate::conf::table::Inherit::$inherit,
                        default: $default,
                        doc: concat!($($doc),+).trim_ascii(),
                        set: $crate::directives!(@field $Name, $field, $how, $what),
                    },)*
                    $($($crate::conf::table::Directive {
                        name: $more_name,
                        module: $module,
                        contexts: $($crate::conf::table::$more_context)|+,
                        arity: $crate::conf::table::Arity::from($more_arity),
                        shape: $crate::directives!(@shape $more_how),
                        inherit: $crate::conf::table::Inherit::$more_inherit,
                        default: $more_default,
                        doc: concat!($($more_doc),+).trim_ascii(),
                        set: $crate::directives!(@free $Name, $more_how, $more_what),
                    },)*)?
                ]
            }
        }
    };

    (@shape block) => { $crate::conf::table::Shape::Value };
    (@shape $how:ident) => { $crate::conf::table::Shape::Simple };

    (@field $Name:ident, $field:ident, set, $parse:expr) => {
        |target, _shared, call| {
            let this: &mut $Name = target.module();
            this.$field = $parse(call.arg(0))?;
            Ok(())
        }
    };
    (@field $Name:ident, $field:ident, $how:ident, $what:expr) => {
        $crate::directives!(@free $Name, $how, $what)
    };

    (@free $Name:ident, check, $parse:expr) => {
        |_target, _shared, call| $parse(call.arg(0)).map(drop)
    };
    (@free $Name:ident, with, $set:expr) => {
        |target, shared, call| {
            let this: &mut $Name = target.module();
            $set(this, shared, call)
        }
    };
    (@free $Name:ident, block, $set:expr) => {
        $crate::directives!(@free $Name, with, $set)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::source::Place;
    use crate::conf::value;

    #[derive(Default)]
    struct Report(Diagnostics);

    impl Shared for Report {
        fn diagnostics(&mut self) -> &mut Diagnostics {
            &mut self.0
        }
    }

    directives! {
        /// Values of the test.
        struct Values in "test" with Report {
            /// A switch.
            on: bool = false => "switch" [HTTP | SERVER] 1, Clone, "off", set(value::flag);
            /// A list.
            list: Vec<String> = Vec::new() => "list" [HTTP | SERVER] 1.., Replace, "", with(list);
            /// Blocks seen, and what the switch was then.
            blocks: Vec<bool> = Vec::new() => "box" [HTTP] 0, Many, "", block(seen);
        }
        also {
            /// Only a size.
            "room" [HTTP] 1, Clone, "1k", check(value::size);
        }
    }

    fn list(this: &mut Values, _: &mut Report, call: &Call<'_>) -> Result<(), Reason> {
        if call.first {
            this.list.clear();
        }
        this.list
            .extend(call.args().iter().map(|w| w.str().into_owned()));
        Ok(())
    }

    fn seen(this: &mut Values, _: &mut Report, _: &Call<'_>) -> Result<(), Reason> {
        this.blocks.push(this.on);
        Ok(())
    }

    impl Holds<Values> for Values {
        fn module(&mut self) -> &mut Values {
            self
        }
    }

    fn word(text: &str) -> Word {
        Word {
            text: text.into(),
            place: Place::default(),
        }
    }

    fn item(line: &str) -> Item {
        let block = line.ends_with('{').then(Vec::new);
        let mut words = line.trim_end_matches('{').split_whitespace().map(word);
        Item {
            name: words.next().unwrap(),
            args: words.collect(),
            block,
        }
    }

    fn apply(lines: &[&str]) -> (Values, Vec<String>) {
        let stranger = |item: &Item, _| match &item.name.str()[..] {
            "plus" => Stranger::Error("commercial".into()),
            "tune" => Stranger::Notice("sizes itself".into()),
            _ => Stranger::Unknown,
        };
        let table = Table::new(Values::directives::<Values>(), stranger);
        let (mut values, mut report) = (Values::default(), Report::default());
        let items: Vec<Item> = lines.iter().map(|l| item(l)).collect();
        table.apply(&mut values, &mut report, &items, HTTP);
        (
            values,
            report
                .0
                .entries()
                .iter()
                .map(|e| e.message.clone())
                .collect(),
        )
    }

    #[test]
    fn sets_values_in_their_order() {
        let (values, errors) = apply(&["switch on", "list a b", "list c", "room 4k", "box {"]);
        assert_eq!(errors, [""; 0]);
        assert!(values.on);
        assert_eq!(values.list, ["a", "b", "c"]);
        assert_eq!(values.blocks, [true]);
    }

    #[test]
    fn reports_what_is_wrong_and_goes_on() {
        let (values, errors) = apply(&[
            "swich on",
            "switch maybe",
            "list",
            "box",
            "room 1k {",
            "plus",
            "tune",
            "switch on",
            "room 12zz",
        ]);
        assert!(!values.on, "the first `switch` counted, wrong as it was");
        assert_eq!(
            errors,
            [
                "unknown directive \"swich\"",
                "invalid value \"maybe\" in \"switch\" directive, it must be \"on\" or \"off\"",
                "invalid number of arguments in \"list\" directive",
                "directive \"box\" has no opening \"{\"",
                "directive \"room\" is not terminated by \";\"",
                "\"plus\" directive is not supported: commercial",
                "\"tune\" directive has no effect: sizes itself",
                "\"switch\" directive is duplicate",
                "\"room\" directive invalid value",
            ]
        );
    }

    #[test]
    fn knows_the_names_of_contexts() {
        assert_eq!(
            (HTTP | LOCATION_IF).names().collect::<Vec<_>>(),
            ["http", "if in location"]
        );
    }
}
