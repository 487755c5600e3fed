//! COPY and MOVE: what is to be at the target is made beside it, or comes from where it was, and what
//! was there changes places with it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Done, Named, Refused, Why};
use super::{beside, could_not_be_created, remove_any, rename_failed};
use crate::sys::file::{self, Kind};
use crate::sys::rename;
use crate::sys::tree::{self, Extent, Failure};

/// A copy or a move.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Of what.
    pub from: Named,
    /// Whereto.
    pub to: Named,
    /// Whether what is there may be replaced.
    pub overwrite: bool,
    /// Whether nothing is to be left where it came from.
    pub moving: bool,
    /// Whether a directory goes with what is in it.
    pub members: bool,
}

/// Copies or moves what is there. [`Done::new`] is for directories, as in nginx.
///
/// # Errors
/// What was at the target is still there then, and so is the source.
pub fn transfer(order: &Transfer) -> Result<Done, Refused> {
    let target = target(order)?;
    let (from, slash) = (&order.from.path, order.from.slash);
    let meta = fs::symlink_metadata(from).map_err(Failure::of("lstat", from))?;
    if meta.is_dir() && !slash {
        return Err(Refused::new(Why::Directory, ""));
    }
    if slash && !fs::metadata(from).is_ok_and(|meta| meta.is_dir()) {
        let error = io::ErrorKind::NotADirectory.into();
        return Err(Failure::of("lstat", from)(error).into());
    }
    let done = if slash {
        directory(order, target)
    } else {
        file(order).map(|()| Done::default())
    };
    done.map_err(Refused::without_parent)
}

/// What is at the target, if it may be replaced.
fn target(order: &Transfer) -> Result<Option<fs::Metadata>, Refused> {
    let Named { path, slash } = &order.to;
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::of("lstat", path)(error).into()),
        Ok(meta) => meta,
    };
    if meta.is_dir() && !slash {
        return Err(Refused::new(Why::IntoDirectory, ""));
    }
    if !order.overwrite {
        return Err(kept(path));
    }
    Ok(Some(meta))
}

fn kept(path: &Path) -> Refused {
    could_not_be_created(path, Why::Kept, io::ErrorKind::AlreadyExists)
}

fn file(order: &Transfer) -> Result<(), Refused> {
    let (from, to) = (&order.from.path, &order.to.path);
    if order.moving {
        match arrive(from, order) {
            Err(refused) if refused.why == Why::Elsewhere => {}
            arrived => return arrived,
        }
    }
    let (source, meta) = file::open(from).map_err(Failure::of("open", from))?;
    if meta.kind != Kind::Regular {
        let what = format!("\"{}\" is not a regular file", from.display());
        return Err(Refused::new(Why::OtherKind, what));
    }
    let hidden = beside(to)?;
    let copied = copy_file(&source, &hidden).and_then(|()| arrive(&hidden, order));
    if copied.is_err() {
        let _ = fs::remove_file(&hidden);
        return copied;
    }
    match order.moving {
        true => Ok(fs::remove_file(from).map_err(Failure::of("unlink", from))?),
        false => Ok(()),
    }
}

fn copy_file(source: &File, path: &Path) -> Result<(), Refused> {
    let mut open = OpenOptions::new();
    let target = open.write(true).create_new(true).mode(0o600).open(path);
    let target = target.map_err(Failure::of("open", path))?;
    Ok(tree::contents(source, &target).map_err(Failure::of("write", path))?)
}

fn directory(order: &Transfer, target: Option<fs::Metadata>) -> Result<Done, Refused> {
    let (from, to) = (&order.from.path, &order.to.path);
    let mut done = Done::new(true);
    if order.moving {
        match swap_in(from, order, target.as_ref(), &mut done.told) {
            Err(refused) if refused.why == Why::Elsewhere => {}
            swapped => return swapped.map(|()| done),
        }
    }
    let extent = match (order.moving, order.members) {
        (true, _) => Extent::Whole,
        (false, true) => Extent::Files,
        (false, false) => Extent::Alone,
    };
    let hidden = beside(to)?;
    let copied = tree::copy(from, &hidden, extent)
        .map_err(Refused::from)
        .and_then(|()| swap_in(&hidden, order, target.as_ref(), &mut done.told));
    if let Err(refused) = copied {
        let _ = tree::remove(&hidden, &mut |_| {});
        return Err(refused);
    }
    if order.moving {
        remove_any(from, true, &mut done.told)?;
    }
    Ok(done)
}

/// Renames to the target, over a file if that may be replaced.
pub(super) fn arrive(new: &Path, order: &Transfer) -> Result<(), Refused> {
    let to = &order.to.path;
    let renamed = match order.overwrite {
        true => fs::rename(new, to),
        false => match rename::rename_new(new, to) {
            Err(error) if rename::is_unknown(&error) => fs::rename(new, to),
            renamed => renamed,
        },
    };
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists if !order.overwrite => kept(to),
        _ => rename_failed(new, to, &error),
    })
}

/// Renames a directory to a place where something may be, which is removed in the end. What is left
/// of it is told.
fn swap_in(
    new: &Path,
    order: &Transfer,
    old: Option<&fs::Metadata>,
    told: &mut Vec<String>,
) -> Result<(), Refused> {
    let Some(old) = old else {
        return arrive(new, order);
    };
    let aside = exchange(new, &order.to.path, old)?;
    if let Err(refused) = remove_any(&aside, old.is_dir(), told) {
        told.push(refused.what);
    }
    Ok(())
}

/// Puts what is new in the place of the old, and says where that is now: under a hidden name.
fn exchange(new: &Path, place: &Path, old: &fs::Metadata) -> Result<PathBuf, Refused> {
    let rename = |from: &Path, to: &Path| {
        fs::rename(from, to).map_err(|error| rename_failed(from, to, &error))
    };
    // One thing by two names would change places with itself, and be taken for the old.
    let is_other =
        fs::symlink_metadata(new).is_ok_and(|new| (new.dev(), new.ino()) != (old.dev(), old.ino()));
    if is_other {
        match rename::exchange(new, place) {
            Err(error) if rename::is_unknown(&error) => {}
            Err(error) => return Err(rename_failed(new, place, &error)),
            Ok(()) => {
                let aside = beside(new)?;
                return rename(new, &aside).map(|()| aside);
            }
        }
    }
    let aside = beside(place)?;
    rename(place, &aside)?;
    if let Err(refused) = rename(new, place) {
        rename(&aside, place)?;
        return Err(refused);
    }
    Ok(aside)
}
