//! Syslog daemons as `error_log` and `access_log` write them: `syslog:server=address[,facility=...]
//! [,severity=...][,tag=...][,nohostname]`. No line is sent here.

use super::address;
use super::draft::Draft;
use crate::conf::diagnostic::Reason;
use crate::conf::tree::Word;
use crate::log::Level;
pub use crate::log::syslog::{Server, Settings};
use crate::sys::socket::Address;

/// By their numbers (RFC 3164 section 4.1.1).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv",
    "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
/// Facility and tag where none are named; nginx's.
const LOCAL7: u8 = 23;
const TAG: &str = "nginx";
/// The longest tag (RFC 3164 section 4.1.3).
const LONGEST_TAG: usize = 32;
const PORT: u16 = 514;

/// What was read so far.
#[derive(Default)]
struct Reading<'a> {
    server: Option<Server>,
    facility: Option<u8>,
    severity: Option<Level>,
    tag: Option<&'a str>,
    nohostname: bool,
}

/// The number of the daemon that a word describes, of which `settings` is what stands behind
/// `syslog:`.
///
/// # Errors
/// In nginx's words: `unknown syslog facility "x"`.
pub fn parse(settings: &[u8], word: &Word, draft: &mut Draft) -> Result<usize, Reason> {
    let text = String::from_utf8_lossy(settings);
    let mut reading = Reading::default();
    for parameter in text.split(',') {
        let taken = reading.take(parameter, draft);
        taken.map_err(|what| Reason::from(what).at(word.place))?;
    }
    let Some(server) = reading.server else {
        return Err(Reason::from("no syslog server specified").at(word.place));
    };
    let hostname = (!reading.nohostname).then(|| String::from_utf8_lossy(&draft.hostname).into());
    Ok(draft.daemons.number(Settings {
        server,
        facility: reading.facility.unwrap_or(LOCAL7),
        severity: reading.severity.unwrap_or(Level::Info),
        tag: reading.tag.unwrap_or(TAG).into(),
        hostname,
    }))
}

impl<'a> Reading<'a> {
    fn take(&mut self, parameter: &'a str, draft: &Draft) -> Result<(), String> {
        match parameter.split_once('=') {
            Some((name @ "server", value)) => {
                once(name, self.server.is_some())?;
                let failed = |why| format!("{why} in syslog server \"{value}\"");
                let addresses = address::parse(value, PORT, draft.outside()).map_err(failed)?;
                self.server = addresses.into_iter().next().map(|address| match address {
                    Address::Ip(address) => Server::Udp(address),
                    Address::Unix(path) => Server::Unix(path),
                });
            }
            Some((name @ "facility", value)) => {
                once(name, self.facility.is_some())?;
                let number = FACILITIES.iter().position(|facility| *facility == value);
                let number = number.ok_or_else(|| format!("unknown syslog facility \"{value}\""));
                self.facility = Some(number? as u8);
            }
            Some((name @ "severity", value)) => {
                once(name, self.severity.is_some())?;
                let unknown = |_| format!("unknown syslog severity \"{value}\"");
                self.severity = Some(value.parse().map_err(unknown)?);
            }
            Some((name @ "tag", value)) => {
                once(name, self.tag.is_some())?;
                self.tag = Some(tag(value)?);
            }
            None if parameter == "nohostname" => self.nohostname = true,
            _ => return Err(format!("unknown syslog parameter \"{parameter}\"")),
        }
        Ok(())
    }
}

fn once(name: &str, again: bool) -> Result<(), String> {
    match again {
        true => Err(format!("duplicate syslog \"{name}\"")),
        false => Ok(()),
    }
}

fn tag(value: &str) -> Result<&str, String> {
    if value.len() > LONGEST_TAG {
        return Err("syslog tag length exceeds 32".into());
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match value.bytes().all(fits) {
        true => Ok(value),
        false => {
            let what = "syslog \"tag\" only allows alphanumeric characters and underscore";
            Err(what.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{draft, said};
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_wrong_is_told_in_nginxs_words() {
        for (settings, expected) in [
            ("", "unknown syslog parameter \"\""),
            ("facility=user", "no syslog server specified"),
            (
                "server=127.0.0.1,server=127.0.0.1",
                "duplicate syslog \"server\"",
            ),
            (
                "server=no.such.host.invalid",
                "host not found in syslog server \"no.such.host.invalid\"",
            ),
            (
                "server=unix:",
                "no path in the unix domain socket in syslog server \"unix:\"",
            ),
            (
                "server=127.0.0.1:x",
                "invalid port in syslog server \"127.0.0.1:x\"",
            ),
            (
                "server=127.0.0.1,facility=x",
                "unknown syslog facility \"x\"",
            ),
            (
                "server=127.0.0.1,facility=ftp,facility=ftp",
                "duplicate syslog \"facility\"",
            ),
            (
                "server=127.0.0.1,severity=x",
                "unknown syslog severity \"x\"",
            ),
            (
                "server=127.0.0.1,severity=info,severity=info",
                "duplicate syslog \"severity\"",
            ),
            ("server=127.0.0.1,tag=a,tag=b", "duplicate syslog \"tag\""),
            (
                "server=127.0.0.1,tag=a-b",
                "syslog \"tag\" only allows alphanumeric characters and underscore",
            ),
            (
                "server=127.0.0.1,tag=abcdefghijklmnopqrstuvwxyz1234567",
                "syslog tag length exceeds 32",
            ),
            (
                "server=127.0.0.1,nonsense",
                "unknown syslog parameter \"nonsense\"",
            ),
        ] {
            for directive in ["error_log", "access_log"] {
                let said = said(&format!(
                    "server {{ listen 80; {directive} syslog:{settings}; }}"
                ));
                assert_eq!(
                    said,
                    [format!("error: {expected}")],
                    "{directive} {settings}"
                );
            }
        }
        let buffered =
            said("server { listen 80; access_log syslog:server=127.0.0.1 combined buffer=8k; }");
        assert_eq!(buffered, ["error: logs to syslog cannot be buffered"]);
    }

    #[test]
    fn defaults_are_nginxs() {
        let text = "server { listen 80; access_log syslog:server=127.0.0.1;
                    error_log syslog:server=127.0.0.1:514,facility=local7,tag=nginx;
                    location / {
                        access_log syslog:server=unix:/s,facility=auth,severity=crit,tag=t,nohostname; } }";
        let daemons = draft(Path::new("/prefix"), text).daemons;
        let [first, second] = daemons.things() else {
            panic!("{daemons:?}");
        };
        let expected = Settings {
            server: Server::Udp("127.0.0.1:514".parse().unwrap()),
            facility: 23,
            severity: Level::Info,
            tag: "nginx".into(),
            hostname: Some("machine".into()),
        };
        assert_eq!(*first, expected);
        let expected = Settings {
            server: Server::Unix("/s".into()),
            facility: 4,
            severity: Level::Crit,
            tag: "t".into(),
            hostname: None,
        };
        assert_eq!(*second, expected);
    }
}
