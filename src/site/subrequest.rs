//! Exchanges within others: what is logged of them, and how their bodies become part of another.

use super::draft::Draft;
use super::env::Env;
use super::exchange::Exchange;
use super::run::{self, Step};
use super::source::{Input, Stop};
use super::{access_log, answer::Response};
use crate::conf::value;
use crate::directives;
use crate::http::Chunk;

directives! {
    /// Exchanges within others.
    pub struct Subrequest in "ngx_http_core_module" with Draft {
        /// Logs also requests that were made from within, where they are answered.
        log: bool = false =>
            "log_subrequest" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

/// Logs an exchange within another that is over, if its location wants that.
pub fn log(child: &Exchange) {
    if child.location.values.subrequest.log {
        access_log::write(child);
    }
}

/// Counts what became part of another body.
pub fn passed(child: &mut Exchange, chunk: &Chunk) {
    child.sent.body += chunk.len() as u64;
    child.sent.bytes += chunk.len() as u64;
}

/// An exchange whose body stands in the body of another one.
pub struct Inner {
    exchange: Box<Exchange>,
    body: Option<Input>,
}

impl Inner {
    /// A page within the one that `x` answers with.
    ///
    /// # Errors
    /// It would be within too many others, which was logged.
    pub fn new(x: &Exchange, uri: &[u8]) -> Result<Inner, Stop> {
        let exchange = x.child(uri.to_vec(), Vec::new());
        let exchange = exchange.map_err(|_| Stop::Failed)?;
        Ok(Inner {
            exchange,
            body: None,
        })
    }

    /// Its next bytes; none at its end.
    ///
    /// # Errors
    /// They have to be waited for, or will never come.
    pub fn next(&mut self, x: &mut Exchange, env: &mut dyn Env) -> Result<Option<Chunk>, Stop> {
        let body = match &mut self.body {
            Some(body) => {
                if let Some(why) = x.woken() {
                    self.exchange.wake(why);
                }
                body
            }
            None => {
                let Response { head, length, body } = match run::inner(&mut self.exchange, x, env) {
                    Step::Answer(response) => *response,
                    Step::Wait(need) => return Err(Stop::Wait(need)),
                    Step::Drop => return Err(Stop::Failed),
                };
                self.exchange.answered(head, length);
                self.body.insert(Input::new(body))
            }
        };
        let chunk = body.next(&mut self.exchange, env)?;
        match &chunk {
            Some(chunk) => passed(&mut self.exchange, chunk),
            None => log(&self.exchange),
        }
        Ok(chunk)
    }
}
