//! The commands there are, what each takes, and where it may stand.

use super::parse::Command;

/// Parameters that a command may have.
pub const MAX_PARAMETERS: usize = 16;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// The answer to another request stands here.
    Include,
    /// The value of a variable stands here.
    Echo,
    /// Says how errors and times are shown.
    Config,
    /// Sets a variable.
    Set,
    /// What follows stands here if this is so.
    If,
    /// If not, and this is so.
    Elif,
    /// If not.
    Else,
    /// The end of what stands here if something is so.
    Endif,
    /// What follows is kept for `include` to show.
    Block,
    /// The end of what is kept.
    Endblock,
}

/// How far an `if` has come. It goes on only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Branch {
    /// After `if` or `elif`.
    If,
    /// After `else`.
    Else,
}

/// A command that there is.
pub struct Kind {
    name: &'static str,
    /// What it does.
    pub verb: Verb,
    /// Names of its parameters, and whether each must be there.
    parameters: &'static [(&'static str, bool)],
    /// The latest branch of an `if` that it may follow; none for one that need not follow any.
    pub follows: Option<Branch>,
}

const fn kind(
    name: &'static str,
    verb: Verb,
    parameters: &'static [(&'static str, bool)],
    follows: Option<Branch>,
) -> Kind {
    Kind {
        name,
        verb,
        parameters,
        follows,
    }
}

const KINDS: [Kind; 10] = [
    kind(
        "include",
        Verb::Include,
        &[
            ("virtual", false),
            ("file", false),
            ("wait", false),
            ("set", false),
            ("stub", false),
        ],
        None,
    ),
    kind(
        "echo",
        Verb::Echo,
        &[("var", true), ("default", false), ("encoding", false)],
        None,
    ),
    kind(
        "config",
        Verb::Config,
        &[("errmsg", false), ("timefmt", false)],
        None,
    ),
    kind("set", Verb::Set, &[("var", true), ("value", true)], None),
    kind("if", Verb::If, &[("expr", true)], None),
    kind("elif", Verb::Elif, &[("expr", true)], Some(Branch::If)),
    kind("else", Verb::Else, &[], Some(Branch::If)),
    kind("endif", Verb::Endif, &[], Some(Branch::Else)),
    kind("block", Verb::Block, &[("name", true)], None),
    kind("endblock", Verb::Endblock, &[], None),
];

/// The command of this name.
pub fn find(name: &[u8]) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name.as_bytes() == name)
}

/// The parameters of a command, by name.
#[derive(Debug)]
pub struct Arguments(Vec<(&'static str, Vec<u8>)>);

impl Arguments {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.0.iter();
        all.find_map(|(known, value)| (*known == name).then_some(&value[..]))
    }
}

impl Kind {
    /// What a command of this kind says.
    ///
    /// # Errors
    /// What is wrong with its parameters.
    pub fn arguments(&self, command: Command) -> Result<Arguments, String> {
        let name = self.name;
        if command.parameters.len() > MAX_PARAMETERS {
            return Err(format!("too many SSI command parameters: \"{name}\""));
        }
        let mut arguments = Arguments(Vec::new());
        for (key, value) in command.parameters {
            let known = self.parameters.iter().find(|it| it.0.as_bytes() == key);
            let key = key.escape_ascii();
            let Some((known, _)) = known else {
                return Err(format!(
                    "invalid parameter name: \"{key}\" in \"{name}\" SSI command"
                ));
            };
            if arguments.get(known).is_some() {
                return Err(format!(
                    "duplicate \"{key}\" parameter in \"{name}\" SSI command"
                ));
            }
            arguments.0.push((known, value));
        }
        let mut missing = self.parameters.iter();
        match missing.find(|(key, needed)| *needed && arguments.get(key).is_none()) {
            Some((key, _)) => Err(format!(
                "mandatory \"{key}\" parameter is absent in \"{name}\" SSI command"
            )),
            None => Ok(arguments),
        }
    }
}
