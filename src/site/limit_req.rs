//! How often something may be asked for: leaky buckets by key, which all workers share. What comes
//! too early is delayed, or refused.

mod buckets;

use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::draft::Draft;
use super::exchange::Exchange;
use super::run::Flow;
use super::template::Template;
use super::variables::Declared;
use super::zones::{self, Kind};
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::log::Level;
use buckets::{Buckets, Leak};

/// Bytes that a key may have.
const LONGEST_KEY: usize = 65_535;

directives! {
    /// How often something may be asked for.
    pub struct LimitReq in "ngx_http_limit_req_module" with Draft {
        /// Declares a zone of shared memory that counts requests by a key: `$key zone=name:size
        /// rate=10r/s` (or `r/m`). Requests with an empty key are not counted. It outlives reloads
        /// that keep its size and its key, and no change of the binary.
        zones: Vec<Rate> = Vec::new() => "limit_req_zone" [HTTP] 3, Many, "", with(zone);
        /// Limits requests to the rate of a zone: `zone=name [burst=number] [nodelay |
        /// delay=number]`. Within the burst they are delayed, beyond it refused. Several may be
        /// given.
        limits: Vec<Limit> = Vec::new() =>
            "limit_req" [HTTP | SERVER | LOCATION] 1..=3, Replace, "", with(limit);
        /// The level at which refused requests are logged; delayed ones are one level below.
        log_level: Level = Level::Error =>
            "limit_req_log_level" [HTTP | SERVER | LOCATION] 1, Clone, "error", set(zones::level);
        /// The status of refused requests.
        status: u16 = 503 =>
            "limit_req_status" [HTTP | SERVER | LOCATION] 1, Clone, "503", set(zones::status);
        /// Only counts, and logs what would have been delayed or refused.
        dry_run: bool = false =>
            "limit_req_dry_run" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// The variables of this module.
pub const DECLARED: Declared = Declared {
    variables: &[("limit_req_status", |x, out| {
        let status = x.limited.look().and_then(|said| said.requests.get());
        out.extend_from_slice(status.unwrap_or_default().as_bytes());
        status.is_some()
    })],
    families: &[],
    settable: &[],
};

static KIND: Kind = Kind {
    directive: "limit_req_zone",
    forget: |_: &[AtomicU64], _| {}, // A bucket is nobody's.
};

/// What a zone counts.
#[derive(Clone, Debug)]
pub struct Rate {
    zone: usize,
    key: Template,
    text: Rc<[u8]>,
    /// Thousandths of a request in each second.
    rate: u64,
}

/// One `limit_req`. Both counts are in thousandths of a request.
#[derive(Clone, Debug)]
pub struct Limit {
    zone: usize,
    burst: u64,
    /// How many of the burst are not delayed.
    delay: u64,
}

fn zone(this: &mut LimitReq, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let key = call.arg(0);
    let template = Template::compile(key, draft)?;
    let (mut named, mut rate) = (None, 1000);
    for word in &call.args()[1..] {
        if let Some(declared) = zones::declared(word)? {
            named = Some(declared);
        } else if let Some(text) = word.text.strip_prefix(b"rate=") {
            rate = parse_rate(text).ok_or_else(|| Reason::about("invalid rate", word))?;
        } else {
            return Err(Reason::about("invalid parameter", word));
        }
    }
    let named = named.filter(|(name, _)| !name.is_empty());
    let named = named.ok_or_else(|| Reason::around("", " must have \"zone\" parameter"))?;
    this.zones.push(Rate {
        zone: draft.declare_zone(named, &KIND, key)?,
        key: template,
        text: key.text[..].into(),
        rate,
    });
    Ok(())
}

/// `10r/s`, `10r/m` or `10`, in thousandths of a request in each second.
fn parse_rate(text: &[u8]) -> Option<u64> {
    let (number, seconds) = match text.strip_suffix(b"r/m") {
        Some(number) => (number, 60),
        None => (text.strip_suffix(b"r/s").unwrap_or(text), 1),
    };
    let number = value::decimal(number).filter(|&number| number > 0)?;
    Some(number.saturating_mul(1000) / seconds)
}

fn limit(this: &mut LimitReq, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let (mut zone, mut burst, mut delay) = (None, 0, 0);
    let thousandths = |text: &[u8], what: &str, word: &Word| {
        let number = value::decimal(text).filter(|&number| number > 0);
        let number = number.ok_or_else(|| Reason::about(what, word))?;
        Ok::<u64, Reason>(number.saturating_mul(1000))
    };
    for word in call.args() {
        if let Some(name) = word.text.strip_prefix(b"zone=") {
            zone = Some(draft.zone(name, &KIND, word.place)?);
        } else if let Some(text) = word.text.strip_prefix(b"burst=") {
            burst = thousandths(text, "invalid burst value", word)?;
        } else if let Some(text) = word.text.strip_prefix(b"delay=") {
            delay = thousandths(text, "invalid delay value", word)?;
        } else if word.is("nodelay") {
            delay = u64::MAX;
        } else {
            return Err(Reason::about("invalid parameter", word));
        }
    }
    let zone = zone.ok_or_else(|| Reason::around("", " must have \"zone\" parameter"))?;
    if call.first {
        this.limits.clear();
    }
    if this.limits.iter().any(|limit| limit.zone == zone) {
        return Err(Reason::directive("is duplicate"));
    }
    this.limits.push(Limit { zone, burst, delay });
    Ok(())
}

/// A limit that counts a request, by its key.
struct Counted {
    limit: &'static Limit,
    key: u64,
    leak: Leak,
}

/// How a request fares.
enum Verdict {
    /// No limit counts it.
    Uncounted,
    /// It is refused, by this limit, with so much in its bucket.
    Refused(&'static Limit, u64),
    /// It is let through, after a while: the longest of any limit.
    Passed(Duration, &'static Limit, u64),
}

/// Delays or refuses what comes too early.
pub fn check(x: &mut Exchange) -> Flow {
    let values = &x.location.values.limit_req;
    if values.limits.is_empty() {
        return Flow::Next;
    }
    let said = x.limited.said().clone();
    if said.requests.get().is_none() {
        let status = match judge(x, values) {
            Verdict::Uncounted => return Flow::Next,
            Verdict::Refused(limit, excess) => return refuse(x, values, limit, excess),
            Verdict::Passed(Duration::ZERO, ..) => "PASSED",
            Verdict::Passed(delay, limit, excess) => {
                log_delay(x, values, limit, excess);
                if !values.dry_run {
                    said.delayed.set(Some(x.clock().now() + delay));
                }
                if values.dry_run {
                    "DELAYED_DRY_RUN"
                } else {
                    "DELAYED"
                }
            }
        };
        said.requests.set(Some(status));
    }
    match said.delayed.get().map(|time| x.until(time)) {
        Some(Err(need)) => Flow::Wait(need),
        _ => Flow::Next,
    }
}

fn refuse(x: &Exchange, values: &LimitReq, limit: &Limit, excess: u64) -> Flow {
    let mark = if values.dry_run { ", dry run" } else { "" };
    let (zone, excess) = (x.site.zones[limit.zone].name(), Excess(excess));
    let what = format_args!("limiting requests{mark}, excess: {excess} by zone \"{zone}\"");
    x.log(values.log_level, what);
    let requests = &x.limited.said().requests;
    if values.dry_run {
        requests.set(Some("REJECTED_DRY_RUN"));
        return Flow::Next;
    }
    requests.set(Some("REJECTED"));
    Flow::Fail(values.status)
}

fn log_delay(x: &Exchange, values: &LimitReq, limit: &Limit, excess: u64) {
    let level = match values.log_level {
        Level::Error => Level::Warn,
        Level::Warn => Level::Notice,
        _ => Level::Info,
    };
    let mark = if values.dry_run { ", dry run" } else { "" };
    let (zone, excess) = (x.site.zones[limit.zone].name(), Excess(excess));
    let what = format_args!("delaying request{mark}, excess: {excess}, by zone \"{zone}\"");
    x.log(level, what);
}

/// As nginx: all limits are asked first; only where none refuses it, the request is counted.
fn judge(x: &Exchange, values: &'static LimitReq) -> Verdict {
    let mut counted = Vec::new();
    let mut latest = None;
    let last = values.limits.len() - 1;
    for (number, limit) in values.limits.iter().enumerate() {
        let Some(one) = count(x, values, limit) else {
            continue;
        };
        let (buckets, most) = (one.buckets(x), limit.burst);
        let asked = match number == last {
            true => buckets.charge(one.key, one.leak, most),
            false => match buckets.look(one.key, one.leak) {
                excess if excess > most => Err(excess),
                excess => Ok(excess),
            },
        };
        match asked {
            Err(excess) => return Verdict::Refused(limit, excess),
            Ok(excess) if number == last => latest = Some((one, excess)),
            Ok(_) => counted.push(one),
        }
    }
    let charge = |one: Counted| {
        // Whatever there is in it.
        let (Ok(excess) | Err(excess)) = one.buckets(x).charge(one.key, one.leak, u64::MAX);
        (one, excess)
    };
    let all = latest
        .into_iter()
        .chain(counted.into_iter().rev().map(charge));
    let delays = all.map(|(one, excess)| (one.delay(excess), one.limit, excess));
    // Of equal ones the first.
    let longest = delays.reduce(|longest, next| if next.0 > longest.0 { next } else { longest });
    match longest {
        Some((delay, limit, excess)) => Verdict::Passed(delay, limit, excess),
        None => Verdict::Uncounted,
    }
}

fn count(x: &Exchange, values: &LimitReq, limit: &'static Limit) -> Option<Counted> {
    let rate = values.zones.iter().find(|rate| rate.zone == limit.zone)?;
    let key = rate.key.value(x);
    if key.is_empty() || zones::too_long(x, &key, &rate.text, LONGEST_KEY) {
        return None;
    }
    let zone = &x.site.zones[limit.zone];
    let leak = Leak {
        now: zone.time(x.clock().now()),
        rate: rate.rate,
    };
    let key = zone.number(&key);
    Some(Counted { limit, key, leak })
}

impl Counted {
    fn buckets(&self, x: &Exchange) -> Buckets<'static> {
        Buckets::new(x.site.zones[self.limit.zone].words())
    }

    /// How long a request waits that finds so much in its bucket.
    fn delay(&self, excess: u64) -> Duration {
        let over = u128::from(excess.saturating_sub(self.limit.delay));
        let milliseconds = over * 1000 / u128::from(self.leak.rate);
        Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
    }
}

/// Thousandths, as nginx writes them.
struct Excess(u64);

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests;
