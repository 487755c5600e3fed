//! How many requests are answered at the same time: counts by key, which all workers share. What a
//! request holds is given back when it is over, or when its worker is.

mod counts;

use std::rc::Rc;

use super::draft::Draft;
use super::exchange::Exchange;
use super::run::Flow;
use super::template::Template;
use super::variables::Declared;
use super::zones::{self, Kind, Zone};
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::log::Level;
use counts::{Counts, Refusal};

/// Bytes that a key may have.
const LONGEST_KEY: usize = 255;
/// More requests than this may not be allowed.
const MOST: u64 = 65_535;

directives! {
    /// How many requests are answered at the same time.
    pub struct LimitConn in "ngx_http_limit_conn_module" with Draft {
        /// Declares a zone of shared memory that counts requests under way by a key: `$key
        /// zone=name:size`. Requests with an empty key are not counted. It outlives reloads that
        /// keep its size and its key, and no change of the binary.
        zones: Vec<Keyed> = Vec::new() => "limit_conn_zone" [HTTP] 2, Many, "", with(zone);
        /// Limits the requests that are under way for each key of a zone: `name number`. Several
        /// may be given.
        limits: Vec<Limit> = Vec::new() =>
            "limit_conn" [HTTP | SERVER | LOCATION] 2, Replace, "", with(limit);
        /// The level at which refused requests are logged.
        log_level: Level = Level::Error =>
            "limit_conn_log_level" [HTTP | SERVER | LOCATION] 1, Clone, "error", set(zones::level);
        /// The status of refused requests.
        status: u16 = 503 =>
            "limit_conn_status" [HTTP | SERVER | LOCATION] 1, Clone, "503", set(zones::status);
        /// Only counts, and logs what would have been refused.
        dry_run: bool = false =>
            "limit_conn_dry_run" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// The variables of this module.
pub const DECLARED: Declared = Declared {
    variables: &[("limit_conn_status", |x, out| {
        let status = x.limited.look().and_then(|said| said.connections.get());
        out.extend_from_slice(status.unwrap_or_default().as_bytes());
        status.is_some()
    })],
    families: &[],
    settable: &[],
};

static KIND: Kind = Kind {
    directive: "limit_conn_zone",
    forget: |words, process| Counts::new(words).forget(process),
};

/// What a zone counts by.
#[derive(Clone, Debug)]
pub struct Keyed {
    zone: usize,
    key: Template,
    text: Rc<[u8]>,
}

/// One `limit_conn`.
#[derive(Clone, Debug)]
pub struct Limit {
    zone: usize,
    most: u64,
}

/// One that a request has of a key, for as long as it lives.
pub struct Held {
    zone: &'static Zone,
    place: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        Counts::new(self.zone.words()).give_back(self.place);
    }
}

fn zone(this: &mut LimitConn, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (key, word) = (call.arg(0), call.arg(1));
    let template = Template::compile(key, draft)?;
    let named = zones::declared(word)?.ok_or_else(|| Reason::about("invalid parameter", word))?;
    if named.0.is_empty() {
        return Err(Reason::around("", " must have \"zone\" parameter"));
    }
    this.zones.push(Keyed {
        zone: draft.declare_zone(named, &KIND, key)?,
        key: template,
        text: key.text[..].into(),
    });
    Ok(())
}

fn limit(this: &mut LimitConn, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (name, number) = (call.arg(0), call.arg(1));
    let zone = draft.zone(&name.text, &KIND, name.place)?;
    if call.first {
        this.limits.clear();
    }
    if this.limits.iter().any(|limit| limit.zone == zone) {
        return Err(Reason::directive("is duplicate"));
    }
    let most = value::decimal(&number.text).filter(|&most| most > 0);
    let most = most.ok_or_else(|| Reason::about("invalid number of connections", number))?;
    if most > MOST {
        return Err(Reason::from("connection limit must be less 65536").at(number.place));
    }
    this.limits.push(Limit { zone, most });
    Ok(())
}

/// Refuses what is too much at the same time.
pub fn check(x: &mut Exchange) -> Flow {
    let values = &x.location.values.limit_conn;
    if values.limits.is_empty() {
        return Flow::Next;
    }
    let said = x.limited.said().clone();
    if said.connections.get().is_some() {
        return Flow::Next;
    }
    for limit in &values.limits {
        let Some((zone, key)) = count(x, values, limit) else {
            continue;
        };
        said.connections.set(Some("PASSED"));
        match Counts::new(zone.words()).take(key, std::process::id(), limit.most) {
            Ok(place) => said.held.borrow_mut().push(Held { zone, place }),
            Err(refusal) => return refuse(x, values, zone, refusal),
        }
    }
    Flow::Next
}

fn count(x: &Exchange, values: &LimitConn, limit: &Limit) -> Option<(&'static Zone, u64)> {
    let keyed = values.zones.iter().find(|keyed| keyed.zone == limit.zone)?;
    let key = keyed.key.value(x);
    if key.is_empty() || zones::too_long(x, &key, &keyed.text, LONGEST_KEY) {
        return None;
    }
    let zone = &*x.site.zones[limit.zone];
    Some((zone, zone.number(&key)))
}

fn refuse(x: &Exchange, values: &LimitConn, zone: &Zone, refusal: Refusal) -> Flow {
    let (name, mark) = (zone.name(), if values.dry_run { ", dry run," } else { "" });
    match refusal {
        Refusal::Over => {
            let what = format_args!("limiting connections{mark} by zone \"{name}\"");
            x.log(values.log_level, what);
        }
        Refusal::Full => {
            let what = format_args!("no memory in limit_conn_zone \"{name}\"");
            x.log(Level::Crit, what);
        }
    }
    let said = x.limited.said();
    said.held.borrow_mut().clear();
    if values.dry_run {
        said.connections.set(Some("REJECTED_DRY_RUN"));
        return Flow::Next;
    }
    said.connections.set(Some("REJECTED"));
    Flow::Fail(values.status)
}

#[cfg(test)]
mod tests;
