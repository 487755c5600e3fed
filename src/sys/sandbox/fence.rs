//! Files that a process can reach from now on (landlock): by path, whatever their permissions.
//! What is open stays open, and what is handed over by descriptor can be used.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetStatus, Scope as Isolation, make_bitflags,
};

/// The newest rights that were looked at. A kernel that knows fewer is asked for these.
const KNOWN: ABI = ABI::V6;

/// Writing a file, and making it where it is missing: all that a log needs.
const WRITING: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | MakeReg});

/// Making, renaming and removing files and directories, and writing files.
const CHANGING: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

/// Making and removing temporary files, in directories that are made for them.
const TEMPORARY: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    WriteFile | MakeReg | MakeDir | RemoveFile
});

/// Reading a file, and listing a directory.
const READING: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});

/// What is fenced in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Making, writing, removing and executing.
    Changes,
    /// These, and reading files and directories. `stat` is always possible.
    All,
}

/// How much of it the kernel could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Whole,
    /// It is too old for some of the rights, as for truncating before Linux 6.2, or for keeping
    /// signals and abstract sockets in, before 6.12.
    Part,
    /// It has no landlock, or landlock is not enabled.
    Nothing,
}

/// What may still be reached, while it is gathered.
pub struct Fence {
    rules: RulesetCreated,
    /// The rights that have to be granted.
    rights: BitFlags<AccessFs>,
}

impl Fence {
    /// Nothing may be reached. Where the kernel can, neither signals nor abstract unix sockets of
    /// other processes.
    ///
    /// # Errors
    /// The kernel's: ENOMEM, EPERM of a container's filter.
    pub fn new(scope: Scope) -> io::Result<Fence> {
        let rights = match scope {
            Scope::Changes => AccessFs::from_all(KNOWN) & !READING,
            Scope::All => AccessFs::from_all(KNOWN),
        };
        let rules = Ruleset::default()
            .handle_access(rights)
            .and_then(|rules| rules.scope(Isolation::from_all(KNOWN)))
            .and_then(Ruleset::create);
        let rules = rules.map_err(io::Error::other)?;
        Ok(Fence { rules, rights })
    }

    /// Files at or beneath this path may be read. The path is looked up now and its links are
    /// followed: what takes its place later is out of reach.
    ///
    /// # Errors
    /// There is nothing at this path, or it cannot be looked up.
    pub fn allow_reading(&mut self, path: &Path) -> io::Result<()> {
        self.allow(path, READING)
    }

    /// The file at this path may be written; beneath a directory, files may also be made. As
    /// [`Fence::allow_reading`] otherwise.
    ///
    /// # Errors
    /// As above.
    pub fn allow_writing(&mut self, path: &Path) -> io::Result<()> {
        self.allow(path, WRITING)
    }

    /// Beneath this directory anything may be changed, and moved to others of which that is so, too.
    /// As [`Fence::allow_reading`] otherwise.
    ///
    /// # Errors
    /// As above.
    pub fn allow_changing(&mut self, path: &Path) -> io::Result<()> {
        self.allow(path, CHANGING | READING)
    }

    /// Beneath this directory files may be made, and removed again. As [`Fence::allow_reading`]
    /// otherwise.
    ///
    /// # Errors
    /// As above.
    pub fn allow_temporary(&mut self, path: &Path) -> io::Result<()> {
        self.allow(path, TEMPORARY | READING)
    }

    fn allow(&mut self, path: &Path, rights: BitFlags<AccessFs>) -> io::Result<()> {
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(path)?;
        let rights = rights & self.rights;
        let rights = match file.metadata()?.is_dir() {
            true => rights,
            false => rights & AccessFs::from_file(KNOWN),
        };
        let rule = PathBeneath::new(file, rights);
        let added = (&mut self.rules).add_rule(rule);
        added.map(drop).map_err(io::Error::other)
    }

    /// Closes it around the calling thread and all that it will start. Others may do the same, as
    /// after a fork: no path is looked up for it.
    ///
    /// # Errors
    /// The kernel's: E2BIG within 16 others.
    pub fn close(&self) -> io::Result<Extent> {
        let rules = self.rules.try_clone()?;
        let status = rules.restrict_self().map_err(io::Error::other)?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Extent::Whole,
            RulesetStatus::PartiallyEnforced => Extent::Part,
            RulesetStatus::NotEnforced => Extent::Nothing,
        })
    }
}
