//! How a connection is driven: time-outs, keep-alive, the end, and the ways bytes are sent.

use std::time::Duration;

use super::browser::Browser;
use super::draft::Draft;
use super::exchange::Exchange;
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::http::{Linger, Method};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

directives! {
    /// Time-outs, keep-alive and the ways bytes are sent.
    pub struct Transport in "ngx_http_core_module" with Draft {
        /// Time for the whole head of a request, from its first byte; for a new connection, from
        /// its acceptance.
        header_timeout: Duration = secs(60) =>
            "client_header_timeout" [HTTP | SERVER] 1, Clone, "60s", set(value::milliseconds);
        /// Time between two reads of a request's body.
        body_timeout: Duration = secs(60) =>
            "client_body_timeout" [HTTP | SERVER | LOCATION] 1, Clone, "60s", set(value::milliseconds);
        /// Time between two writes that make progress.
        send_timeout: Duration = secs(60) =>
            "send_timeout" [HTTP | SERVER | LOCATION] 1, Clone, "60s", set(value::milliseconds);
        /// Time that an idle connection stays open, 0 closes it after each request; the second
        /// argument is told to the client in `Keep-Alive`.
        keep_alive: KeepAlive = KeepAlive { idle: secs(75), told: None } =>
            "keepalive_timeout" [HTTP | SERVER | LOCATION] 1..=2, Clone, "75s", with(keepalive_timeout);
        /// Idleness granted to a connection when its worker is told to leave. nginx's default is
        /// 0: clients that use a connection at that moment fail.
        keep_alive_min: Duration = secs(1) =>
            "keepalive_min_timeout" [HTTP | SERVER | LOCATION] 1, Clone, "1s", set(value::milliseconds);
        /// Requests that one connection may make.
        keep_alive_requests: u64 = 1000 =>
            "keepalive_requests" [HTTP | SERVER | LOCATION] 1, Clone, "1000", set(value::number);
        /// Time after which a connection is closed with its next answer.
        keep_alive_time: Duration = secs(3600) =>
            "keepalive_time" [HTTP | SERVER | LOCATION] 1, Clone, "1h", set(value::milliseconds);
        /// Browsers whose connections are closed after each request: `msie6` after a POST,
        /// `safari`.
        keep_alive_disable: Disabled = Disabled { msie6: true, safari: false } =>
            "keepalive_disable" [HTTP | SERVER | LOCATION] 1..=2, Clone, "msie6", with(keepalive_disable);
        /// Sends answers whose length is not known in chunks; otherwise the connection's end is
        /// theirs, as it is for HTTP/1.0.
        chunked: bool = true =>
            "chunked_transfer_encoding" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Whether to read on after an answer until the client has seen it: when more data may
        /// come, never, or always.
        lingering_close: Linger = Linger::On =>
            "lingering_close" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(lingering_close);
        /// Time that lingering may take in all.
        lingering_time: Duration = secs(30) =>
            "lingering_time" [HTTP | SERVER | LOCATION] 1, Clone, "30s", set(value::milliseconds);
        /// Time that lingering waits for more data.
        lingering_timeout: Duration = secs(5) =>
            "lingering_timeout" [HTTP | SERVER | LOCATION] 1, Clone, "5s", set(value::milliseconds);
        /// Resets connections that timed out, so that the kernel forgets what they were to get.
        reset_timed_out: bool = false =>
            "reset_timedout_connection" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
        /// Sends files with sendfile(2); otherwise they are read and written.
        sendfile: bool = false =>
            "sendfile" [HTTP | SERVER | LOCATION | LOCATION_IF] 1, Clone, "off", set(value::flag);
        /// Bytes that one connection may send before the others get their turn.
        sendfile_max_chunk: u64 = 2 << 20 =>
            "sendfile_max_chunk" [HTTP | SERVER | LOCATION] 1, Clone, "2m", set(value::size);
        /// Where files are read. `threads` reads what is not in memory in a pool of threads, and
        /// sends nothing by sendfile. `off` reads files of this machine's own disks without looking
        /// whether they are in memory; without it, and with `on`, those that are not are read in a
        /// pool.
        aio: Aio = Aio::Probe =>
            "aio" [HTTP | SERVER | LOCATION] 1, Clone, "", with(aio);
        /// Sends small answers at once (TCP_NODELAY).
        tcp_nodelay: bool = true =>
            "tcp_nodelay" [HTTP | SERVER | LOCATION] 1, Clone, "on", set(value::flag);
        /// Number and size of the buffers that a file is read into without `sendfile`: as many
        /// bytes are read and sent at once, and 64 KB at most.
        output_buffers: (usize, usize) = (2, 32 << 10) =>
            "output_buffers" [HTTP | SERVER | LOCATION] 2, Clone, "2 32k", with(output_buffers);
    }
    also {
        /// Accepted: the head always travels with the first bytes of the body.
        "tcp_nopush" [HTTP | SERVER | LOCATION] 1, Clone, "off", check(value::flag);
        /// Accepted: what is written of requests is always written by threads.
        "aio_write" [HTTP | SERVER | LOCATION] 1, Clone, "off", check(value::flag);
        /// Accepted, with a notice: files are read through the kernel's cache, whatever their size.
        "directio" [HTTP | SERVER | LOCATION] 1, Clone, "off", with(directio);
        /// Accepted: it is for `directio`.
        "directio_alignment" [HTTP | SERVER | LOCATION] 1, Clone, "512", check(value::offset);
        /// Accepted: the kernel finds out by itself what to read ahead.
        "read_ahead" [HTTP | SERVER | LOCATION] 1, Clone, "0", check(value::size);
    }
}

