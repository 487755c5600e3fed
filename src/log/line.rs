//! One line of the error log: `2026/11/20 12:24:05 [error] 123#123: *7 message`.

use std::cell::RefCell;
use std::fmt::{self, Write};

use super::Level;
use crate::sys::{clock, process};

/// The longest line, its newline included, as in nginx.
const MAX: usize = 2048;

/// A line being made. It stays one line: control characters are written as `\xHH`. What exceeds the
/// length is cut.
pub struct Line {
    bytes: [u8; MAX],
    length: usize,
}

impl Line {
    /// A line of the error log, by this process at this time.
    pub fn dated(level: Level, connection: Option<u64>, message: fmt::Arguments<'_>) -> Line {
        let mut line = Line::new();
        let (process, thread) = (process::pid(), process::thread());
        // An error of formatting is a line cut at its end.
        let _ = with_time(|time| write!(line, "{time} [{level}] {process}#{thread}: "));
        let _ = connection.map_or(Ok(()), |number| write!(line, "*{number} "));
        let _ = line.write_fmt(message);
        line
    }

    /// A line for whoever started the program: `forkful: [emerg] message`.
    pub fn startup(level: Level, message: fmt::Arguments<'_>) -> Line {
        let mut line = Line::new();
        let _ = write!(line, "forkful: [{level}] {message}");
        line
    }

    fn new() -> Line {
        Line {
            bytes: [0; MAX],
            length: 0,
        }
    }

    /// The line with its newline.
    pub fn finish(&mut self) -> &[u8] {
        self.bytes[self.length] = b'\n';
        &self.bytes[..=self.length]
    }

    /// Appends all or nothing, and keeps room for the newline.
    fn push(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.length + bytes.len();
        if end >= MAX {
            return Err(fmt::Error);
        }
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    fn push_escaped(&mut self, byte: u8) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let (high, low) = (
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        );
        self.push(&[b'\\', b'x', high, low])
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
        if text
            .bytes()
            .fold(true, |plain, byte| plain & is_plain(byte))
            && self.push(text.as_bytes()).is_ok()
        {
            return Ok(());
        }
        let mut room = [0; 4];
        for character in text.chars() {
            let bytes = character.encode_utf8(&mut room).as_bytes();
            if character.is_control() {
                bytes.iter().try_for_each(|&byte| self.push_escaped(byte))?;
            } else {
                self.push(bytes)?;
            }
        }
        Ok(())
    }
}

/// Runs `use_time` with the time of now, which is formatted once a second.
fn with_time<T>(use_time: impl FnOnce(&str) -> T) -> T {
    thread_local! {
        static TIME: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let now = clock::wall().seconds;
    TIME.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            text.clear();
            let _ = write_time(text, clock::local(now));
        }
        use_time(text)
    })
}

fn write_time(text: &mut String, at: clock::LocalTime) -> fmt::Result {
    let clock::LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = at;
    write!(
        text,
        "{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mut line: Line) -> String {
        String::from_utf8(line.finish().to_vec()).expect("text")
    }

    #[test]
    fn reads_as_in_nginx() {
        let line = text(Line::dated(
            Level::Error,
            Some(7),
            format_args!("open() {}", "x"),
        ));
        let pid = std::process::id();
        let thread = process::thread();
        let (time, rest) = line.split_at("2026/11/20 12:24:05".len());
        assert_eq!(rest, format!(" [error] {pid}#{thread}: *7 open() x\n"));
        let shape: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "0000/00/00 00:00:00");
        let line = text(Line::dated(Level::Notice, None, format_args!("start")));
        assert!(line.ends_with(": start\n"), "{line}");
        let line = text(Line::startup(Level::Emerg, format_args!("no \"events\"")));
        assert_eq!(line, "forkful: [emerg] no \"events\"\n");
    }

    #[test]
    fn time_is_padded() {
        let mut time = String::new();
        let at = clock::LocalTime {
            month: 3,
            day: 4,
            hour: 5,
            ..clock::local(0)
        };
        write_time(&mut time, at).expect("written");
        assert_eq!(&time[4..], "/03/04 05:00:00");
    }

    #[test]
    fn stays_one_line() {
        let line = text(Line::startup(
            Level::Info,
            format_args!("a\r\nb\x1b[1m\u{9b}\x7f é"),
        ));
        assert_eq!(
            line,
            "forkful: [info] a\\x0D\\x0Ab\\x1B[1m\\xC2\\x9B\\x7F é\n"
        );
    }

    #[test]
    fn is_cut_at_2048_bytes_between_characters() {
        let long = "é".repeat(3000);
        for start in ["", "x"] {
            let line = text(Line::startup(Level::Info, format_args!("{start}{long}")));
            assert!(line.len() <= MAX && line.len() >= MAX - 1);
            assert!(line.ends_with("é\n"));
        }
    }
}
