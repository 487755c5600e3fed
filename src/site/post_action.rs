//! `post_action`: where a request goes on when it is over. Nothing more is sent; its line in the
//! log is written at the end of it.

use super::access_log;
use super::draft::Draft;
use super::exchange::{Exchange, MAX_REDIRECTS};
use super::locate;
use super::run::{Flow, Phase};
use super::subrequest;
use crate::conf::diagnostic::Reason;
use crate::conf::tree::Word;
use crate::directives;

directives! {
    /// What is done when a request is over.
    pub struct PostAction in "ngx_http_core_module" with Draft {
        /// Goes on with this path, or in this named location, when a request is over: what is done
        /// there is logged in place of it.
        target: Option<Vec<u8>> = None =>
            "post_action" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "", set(target);
    }
}

fn target(word: &Word) -> Result<Option<Vec<u8>>, Reason> {
    Ok(Some(word.text.clone()))
}

/// What is kept of a request while it does what is to be done when it is over.
#[derive(Clone, Copy)]
pub struct Acting {
    /// The status, if it was an error: nothing that is done changes it.
    status: Option<u16>,
    /// How often it did that.
    times: u8,
}

/// Logs an exchange that is over.
///
/// # Errors
/// It is not, but has to run again.
pub fn end(mut x: Box<Exchange>) -> Result<Box<Exchange>, Box<Exchange>> {
    if x.is_child() {
        subrequest::log(&x);
        return Ok(x);
    }
    if let Some(status) = x.acting.and_then(|acting| acting.status) {
        x.sent.status = status;
    }
    let times = x.acting.map_or(0, |acting| acting.times);
    // A location that goes on in itself has come to the end of its redirects by then.
    let spent = times > MAX_REDIRECTS;
    if x.location.values.post_action.target.is_none() || spent {
        access_log::write(&x);
        return Ok(x);
    }
    let status = x.failed.then_some(x.sent.status);
    let times = times + 1;
    x.acting = Some(Acting { status, times });
    x.phase = Phase::PostAction;
    Err(x)
}

/// Goes on where the location says.
pub fn run(x: &mut Exchange) -> Flow {
    let target: &'static Option<Vec<u8>> = &x.location.values.post_action.target;
    match target.as_deref() {
        Some(uri) if uri.starts_with(b"/") => Flow::Internal {
            uri: uri.to_vec(),
            args: Vec::new(),
        },
        Some(name) => locate::named(x, name),
        None => Flow::Fail(500),
    }
}
