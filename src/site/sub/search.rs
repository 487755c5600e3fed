//! Several strings searched for at once in a text that comes in chunks, whatever their case. The
//! leftmost wins; of those that start at one place, the one that was named first.

use crate::http::Chunk;

/// The strings, ready to be searched for.
#[derive(Clone, Debug)]
pub struct Strings {
    /// In lower case, none of them empty.
    strings: Vec<Vec<u8>>,
    shortest: usize,
    longest: usize,
    /// How far a window as long as the shortest can move, by the byte at its end.
    shift: Box<[u8; 256]>,
}

impl Strings {
    /// Strings of which none is empty.
    pub fn new(strings: impl IntoIterator<Item = Vec<u8>>) -> Strings {
        let lower = |string: Vec<u8>| string.to_ascii_lowercase();
        let strings: Vec<Vec<u8>> = strings.into_iter().map(lower).collect();
        // The table has bytes: a longer window would move by less than it could.
        let shortest = strings.iter().map(Vec::len).min().unwrap_or(0).min(255);
        let mut shift = Box::new([shortest as u8; 256]);
        for string in &strings {
            for (index, &byte) in string[..shortest].iter().enumerate() {
                let far = (shortest - 1 - index) as u8;
                for byte in [byte, byte.to_ascii_uppercase()] {
                    let known = &mut shift[usize::from(byte)];
                    *known = far.min(*known);
                }
            }
        }
        Strings {
            longest: strings.iter().map(Vec::len).max().unwrap_or(0),
            strings,
            shortest,
            shift,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.strings.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// The first place in `text` where one of the strings stands, or may stand once it goes on.
    /// Those that `skip` says are left out.
    fn find(&self, text: &[u8], ended: bool, skip: &[bool]) -> Found {
        let mut start = 0;
        while let Some(&last) = text.get(start + self.shortest - 1) {
            match self.shift[usize::from(last)] {
                0 => match self.at(&text[start..], ended, skip) {
                    Found::Nothing => start += 1,
                    found => return found.behind(start),
                },
                shift => start += usize::from(shift),
            }
        }
        // Behind it, no string is complete.
        while !ended && start < text.len() {
            match self.at(&text[start..], ended, skip) {
                Found::Nothing => start += 1,
                found => return found.behind(start),
            }
        }
        Found::Nothing
    }

    /// The string that `text` starts with.
    fn at(&self, text: &[u8], ended: bool, skip: &[bool]) -> Found {
        for (index, string) in self.strings.iter().enumerate().filter(|(i, _)| !skip[*i]) {
            let common = string.len().min(text.len());
            if !text[..common].eq_ignore_ascii_case(&string[..common]) {
                continue;
            }
            if common == string.len() {
                return Found::String { index, start: 0 };
            }
            if !ended {
                return Found::Maybe { start: 0 };
            }
        }
        Found::Nothing
    }
}

#[derive(Debug, PartialEq)]
enum Found {
    Nothing,
    /// String number `index` stands there.
    String {
        index: usize,
        start: usize,
    },
    /// What comes next decides.
    Maybe {
        start: usize,
    },
}

impl Found {
    fn behind(self, offset: usize) -> Found {
        match self {
            Found::Nothing => Found::Nothing,
            Found::String { index, start } => Found::String {
                index,
                start: start + offset,
            },
            Found::Maybe { start } => Found::Maybe {
                start: start + offset,
            },
        }
    }

    fn start(&self) -> Option<usize> {
        match self {
            Found::Nothing => None,
            Found::String { start, .. } | Found::Maybe { start } => Some(*start),
        }
    }
}

/// What a text is made of.
#[derive(Debug)]
pub enum Part {
    /// Bytes that stay.
    Text(Chunk),
    /// The string of this number stood here.
    Match(usize),
}

/// A search through one text.
pub struct Search {
    strings: Strings,
    /// Each string is looked for once.
    once: bool,
    /// Those no longer looked for.
    done: Vec<bool>,
    /// The end of what came so far, which may be the start of a string: shorter than the longest.
    held: Vec<u8>,
    /// What is still to be searched.
    text: Chunk,
    ended: bool,
}

impl Search {
    /// Nothing searched yet.
    pub fn new(strings: Strings, once: bool) -> Search {
        Search {
            done: vec![false; strings.len()],
            strings,
            once,
            held: Vec::new(),
            text: Chunk::from(Vec::new()),
            ended: false,
        }
    }

    /// Goes on with this text; all parts of the last one have been taken.
    pub fn go_on(&mut self, text: Chunk) {
        debug_assert!(self.text.is_empty());
        self.text = text;
    }

    /// The text has ended.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next part; none until there is more text.
    pub fn part(&mut self) -> Option<Part> {
        if self.done.iter().all(|&done| done) {
            return self.all_held().or_else(|| self.text_up_to(usize::MAX));
        }
        if !self.held.is_empty() {
            return self.next_of_held();
        }
        match self.strings.find(&self.text, self.ended, &self.done) {
            Found::Nothing => self.text_up_to(usize::MAX),
            Found::String { index, start: 0 } => {
                self.text.advance(self.strings.strings[index].len());
                Some(self.matched(index))
            }
            Found::Maybe { start: 0 } => {
                self.hold_text();
                None
            }
            Found::String { start, .. } | Found::Maybe { start } => self.text_up_to(start),
        }
    }

    /// The next part where it starts in what is held: what follows is looked at only as far as a
    /// string that starts there can reach.
    fn next_of_held(&mut self) -> Option<Part> {
        let reach = self.text.len().min(self.strings.longest - 1);
        let joined = [&self.held[..], &self.text[..reach]].concat();
        let found = self.strings.find(&joined, self.ended, &self.done);
        match (found.start(), found) {
            (Some(0), Found::String { index, .. }) => {
                let length = self.strings.strings[index].len();
                let of_held = length.min(self.held.len());
                self.held.drain(..of_held);
                self.text.advance(length - of_held);
                Some(self.matched(index))
            }
            (Some(0), Found::Maybe { .. }) => {
                self.hold_text();
                None
            }
            (Some(start), _) if start < self.held.len() => {
                let rest = self.held.split_off(start);
                let before = std::mem::replace(&mut self.held, rest);
                Some(Part::Text(before.into()))
            }
            _ => self.all_held(),
        }
    }

    fn matched(&mut self, index: usize) -> Part {
        self.done[index] = self.once;
        Part::Match(index)
    }

    fn hold_text(&mut self) {
        self.held.extend_from_slice(&self.text);
        self.text = Chunk::from(Vec::new());
    }

    fn all_held(&mut self) -> Option<Part> {
        let held = std::mem::take(&mut self.held);
        (!held.is_empty()).then(|| Part::Text(held.into()))
    }

    fn text_up_to(&mut self, length: usize) -> Option<Part> {
        let part = self.text.split_to(length);
        (!part.is_empty()).then_some(Part::Text(part))
    }
}
