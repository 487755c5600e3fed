//! `auth_basic`: names and passwords (RFC 7617). The file of passwords is read for every request,
//! so that a changed one holds at once. A thread reads it, and a thread hashes what was shown;
//! what was right lately is known again without that.

mod credentials;
mod des;
mod md5;
mod password;
mod recent;
mod user_file;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::env::Lane;
use super::exchange::Exchange;
use super::run::Flow;
use super::satisfy::Verdict;
use super::template::Template;
use crate::conf::diagnostic::Reason;
use crate::conf::table::Call;
use crate::directives;
use crate::log::{Legible, Level};
use crate::sys::OsError;
pub use credentials::Credentials;
use user_file::{Entry, Unreadable};

directives! {
    /// Names and passwords.
    pub struct AuthBasic in "ngx_http_auth_basic_module" with Draft {
        /// Lets in who has a name and a password of `auth_basic_user_file`, and shows this text to
        /// all others; `off` lets in everybody.
        realm: Option<Template> = None =>
            "auth_basic" [HTTP | SERVER | LOCATION | LIMIT_EXCEPT] 1, Clone, "off", with(realm);
        /// The file of passwords: lines of `name:password`, hashed as crypt(3) does (DES, `$1$`,
        /// `$2y$`, `$5$`, `$6$`), or `$apr1$`, `{SHA}`, `{SSHA}`, `{PLAIN}`. A relative path starts
        /// from the directory of the configuration file.
        users: Option<Template> = None =>
            "auth_basic_user_file" [HTTP | SERVER | LOCATION | LIMIT_EXCEPT] 1, Clone, "",
            with(users);
    }
}

/// The text with which nobody is asked.
const OFF: &[u8] = b"off";

fn realm(this: &mut AuthBasic, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let realm = Template::compile(call.arg(0), draft)?;
    this.realm = Some(realm).filter(|realm| realm.fixed() != Some(OFF));
    Ok(())
}

fn users(this: &mut AuthBasic, draft: &mut Draft, call: &Call<'_>) -> Result<(), Reason> {
    let word = call.arg(0);
    let mut path = Template::compile(word, draft)?;
    if !matches!(word.text.first(), Some(b'/' | b'$')) {
        let directory = draft.path_beside(b"");
        path = path.below(directory.as_os_str().as_bytes());
    }
    draft.needs.reach.read_replaced(&path, word.place);
    this.users = Some(path);
    Ok(())
}

/// A check for which a thread works.
pub struct Login {
    users: PathBuf,
    entry: Entry,
}

/// Whether the client has shown a name and its password.
pub fn check(x: &mut Exchange) -> Verdict {
    let auth: &'static AuthBasic = &x.location.values.auth_basic;
    let (Some(realm), Some(users)) = (&auth.realm, &auth.users) else {
        return Verdict::Silent;
    };
    let realm = realm.value(x);
    if *realm == *OFF {
        return Verdict::Silent;
    }
    let Some(shown) = Credentials::of(&x.head) else {
        let what = "no user/password was provided for basic authentication";
        x.log(Level::Info, format_args!("{what}"));
        return refuse(x, &realm);
    };
    let users = OsString::from_vec(users.value(x).into_owned()).into();
    match log_in(x, users, &shown) {
        Ok(true) => Verdict::Granted,
        Ok(false) => refuse(x, &realm),
        Err(verdict) => verdict,
    }
}

/// Asks for a password.
fn refuse(x: &mut Exchange, realm: &[u8]) -> Verdict {
    let challenge = [b"Basic realm=\"", realm, b"\""].concat();
    x.challenges.push(challenge.into());
    Verdict::Refused(401)
}

/// Whether the password is right. For a name that is in no line, it takes as long.
fn log_in(x: &mut Exchange, users: PathBuf, shown: &Credentials) -> Result<bool, Verdict> {
    // An entry of another file may be left of a check that was given up.
    let login = x.login.take().filter(|login| login.users == users);
    let entry = match login {
        Some(login) => login.entry,
        None => look_up(x, &users, &shown.user)?,
    };
    let proof = recent::proof(&shown.user, &shown.password, &entry.password);
    if entry.of_user && recent::knows(&proof) {
        return Ok(true);
    }
    let (stored, password) = (entry.password.clone(), shown.password.clone());
    let is_right = match password::is_slow(&stored) {
        false => password::matches(&stored, &password),
        true => {
            let compare = move || password::matches(&stored, &password);
            x.job(Lane::Passwords, "hashing a password", compare)
                .map_err(|need| {
                    x.login = Some(Box::new(Login {
                        users: users.clone(),
                        entry: entry.clone(),
                    }));
                    Verdict::Other(Flow::Wait(need))
                })?
        }
    };
    let user = shown.user.escape_ascii();
    if !entry.of_user {
        let what = format_args!("user \"{user}\" was not found in \"{}\"", Legible(&users));
        x.log(Level::Error, what);
    } else if !is_right {
        x.log(
            Level::Error,
            format_args!("user \"{user}\": password mismatch"),
        );
    } else {
        recent::remember(proof);
    }
    Ok(entry.of_user && is_right)
}

/// The user's line of the file.
fn look_up(x: &mut Exchange, users: &Path, user: &[u8]) -> Result<Entry, Verdict> {
    let (path, user) = (users.to_owned(), user.to_vec());
    let lane = Lane::Path(path.clone());
    let found = x.job(lane, "reading passwords", move || {
        user_file::find(&path, &user)
    });
    match found {
        Ok(Ok(entry)) => Ok(entry),
        Ok(Err(unreadable)) => Err(without_users(x, users, &unreadable)),
        Err(need) => Err(Verdict::Other(Flow::Wait(need))),
    }
}

/// As nginx, for which a file that is missing has no users.
fn without_users(x: &Exchange, users: &Path, Unreadable { call, error }: &Unreadable) -> Verdict {
    let missing = error.kind() == io::ErrorKind::NotFound;
    let level = if missing { Level::Error } else { Level::Crit };
    let what = format_args!("{call}() \"{}\" failed {}", Legible(users), OsError(error));
    x.log(level, what);
    match missing {
        true => Verdict::Refused(403),
        false => Verdict::Other(Flow::Fail(500)),
    }
}

#[cfg(test)]
mod tests;
