//! Finds commands, `<!--#name parameter="value" -->`, in a text that comes in chunks. Where it is
//! split makes no difference, and of a command no more is kept than its limits allow.

use crate::http::Chunk;

/// Bytes that a command's name may have, and each of its parameters' names.
const NAME_LENGTH: usize = 32;

/// Parameters that are kept of a command: one more than any may have.
const PARAMETERS: usize = super::command::MAX_PARAMETERS + 1;

const OPENING: &[u8] = b"<!--#";

/// A command as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    /// Its name.
    pub name: Vec<u8>,
    /// Names and values of its parameters, in their order. Backslashes are still in the values.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Command {
    /// The command again, as text.
    pub fn text(&self) -> Vec<u8> {
        let mut text = [OPENING, &self.name].concat();
        for (name, value) in &self.parameters {
            for part in [b" ", &name[..], b"=\"", value, b"\""] {
                text.extend_from_slice(part);
            }
        }
        text.extend_from_slice(b" -->");
        text
    }
}

/// What a text is made of.
#[derive(Debug)]
pub enum Part {
    /// Bytes that stay.
    Text(Chunk),
    /// A command.
    Command(Command),
    /// Something is wrong with what was to be a command; its end is still to come.
    Wrong(String),
    /// The end of such a command.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Text, and so many bytes that may open a command.
    Text(usize),
    BeforeName,
    Name,
    BeforeParameter,
    Parameter,
    AfterParameter,
    BeforeValue,
    Value(u8),
    /// The byte after a backslash, within such quotes.
    Escaped(u8),
    AfterValue,
    /// After the first `-` of the end.
    End1,
    /// After the second.
    End2,
    /// Within a command that is wrong.
    Wrong,
    WrongEnd1,
    WrongEnd2,
}

/// Reads a text of any number of chunks.
pub struct Parser {
    state: State,
    command: Command,
    value_length: usize,
    text: Chunk,
}

impl Parser {
    /// Nothing read yet; values of parameters may have so many bytes (`ssi_value_length`).
    pub fn new(value_length: usize) -> Parser {
        Parser {
            state: State::Text(0),
            command: Command::default(),
            value_length,
            text: Chunk::from(Vec::new()),
        }
    }

    /// Goes on with this text; all parts of the last one have been taken.
    pub fn go_on(&mut self, text: Chunk) {
        debug_assert!(self.text.is_empty());
        self.text = text;
    }

    /// The next part; none until there is more text.
    pub fn part(&mut self) -> Option<Part> {
        while !self.text.is_empty() {
            let part = match self.state {
                State::Text(opened) => self.take_text(opened),
                _ => {
                    let byte = self.text[0];
                    self.text.advance(1);
                    self.take(byte)
                }
            };
            if part.is_some() {
                return part;
            }
        }
        None
    }

    /// What is left when the text has ended: bytes that were to open a command.
    pub fn end(&mut self) -> Option<Part> {
        match std::mem::replace(&mut self.state, State::Text(0)) {
            State::Text(opened) if opened > 0 => Some(Part::Text(Chunk::from(&OPENING[..opened]))),
            _ => None,
        }
    }

    /// Text up to what opens a command, of which so many bytes have been seen and not given out.
    fn take_text(&mut self, opened: usize) -> Option<Part> {
        if opened == 0 {
            let start = memchr::memchr(OPENING[0], &self.text).unwrap_or(self.text.len());
            if start > 0 {
                return Some(Part::Text(self.text.split_to(start)));
            }
        }
        if self.text[0] != OPENING[opened] {
            // No opening starts within another one.
            self.state = State::Text(0);
            return Some(Part::Text(Chunk::from(&OPENING[..opened])));
        }
        self.text.advance(1);
        self.state = State::Text(opened + 1);
        if opened + 1 == OPENING.len() {
            self.command = Command::default();
            self.state = State::BeforeName;
        }
        None
    }

