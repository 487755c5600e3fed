//! A block while it is read, and the blocks that hold others: `http`, `server`, `location`.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::OnceLock;

use super::draft::{AliasOf, Draft};
use super::limit_except::{self, LimitExcept};
use super::listen::Entry;
use super::location::{Location, Locations, Name};
use super::matching::Matcher;
use super::server::Server;
use super::{Own, Values, names, rewrite, unbuilt};
use crate::conf::diagnostic::Reason;
use crate::conf::table::{
    Arity, Call, Contexts, Directive, HTTP, Inherit, LOCATION, SERVER, Shape, Table,
};
use crate::conf::tree::{Item, Word};
use crate::sys::socket::Address;

/// A block while it is read: what it inherited, and what it says.
#[derive(Default)]
pub struct Scope {
    /// Values it has or inherited.
    pub values: Values,
    /// Values that only it has.
    pub own: Own,
    /// Locations within.
    pub locations: Vec<Location>,
    /// What identifies these.
    names: HashSet<(u8, Vec<u8>)>,
    /// What `limit_except` says.
    pub except: Option<Box<LimitExcept>>,
    /// What kind of location it is, for the rules about what may stand in it.
    kind: Kind,
}

#[derive(Clone, Default, PartialEq)]
enum Kind {
    #[default]
    Server,
    Prefix(Vec<u8>),
    Exact(Vec<u8>),
    Pattern(Vec<u8>),
    Named(Vec<u8>),
}

impl Scope {
    /// A block within this one.
    fn child(&self) -> Scope {
        Scope {
            values: self.values.within(),
            kind: self.kind.clone(),
            ..Scope::default()
        }
    }

    /// The location that this block describes.
    pub fn into_location(self, name: Name, draft: &mut Draft) -> Location {
        super::settle(&self.values, draft);
        Location {
            name,
            protocol: Rc::new(
                self.values
                    .limits
                    .protocol(self.values.transport.lingering_close),
            ),
            values: self.values,
            own: self.own,
            nested: Locations::new(self.locations),
            except: self.except,
        }
    }
}

/// The directives of `http` and all within.
pub fn table() -> &'static Table<Scope, Draft> {
    static TABLE: OnceLock<Table<Scope, Draft>> = OnceLock::new();
    TABLE.get_or_init(|| Table::new(super::directives(), unbuilt::stranger))
}

/// Reads a block within `parent`.
pub fn read(parent: &Scope, draft: &mut Draft, items: &[Item], context: Contexts) -> Scope {
    let mut child = parent.child();
    // What answers a location answers also where a condition or a method changes its settings.
    child.own.empty_gif = parent.own.empty_gif.clone();
    child.own.films = parent.own.films.clone();
    child.own.flv = parent.own.flv.clone();
    child.own.stub_status = parent.own.stub_status.clone();
    read_into(child, draft, items, context)
}

fn read_into(mut child: Scope, draft: &mut Draft, items: &[Item], context: Contexts) -> Scope {
    draft.block += 1;
    table().apply(&mut child, draft, items, context);
    child
}

/// The rows of the blocks.
pub fn directives() -> Vec<Directive<Scope, Draft>> {
    let row = |name, contexts, arity, inherit, doc, set| Directive {
        name,
        module: "ngx_http_core_module",
        contexts,
        arity,
        shape: Shape::Scope,
        inherit,
        default: "",
        doc,
        set,
    };
    vec![
        row(
            "server",
            HTTP,
            Arity::from(0),
            Inherit::Many,
            "A virtual server: what is answered on some addresses, for some hosts.",
            server,
        ),
        row(
            "location",
            SERVER | LOCATION,
            Arity::from(1..=2),
            Inherit::Many,
            "Settings for some paths: `location [= | ^~ | ~ | ~*] path`, `location @name`.",
            location,
        ),
        limit_except::directive(),
        rewrite::if_directive(),
    ]
}

fn server(scope: &mut Scope, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    draft.alias_of = None;
    let mut child = scope.child();
    child.kind = Kind::Server;
    let mut child = read_into(child, draft, call.block(), SERVER);
    if child.own.listen.entries.is_empty() {
        let address = Address::Ip(([0, 0, 0, 0], draft.default_port()).into());
        child.own.listen.entries.push(Entry::plain(address));
    }
    let names = &mut child.own.names.list;
    if names.is_empty() {
        names.push(names::Name::Exact(Vec::new()));
    }
    let name = names[0].text();
    let mut named = HashMap::new();
    let mut plain = Vec::new();
    for location in std::mem::take(&mut child.locations) {
        match &location.name {
            Name::Named(name) => drop(named.insert(name.clone(), location)),
            _ => plain.push(location),
        }
    }
    let location = child.into_location(Name::Server, draft);
    draft.servers.push(Server {
        name,
        location,
        locations: Locations::new(plain),
        named,
    });
    Ok(())
}

