//! A status for people: a few lines, then a table each.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::{Generation, Listener, Restart, Status, Worker};
use crate::log::Legible;
use crate::sys::clock;

impl Status {
    /// In lines for a terminal, without control characters.
    pub fn text(&self) -> String {
        let (version, pid) = (env!("CARGO_PKG_VERSION"), self.pid);
        let mut text = format!(
            "forkful {version}, master process {pid}, up {}\n",
            age(self.uptime)
        );
        let others = [
            ("predecessor", self.predecessor),
            ("successor", self.successor),
        ];
        for (role, pid) in others {
            text.extend(pid.map(|pid| format!("{role}: process {pid} runs beside it\n")));
        }
        text += &format!("last reload: {}\n", self.reloaded());
        let (lines, jobs) = (self.lines_lost, self.jobs_refused);
        text += &format!("log lines lost: {lines}, jobs refused: {jobs}\n");
        let generations = self.generations.iter().map(|it| self.generation_row(it));
        text += &table("generation> state age> workers> connections>", generations);
        text += &table(
            "pid> generation> slot> state age> connections> accepted> requests> bytes> 1xx> 2xx> 3xx> 4xx> 5xx>",
            self.workers.iter().map(worker),
        );
        text += &table("listener options", self.listeners.iter().map(listener));
        if !self.restarts.is_empty() {
            let restarts = self.restarts.iter().map(restart);
            text += &table("restart pid> generation> slot> cause", restarts);
        }
        text
    }

    fn reloaded(&self) -> String {
        match &self.last_reload {
            None => "none".into(),
            Some(reload) => {
                let (time, number) = (utc(reload.time), reload.generation);
                match &reload.outcome {
                    Ok(()) => format!("{time}, generation {number} serves"),
                    Err(why) => format!("{time}, generation {number} failed: {}", printable(why)),
                }
            }
        }
    }

    fn generation_row(&self, of: &Generation) -> Vec<String> {
        let (workers, connections) = self.population(of.number);
        vec![
            of.number.to_string(),
            of.course.name().into(),
            age(of.age),
            workers.to_string(),
            connections.to_string(),
        ]
    }
}

fn worker(of: &Worker) -> Vec<String> {
    let life = &of.life;
    let mut row = vec![
        of.pid.to_string(),
        life.generation.to_string(),
        life.slot.to_string(),
        life.state.name().into(),
        age(of.age),
    ];
    let numbers = [life.connections, life.accepted, life.requests, life.bytes];
    row.extend(numbers.iter().chain(&life.responses).map(u64::to_string));
    row
}

fn listener(of: &Listener) -> Vec<String> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let address = Legible(Path::new(OsStr::from_bytes(&of.address))).to_string();
    vec![printable(&address), of.options.join(" ")]
}

fn restart(of: &Restart) -> Vec<String> {
    let (generation, slot) = (of.generation.to_string(), of.slot.to_string());
    vec![
        utc(of.time),
        of.pid.to_string(),
        generation,
        slot,
        printable(&of.cause),
    ]
}

/// Columns under their names, after an empty line; `>` marks those of numbers, which end at the
/// right.
fn table(names: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let names: Vec<&str> = names.split(' ').collect();
    let right: Vec<bool> = names.iter().map(|name| name.ends_with('>')).collect();
    let head = names
        .iter()
        .map(|name| name.trim_end_matches('>').to_uppercase());
    let rows: Vec<Vec<String>> = [head.collect()].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..names.len()).filter_map(width).collect();
    let mut text = String::from("\n");
    for row in &rows {
        let mut line = String::new();
        for ((cell, &width), right) in row.iter().zip(&widths).zip(&right) {
            // Writing to a text does not fail.
            let _ = match right {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:<width$}  "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The two largest units: `3d 4h`, `4h 5m`, `5m 6s`, `6.789s`.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{:.3}s", age.as_secs_f64()),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// A moment as in RFC 3339: `2026-11-20T15:24:36Z`.
pub(super) fn utc(seconds: i64) -> String {
    let clock::LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = clock::utc(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Control characters could move a terminal's cursor, or worse.
fn printable(text: &str) -> String {
    let shown = |character: char| match character.is_control() {
        true => character.escape_default().collect(),
        false => String::from(character),
    };
    text.chars().map(shown).collect()
}
