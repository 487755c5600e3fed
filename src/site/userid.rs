//! `userid`: a cookie by which a client is known again.

mod cookie;
mod issue;

use std::cell::OnceCell;

use super::answer::Answer;
use super::draft::Draft;
use super::exchange::Exchange;
use super::variables::{Declared, Variable};
use crate::conf::diagnostic::{Reason, Severity};
use crate::conf::table::Call;
use crate::conf::tree::Word;
use crate::conf::value;
use crate::directives;
use crate::log::Level;

directives! {
    /// How clients are known again.
    pub struct UserId in "ngx_http_userid_module" with Draft {
        /// Gives clients a cookie (`on`, or `v1` for one of the first version), or only logs the
        /// one that they have (`log`).
        mode: Mode = Mode::Off => "userid" [HTTP | SERVER | LOCATION] 1, Clone, "off", with(mode);
        /// The number of this server in cookies, in place of its address.
        service: Option<u32> = None =>
            "userid_service" [HTTP | SERVER | LOCATION] 1, Clone, "", set(service);
        /// The name of the cookie.
        name: Vec<u8> = b"uid".to_vec() =>
            "userid_name" [HTTP | SERVER | LOCATION] 1, Clone, "uid", set(text);
        /// The domain that the cookie is for.
        domain: Option<Vec<u8>> = None =>
            "userid_domain" [HTTP | SERVER | LOCATION] 1, Clone, "none", set(text_or_none);
        /// The path that the cookie is for.
        path: Vec<u8> = b"/".to_vec() =>
            "userid_path" [HTTP | SERVER | LOCATION] 1, Clone, "/", set(text);
        /// How long clients keep the cookie: a time, `max`, or `off` for as long as they run.
        expires: Expires = Expires::Off =>
            "userid_expires" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(expires);
        /// Attributes of the cookie: `secure`, `httponly`, `samesite=strict|lax|none`.
        flags: Vec<Flag> = Vec::new() =>
            "userid_flags" [HTTP | SERVER | LOCATION] 1..=3, Clone, "off", with(flags);
        /// The value of a field `P3P` that goes with the cookie.
        p3p: Option<Vec<u8>> = None =>
            "userid_p3p" [HTTP | SERVER | LOCATION] 1, Clone, "none", set(text_or_none);
        /// A character in cookies; clients whose cookie lacks it get theirs anew, with it.
        mark: Option<u8> = None =>
            "userid_mark" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(mark);
    }
}

/// What is done about cookies.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Nothing.
    Off,
    /// The client's is logged.
    Log,
    /// A client without one gets one.
    On {
        /// Whether it is one of the first version.
        first_version: bool,
        /// `$uid_reset`: whether a client gets another one.
        reset: Reset,
    },
}

/// A variable that the configuration may set.
#[derive(Clone, Debug)]
pub struct Reset(Variable);

impl PartialEq for Reset {
    fn eq(&self, _: &Reset) -> bool {
        true // There is one such variable.
    }
}

/// How long a cookie is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Expires {
    /// Until the client ends.
    Off,
    /// For ever.
    Max,
    /// For so many seconds.
    After(u64),
}

/// An attribute, as the configuration and the cookie write it.
type Flag = &'static str;

const FLAGS: [Flag; 5] = [
    "secure",
    "httponly",
    "samesite=strict",
    "samesite=lax",
    "samesite=none",
];

fn mode(this: &mut UserId, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let choices = [("off", 0), ("log", 1), ("v1", 2), ("on", 3)];
    let chosen = value::one_of(call.arg(0), &choices)?;
    this.mode = match chosen {
        0 => Mode::Off,
        1 => Mode::Log,
        number => Mode::On {
            first_version: number == 2,
            reset: Reset(draft.variables.reference(b"uid_reset", None)),
        },
    };
    Ok(())
}

fn service(word: &Word) -> Result<Option<u32>, Reason> {
    // nginx's number has more bits, of which the cookie holds the last 32.
    value::number(word).map(|number| Some(number as u32))
}

fn text(word: &Word) -> Result<Vec<u8>, Reason> {
    Ok(word.text.clone())
}

fn text_or_none(word: &Word) -> Result<Option<Vec<u8>>, Reason> {
    Ok((!word.is("none")).then(|| word.text.clone()))
}

fn expires(word: &Word) -> Result<Expires, Reason> {
    Ok(match &word.text[..] {
        b"off" => Expires::Off,
        b"max" => Expires::Max,
        _ => Expires::After(value::seconds(word)?.as_secs()),
    })
}

