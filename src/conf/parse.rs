//! From texts to a [`Tree`]: directives, blocks, `include`. It finds as many errors as it can, and
//! reads everything within the bounds of [`Limits`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::diagnostic::{Diagnostics, Reason};
use super::include;
use super::lexer::{Lexer, Token};
use super::lua;
use super::outside::Outside;
use super::source::{Place, Sources};
use super::tree::{Item, Tree, Word};

/// The name of the text given with `-g`.
const COMMAND_LINE: &str = "command line";

/// What to parse.
#[derive(Clone, Debug)]
pub struct Start {
    /// The text of `-g`, which comes before the file.
    pub directives: Option<Vec<u8>>,
    /// The main text.
    pub main: Main,
    /// What relative names in `include` are relative to: the directory of the main file.
    pub prefix: PathBuf,
    /// The bounds of the configuration.
    pub limits: Limits,
}

/// Where the main text comes from.
#[derive(Clone, Debug)]
pub enum Main {
    /// A file, named as messages shall name it.
    File(PathBuf),
    /// A text of the program itself, with the name that messages give it.
    Embedded(PathBuf, Vec<u8>),
}

impl Start {
    /// A file, with includes relative to its directory, within the default bounds.
    pub fn file(path: impl Into<PathBuf>) -> Start {
        let path = path.into();
        let prefix = path.parent().map(Path::to_owned).unwrap_or_default();
        Start {
            directives: None,
            main: Main::File(path),
            prefix,
            limits: Limits::default(),
        }
    }

    /// A text that is no file, within the default bounds.
    pub fn embedded(name: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Start {
        let main = Main::Embedded(name.into(), text.into());
        Start {
            directives: None,
            main,
            prefix: PathBuf::new(),
            limits: Limits::default(),
        }
    }
}

/// The bounds of a configuration. nginx bounds only the length of a word, at 4096 bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one word as written.
    pub word: usize,
    /// Words in all, a file counted as often as it is included.
    pub words: usize,
    /// Bytes of all texts, a file counted as often as it is included.
    pub bytes: u64,
    /// Blocks within blocks.
    pub nesting: usize,
    /// Files within files.
    pub includes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            word: 64 << 10,
            words: 8_000_000,
            bytes: 64 << 20,
            nesting: 64,
            includes: 32,
        }
    }
}

/// Parses a configuration, whose files come from `outside`. When `diagnostics` has errors
/// afterwards, the tree holds what could be understood.
pub fn parse(start: Start, outside: &Outside, diagnostics: &mut Diagnostics) -> Tree {
    let Start {
        directives,
        main,
        prefix,
        limits,
    } = start;
    let mut parser = Parser {
        outside,
        diagnostics,
        prefix,
        limits,
        sources: Sources::default(),
        loaded: HashMap::new(),
        open: Vec::new(),
        bytes: 0,
        words: 0,
        nesting: 0,
        stopped: false,
    };
    let mut items = Vec::new();
    if let Some(text) = directives {
        let source = parser.sources.add(COMMAND_LINE, &text);
        items.extend(parser.source(source, Kind::CommandLine));
    }
    let main = match main {
        Main::Embedded(name, text) => Ok(parser.sources.add(name, &text)),
        Main::File(path) => parser.load(&path),
    };
    match main {
        Ok(source) => items.extend(parser.source(source, Kind::File)),
        Err(reason) => parser.diagnostics.error(None, reason),
    }
    Tree {
        sources: parser.sources,
        items,
    }
}

/// Everything that outlives one text.
struct Parser<'d> {
    outside: &'d Outside,
    diagnostics: &'d mut Diagnostics,
    prefix: PathBuf,
    limits: Limits,
    sources: Sources,
    /// The sources that are files, by path: each is read once, however often it is included.
    loaded: HashMap<PathBuf, u32>,
    /// The sources being read, outermost first.
    open: Vec<u32>,
    bytes: u64,
    words: usize,
    nesting: usize,
    /// A bound was reached: nothing more is read.
    stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    CommandLine,
}

