//! Who the process is: users, groups, and giving up what it may do for good. Not which user a
//! configuration wants.

use std::ffi::{CStr, CString};
use std::io;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, geteuid, initgroups, setgroups, setresgid, setresuid};

use super::OsError;

mod capability;

pub use capability::drop_capabilities;

/// A user and a group to become (nginx: `user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's name in the system's table, by which its other groups are found; `None` for a
    /// mere number.
    name: Option<CString>,
    uid: Uid,
    gid: Gid,
}

impl Identity {
    /// The user and the group of these names or numbers. Without a group it is the one named as the
    /// user, as in nginx.
    ///
    /// # Errors
    /// In nginx's words: `getpwnam("name") failed`, with the system's reason if there is one.
    pub fn find(user: &str, group: Option<&str>) -> io::Result<Identity> {
        let (name, uid) = find_user(user)?;
        let gid = find_group(group.unwrap_or(user))?;
        Ok(Identity { name, uid, gid })
    }

    /// A user and a group that were found before, see [`Identity::name`].
    pub fn known(name: Option<Vec<u8>>, uid: u32, gid: u32) -> Identity {
        Identity {
            name: name.and_then(|name| CString::new(name).ok()),
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
        }
    }

    /// The user's name in the system's table; `None` for a mere number.
    pub fn name(&self) -> Option<&CStr> {
        self.name.as_deref()
    }

    /// The user's number.
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The group's number.
    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }
}

fn find_user(user: &str) -> io::Result<(Option<CString>, Uid)> {
    let named = |user: User| (CString::new(user.name).ok(), user.uid);
    match User::from_name(user) {
        Ok(Some(found)) => Ok(named(found)),
        other => match user.parse().map(Uid::from_raw) {
            Ok(uid) => Ok(User::from_uid(uid)
                .ok()
                .flatten()
                .map_or((None, uid), named)),
            Err(_) => Err(not_found("getpwnam", user, other.err())),
        },
    }
}

fn find_group(group: &str) -> io::Result<Gid> {
    match Group::from_name(group) {
        Ok(Some(found)) => Ok(found.gid),
        other => group
            .parse()
            .map(Gid::from_raw)
            .map_err(|_| not_found("getgrnam", group, other.err())),
    }
}

fn not_found(call: &str, name: &str, reason: Option<Errno>) -> io::Error {
    match reason {
        Some(reason) => failed(&format!("{call}(\"{name}\")"), reason),
        None => io::Error::other(format!("{call}(\"{name}\") failed")),
    }
}

/// An error that names the call: there are several, and the number alone would not tell which.
fn failed(call: &str, error: impl Into<io::Error>) -> io::Error {
    io::Error::other(format!("{call} failed {}", OsError(&error.into())))
}

/// Whether the process acts as root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Becomes that user, for good: its groups, then its group, then itself, and makes sure that there
/// is no way back. Root is left without capabilities: a name, and the files that it owns.
///
/// # Errors
/// They name the call that failed: `setgid(33) failed (1: Operation not permitted)`. The process
/// must then end: it may be half of what it was.
pub fn drop_privileges(to: &Identity) -> io::Result<()> {
    let (uid, gid) = (to.uid, to.gid);
    match &to.name {
        Some(name) => {
            initgroups(name, gid).map_err(|e| failed(&format!("initgroups({name:?})"), e))
        }
        None => setgroups(&[gid]).map_err(|e| failed(&format!("setgroups({gid})"), e)),
    }?;
    setresgid(gid, gid, gid).map_err(|e| failed(&format!("setgid({gid})"), e))?;
    setresuid(uid, uid, uid).map_err(|e| failed(&format!("setuid({uid})"), e))?;
    if uid.is_root() {
        drop_capabilities()
    } else {
        verify_dropped()
    }
}

/// The kernel clears the capabilities of a process that stops being root, unless it was told to
/// keep them.
fn verify_dropped() -> io::Result<()> {
    let root = Uid::from_raw(0);
    if setresuid(root, root, root).is_ok() {
        return Err(io::Error::other(
            "root privileges were dropped, but could be taken back",
        ));
    }
    if capability::held()?.any() {
        return Err(io::Error::other(
            "root privileges were dropped, but capabilities are left",
        ));
    }
    Ok(())
}

/// No program that this process starts gets more than it has itself, whatever its file says.
///
/// # Errors
/// EINVAL on a kernel before 3.5.
pub fn set_no_new_privileges() -> io::Result<()> {
    Ok(prctl::set_no_new_privs()?)
}

/// What the process makes can be written by itself alone, whatever its parent had in mind.
pub fn set_umask() {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
}

/// Whether the process may leave a core file and be looked into by others of its user. Unless it
/// says so, a process that became somebody else may not, and any other may.
///
/// # Errors
/// None that the kernel documents.
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    Ok(prctl::set_dumpable(dumpable)?)
}

#[cfg(test)]
mod tests;
