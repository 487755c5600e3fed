//! A status as JSON (RFC 8259), on one line. Bytes that are no UTF-8 become U+FFFD.

use std::fmt::{self, Write};
use std::time::Duration;

use super::text::utc;
use super::{Generation, Listener, Reload, Restart, Status, Worker};

/// A value.
enum Json {
    Null,
    Number(u64),
    /// In milliseconds; written in seconds.
    Time(u64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

use Json::{List, Null, Number, Object, Text, Time};

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Null => f.write_str("null"),
            Number(number) => number.fmt(f),
            Time(millis) => write!(f, "{}.{:03}", millis / 1000, millis % 1000),
            Text(text) => quote(f, text),
            List(items) => {
                f.write_char('[')?;
                separated(f, items, |f, item| item.fmt(f))?;
                f.write_char(']')
            }
            Object(members) => {
                f.write_char('{')?;
                separated(f, members, |f, (name, value)| {
                    write!(f, "\"{name}\":{value}")
                })?;
                f.write_char('}')
            }
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            f.write_char(',')?;
        }
        write(f, item)?;
    }
    Ok(())
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            _ if character.is_control() => write!(f, "\\u{:04x}", u32::from(character))?,
            _ => f.write_char(character)?,
        }
    }
    f.write_char('"')
}

fn text(text: &str) -> Json {
    Text(text.into())
}

fn number(number: usize) -> Json {
    Number(number as u64)
}

fn pid(pid: crate::sys::process::Pid) -> Json {
    Number(pid.number().unsigned_abs().into())
}

fn seconds(duration: Duration) -> Json {
    Time(duration.as_millis().try_into().unwrap_or(u64::MAX))
}

fn moment(seconds: i64) -> Json {
    Text(utc(seconds))
}

impl Status {
    /// In one line, for programs. README documents the members; others may be added.
    pub fn json(&self) -> String {
        let all = Object(vec![
            ("version", text(env!("CARGO_PKG_VERSION"))),
            ("pid", pid(self.pid)),
            ("predecessor", self.predecessor.map_or(Null, pid)),
            ("successor", self.successor.map_or(Null, pid)),
            ("started", moment(self.started)),
            ("uptime", seconds(self.uptime)),
            (
                "last_reload",
                self.last_reload.as_ref().map_or(Null, reload),
            ),
            (
                "generations",
                List(
                    self.generations
                        .iter()
                        .map(|it| self.generation(it))
                        .collect(),
                ),
            ),
            ("workers", List(self.workers.iter().map(worker).collect())),
            (
                "listeners",
                List(self.listeners.iter().map(listener).collect()),
            ),
            (
                "restarts",
                List(self.restarts.iter().map(restart).collect()),
            ),
            ("log_lines_lost", Number(self.lines_lost)),
            ("jobs_refused", Number(self.jobs_refused)),
        ]);
        format!("{all}\n")
    }

    fn generation(&self, of: &Generation) -> Json {
        let (workers, connections) = self.population(of.number);
        Object(vec![
            ("number", Number(of.number)),
            ("state", text(of.course.name())),
            ("age", seconds(of.age)),
            ("workers", number(workers)),
            ("connections", Number(connections)),
        ])
    }
}

fn reload(of: &Reload) -> Json {
    let (outcome, reason) = match &of.outcome {
        Ok(()) => ("done", Null),
        Err(why) => ("failed", text(why)),
    };
    Object(vec![
        ("time", moment(of.time)),
        ("generation", Number(of.generation)),
        ("outcome", text(outcome)),
        ("reason", reason),
    ])
}

fn worker(of: &Worker) -> Json {
    let life = &of.life;
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let responses = classes.into_iter().zip(life.responses.map(Number));
    Object(vec![
        ("pid", pid(of.pid)),
        ("generation", Number(life.generation)),
        ("slot", number(life.slot)),
        ("state", text(life.state.name())),
        ("age", seconds(of.age)),
        ("connections", Number(life.connections)),
        ("accepted", Number(life.accepted)),
        ("requests", Number(life.requests)),
        ("bytes", Number(life.bytes)),
        ("responses", Object(responses.collect())),
    ])
}

fn listener(of: &Listener) -> Json {
    Object(vec![
        (
            "address",
            Text(String::from_utf8_lossy(&of.address).into_owned()),
        ),
        (
            "options",
            List(of.options.iter().map(|option| text(option)).collect()),
        ),
    ])
}

fn restart(of: &Restart) -> Json {
    Object(vec![
        ("time", moment(of.time)),
        ("pid", pid(of.pid)),
        ("generation", Number(of.generation)),
        ("slot", number(of.slot)),
        ("cause", text(&of.cause)),
    ])
}
