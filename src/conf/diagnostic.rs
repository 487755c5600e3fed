//! What is wrong with a configuration, and how it is shown: one line fit for a log, the source
//! line, a caret.

use std::fmt::Write;

use super::source::{Place, Sources, characters};
use super::tree::Word;

/// How many entries of one severity are kept; the others are only counted.
const KEPT: usize = 50;
/// How many characters of a source line are shown at most.
const SHOWN: usize = 100;
/// How many characters of a message are shown at most.
const MESSAGE: usize = 1000;

/// Why a value or a directive was refused.
///
/// Parsers of values do not know the directive they work for. Where nginx's wording names it, the
/// message breaks at that point: `message`, the quoted name, `after`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reason {
    /// The message, or its part before the directive's name.
    pub message: String,
    /// The part of the message after the directive's name, when the message names it.
    pub after: Option<String>,
    /// The word to blame; none: the directive's name.
    pub place: Option<Place>,
    /// What may help, shown beside the caret: `did you mean "root"?`.
    pub help: Option<String>,
}

impl Reason {
    /// A reason that reads `"NAME" directive REST`.
    pub fn directive(rest: &str) -> Reason {
        Reason::around("", &format!(" directive {rest}"))
    }

    /// A reason that reads `BEFORE"NAME"AFTER`.
    pub fn around(before: &str, after: &str) -> Reason {
        Reason {
            message: before.into(),
            after: Some(after.into()),
            ..Reason::default()
        }
    }

    /// A reason that reads `WHAT "WORD"` and blames that word.
    pub fn about(what: &str, word: &Word) -> Reason {
        Reason::from(format!("{what} \"{}\"", word.str())).at(word.place)
    }

    /// Blames the word at this place, unless a narrower place is known already.
    pub fn at(mut self, place: Place) -> Reason {
        self.place.get_or_insert(place);
        self
    }

    /// Adds what may help.
    pub fn help(mut self, help: impl Into<String>) -> Reason {
        self.help = Some(help.into());
        self
    }

    /// The whole message, for the directive of this name.
    pub fn text(&self, directive: &str) -> String {
        match &self.after {
            Some(after) => format!("{}\"{directive}\"{after}", self.message),
            None => self.message.clone(),
        }
    }

    /// The same reason with the directive's name filled in.
    pub fn named(self, directive: &str) -> Reason {
        Reason {
            message: self.text(directive),
            after: None,
            ..self
        }
    }
}

impl From<String> for Reason {
    fn from(message: String) -> Reason {
        Reason {
            message,
            ..Reason::default()
        }
    }
}

impl From<&str> for Reason {
    fn from(message: &str) -> Reason {
        message.to_owned().into()
    }
}

/// How much an entry matters, with the level nginx logs it at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is refused (`emerg`).
    Error,
    /// Accepted, and probably a mistake (`warn`).
    Warning,
    /// Accepted, without the effect it would have elsewhere (`notice`).
    Notice,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How much it matters.
    pub severity: Severity,
    /// Where it stands, when it stands anywhere.
    pub place: Option<Place>,
    /// The message, without the place.
    pub message: String,
    /// What may help, shown beside the caret.
    pub help: Option<String>,
}

/// Everything found in one run, in order.
#[derive(Debug, Default)]
pub struct Diagnostics {
    entries: Vec<Entry>,
    counts: [usize; 3],
}

impl Diagnostics {
    /// Records an error. A place inside the reason is narrower than `place` and wins.
    pub fn error(&mut self, place: Option<Place>, reason: impl Into<Reason>) {
        self.add(Severity::Error, place, reason.into());
    }

    /// Records something that refuses nothing.
    pub fn notice(&mut self, severity: Severity, place: Option<Place>, reason: impl Into<Reason>) {
        self.add(severity, place, reason.into());
    }

    fn add(&mut self, severity: Severity, place: Option<Place>, reason: Reason) {
        let count = &mut self.counts[severity as usize];
        *count += 1;
        if *count <= KEPT {
            let place = reason.place.or(place);
            let Reason { message, help, .. } = reason;
            self.entries.push(Entry {
                severity,
                place,
                message,
                help,
            });
        }
    }

    /// Puts the entries in the order of their places; those without one come last.
    pub fn sort(&mut self) {
        let order = |place: Place| (place.source, place.line, place.column);
        self.entries
            .sort_by_key(|entry| (entry.place.is_none(), entry.place.map(order)));
    }

