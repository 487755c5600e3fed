//! What the page of a status is called.

use crate::http::status::{on_the_wire, phrase};

/// The heading of the page of `status`, if it has a page.
pub(super) fn heading(status: u16) -> Option<String> {
    let name = match (status, phrase(status)) {
        (..=300 | 304, _) | (_, "") => return None,
        (302, _) => "Found",
        (401, _) => "Authorization Required",
        (_, phrase) => phrase,
    };
    Some(format!("{} {name}", on_the_wire(status)))
}

/// What nginx's page of one of its own statuses says beside "400 Bad Request".
pub(super) fn detail(status: u16) -> Option<&'static str> {
    match status {
        494 => Some("Request Header Or Cookie Too Large"),
        495 => Some("The SSL certificate error"),
        496 => Some("No required SSL certificate was sent"),
        497 => Some("The plain HTTP request was sent to HTTPS port"),
        _ => None,
    }
}
