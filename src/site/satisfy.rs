//! Who may see it: all access checks of a location together, and how many of them have to agree.

use std::time::{Duration, Instant};

use super::draft::Draft;
use super::exchange::Exchange;
use super::run::{Flow, Phase};
use super::{access, auth_basic, auth_request};
use crate::conf::diagnostic::Reason;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::log::Level;

directives! {
    /// How access checks go together.
    pub struct Satisfy in "ngx_http_core_module" with Draft {
        /// Whether all access checks have to agree (`all`), or one is enough (`any`).
        any: bool = false =>
            "satisfy" [HTTP | SERVER | LOCATION] 1, Clone, "all", set(any);
        /// Lets those wait for their 401 who could guess passwords otherwise.
        delay: Duration = Duration::ZERO =>
            "auth_delay" [HTTP | SERVER | LOCATION] 1, Clone, "0s", set(value::milliseconds);
    }
}

fn any(word: &Word) -> Result<bool, Reason> {
    value::one_of(word, &[("all", false), ("any", true)])
}

/// What a check says.
pub enum Verdict {
    /// Nothing: there is nothing to check.
    Silent,
    /// May see it.
    Granted,
    /// May not: 401 or 403.
    Refused(u16),
    /// It has to wait, or cannot be made.
    Other(Flow),
}

/// How far the checks of a request have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The check that is next.
    next: usize,
    /// What a check said of which one would be enough.
    refused: Option<u16>,
}

type Check = fn(&mut Exchange) -> Verdict;

/// nginx's order.
const CHECKS: [Check; 3] = [access::check, auth_basic::check, auth_request::check];

/// Makes the checks. What asks from within was let in.
pub fn check(x: &mut Exchange, mut progress: Progress) -> Flow {
    if x.is_child() {
        return Flow::Next;
    }
    let any = x.location.values.satisfy.any;
    while let Some(check) = CHECKS.get(progress.next) {
        match check(x) {
            Verdict::Silent => {}
            Verdict::Granted if any => {
                x.challenges.clear();
                return Flow::Next;
            }
            Verdict::Granted => {}
            Verdict::Refused(status) if any => {
                // 401 tells that there is a way in.
                progress.refused = progress
                    .refused
                    .filter(|&told| told == 401)
                    .or(Some(status));
            }
            Verdict::Refused(status) => return refuse(x, status),
            Verdict::Other(flow) => {
                x.phase = Phase::Access(progress);
                return flow;
            }
        }
        progress.next += 1;
    }
    match progress.refused {
        None => Flow::Next,
        Some(status) => {
            if status == 403 {
                x.log(Level::Error, format_args!("{}", access::FORBIDDEN));
            }
            refuse(x, status)
        }
    }
}

fn refuse(x: &Exchange, status: u16) -> Flow {
    let satisfy = &x.location.values.satisfy;
    if status != 401 || satisfy.delay.is_zero() {
        return Flow::Fail(status);
    }
    x.log(Level::Info, format_args!("delaying unauthorized request"));
    Flow::Goto(Phase::Refuse(x.clock().now() + satisfy.delay))
}

/// Asks for a password once it is time.
pub fn refuse_at(x: &mut Exchange, time: Instant) -> Flow {
    match x.until(time) {
        Ok(()) => Flow::Fail(401),
        Err(need) => Flow::Wait(need),
    }
}