    /// Whether the configuration must be refused.
    pub fn errors(&self) -> bool {
        self.counts[Severity::Error as usize] > 0
    }

    /// What was recorded, in order; at most 50 entries of each severity.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// `and N more errors`, when there were more than were kept.
    pub fn summary(&self) -> Option<String> {
        let more = self.counts[Severity::Error as usize].saturating_sub(KEPT);
        let plural = if more == 1 { "" } else { "s" };
        (more > 0).then(|| format!("and {more} more error{plural}"))
    }
}

impl Entry {
    /// The message and its place in one line, fit for a log: `MESSAGE in FILE:LINE:COLUMN`.
    pub fn headline(&self, sources: &Sources) -> String {
        let mut line = printable(&self.message, MESSAGE);
        let named = self
            .place
            .and_then(|place| Some((place, sources.get(place.source)?)));
        if let Some((place, source)) = named {
            line += " in ";
            line += &printable(&source.name.to_string_lossy(), MESSAGE);
            if place.line > 0 {
                let _ = write!(line, ":{}:{}", place.line, place.column);
            }
        }
        line
    }

    /// The headline, then the source line with a caret under what is blamed and the help beside it.
    pub fn render(&self, sources: &Sources) -> String {
        let mut text = self.headline(sources);
        let place = self
            .place
            .filter(|place| place.line > 0 && sources.get(place.source).is_some());
        let help = self.help.as_deref().map(|help| printable(help, MESSAGE));
        if let Some(place) = place {
            let number = place.line.to_string();
            let (line, caret) = excerpt(sources.line(place), place);
            let margin = " ".repeat(number.len());
            let _ = write!(text, "\n  {number} | {line}\n  {margin} | {caret}");
            if let Some(help) = help {
                let _ = write!(text, " {help}");
            }
        } else if let Some(help) = help {
            let _ = write!(text, "\n  {help}");
        }
        text
    }
}

/// The part of a line around a place, printable, and the carets to stand under it.
fn excerpt(line: &[u8], place: Place) -> (String, String) {
    let column = place.column.saturating_sub(1) as usize;
    let first = if column > SHOWN * 2 / 3 {
        column - SHOWN / 3
    } else {
        0
    };
    let mut shown = String::new();
    let mut caret = String::new();
    if first > 0 {
        shown += "...";
        caret += "   ";
    }
    let mut rest = characters(line).enumerate().skip(first);
    for (index, character) in rest.by_ref().take(SHOWN) {
        let cell = cell(character);
        let blamed = index >= column && index - column < place.width.max(1) as usize;
        let mark = if blamed { "^" } else { " " };
        caret.extend(std::iter::repeat_n(mark, cell.chars().count()));
        shown += &cell;
    }
    if rest.next().is_some() {
        shown += "...";
    }
    if !caret.contains('^') {
        caret.push('^');
    }
    (shown.trim_end().to_owned(), caret.trim_end().to_owned())
}

/// One character as it is shown: tabs as four columns, what is no text as a replacement, controls
/// escaped.
fn cell(character: &[u8]) -> String {
    match std::str::from_utf8(character) {
        Ok("\t") => "    ".into(),
        Ok(text) => text.chars().map(escaped).collect(),
        Err(_) => char::REPLACEMENT_CHARACTER.into(),
    }
}

/// Text that cannot disturb a log or a terminal, cut at `max` characters.
fn printable(text: &str, max: usize) -> String {
    let mut line: String = text.chars().take(max).map(escaped).collect();
    if text.chars().nth(max).is_some() {
        line += "...";
    }
    line
}

fn escaped(character: char) -> String {
    // Controls, and the marks that reorder what a terminal shows.
    let hidden = [
        '\u{200e}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2066}'..='\u{2069}',
    ];
    if character.is_control() || hidden.iter().any(|range| range.contains(&character)) {
        character.escape_default().collect()
    } else {
        character.into()
    }
}

