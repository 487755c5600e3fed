//! Redirects: where they lead, and how that is written.

use std::io::Write;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::run::Flow;
use crate::conf::value;
use crate::directives;

directives! {
    /// How redirects are written.
    pub struct Redirect in "ngx_http_core_module" with Draft {
        /// Writes scheme, host and port before a path.
        absolute: bool = true =>
            "absolute_redirect" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Writes the port, unless it is 80.
        port: bool = true =>
            "port_in_redirect" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Writes the server's first name in place of the host that was asked for.
        server_name: bool = false =>
            "server_name_in_redirect" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// Answers with a redirect to `uri`, which goes out as it is but for what `absolute_redirect` adds.
/// As all statuses from 300 on it may have an error page.
pub fn answer(x: &mut Exchange, status: u16, uri: Vec<u8>) -> Flow {
    x.leads_to = Some(uri);
    Flow::Fail(status)
}

/// Says where a redirect leads, whatever page it has.
pub fn filter(x: &mut Exchange, answer: &mut Answer) {
    match x.leads_to.take() {
        Some(uri) if uri.starts_with(b"/") && x.location.values.redirect.absolute => {
            answer.location = Some(absolute(x, &uri).into());
        }
        Some(uri) => answer.fields.insert(0, ("Location".into(), uri.into())),
        None => {}
    }
}

fn absolute(x: &Exchange, path: &[u8]) -> Vec<u8> {
    let redirect = &x.location.values.redirect;
    let mut out = b"http://".to_vec();
    let host = if redirect.server_name {
        &x.server.name
    } else {
        x.head.host().unwrap_or(b"")
    };
    let local = x.link.local().ip();
    match (host, local) {
        (b"", Some(local)) if local.is_ipv6() => drop(write!(out, "[{}]", local.ip())),
        (b"", Some(local)) => drop(write!(out, "{}", local.ip())),
        (host, _) => out.extend_from_slice(host),
    }
    let port = local.map(|local| local.port()).filter(|&port| port != 80);
    if let Some(port) = port.filter(|_| redirect.port) {
        drop(write!(out, ":{port}"));
    }
    out.extend_from_slice(path);
    out
}