/// The name of the pool of threads that is used where none is named.
pub const DEFAULT_POOL: &[u8] = b"default";

/// Where files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aio {
    /// Here, unless that would block.
    Probe,
    /// Here.
    Off,
    /// In the pool of this number, unless it is at hand.
    Threads(usize),
}

impl Aio {
    /// The number of the pool for what would block.
    pub fn pool(self) -> usize {
        match self {
            Aio::Threads(pool) => pool,
            Aio::Probe | Aio::Off => 0,
        }
    }
}

/// What `keepalive_timeout` says.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// Time that an idle connection stays open.
    pub idle: Duration,
    /// What the client is told of it.
    pub told: Option<Duration>,
}

/// What `keepalive_disable` says.
#[derive(Clone, Copy, Debug)]
pub struct Disabled {
    msie6: bool,
    safari: bool,
}

fn keepalive_timeout(this: &mut Transport, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let idle = value::milliseconds(call.arg(0))?;
    let told = call.args().get(1).map(value::seconds).transpose()?;
    this.keep_alive = KeepAlive { idle, told };
    Ok(())
}

fn keepalive_disable(
    this: &mut Transport,
    draft: &mut Draft,
    call: &Call<'_>,
) -> Result<(), Reason> {
    let mut disabled = Disabled {
        msie6: false,
        safari: false,
    };
    let mut none = false;
    for word in call.args() {
        let seen = match &word.text.to_ascii_lowercase()[..] {
            b"none" => &mut none,
            b"msie6" => &mut disabled.msie6,
            b"safari" => &mut disabled.safari,
            _ => return Err(Reason::about("invalid value", word)),
        };
        if std::mem::replace(seen, true) {
            let what = Reason::about("duplicate value", word);
            draft
                .diagnostics
                .notice(Severity::Warning, Some(word.place), what);
        }
    }
    this.keep_alive_disable = disabled;
    Ok(())
}

fn lingering_close(word: &Word) -> Result<Linger, Reason> {
    value::one_of(
        word,
        &[
            ("off", Linger::Off),
            ("on", Linger::On),
            ("always", Linger::Always),
        ],
    )
}

fn output_buffers(this: &mut Transport, _: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    this.output_buffers = value::buffers(call.arg(0), call.arg(1))?;
    Ok(())
}

fn aio(this: &mut Transport, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    this.aio = match &word.text[..] {
        b"on" => Aio::Probe,
        b"off" => Aio::Off,
        b"threads" => Aio::Threads(0),
        text => match text.strip_prefix(b"threads=") {
            Some(name) if name.contains(&b'$') => {
                let what = "variables in the name of a thread pool are not supported";
                return Err(Reason::from(what).at(word.place));
            }
            Some(name) if !name.is_empty() => Aio::Threads(draft.pool(name, word.place)),
            _ => return Err(Reason::about("invalid value", word)),
        },
    };
    Ok(())
}

fn directio(_: &mut Transport, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    if word.text == b"off" {
        return Ok(());
    }
    value::offset(word)?;
    let what = "\"directio\" directive has no effect: files are read through the kernel's cache";
    draft
        .diagnostics
        .notice(Severity::Notice, Some(word.place), what.to_owned());
    Ok(())
}

impl Transport {
    /// Whether the connection may stay open after this request, as far as the site can tell.
    pub fn keeps_alive(&self, x: &Exchange) -> bool {
        let age = x.clock().now().saturating_duration_since(x.link.accepted);
        !self.keep_alive.idle.is_zero()
            && x.link.requests.get() < self.keep_alive_requests
            && age < self.keep_alive_time
            && !self.keep_alive_disable.concerns(x)
    }

    /// Seconds told to the client in `Keep-Alive`.
    pub fn told_timeout(&self) -> Option<u64> {
        self.keep_alive
            .told
            .map(|told| told.as_secs())
            .filter(|&seconds| seconds > 0)
    }
}

impl Disabled {
    fn concerns(self, x: &Exchange) -> bool {
        let may_concern = self.safari || self.msie6 && x.method == Method::Post;
        may_concern
            && match Browser::of(x) {
                Browser::Msie { old } => old && self.msie6 && x.method == Method::Post,
                Browser::Safari => self.safari,
                _ => false,
            }
    }
}
