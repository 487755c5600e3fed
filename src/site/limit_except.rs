//! `limit_except`: a location's other face, for methods it does not allow to everybody.

use super::draft::Draft;
use super::location::{Location, Name};
use super::scope::{self, Scope};
use crate::conf::diagnostic::Reason;
use crate::conf::table::{Arity, Call, Directive, Inherit, LIMIT_EXCEPT, LOCATION, Shape};
use crate::http::Method;

/// What holds for the methods that are not listed.
#[derive(Debug)]
pub struct LimitExcept {
    /// The methods it does not concern.
    pub methods: Vec<Method>,
    /// What holds for all others.
    pub location: Location,
}

const METHODS: [(&str, Method); 15] = [
    ("GET", Method::Get),
    ("HEAD", Method::Head),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("DELETE", Method::Delete),
    ("MKCOL", Method::Mkcol),
    ("COPY", Method::Copy),
    ("MOVE", Method::Move),
    ("OPTIONS", Method::Options),
    ("PROPFIND", Method::Propfind),
    ("PROPPATCH", Method::Proppatch),
    ("LOCK", Method::Lock),
    ("UNLOCK", Method::Unlock),
    ("PATCH", Method::Patch),
    ("TRACE", Method::Trace),
];

/// The row of `limit_except`.
pub fn directive() -> Directive<Scope, Draft> {
    Directive {
        name: "limit_except",
        module: "ngx_http_core_module",
        contexts: LOCATION,
        arity: Arity::from(1..),
        shape: Shape::Scope,
        inherit: Inherit::Once,
        default: "",
        doc: "Restricts all methods but these; GET includes HEAD. Holds what limits them.",
        set: limit_except,
    }
}

fn limit_except(scope: &mut Scope, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let mut methods = Vec::new();
    for word in call.args() {
        let known = METHODS
            .iter()
            .find(|(name, _)| word.text.eq_ignore_ascii_case(name.as_bytes()));
        let Some((_, method)) = known else {
            return Err(Reason::about("invalid method", word));
        };
        methods.push(*method);
    }
    if methods.contains(&Method::Get) {
        methods.push(Method::Head);
    }
    let child = scope::read(scope, draft, call.block(), LIMIT_EXCEPT);
    let location = child.into_location(Name::LimitExcept, draft);
    scope.except = Some(Box::new(LimitExcept { methods, location }));
    Ok(())
}
