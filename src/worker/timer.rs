//! Which time-out of a connection runs, and what happens when it is over.

use std::time::{Duration, Instant};

use super::client::Client;
use crate::http::Timeout;

/// Which time-out runs, and since when.
pub(super) struct Timer {
    kind: Timeout,
    since: Instant,
    /// When lingering began.
    lingering: Option<Instant>,
    /// Bytes went in or out since the timer was looked at.
    pub moved: bool,
    /// A request began since the timer was looked at.
    pub turned: bool,
}

impl Timer {
    /// Of a connection that was accepted then.
    pub fn new(now: Instant) -> Timer {
        Timer {
            kind: Timeout::Header,
            since: now,
            lingering: None,
            moved: false,
            turned: false,
        }
    }
}

impl Client {
    /// When its time-out will be over. `leaving` says how long an idle connection may still stay.
    pub fn due(&mut self, leaving: Option<Leave>) -> Option<Instant> {
        let now = self.link.clock.now();
        self.restart_timer(now);
        let transport = self.transport;
        let after = |time: Duration| Some(self.timer.since + time);
        let resting = self.pace.as_ref().and_then(|pace| pace.rests_until());
        let due = match self.timer.kind {
            Timeout::None => None,
            Timeout::Header => after(transport.header_timeout),
            Timeout::Body => after(transport.body_timeout),
            Timeout::Send => resting.or(after(transport.send_timeout)),
            Timeout::KeepAlive => after(transport.keep_alive.idle),
            Timeout::Lingering => {
                let all = self.timer.lingering.unwrap_or(now) + transport.lingering_time;
                after(transport.lingering_timeout).map(|due| due.min(all))
            }
        };
        let idle = match leaving {
            Some(Leave::Soon) if self.http.is_idle() => after(transport.keep_alive_min),
            Some(Leave::Now) if self.http.is_idle() => Some(now),
            _ => None,
        };
        let unclear = self.unclear_until.get().filter(|until| *until > now);
        let waiting = self
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.due(transport));
        due.into_iter()
            .chain(idle)
            .chain(unclear)
            .chain(waiting)
            .min()
    }

    fn restart_timer(&mut self, now: Instant) {
        let kind = self.http.timeout();
        let timer = &mut self.timer;
        let begins = kind != timer.kind || timer.turned;
        let renews = matches!(kind, Timeout::Body | Timeout::Send | Timeout::Lingering);
        if begins || (timer.moved && renews) {
            timer.since = now;
        }
        if begins {
            timer.lingering = (kind == Timeout::Lingering).then_some(now);
        }
        timer.kind = kind;
        timer.moved = false;
        timer.turned = false;
    }

    /// Whether nothing but its pace keeps it from sending.
    pub(super) fn rests(&self) -> bool {
        let pace = self.pace.as_ref();
        pace.is_some_and(|pace| pace.rests_until().is_some())
    }

    /// Its time-out is over.
    pub fn timed_out(&mut self) {
        if self.waited_enough() {
            return; // If another time-out is over as well, it comes back.
        }
        let now = self.link.clock.now();
        if self.pace.as_mut().is_some_and(|pace| pace.has_rested(now)) {
            // The time that a write may take begins now.
            self.timer.moved = true;
            return;
        }
        if self.writable && self.unclear_until.get().is_some() {
            return; // It is looked at again; if a time-out is over as well, it comes back.
        }
        let abrupt = matches!(
            self.timer.kind,
            Timeout::Body | Timeout::Send | Timeout::Header
        );
        if abrupt && self.transport.reset_timed_out {
            // The kernel refuses this to a connection that is gone already.
            let _ = self.link.stream.set_linger_zero();
            self.http.close();
        }
        if self.http.is_idle() {
            self.http.close();
        } else {
            self.http.timed_out();
        }
    }
}

/// How long idle connections may stay when a worker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// As long as `keepalive_min_timeout` says.
    Soon,
    /// Not at all.
    Now,
}