/// The candidate that a misspelt name most likely meant.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let tolerance = (name.len() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= tolerance)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= tolerance)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(text: &[u8]) -> Sources {
        let mut sources = Sources::default();
        sources.add("/etc/nginx/nginx.conf", text);
        sources
    }

    fn place(line: u32, column: u32, width: u32) -> Place {
        Place {
            source: 0,
            line,
            column,
            width,
        }
    }

    fn only(reason: Reason, place: Option<Place>) -> Entry {
        let mut diagnostics = Diagnostics::default();
        diagnostics.error(place, reason);
        assert!(diagnostics.errors());
        diagnostics.entries()[0].clone()
    }

    #[test]
    fn an_error_shows_line_caret_and_help() {
        let sources = sources(b"http {\n\trooot /srv;\n}\n");
        let reason = Reason::from("unknown directive \"rooot\"").help("did you mean \"root\"?");
        assert_eq!(
            only(reason, Some(place(2, 2, 5))).render(&sources),
            "unknown directive \"rooot\" in /etc/nginx/nginx.conf:2:2\n\
             \x20 2 |     rooot /srv;\n\
             \x20   |     ^^^^^ did you mean \"root\"?"
        );
    }

    #[test]
    fn a_message_can_name_its_directive() {
        let flag = Reason::around("invalid value \"x\" in ", " directive, it must be \"on\"");
        let size = Reason::directive("invalid value");
        assert_eq!(
            flag.text("etag"),
            "invalid value \"x\" in \"etag\" directive, it must be \"on\""
        );
        assert_eq!(
            size.named("index").message,
            "\"index\" directive invalid value"
        );
        assert_eq!(Reason::from("as it is").text("index"), "as it is");
    }

    #[test]
    fn the_narrower_place_wins() {
        let reason = Reason::from("x").at(place(1, 5, 1)).at(place(1, 1, 4));
        assert_eq!(
            only(reason, Some(place(9, 9, 9))).place,
            Some(place(1, 5, 1))
        );
    }

    #[test]
    fn nothing_unprintable_reaches_the_output() {
        let sources = sources(b"a\x1b[2J\xff b\xc2\x85;\n");
        let entry = only("bad\n\u{1b}\u{202e}\u{0}".into(), Some(place(1, 8, 1)));
        let text = entry.render(&sources);
        assert!(
            text.starts_with("bad\\n\\u{1b}\\u{202e}\\u{0} in /etc"),
            "{text}"
        );
        assert!(
            text.contains("\n  1 | a\\u{1b}[2J\u{fffd} b\\u{85};\n"),
            "{text}"
        );
        let marks = text.lines().last().unwrap();
        assert_eq!(
            marks.chars().position(|c| c == '^'),
            Some("  1 | a\\u{1b}[2JX ".len())
        );
    }

    #[test]
    fn a_long_line_is_clipped_around_the_caret() {
        let mut text = vec![b'x'; 5000];
        text[3000] = b'!';
        let rendered = only("long".into(), Some(place(1, 3001, 1))).render(&sources(&text));
        let lines: Vec<&str> = rendered.lines().collect();
        assert!(lines[1].len() < 120 && lines[1].ends_with("...") && lines[1].contains("| ...x"));
        assert_eq!(lines[1].find('!'), lines[2].find('^'));
    }

    #[test]
    fn a_place_past_the_line_or_of_a_whole_source_is_shown() {
        let sources = sources(b"ab\n");
        let text = only("end".into(), Some(place(1, 3, 1))).render(&sources);
        assert!(text.ends_with("\n  1 | ab\n    |   ^"), "{text}");
        let whole = only("end".into(), Some(place(0, 0, 0))).render(&sources);
        assert_eq!(whole, "end in /etc/nginx/nginx.conf");
        assert_eq!(
            only(Reason::from("a").help("b"), None).render(&sources),
            "a\n  b"
        );
    }

    #[test]
    fn errors_are_capped_and_counted() {
        let mut diagnostics = Diagnostics::default();
        for _ in 0..=KEPT {
            diagnostics.notice(Severity::Notice, None, "n");
        }
        assert!(!diagnostics.errors() && diagnostics.summary().is_none());
        for _ in 0..KEPT + 2 {
            diagnostics.error(None, "e");
        }
        assert_eq!(diagnostics.entries().len(), 2 * KEPT);
        assert_eq!(diagnostics.summary().as_deref(), Some("and 2 more errors"));
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        let names = ["root", "return", "server_name", "sendfile", "add_header"];
        let cases = [
            ("rooot", Some("root")),
            ("sever_name", Some("server_name")),
            ("servername", Some("server_name")),
            ("add_haeder", Some("add_header")),
            ("retrun", Some("return")),
            ("proxy_pass", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(suggest(name, names), expected, "{name}");
        }
    }
}
