//! `listen`: which addresses a server answers on, and with what socket options.

use crate::conf::diagnostic::Reason;
use crate::conf::source::Place;
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::sys::socket::{Address, KeepAlive, Options};

use super::address;
use super::draft::Draft;

/// Connections that may wait to be accepted, unless `backlog` says otherwise; nginx's number.
pub const BACKLOG: i32 = 511;

directives! {
    /// Where a server listens.
    pub struct Listen in "ngx_http_core_module" with Draft {
        /// Sets the address and port, or the unix socket, on which the server accepts requests:
        /// `address[:port] [default_server] [proxy_protocol] [backlog=n] [reuseport] [ipv6only=on|off]
        /// [deferred] [fastopen=n] [rcvbuf=size] [sndbuf=size] [so_keepalive=...] [bind]`.
        entries: Vec<Entry> = Vec::new() =>
            "listen" [SERVER] 1.., Many, "*:80 | *:8000", with(listen);
    }
}

/// One address of a server.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The address.
    pub address: Address,
    /// Whether requests for unknown hosts come here.
    pub default: bool,
    /// Whether options of the socket were given, or `bind`.
    pub explicit: bool,
    /// Options of the socket.
    pub options: Options,
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// Whether a header of the PROXY protocol comes before the first request.
    pub proxy_protocol: bool,
    /// Where it stands; none for the default address.
    pub place: Option<Place>,
}

impl Entry {
    /// An address with no options.
    pub fn plain(address: Address) -> Entry {
        Entry {
            address,
            default: false,
            explicit: false,
            options: Options::default(),
            backlog: BACKLOG,
            proxy_protocol: false,
            place: None,
        }
    }
}

fn listen(this: &mut Listen, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    let refused = |why: String| {
        let what = format!("{why} in \"{}\" of the \"listen\" directive", word.str());
        Reason::from(what).at(word.place)
    };
    let addresses = address::parse(&word.str(), 80, draft.outside()).map_err(refused)?;
    let mut entry = Entry {
        place: Some(word.place),
        ..Entry::plain(addresses[0].clone())
    };
    for parameter in &call.args()[1..] {
        apply(&mut entry, parameter).map_err(|reason| reason.at(parameter.place))?;
    }
    for address in addresses {
        let mut entry = Entry {
            address,
            ..entry.clone()
        };
        let is_ipv6 = entry.address.ip().is_some_and(|address| address.is_ipv6());
        let only = entry.options.ipv6only.unwrap_or(true);
        entry.options.ipv6only = is_ipv6.then_some(only);
        this.entries.push(entry);
    }
    Ok(())
}

/// What `listen` takes and this server lacks; each would change who can talk to it, or how.
const UNBUILT: [&str; 4] = ["ssl", "http2", "quic", "multipath"];

fn apply(entry: &mut Entry, parameter: &Word) -> Result<(), Reason> {
    let text = parameter.str();
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (&*text, None),
    };
    match (name, value) {
        ("default_server" | "default", None) => {
            entry.default = true;
            return Ok(());
        }
        ("proxy_protocol", None) => {
            entry.proxy_protocol = true;
            return Ok(());
        }
        (name, None) if UNBUILT.contains(&name) => {
            return Err(format!("the \"{name}\" parameter of \"listen\" is not supported").into());
        }
        ("bind", None) => {}
        ("reuseport", None) => entry.options.reuseport = true,
        ("deferred", None) => entry.options.deferred = true,
        ("backlog", Some(n)) => entry.backlog = positive(name, n)?,
        ("fastopen", Some(n)) => entry.options.fastopen = Some(number(name, n)?),
        ("rcvbuf", Some(n)) => entry.options.rcvbuf = Some(size(name, n)?),
        ("sndbuf", Some(n)) => entry.options.sndbuf = Some(size(name, n)?),
        ("ipv6only", Some(value)) => entry.options.ipv6only = Some(ipv6only(value)?),
        ("so_keepalive", Some(value)) => entry.options.keepalive = Some(so_keepalive(value)?),
        ("accept_filter", Some(_)) => {
            return Err("accept filters are not supported on this platform".into());
        }
        _ => return Err(format!("invalid parameter \"{text}\"").into()),
    }
    entry.explicit = true;
    Ok(())
}

fn number(name: &str, text: &str) -> Result<i32, Reason> {
    let number = value::decimal(text.as_bytes()).and_then(|n| i32::try_from(n).ok());
    number.ok_or_else(|| format!("invalid {name} \"{text}\"").into())
}

fn positive(name: &str, text: &str) -> Result<i32, Reason> {
    match number(name, text)? {
        0 => Err(format!("invalid {name} \"{text}\"").into()),
        number => Ok(number),
    }
}

fn size(name: &str, text: &str) -> Result<i32, Reason> {
    match value::parse_size(text.as_bytes()).and_then(|n| i32::try_from(n).ok()) {
        Some(n) if n > 0 => Ok(n),
        _ => Err(format!("invalid {name} \"{text}\"").into()),
    }
}

fn ipv6only(value: &str) -> Result<bool, Reason> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("invalid parameter \"ipv6only={other}\"").into()),
    }
}

/// `on`, `off`, or `[keepidle]:[keepintvl]:[keepcnt]`.
fn so_keepalive(value: &str) -> Result<KeepAlive, Reason> {
    let invalid = || Reason::from(format!("invalid so_keepalive value: \"{value}\""));
    let plain = |on| KeepAlive {
        on,
        idle: None,
        interval: None,
        count: None,
    };
    match value {
        "on" => return Ok(plain(true)),
        "off" => return Ok(plain(false)),
        _ => {}
    }
    let parts: Vec<&str> = value.split(':').collect();
    let &[idle, interval, count] = &parts[..] else {
        return Err(invalid());
    };
    let time = |text: &str| match text {
        "" => Ok(None),
        text => value::parse_seconds(text.as_bytes())
            .and_then(|time| i32::try_from(time.as_secs()).ok())
            .map(Some)
            .ok_or_else(invalid),
    };
    let count = match count {
        "" => None,
        text => Some(text.parse().map_err(|_| invalid())?),
    };
    let keepalive = KeepAlive {
        on: true,
        idle: time(idle)?,
        interval: time(interval)?,
        count,
    };
    if keepalive.idle.is_none() && keepalive.interval.is_none() && keepalive.count.is_none() {
        return Err(invalid());
    }
    Ok(keepalive)
}
