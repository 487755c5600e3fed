//! What a directive is: its name, where it may stand, what it takes and what it sets. The macro
//! that declares directives together with the values they set is here, too.

use super::context::{Arity, Contexts};
use super::diagnostic::{Diagnostics, Reason};
use super::tree::{Item, Word};

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
    pub(super) fn once(self) -> bool {
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
    /// Where it stands in its block, counted from 0. Blocks within are read last.
    pub at: usize,
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

    /// Takes note of a directive that is refused, so that what rests on it is not reported as well.
    fn refused(&mut self, _item: &Item) {}
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