impl Parser<'_> {
    /// The source of a file, read when it is met for the first time.
    fn load(&mut self, path: &Path) -> Result<u32, Reason> {
        if let Some(&source) = self.loaded.get(path) {
            return Ok(source);
        }
        let text = self.outside.text(path, self.limits.bytes)?;
        let source = self.sources.add(path, &text);
        self.loaded.insert(path.to_owned(), source);
        Ok(source)
    }

    /// Parses one text whole.
    fn source(&mut self, source: u32, kind: Kind) -> Vec<Item> {
        let Some(text) = self
            .sources
            .get(source)
            .map(|source| Rc::clone(&source.text))
        else {
            return Vec::new();
        };
        // An empty file costs something too.
        self.bytes += text.len() as u64 + 64;
        if self.bytes > self.limits.bytes {
            self.stop(None, include::too_large(self.limits.bytes));
            return Vec::new();
        }
        if let Some(place) = place_of_nul(&text, source) {
            self.diagnostics.error(Some(place), "unexpected NUL byte");
            return Vec::new();
        }
        self.open.push(source);
        let lexer = Lexer::new(&text, source, self.limits.word);
        let items = Text {
            parser: self,
            lexer,
            kind,
            blocks: Vec::new(),
            line: Line::default(),
        }
        .parse();
        self.open.pop();
        items
    }

    /// The directives of the files that an `include` names.
    fn include(&mut self, argument: &Word) -> Vec<Item> {
        let place = Some(argument.place);
        if self.open.len() > self.limits.includes {
            self.diagnostics.error(place, "too many nested includes");
            return Vec::new();
        }
        let files = match std::str::from_utf8(&argument.text) {
            Ok(name) => self.outside.files(&self.prefix, name),
            Err(_) => Err("the file name is not UTF-8".into()),
        };
        let files = files.unwrap_or_else(|reason: String| {
            self.diagnostics.error(place, reason);
            Vec::new()
        });
        let mut items = Vec::new();
        for path in files {
            match self.load(&path) {
                Ok(source) if self.open.contains(&source) => {
                    let message = format!("\"{}\" includes itself", path.display());
                    self.diagnostics.error(place, message);
                }
                Ok(source) => items.extend(self.source(source, Kind::File)),
                Err(reason) => self.diagnostics.error(place, reason),
            }
            if self.stopped {
                break;
            }
        }
        items
    }

    fn stop(&mut self, place: Option<Place>, reason: impl Into<Reason>) {
        if !std::mem::replace(&mut self.stopped, true) {
            self.diagnostics.error(place, reason);
        }
    }
}

/// One text being parsed.
struct Text<'p, 'd, 't> {
    parser: &'p mut Parser<'d>,
    lexer: Lexer<'t>,
    kind: Kind,
    /// The blocks that are open, outermost first.
    blocks: Vec<Block>,
    line: Line,
}

/// The directive being read.
#[derive(Default)]
struct Line {
    words: Vec<Word>,
    /// An error was reported in it: it means nothing, only its block is looked at.
    broken: bool,
}

/// A block being read: the directives around it, and the directive it belongs to (none: a broken
/// one).
struct Block {
    around: Vec<Item>,
    owner: Option<(Word, Vec<Word>)>,
    place: Place,
}

