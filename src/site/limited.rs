//! What limits have said about a request and all within it, and what it holds because of them.
//! Most requests meet none, and have nothing of this.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use super::limit_conn::Held;

/// What is known of a request, shared with those within it.
#[derive(Default)]
pub struct Limited(OnceCell<Rc<Said>>);

/// What limits have said; each kind speaks once.
#[derive(Default)]
pub struct Said {
    /// About the rate of requests (`$limit_req_status`).
    pub requests: Cell<Option<&'static str>>,
    /// Until when it is delayed.
    pub delayed: Cell<Option<Instant>>,
    /// About the number of connections (`$limit_conn_status`).
    pub connections: Cell<Option<&'static str>>,
    /// How fast its answer is sent, if that is limited (`$limit_rate`).
    pub rate: Cell<Option<u64>>,
    /// What it holds as long as it lives.
    pub held: RefCell<Vec<Held>>,
}

impl Limited {
    /// What they say, from now on.
    pub fn said(&self) -> &Rc<Said> {
        self.0.get_or_init(Rc::default)
    }

    /// What they have said, if anything.
    pub fn look(&self) -> Option<&Said> {
        self.0.get().map(|said| &**said)
    }

    /// The same, for an exchange within this one.
    pub fn shared(&self) -> Limited {
        Limited(OnceCell::from(self.said().clone()))
    }
}
