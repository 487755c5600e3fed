//! What is said at the door: one line from the client; from the master `wait` where it takes its
//! time, then a line with the length of the text that follows.

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Load the configuration again, and say what came of it.
    Reload,
    /// Say how things are.
    Status(Form),
}

/// The form of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What the master answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done; what there is to say about it.
    Done(String),
    /// It was refused, or failed; why.
    Failed(String),
}

/// The longest line, its newline included.
pub(super) const LONGEST: usize = 64;
/// The longest text that a client takes.
pub(super) const LONGEST_TEXT: u64 = 64 << 20;
/// The master's line that says that it has heard, and that the answer may take long.
pub(super) const WAIT: &str = "wait\n";

impl Question {
    const ALL: [(Question, &str); 3] = [
        (Question::Reload, "reload\n"),
        (Question::Status(Form::Text), "status\n"),
        (Question::Status(Form::Json), "status json\n"),
    ];

    /// The line that asks so.
    pub(super) fn line(self) -> &'static str {
        let found = Question::ALL.iter().find(|(question, _)| *question == self);
        found.expect("every question is there").1
    }

    /// What a line asks.
    pub(super) fn read(line: &[u8]) -> Option<Question> {
        let found = Question::ALL
            .iter()
            .find(|(_, text)| text.as_bytes() == line);
        found.map(|(question, _)| *question)
    }
}

impl Answer {
    /// As it is sent.
    pub(super) fn message(&self) -> Vec<u8> {
        let (word, text) = match self {
            Answer::Done(text) => ("done", text),
            Answer::Failed(text) => ("failed", text),
        };
        format!("{word} {}\n{text}", text.len()).into_bytes()
    }

    /// Whether a line announces that it is done, and the length of the text that follows.
    pub(super) fn head(line: &str) -> Option<(bool, u64)> {
        let (word, length) = line.strip_suffix('\n')?.split_once(' ')?;
        let length = length.parse().ok();
        let length = length.filter(|length| *length <= LONGEST_TEXT)?;
        let done = ["failed", "done"].iter().position(|known| *known == word)?;
        Some((done == 1, length))
    }
}

impl From<Result<(), String>> for Answer {
    fn from(outcome: Result<(), String>) -> Answer {
        match outcome {
            Ok(()) => Answer::Done(String::new()),
            Err(why) => Answer::Failed(why),
        }
    }
}