impl Text<'_, '_, '_> {
    fn parse(mut self) -> Vec<Item> {
        let mut items = Vec::new();
        while !self.parser.stopped {
            match self.lexer.token() {
                Ok(Token::Word(word)) => self.word(word),
                Ok(Token::Semicolon(place)) => self.semicolon(place, &mut items),
                Ok(Token::Open(place)) => self.open(place, &mut items),
                Ok(Token::Close(place)) => self.close(place, &mut items),
                Ok(Token::End(place)) => {
                    self.end(place);
                    break;
                }
                Err(reason) => self.fault(None, reason),
            }
        }
        while !self.blocks.is_empty() {
            self.leave(&mut items);
        }
        items
    }

    /// Reports an error in the directive being read.
    fn fault(&mut self, place: Option<Place>, reason: impl Into<Reason>) {
        self.parser.diagnostics.error(place, reason);
        self.line.broken = true;
    }

    fn word(&mut self, word: Word) {
        self.parser.words += 1;
        if self.parser.words > self.parser.limits.words {
            let message = format!(
                "the configuration has more than {} words",
                self.parser.limits.words
            );
            self.parser.stop(Some(word.place), message);
        }
        self.line.words.push(word);
    }

    fn semicolon(&mut self, place: Place, items: &mut Vec<Item>) {
        if self.line.words.is_empty() && !self.line.broken {
            self.fault(Some(place), "unexpected \";\"");
        }
        self.finish(items);
    }

    /// Ends a directive without a block.
    fn finish(&mut self, items: &mut Vec<Item>) {
        match self.take_line() {
            Some((name, args)) if name.is("include") => match args.as_slice() {
                [argument] => items.extend(self.parser.include(argument)),
                _ => {
                    let message = "invalid number of arguments in \"include\" directive";
                    self.parser.diagnostics.error(Some(name.place), message);
                }
            },
            Some((name, args)) => items.push(Item {
                name,
                args,
                block: None,
            }),
            None => {}
        }
    }

    /// The directive that has been read, unless it is broken.
    fn take_line(&mut self) -> Option<(Word, Vec<Word>)> {
        let Line { mut words, broken } = std::mem::take(&mut self.line);
        if broken || words.is_empty() {
            return None;
        }
        let args = words.split_off(1);
        Some((words.pop()?, args))
    }

    fn open(&mut self, place: Place, items: &mut Vec<Item>) {
        let name = self.line.words.first();
        let lua = name.is_some_and(|name| lua::is_block(&name.text));
        let place = name.map_or(place, |name| name.place);
        if let Some(message) = self.refusal_of_block() {
            self.fault(Some(place), message);
        }
        let (around, owner) = (std::mem::take(items), self.take_line());
        self.blocks.push(Block {
            around,
            owner,
            place,
        });
        self.parser.nesting += 1;
        if self.parser.nesting > self.parser.limits.nesting {
            self.parser.stop(Some(place), "too many nested blocks");
        }
        if lua {
            if let Err(reason) = self.lexer.skip_lua() {
                self.fault(None, reason);
            }
            self.leave(items);
        }
    }

    /// Why what has been read cannot have a block.
    fn refusal_of_block(&self) -> Option<&'static str> {
        match self.line.words.first() {
            _ if self.line.broken => None,
            None => Some("unexpected \"{\""),
            Some(_) if self.kind == Kind::CommandLine => {
                Some("block directives are not supported in -g option")
            }
            Some(name) => name
                .is("include")
                .then_some("directive \"include\" is not terminated by \";\""),
        }
    }

    fn close(&mut self, place: Place, items: &mut Vec<Item>) {
        let unfinished = !self.line.words.is_empty() && !self.line.broken;
        if unfinished || self.blocks.is_empty() {
            let message = "unexpected \"}\"";
            self.parser.diagnostics.error(Some(place), message);
        }
        self.finish(items);
        self.leave(items);
    }

    /// Leaves the innermost block, if there is one.
    fn leave(&mut self, items: &mut Vec<Item>) {
        if let Some(Block { around, owner, .. }) = self.blocks.pop() {
            self.parser.nesting -= 1;
            let inside = std::mem::replace(items, around);
            if let Some((name, args)) = owner {
                items.push(Item {
                    name,
                    args,
                    block: Some(inside),
                });
            }
        }
    }

    fn end(&mut self, place: Place) {
        let message = match (self.kind, self.line.words.last()) {
            _ if self.line.broken => return,
            (Kind::CommandLine, Some(_)) => "unexpected end of parameter, expecting \";\"",
            (Kind::File, Some(_)) => "unexpected end of file, expecting \";\" or \"}\"",
            (Kind::File, None) if !self.blocks.is_empty() => {
                "unexpected end of file, expecting \"}\""
            }
            _ => return,
        };
        let mut reason = Reason::from(message);
        if let Some(word) = self.line.words.first() {
            reason = reason.help(format!(
                "after \"{}\" in line {}",
                word.str(),
                word.place.line
            ));
        } else if let Some(block) = self.blocks.last() {
            reason = reason.help(format!("for the block of line {}", block.place.line));
        }
        self.parser.diagnostics.error(Some(place), reason);
    }
}

fn place_of_nul(text: &[u8], source: u32) -> Option<Place> {
    let at = text.iter().position(|&byte| byte == 0)?;
    let mut lines = text[..at].split(|&byte| byte == b'\n');
    let last = lines.next_back().unwrap_or_default();
    let column = super::source::characters(last).count() as u32 + 1;
    Some(Place {
        source,
        line: lines.count() as u32 + 1,
        column,
        width: 1,
    })
}

#[cfg(test)]
mod tests;
