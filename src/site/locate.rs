//! Which server and which location answer a request: the phases before the location's own.

use super::exchange::Exchange;
use super::location::Location;
use super::matching::TooHard;
use super::run::Flow;
use crate::http::{Fault, path};
use crate::log::Level;

/// The target of an OPTIONS that asks about the server as a whole (RFC 9112 section 3.2.4); it has
/// no location.
const SERVER: &[u8] = b"*";

/// Finds the server by the request's host, and makes its path one that can be looked up.
pub fn server(x: &mut Exchange) -> Flow {
    let host = x.head.host().unwrap_or_default();
    match x.link.hosts.names.find(host, x) {
        Ok(Some(server)) => x.server = &x.site.servers[server],
        Ok(None) => {}
        Err(TooHard) => return too_hard(x, "server name"),
    }
    x.location = &x.server.location;
    if let Some(fault) = x.head.fault() {
        let (status, reason) = (fault.status, fault.reason);
        x.log(Level::Info, format_args!("{reason}"));
        return Flow::Fail(status);
    }
    if let Err(fault) = uri(x) {
        x.log(Level::Info, format_args!("{}", fault.reason));
        return Flow::Fail(fault.status);
    }
    x.args = x.head.query().unwrap_or_default().to_vec();
    if x.logs(Level::Debug) {
        show(x);
    }
    Flow::Next
}

/// Shows the head to who follows it closely.
fn show(x: &Exchange) {
    let line = x.head.request_line().escape_ascii();
    x.log(Level::Debug, format_args!("http request line: \"{line}\""));
    for (name, value) in x.head.fields() {
        let (name, value) = (name.escape_ascii(), value.escape_ascii());
        x.log(
            Level::Debug,
            format_args!("http header: \"{name}: {value}\""),
        );
    }
}

/// Makes the path one that can be looked up; a refused one leaves nothing behind.
fn uri(x: &mut Exchange) -> Result<(), Fault> {
    if x.head.path() == SERVER {
        x.uri = SERVER.to_vec();
        return Ok(());
    }
    let merge = x.location.values.limits.merge_slashes;
    let mut uri = std::mem::take(&mut x.uri);
    path::normalise_into(x.head.path(), merge, &mut uri)?;
    x.uri = uri;
    Ok(())
}

/// Finds the location for the path.
pub fn location(x: &mut Exchange) -> Flow {
    if x.uri == SERVER {
        return Flow::Fail(405);
    }
    let found = match x.server.locations.find(x) {
        Ok(found) => found.unwrap_or(&x.server.location),
        Err(TooHard) => return too_hard(x, "location"),
    };
    enter(x, found);
    if found.own.internal.only && !x.internal {
        return Flow::Fail(404);
    }
    if x.location.values.root.is_left_by(&x.uri) {
        let what = format_args!("\"{}\" would leave the alias", x.uri.escape_ascii());
        x.log(Level::Error, what);
        return Flow::Fail(404);
    }
    Flow::Next
}

/// Goes on in the location of this name.
pub fn named(x: &Exchange, name: &[u8]) -> Flow {
    match x.server.named.get(name) {
        Some(location) => Flow::Named(location),
        None => {
            let what = format_args!("could not find named location \"{}\"", name.escape_ascii());
            x.log(Level::Error, what);
            Flow::Fail(500)
        }
    }
}

/// Makes a location the one that answers, or what its `limit_except` says for this method.
pub fn enter(x: &mut Exchange, location: &'static Location) {
    x.location = match &location.except {
        Some(except) if !except.methods.contains(&x.method) => &except.location,
        _ => location,
    };
    let name = &x.location.name;
    x.log(Level::Debug, format_args!("using configuration \"{name}\""));
}

/// Gives a request up for which a pattern took too long.
pub fn too_hard(x: &Exchange, what: &str) -> Flow {
    let what = format_args!("the pattern of a {what} exceeded regex_match_limit");
    x.log(Level::Error, what);
    Flow::Fail(500)
}