fn flags(this: &mut UserId, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let mut seen: Vec<Flag> = Vec::new();
    for word in call.args() {
        let choices = FLAGS.iter().chain(&["off"]).map(|flag| (*flag, *flag));
        let flag = value::one_of(word, &choices.collect::<Vec<_>>())?;
        if seen.contains(&flag) {
            let what = format!("duplicate value \"{flag}\"");
            draft
                .diagnostics
                .notice(Severity::Warning, Some(word.place), what);
        }
        seen.push(flag);
    }
    this.flags = FLAGS
        .into_iter()
        .filter(|flag| seen.contains(flag))
        .collect();
    Ok(())
}

fn mark(word: &Word) -> Result<Option<u8>, Reason> {
    match &word.text[..] {
        b"off" => Ok(None),
        [mark] if mark.is_ascii_alphanumeric() || *mark == b'=' => Ok(Some(*mark)),
        _ => {
            let what = "value must be \"off\" or a single letter, digit or \"=\"";
            Err(Reason::directive(what).at(word.place))
        }
    }
}

/// Variables of the cookie.
pub const DECLARED: Declared = Declared {
    variables: &[
        ("uid_got", uid_got),
        ("uid_reset", |_, _| false),
        ("uid_set", uid_set),
    ],
    families: &[],
    settable: &[("uid_reset", None)],
};

/// What is known of a request's cookie.
pub struct Seen {
    /// The client's cookie, up to the end of its identifier, and the identifier.
    got: Option<(Vec<u8>, Id)>,
    /// The cookie that it gets; none if it has a good one.
    set: OnceCell<Option<Issued>>,
}

/// What identifies a client.
type Id = [u8; 16];

/// A cookie for a client.
struct Issued {
    id: Id,
    value: Vec<u8>,
}

impl UserId {
    /// What is known of a request's cookie, found once.
    fn seen<'a>(&self, x: &'a Exchange) -> &'a Seen {
        x.uid.get_or_init(|| {
            Box::new(Seen {
                got: cookie::read(self, x),
                set: OnceCell::new(),
            })
        })
    }

    /// The cookie that the client gets.
    fn issued<'a>(&self, x: &'a Exchange) -> Option<&'a Issued> {
        let Mode::On {
            first_version,
            reset,
        } = &self.mode
        else {
            return None;
        };
        let seen = self.seen(x);
        let issue = || {
            if let Some(got) = &seen.got
                && !self.is_reset(x, reset, &got.1)
            {
                return cookie::marked(self, got);
            }
            let id = match first_version {
                true => issue::first_version(self.service, x),
                false => issue::second_version(self.service, x),
            };
            let value = cookie::value(&id, self.mark);
            Some(Issued { id, value })
        };
        seen.set.get_or_init(issue).as_ref()
    }

    /// Whether the client is to get another one, which may be told.
    fn is_reset(&self, x: &Exchange, reset: &Reset, got: &Id) -> bool {
        let mut wish = Vec::new();
        reset.0.write(x, &mut wish);
        if wish == b"log" {
            let mut cookie = Vec::new();
            show(&self.name, got, &mut cookie);
            let cookie = cookie.escape_ascii();
            let what = format_args!("userid cookie \"{cookie}\" was reset");
            x.log(Level::Notice, what);
        }
        !wish.is_empty() && wish != b"0"
    }
}

fn uid_got(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let userid: &'static UserId = &x.location.values.userid;
    if userid.mode == Mode::Off {
        return false;
    }
    let got = userid.seen(x).got.as_ref();
    got.is_some_and(|(_, id)| show(&userid.name, id, out))
}

fn uid_set(x: &Exchange, out: &mut Vec<u8>) -> bool {
    let userid: &'static UserId = &x.location.values.userid;
    let issued = userid.issued(x);
    issued.is_some_and(|issued| show(&userid.name, &issued.id, out))
}

/// `uid=` and the identifier, as four numbers of this machine, in hexadecimal digits.
fn show(name: &[u8], id: &Id, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(name);
    out.push(b'=');
    for number in id.as_chunks().0 {
        let number = u32::from_ne_bytes(*number);
        out.extend(format!("{number:08X}").bytes());
    }
    true
}

/// Adds the cookie, if the client is to get one.
pub fn filter(x: &Exchange, answer: &mut Answer) {
    let userid: &'static UserId = &x.location.values.userid;
    if !matches!(userid.mode, Mode::On { .. }) {
        return;
    }
    let Some(issued) = userid.issued(x) else {
        return;
    };
    let cookie = cookie::field(userid, &issued.value, x.clock().wall().as_secs());
    answer.fields.push(("Set-Cookie".into(), cookie.into()));
    if let Some(p3p) = userid.p3p.clone().filter(|p3p| !p3p.is_empty()) {
        answer.fields.push(("P3P".into(), p3p.into()));
    }
}

#[cfg(test)]
mod tests;
