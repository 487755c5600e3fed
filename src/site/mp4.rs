//! `mp4`: films that start where the client wants to see them (`?start=` and `?end=`, in seconds).

pub mod atom;
mod cut;
pub mod film;
#[cfg(test)]
mod sample;
mod tables;
pub mod timed;
mod track;

use std::path::PathBuf;

use super::answer::Body;
use super::draft::Draft;
use super::env::{Env, Lane};
use super::exchange::Exchange;
use super::run::Flow;
use super::static_file;
use super::variables::argument_of;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::conf::value;
use crate::directives;
use crate::files::Opened;
use crate::http::{Bytes, Chunk, Piece};
use crate::log::Level;
use atom::Fault;
use film::{Cut, Limits};
use timed::Span;

directives! {
    /// How films are entered.
    pub struct Mp4 in "ngx_http_mp4_module" with Draft {
        /// Bytes of a film that are read at once, in search of what is in it.
        buffer_size: u64 = 512 << 10 =>
            "mp4_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "512K", set(value::size);
        /// Bytes that the tables of a film (`moov`) may have, where `mp4_buffer_size` is less. One
        /// that has more is answered with 500.
        max_buffer_size: u64 = 10 << 20 =>
            "mp4_max_buffer_size" [HTTP | SERVER | LOCATION] 1, Clone, "10M", set(value::size);
        /// Whether a film is sent from the key frame before its start, with a note to players that
        /// they show it from the start on.
        start_key_frame: bool = false =>
            "mp4_start_key_frame" [HTTP | SERVER | LOCATION] 1, Clone, "off", set(value::flag);
    }
}

directives! {
    /// Whether files are films.
    pub struct Films in "ngx_http_mp4_module" with Draft {
        /// Sends a film from the time that `?start=` says to the time that `?end=` says, in seconds:
        /// with tables of its own, and the part of its data that they need.
        are_here: bool = false => "mp4" [LOCATION] 0, Many, "", with(mp4);
    }
}

fn mp4(this: &mut Films, _: &mut Draft, _: &Call<'_>) -> Result<(), Reason> {
    this.are_here = true;
    Ok(())
}

/// What came of cutting a film.
struct Done {
    path: PathBuf,
    opened: Opened,
    cut: Result<Cut, Fault>,
}

/// Answers with a film, or a part of it.
pub fn run(x: &mut Exchange, env: &mut dyn Env) -> Flow {
    if !x.location.own.films.are_here {
        return Flow::Next;
    }
    seek(x, env).unwrap_or_else(|flow| flow)
}

fn seek(x: &mut Exchange, env: &mut dyn Env) -> Result<Flow, Flow> {
    if let Some(done) = x.done() {
        return Ok(answer(x, done));
    }
    let (path, opened) = static_file::opened(x, env)?;
    let settings = &x.location.values.mp4;
    let Some(span) = span(&x.args, settings.start_key_frame) else {
        return Ok(Flow::Answer(Box::new(static_file::content(x, opened))));
    };
    let limits = Limits {
        buffer: usize::try_from(settings.buffer_size).unwrap_or(usize::MAX),
        most: settings.max_buffer_size,
    };
    let job = move || {
        let read = |at, buffer: &mut [u8]| opened.content.read(buffer, at);
        let cut = film::cut(opened.meta.size, read, limits, span);
        Done { path, opened, cut }
    };
    let lane = Lane::Device(x.promised.map_or(0, |meta| meta.device));
    let done = x.job(lane, "mp4", job).map_err(Flow::Wait)?;
    Ok(answer(x, done))
}

fn answer(x: &mut Exchange, Done { path, opened, cut }: Done) -> Flow {
    let (head, range) = match cut {
        Ok(Cut::Part(head, range)) => (head, range),
        Ok(Cut::Whole) => {
            let mut answer = static_file::content(x, opened);
            answer.single_range = true;
            return Flow::Answer(Box::new(answer));
        }
        Err(fault) => {
            x.log(Level::Error, format_args!("{}", fault.about(&path)));
            return Flow::Fail(500);
        }
    };
    let head = Piece::Bytes(Chunk::from(Bytes::from(head)));
    let body = Body::Pieces(vec![head, opened.content.piece(range)]);
    let mut answer = static_file::with(x, opened.meta, body);
    answer.single_range = true;
    Flow::Answer(Box::new(answer))
}

/// What a query asks for; none if it is the whole film.
fn span(args: &[u8], key_frames: bool) -> Option<Span> {
    let time = |name| argument_of(args, name).and_then(milliseconds);
    let end = time(b"end").filter(|&end| end > 0);
    let start = time(b"start").or(end.map(|_| 0))?;
    Some(Span {
        start,
        length: end.map_or(0, |end| end.saturating_sub(start)),
        key_frames,
    })
}

/// Seconds with any number of digits behind the point; none if it is not that, or too many.
fn milliseconds(text: &[u8]) -> Option<u64> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, rest) = text.split_at(point.unwrap_or(text.len()));
    let rest = rest.strip_prefix(b".").unwrap_or_default();
    let is_number = whole.iter().chain(rest).all(u8::is_ascii_digit);
    if text.is_empty() || !is_number {
        return None;
    }
    let digits = whole.iter().chain(rest.iter().chain(b"000").take(3));
    digits
        .into_iter()
        .try_fold(0, |value: i64, digit| {
            let digit = i64::from(digit - b'0');
            value.checked_mul(10)?.checked_add(digit)
        })?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_nginx_does() {
        for (text, expected) in [
            ("0", Some(0)),
            ("7", Some(7000)),
            ("7.1", Some(7100)),
            ("7.1239999999999999999999999", Some(7123)),
            (".5", Some(500)),
            ("5.", Some(5000)),
            (".", Some(0)),
            ("", None),
            ("-1", None),
            ("1e3", None),
            ("1.2.3", None),
            ("9223372036854775.807", Some(i64::MAX as u64)),
            ("9223372036854775.808", None),
            ("9223372036854776", None),
        ] {
            assert_eq!(milliseconds(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn an_end_before_the_start_is_none() {
        for (args, expected) in [
            ("", None),
            ("start=", None),
            ("start=x&end=0", None),
            ("start=1", Some((1000, 0))),
            ("START=1&End=3.5", Some((1000, 2500))),
            ("a=b&end=3", Some((0, 3000))),
            ("start=x&end=3", Some((0, 3000))),
            ("start=2&end=2", Some((2000, 0))),
            ("start=2&end=1", Some((2000, 0))),
            ("restart=2", None),
        ] {
            let span = span(args.as_bytes(), false).map(|span| (span.start, span.length));
            assert_eq!(span, expected, "{args}");
        }
    }
}