fn location(scope: &mut Scope, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (name, kind) = name(draft, call.args())?;
    if let Some(wrong) = misplaced(&scope.kind, &kind, &name) {
        return Err(wrong.into());
    }
    if !scope.names.insert(identity(&name, scope.locations.len())) {
        return Err(format!("duplicate location \"{name}\"").into());
    }
    let mut child = scope.child();
    child.kind = kind;
    let outer = draft.alias_of.take();
    draft.alias_of = match &name {
        Name::Exact(path) | Name::Prefix { path, .. } => Some(AliasOf::Bytes(path.len())),
        Name::Pattern { .. } => Some(AliasOf::All),
        _ => None,
    };
    let child = read_into(child, draft, call.block(), LOCATION);
    draft.alias_of = outer;
    let location = child.into_location(name, draft);
    scope.locations.push(location);
    Ok(())
}

/// What a location's arguments say, with nginx's rules for a modifier written without a space.
fn name(draft: &mut Draft, args: &[Word]) -> Result<(Name, Kind), Reason> {
    let (modifier, text): (&[u8], &[u8]) = match args {
        [modifier, text] => (&modifier.text, &text.text),
        [only] => split_modifier(&only.text),
        _ => (b"", b""),
    };
    let exact = |path: &[u8]| (Name::Exact(path.to_vec()), Kind::Exact(path.to_vec()));
    let prefix = |path: &[u8], final_| {
        (
            Name::Prefix {
                path: path.to_vec(),
                final_,
            },
            Kind::Prefix(path.to_vec()),
        )
    };
    Ok(match modifier {
        b"=" => exact(text),
        b"^~" => prefix(text, true),
        b"" if text.starts_with(b"@") => (Name::Named(text.to_vec()), Kind::Named(text.to_vec())),
        b"" => prefix(text, false),
        b"~" | b"~*" => {
            let matcher = Matcher::new(text, modifier == b"~*", draft)
                .map_err(|reason| args.last().map_or(reason.clone(), |w| reason.at(w.place)))?;
            (
                Name::Pattern {
                    matcher,
                    text: text.to_vec(),
                },
                Kind::Pattern(text.to_vec()),
            )
        }
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(format!("invalid location modifier \"{other}\"").into());
        }
    })
}

fn split_modifier(text: &[u8]) -> (&[u8], &[u8]) {
    for modifier in [&b"="[..], b"^~", b"~*", b"~"] {
        if let Some(rest) = text.strip_prefix(modifier) {
            return (modifier, rest);
        }
    }
    (b"", text)
}

/// Why a location may not stand in another.
fn misplaced(outer: &Kind, inner: &Kind, name: &Name) -> Option<String> {
    let path = |kind: &Kind| match kind {
        Kind::Prefix(path) | Kind::Exact(path) | Kind::Named(path) | Kind::Pattern(path) => {
            String::from_utf8_lossy(path).into_owned()
        }
        _ => String::new(),
    };
    match (outer, inner) {
        (Kind::Server, _) => None,
        (Kind::Exact(_), _) => Some(format!(
            "location \"{name}\" cannot be inside the exact location \"{}\"",
            path(outer)
        )),
        (Kind::Named(_), _) => Some(format!(
            "location \"{name}\" cannot be inside the named location \"{}\"",
            path(outer)
        )),
        (_, Kind::Named(_)) => Some(format!(
            "named location \"{name}\" can be on the server level only"
        )),
        // What a pattern matches nobody knows; nginx compares with its text.
        (
            Kind::Prefix(outer_path) | Kind::Pattern(outer_path),
            Kind::Prefix(inner) | Kind::Exact(inner),
        ) if !inner.starts_with(outer_path) => Some(format!(
            "location \"{name}\" is outside location \"{}\"",
            path(outer)
        )),
        _ => None,
    }
}

/// What no two locations of one level share: the kind of a name, and the name. A pattern may stand
/// there twice.
fn identity(name: &Name, place: usize) -> (u8, Vec<u8>) {
    match name {
        Name::Exact(path) => (b'=', path.clone()),
        Name::Prefix { path, .. } => (b'/', path.clone()),
        Name::Named(name) => (b'@', name.clone()),
        _ => (b'~', place.to_ne_bytes().to_vec()),
    }
}