    fn take(&mut self, byte: u8) -> Option<Part> {
        let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.state = match (self.state, byte) {
            (State::BeforeName, _) if blank => State::BeforeName,
            (State::BeforeName, _) => return self.name(byte),
            (State::Name, _) if blank => State::BeforeParameter,
            (State::Name | State::BeforeParameter | State::AfterValue, b'-') => State::End1,
            (State::Name, _) => return self.name(byte),
            (State::BeforeParameter, _) if blank => State::BeforeParameter,
            (State::BeforeParameter, _) => return self.parameter(byte),
            (State::Parameter | State::AfterParameter, _) if blank => State::AfterParameter,
            (State::Parameter | State::AfterParameter, b'=') => State::BeforeValue,
            (State::Parameter, b'-') | (State::AfterParameter, _) => return self.no_value(byte),
            (State::Parameter, _) => return self.more_parameter(byte),
            (State::BeforeValue, _) if blank => State::BeforeValue,
            (State::BeforeValue, b'"' | b'\'') => State::Value(byte),
            (State::BeforeValue, _) => return self.bad_value(byte),
            (State::Value(quote), _) if byte == quote => State::AfterValue,
            (State::Value(quote), _) => {
                let escapes = byte == b'\\';
                let next = if escapes {
                    State::Escaped(quote)
                } else {
                    self.state
                };
                return self.value(byte, next);
            }
            (State::Escaped(quote), _) => return self.value(byte, State::Value(quote)),
            (State::AfterValue, _) if blank => State::BeforeParameter,
            (State::AfterValue, _) => return self.after_value(byte),
            (State::End1, b'-') => State::End2,
            (State::End2, b'>') => {
                self.state = State::Text(0);
                return Some(Part::Command(std::mem::take(&mut self.command)));
            }
            (State::End1 | State::End2, _) => return self.bad_end(byte),
            (State::Wrong, b'-') => State::WrongEnd1,
            (State::WrongEnd1, b'-') => State::WrongEnd2,
            (State::WrongEnd2, b'>') => {
                self.state = State::Text(0);
                return Some(Part::Broken);
            }
            (State::Wrong | State::WrongEnd1 | State::WrongEnd2, _) => State::Wrong,
            (State::Text(_), _) => self.state,
        };
        None
    }

    fn name(&mut self, byte: u8) -> Option<Part> {
        self.state = State::Name;
        if self.command.name.len() == NAME_LENGTH {
            let name = shown(&self.command.name);
            let byte = shown(&[byte]);
            return self.wrong(format!("the \"{name}{byte}...\" SSI command is too long"));
        }
        self.command.name.push(byte);
        None
    }

    fn parameter(&mut self, byte: u8) -> Option<Part> {
        self.state = State::Parameter;
        if self.command.parameters.len() < PARAMETERS {
            self.command.parameters.push(Default::default());
        }
        let (name, value) = self.last();
        *name = vec![byte];
        value.clear();
        None
    }

    fn more_parameter(&mut self, byte: u8) -> Option<Part> {
        let (name, _) = self.last();
        if name.len() < NAME_LENGTH {
            name.push(byte);
            return None;
        }
        let (name, command) = self.names();
        let byte = shown(&[byte]);
        self.wrong(format!(
            "too long \"{name}{byte}...\" parameter in \"{command}\" SSI command"
        ))
    }

    fn value(&mut self, byte: u8, next: State) -> Option<Part> {
        self.state = next;
        let most = self.value_length;
        let (_, value) = self.last();
        if value.len() < most {
            value.push(byte);
            return None;
        }
        let value = shown(value);
        let (name, command) = self.names();
        let byte = shown(&[byte]);
        self.wrong(format!(
            "too long \"{value}{byte}...\" value of \"{name}\" parameter in \"{command}\" SSI command"
        ))
    }

    fn no_value(&mut self, byte: u8) -> Option<Part> {
        let (name, command) = self.names();
        let what = format!("symbol after \"{name}\" parameter in \"{command}\" SSI command");
        self.unexpected(byte, &what)
    }

    fn bad_value(&mut self, byte: u8) -> Option<Part> {
        let (name, command) = self.names();
        let what =
            format!("symbol before value of \"{name}\" parameter in \"{command}\" SSI command");
        self.unexpected(byte, &what)
    }

    fn after_value(&mut self, byte: u8) -> Option<Part> {
        let value = shown(&self.last().1);
        let (name, command) = self.names();
        let what = format!(
            "symbol after \"{value}\" value of \"{name}\" parameter in \"{command}\" SSI command"
        );
        let part = self.unexpected(byte, &what);
        // nginx takes a `-` for the start of the end in the other places alone.
        self.state = State::Wrong;
        part
    }

    fn bad_end(&mut self, byte: u8) -> Option<Part> {
        let what = format!("symbol in \"{}\" SSI command", shown(&self.command.name));
        let part = self.unexpected(byte, &what);
        self.state = State::Wrong;
        part
    }

    /// The command is wrong from this byte on, which may be the start of its end.
    fn unexpected(&mut self, byte: u8, what: &str) -> Option<Part> {
        let part = self.wrong(format!("unexpected \"{}\" {what}", shown(&[byte])));
        if byte == b'-' {
            self.state = State::WrongEnd1;
        }
        part
    }

    fn wrong(&mut self, what: String) -> Option<Part> {
        self.state = State::Wrong;
        Some(Part::Wrong(what))
    }

    /// The names of the parameter and of the command, to be shown.
    fn names(&mut self) -> (String, String) {
        let name = shown(&self.last().0);
        (name, shown(&self.command.name))
    }

    fn last(&mut self) -> &mut (Vec<u8>, Vec<u8>) {
        let parameters = &mut self.command.parameters;
        if parameters.is_empty() {
            parameters.push(Default::default());
        }
        parameters.last_mut().expect("one was added")
    }
}

fn shown(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}
